"""Random shear maps."""

import torch

from .uniform import uniform


def shear_maps(
    x: torch.Tensor, right: tuple[float, float], down: tuple[float, float]
) -> torch.Tensor:
    """A map (N, 2, 3) for each image, which shears it by random parts of its size, either way."""
    sign = torch.where(uniform(x, (0, 1)) > 0.5, -1, 1)
    lower = sign * uniform(x, down)
    farther = sign * uniform(x, right)
    none, one = torch.zeros_like(lower), torch.ones_like(lower)
    columns = torch.stack([one, farther, none], dim=1)
    rows = torch.stack([lower, one, none], dim=1)
    return torch.stack([columns, rows], dim=1)
