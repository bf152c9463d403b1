"""AugMix: images mixed with changed versions of them."""

import torch

from .augmentations import augmentations


def aug_mix(
    x: torch.Tensor,
    chains: tuple[int, int],
    alpha: float,
    colors: bool,
    limits: tuple[float, float],
    values: tuple[float, float],
    training: bool,
    interpolation: str = "bilinear",
) -> torch.Tensor:
    """In training mixes images (N, C, H, W) with versions of them, all by the same changes.

    ``chains`` is the number of versions, and of the changes that each goes through, some of which
    may be none.  ``colors`` adds brightness, degeneration, contrast and sharpness to them.
    """
    if not training:
        return x
    count, depth = chains
    shares = torch.distributions.Dirichlet(torch.full((count,), alpha)).sample().to(x)
    kept = torch.distributions.Beta(alpha, alpha).sample().to(x)
    drawn = augmentations(x, limits, values, interpolation)
    drawn = drawn[:3] + drawn[7:] + (drawn[3:7] if colors else [])
    mixed = torch.zeros_like(x)
    for share in shares:
        y = x
        for _ in range(depth):
            index = int(torch.randint(0, len(drawn) + 1, ()))
            if index < len(drawn):
                y = drawn[index]()(y)
        mixed = mixed + y * share
    return (kept * x + (1 - kept) * mixed).clamp(*values)
