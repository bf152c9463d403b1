"""Results as plain numbers."""

import torch


def plain_number(value: torch.Tensor) -> float | list[float]:
    """A tensor of one element as a float, of several as a list."""
    return value.item() if value.numel() == 1 else value.tolist()
