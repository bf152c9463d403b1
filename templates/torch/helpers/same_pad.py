"""TensorFlow's "same" padding where sizes are known only at run time."""

import torch
import torch.nn.functional as F


def same_pad(
    x: torch.Tensor,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    value: float = 0.0,
) -> torch.Tensor:
    """Pad the axes after the channels as TensorFlow does: an odd one at the end."""
    pads: list[int] = []
    for size, kernel, step in zip(x.shape[2:], kernel_size, stride, strict=True):
        total = (size - 1) // step * step + kernel - size
        if kernel < step:  # the input may go on behind the last window
            total = max(total, 0) if kernel > 1 else 0
        pads = [total // 2, total - total // 2, *pads]  # F.pad starts at the last axis
    return F.pad(x, pads, value=value)
