"""A loss: mean absolute percentage error."""

import torch


def mean_absolute_percentage_error(
    prediction: torch.Tensor, target: torch.Tensor, dim: int = -1
) -> torch.Tensor:
    """Absolute errors in percent of the targets, averaged over ``dim``."""
    error = (target - prediction).abs() / target.abs().clamp(min=1e-7)
    return 100 * error.mean(dim)
