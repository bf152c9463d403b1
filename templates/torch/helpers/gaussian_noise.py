"""Additive noise."""

import torch


def gaussian_noise(x: torch.Tensor, stddev: float, training: bool) -> torch.Tensor:
    """Adds normal noise in training."""
    return x + stddev * torch.randn_like(x) if training else x
