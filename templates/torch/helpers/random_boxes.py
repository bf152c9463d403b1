"""Random boxes in images."""

import torch

from .uniform import uniform


def random_boxes(
    x: torch.Tensor, widths: torch.Tensor, heights: torch.Tensor
) -> torch.Tensor:
    """Where the pixels of images (N, C, H, W) lie in a box, as (N, 1, H, W).

    ``widths`` and ``heights`` (N) are parts of those of the images; the place is random.
    """

    def inside(size: int, parts: torch.Tensor) -> torch.Tensor:
        length = parts * size
        start = uniform(x, (0, 1)) * (size - length)
        places = torch.arange(size, device=x.device)
        return (places >= start[:, None]) & (places < (start + length)[:, None])

    columns = inside(x.shape[-1], widths)
    rows = inside(x.shape[-2], heights)
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)
