"""A loss: Tversky, of which Dice is the case of equal weights."""

import torch


def tversky(
    prediction: torch.Tensor,
    target: torch.Tensor,
    alpha: float = 0.5,
    beta: float = 0.5,
    dim: int | tuple[int, ...] | None = None,
) -> torch.Tensor:
    """1 minus the overlap by overlap and mistakes, over ``dim`` or over everything.

    ``alpha`` weighs what is missed, ``beta`` what is predicted too much.
    """
    overlap = (target * prediction).sum(dim)
    missed = ((1 - prediction) * target).sum(dim)
    added = (prediction * (1 - target)).sum(dim)
    return 1 - overlap / (overlap + alpha * missed + beta * added + 1e-7)
