"""A module applied to one time step after the other."""

import torch
from torch import nn


def each_step(module: nn.Module, x: torch.Tensor, dim: int) -> torch.Tensor:
    """Call ``module`` on each slice along ``dim``: its statistics are of one step."""
    return torch.stack([module(step) for step in x.unbind(dim)], dim)
