"""A loss: categorical hinge."""

import torch


def categorical_hinge(
    prediction: torch.Tensor, target: torch.Tensor, dim: int = -1
) -> torch.Tensor:
    """By how much the best wrong class comes within 1 of the right one."""
    right = (target * prediction).sum(dim)
    wrong = ((1 - target) * prediction).amax(dim)
    return (wrong - right + 1).clamp(min=0)
