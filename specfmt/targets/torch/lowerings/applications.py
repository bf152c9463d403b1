"""PyTorch lowerings of the layers of `keras.applications`."""

from __future__ import annotations

from specfmt.layers.applications import CustomScaleLayer, LayerScale
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Binary, Tensor
from specfmt.targets.torch.lowerings.merging import common_layout
from specfmt.targets.torch.registry import lower


@lower(LayerScale)
def layer_scale(layer: LayerScale, builder: LayerBuilder, x: Tensor) -> Tensor:
    """``x * self.gamma``, with one factor per channel."""
    y = builder.tensor((*x.shape[:-1], layer.projection_dim), x.dtype)
    gamma = builder.parameter(builder.aligned(builder.weights.variable, y), "gamma")
    result: Tensor = builder.step(Binary("*", x, gamma), y)
    return result


@lower(CustomScaleLayer)
def custom_scale(layer: CustomScaleLayer, builder: LayerBuilder, inputs: list[Tensor]) -> Tensor:
    """``shortcut + scale * residual``."""
    shortcut, residual = inputs
    layout = common_layout(inputs)
    y = builder.tensor(
        shortcut.shape, shortcut.dtype, flat=shortcut.flat if layout == "any" else None
    )
    scaled = Binary("*", layer.scale, residual)
    result: Tensor = builder.step(Binary("+", shortcut, scaled), y, layout=layout)
    return result
