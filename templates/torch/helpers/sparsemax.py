"""Sparsemax."""

import torch


def sparsemax(x: torch.Tensor, dim: int) -> torch.Tensor:
    """Sparsemax along ``dim``, as Keras computes it.

    Keras's threshold adds up the cumulative sums of the support; the paper takes the last.
    """
    z = x.movedim(dim, -1)
    ordered = z.sort(dim=-1, descending=True).values
    totals = ordered.cumsum(dim=-1)
    ranks = torch.arange(1, z.shape[-1] + 1, device=x.device, dtype=x.dtype)
    support = ordered - (totals - 1) / ranks > 0
    threshold = ((totals * support).sum(-1, keepdim=True) - 1) / support.sum(
        -1, keepdim=True
    )
    return (z - threshold).clamp(min=0).movedim(-1, dim)
