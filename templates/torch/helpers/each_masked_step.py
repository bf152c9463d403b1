"""A module applied to one time step after the other, each with its mask."""

from collections.abc import Sequence

import torch
from torch import nn


def each_masked_step(
    module: nn.Module,
    x: torch.Tensor,
    masks: Sequence[torch.Tensor],
    dim: int,
    out_dim: int | None = None,
) -> torch.Tensor:
    """Call ``module`` on each slice along ``dim`` with its mask.

    The results stand along ``out_dim``, which is ``dim`` unless they have other axes.
    """
    steps = [
        module(step, mask) for step, mask in zip(x.unbind(dim), masks, strict=True)
    ]
    return torch.stack(steps, dim if out_dim is None else out_dim)
