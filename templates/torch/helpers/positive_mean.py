"""The mean over what is not zero."""

import torch


def positive_mean(values: torch.Tensor) -> torch.Tensor:
    """The mean of those values that are above zero."""
    return values.sum() / values.count_nonzero().clamp(min=1)
