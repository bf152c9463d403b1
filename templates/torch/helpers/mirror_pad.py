"""Padding with mirrored elements along any axis."""

from collections.abc import Sequence

import torch


def mirror_pad(
    x: torch.Tensor, widths: Sequence[tuple[int, int]], edge: bool = False
) -> torch.Tensor:
    """Mirror (before, after) elements at both ends of each axis; ``edge``: the outermost too.

    `F.pad` mirrors only along the axes after batch and channels, and never the outermost.
    """
    for dim, (before, after) in enumerate(widths):
        first, last = (0, x.shape[dim]) if edge else (1, x.shape[dim] - 1)
        parts = [
            x.narrow(dim, first, before).flip(dim),
            x,
            x.narrow(dim, last - after, after).flip(dim),
        ]
        x = torch.cat(parts, dim)
    return x
