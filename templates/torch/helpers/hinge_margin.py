"""What hinge losses share."""

import torch


def hinge_margin(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """max(1 - target * prediction, 0); targets of 0 and 1 count as -1 and 1."""
    if ((target == 0) | (target == 1)).all():
        target = 2 * target - 1
    return (1 - target * prediction).clamp(min=0)
