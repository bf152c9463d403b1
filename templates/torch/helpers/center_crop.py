"""The middle of images."""

import torch
import torch.nn.functional as F


def center_crop(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Crop the middle of images (N, C, H, W) of any size to ``size``.

    Smaller images are cropped to the aspect ratio of ``size``, and enlarged.
    """
    (height, width), (new_height, new_width) = x.shape[-2:], size
    if height >= new_height and width >= new_width:
        kept = size
    else:
        kept = (
            max(min(height, int(width * new_height / new_width)), 1),
            max(min(width, int(height * new_width / new_height)), 1),
        )
    top, left = (height - kept[0]) // 2, (width - kept[1]) // 2
    x = x[..., top : top + kept[0], left : left + kept[1]]
    return x if kept == size else F.interpolate(x, size, mode="bilinear")
