"""PyTorch lowerings of the layers of `keras.applications`."""

from __future__ import annotations

from specfmt.layers.applications import CustomScaleLayer, LayerScale
from specfmt.targets.torch.builder import Lower
from specfmt.targets.torch.expr import Binary, Tensor
from specfmt.targets.torch.lowerings.merging import common_want
from specfmt.targets.torch.registry import lower


@lower(LayerScale)
def layer_scale(layer: LayerScale, b: Lower, x: Tensor) -> Tensor:
    """``x * self.scale``, the factors along the channels wherever those stand."""
    y = b.tensor((*x.shape[:-1], layer.projection_dim), x.dtype)
    gamma = b.parameter(b.aligned(b.weights.variable, y), "gamma")
    result: Tensor = b.step(Binary("*", x, gamma), y)
    return result


@lower(CustomScaleLayer)
def custom_scale(layer: CustomScaleLayer, b: Lower, inputs: list[Tensor]) -> Tensor:
    """``shortcut + scale * residual``."""
    shortcut, residual = inputs
    want = common_want(inputs)
    y = b.tensor(shortcut.shape, shortcut.dtype, flat=shortcut.flat if want == "any" else None)
    scaled = Binary("*", layer.scale, residual)
    result: Tensor = b.step(Binary("+", shortcut, scaled), y, want=want)
    return result
