"""A module applied to one time step after the other."""

import torch
from torch import nn


def each_step(
    module: nn.Module, x: torch.Tensor, dim: int, out_dim: int | None = None
) -> torch.Tensor:
    """Call ``module`` on each slice along ``dim``: its statistics are of one step.

    The results stand along ``out_dim``, which is ``dim`` unless they have other axes.
    """
    steps = [module(step) for step in x.unbind(dim)]
    return torch.stack(steps, dim if out_dim is None else out_dim)
