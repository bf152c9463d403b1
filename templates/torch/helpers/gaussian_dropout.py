"""Multiplicative noise."""

import torch


def gaussian_dropout(x: torch.Tensor, stddev: float, training: bool) -> torch.Tensor:
    """Multiplies by normal noise of mean 1 in training."""
    return x * (1 + stddev * torch.randn_like(x)) if training else x
