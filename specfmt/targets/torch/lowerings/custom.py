"""Layers that specfmt does not define: a user-defined module, or a stub with no forward."""

from __future__ import annotations

from typing import Any

from specfmt.layers.custom import Custom
from specfmt.layers.naming import is_identifier
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, SelfAttr, Tensor
from specfmt.targets.torch.registry import lower
from specfmt.targets.torch.steps import ModuleDef
from specfmt.targets.torch.stubs import Stub
from specfmt.targets.unknown import attribute_names


@lower(Custom)
def custom(layer: Custom, builder: LayerBuilder, /, *args: Any, **kwargs: Any) -> Any:
    """A call of the replacing module, whose inputs and outputs have Keras's axis order."""
    positional = [*args, *(kwargs.pop(key) for key in list(kwargs) if key.startswith("*"))]
    arguments = {
        key: value
        for key, value in kwargs.items()
        if is_identifier(key) and key != "training" and value is not None
    }
    module = own_module(layer, builder)
    outputs = _outputs(layer, builder, args, kwargs)
    builder.class_builder.stubs.add(
        Stub(layer, builder.unit, module, tuple(positional), arguments, outputs)
    )
    first, *others = positional or (None,)
    return builder.step(
        Call(SelfAttr(module.attr), (first, *others), arguments),
        *outputs,
        layout="keras",
        module=module.ctor if len(positional) == 1 and not arguments else None,
        module_def=module,
        heavy=True,
    )


def own_module(layer: Custom, builder: LayerBuilder) -> ModuleDef:
    """The module that replaces a user-defined layer, with its weights."""
    names = attribute_names(list(layer.known_weights))
    weights = {weight.name: weight for weight in layer.weights()}
    return builder.module(
        layer.class_name,
        params={attr: builder.weights[name] for name, attr in names.items()},
        buffers=tuple(names[n] for n, weight in weights.items() if not weight.trainable),
        heavy=True,
        initializes_itself=True,
    )


def _outputs(layer: Custom, builder: LayerBuilder, args: Any, kwargs: Any) -> tuple[Tensor, ...]:
    """The outputs of the call: those of the graph, or inside a wrapper those that are specified."""
    shapes = layer.output_shape(*_shape_of(args), **_shape_of(kwargs))
    dtype = layer.output_dtype_
    if builder.unit.spec is layer:
        values = builder.node.outputs
        return tuple(Tensor(v.shape or (), dtype or v.dtype, v.name) for v in values)
    several = shapes is not None and any(isinstance(shape, tuple) for shape in shapes)
    found = shapes if several else (shapes,)
    return tuple(Tensor(shape or (), dtype or "float32", builder.node.name) for shape in found)


def _shape_of(nest: Any) -> Any:
    if isinstance(nest, Tensor):
        return nest.shape
    if isinstance(nest, dict):
        return {key: _shape_of(item) for key, item in nest.items()}
    if isinstance(nest, (list, tuple)):
        return [_shape_of(item) for item in nest]
    return nest
