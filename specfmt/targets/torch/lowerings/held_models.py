"""PyTorch lowering of a model inside a layer: a separate class, as for any nested model."""

from __future__ import annotations

from typing import Any

from specfmt.graph.held import HeldModel
from specfmt.targets.torch.activity import nested_penalty
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, SelfAttr, Tensor
from specfmt.targets.torch.nested_models import Border, layouts
from specfmt.targets.torch.registry import lower


@lower(HeldModel)
def held_model(
    layer: HeldModel,
    builder: LayerBuilder,
    x: Tensor,
    training: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """``self.encoder(x)``."""
    inner = builder.class_builder.lower_model(layer.graph)
    (name,) = inner.inputs
    masks = Border(builder, inner, {name: (x, mask or x.mask)}).arguments()
    module = builder.module(inner.name, heavy=True, initializes_itself=True)
    builder.class_builder.held[module.attr] = (inner, builder.weights.prefix)
    (value,) = layer.graph.outputs.values()
    shape: Any = layer.output_shape(x.shape)
    layout, output_layout = layouts(inner)
    result: Tensor = builder.step(
        Call(SelfAttr(module.attr), (x, *masks)),
        builder.tensor(shape, value.dtype),
        layout=layout,
        output_layout=output_layout,
        module=None if masks else module.ctor,
        module_def=module,
        heavy=True,
    )
    if inner.penalty:
        nested_penalty(builder.class_builder, builder.node, module.attr)
    return result
