"""Mixtures of images."""

import torch


def mix_up(x: torch.Tensor, alpha: float, training: bool) -> torch.Tensor:
    """In training mixes each image (N, C, H, W) with another one, by Beta(a, a) weights."""
    if not training:
        return x
    order = torch.randperm(len(x), device=x.device)
    weights = torch.distributions.Beta(alpha, alpha).sample((len(x),))
    weights = weights.to(x).view(-1, 1, 1, 1)
    return weights * x + (1 - weights) * x[order]
