"""PyTorch lowering of a model that a layer holds: a class of its own, as for any nested model."""

from __future__ import annotations

from typing import Any

from specfmt.graph.held import HeldModel
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, SelfAttr, Tensor
from specfmt.targets.torch.registry import TargetError, lower


@lower(HeldModel)
def held_model(
    layer: HeldModel,
    builder: LayerBuilder,
    x: Tensor,
    training: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """``self.encoder(x)``.

    Raises:
        TargetError: The model's forward cannot take what it would be called with.
    """
    if x.mask is not None:
        raise TargetError(
            "a mask crosses the border of a nested model, which a module's forward cannot carry",
            "put the layers that make and read the mask into one model",
            "layer",
        )
    if training is not None:
        raise TargetError(
            "a module's forward takes no training mode",
            "leave `training` out of its `inputs`",
            "inputs",
        )
    inner = builder.class_builder.lower_model(layer.graph)
    module = builder.module(inner.name, heavy=True, initializes_itself=True)
    builder.class_builder.held[module.attr] = (inner, builder.weights.prefix)
    (value,) = layer.graph.outputs.values()
    (read,) = inner.inputs.values()
    (given,) = inner.outputs.values()
    shape: Any = layer.output_shape(x.shape)
    result: Tensor = builder.step(
        Call(SelfAttr(module.attr), (x,)),
        builder.tensor(shape, value.dtype),
        layout=_order(inner, read),
        output_layout=_order(inner, given) if given.has_layout else None,
        module=module.ctor,
        module_def=module,
        heavy=True,
    )
    return result


def _order(program: Any, tensor: Tensor) -> Any:
    return "channels" if program.channels.get(tensor) else "keras"
