"""Random crops of images."""

import torch
import torch.nn.functional as F


def random_crop(x: torch.Tensor, size: tuple[int, int], training: bool) -> torch.Tensor:
    """In training crops all images (N, C, H, W) to ``size`` at the same random place.

    Images that are not larger than ``size`` along both axes are cut in the middle, and brought to
    the size.  At inference Keras returns images of any size as they are.
    """
    if not training:
        return x
    (height, width), (new_height, new_width) = x.shape[-2:], size
    if height > new_height and width > new_width:
        top = int(torch.rand(()) * (height - new_height + 1))
        left = int(torch.rand(()) * (width - new_width + 1))
    else:
        top = (height - max(min(height, int(width * new_height / new_width)), 1)) // 2
        left = (width - max(min(width, int(height * new_width / new_height)), 1)) // 2
    x = x[..., top : top + new_height, left : left + new_width]
    if tuple(x.shape[-2:]) != size:
        x = F.interpolate(x, size, mode="bilinear")
    return x
