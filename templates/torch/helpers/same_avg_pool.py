"""Average pooling with TensorFlow's "same" padding at sizes known only at run time."""

import torch
import torch.nn.functional as F

from .same_pad import same_pad


def same_avg_pool(
    x: torch.Tensor, kernel_size: tuple[int, ...], stride: tuple[int, ...]
) -> torch.Tensor:
    """Average pooling that pads as TensorFlow does and leaves the padding out."""
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(kernel_size) - 1]
    inside = same_pad(torch.ones_like(x[:1, :1]), kernel_size, stride)
    total = pool(same_pad(x, kernel_size, stride), kernel_size, stride)
    return total / pool(inside, kernel_size, stride)
