"""PyTorch lowering of a model inside a layer: a separate class, as for any nested model."""

from __future__ import annotations

from typing import Any

from specfmt.graph.held import HeldModel
from specfmt.graph.model import Graph
from specfmt.layers.base import Shape
from specfmt.targets.torch.activity import nested_penalty
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, SelfAttr, Tensor
from specfmt.targets.torch.nested_models import Border, layouts
from specfmt.targets.torch.registry import lower


@lower(HeldModel)
def held_model(
    layer: HeldModel, builder: LayerBuilder, x: Tensor, mask: Tensor | None = None
) -> Tensor:
    """``self.encoder(x)``."""
    inner = builder.class_builder.lower_model(layer.graph)
    (name,) = inner.inputs
    masks = Border(builder, inner, {name: (x, mask or x.mask)}).arguments()
    shape: Any = layer.output_shape(x.shape)
    return call_class(builder, layer.graph, x, masks, shape)


def call_class(
    builder: LayerBuilder, graph: Graph, x: Tensor, masks: tuple[Tensor, ...], shape: Shape
) -> Tensor:
    """The call of a class that a layer holds.

    Args:
        builder: The builder of the layer whose weights are the class's.
        graph: What the class computes.
        x: Its argument.
        masks: Its further arguments.
        shape: The shape of its output.
    """
    inner = builder.class_builder.lower_model(graph)
    module = builder.module(inner.name, heavy=True, initializes_itself=True)
    builder.class_builder.held[module.attr] = (inner, builder.weights.prefix)
    (value,) = graph.outputs.values()
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
