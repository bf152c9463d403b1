"""A loss: log-cosh."""

import math

import torch
import torch.nn.functional as F


def log_cosh(
    prediction: torch.Tensor, target: torch.Tensor, dim: int = -1
) -> torch.Tensor:
    """log(cosh(error)) averaged over ``dim``: squares small errors, not large ones."""
    error = prediction - target
    return (error + F.softplus(-2 * error) - math.log(2)).mean(dim)
