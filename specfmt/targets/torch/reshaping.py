"""PyTorch lowerings of the layers that move elements."""

from __future__ import annotations

from specfmt.layers.reshaping import Flatten
from specfmt.targets.torch.builder import Lower, lower
from specfmt.targets.torch.expr import Tensor


@lower(Flatten)
def flatten(layer: Flatten, b: Lower, x: Tensor) -> Tensor:
    return b.flatten(x, layer.output_shape(x.shape))
