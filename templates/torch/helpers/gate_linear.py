"""Gates that each read the input through a dropout mask of their own."""

import torch
import torch.nn.functional as F


def gate_linear(
    x: torch.Tensor, weight: torch.Tensor, keep: torch.Tensor | None
) -> torch.Tensor:
    """``x @ weight.T``; ``keep`` scales ``x`` for each gate's block of rows."""
    if keep is None:
        return F.linear(x, weight)
    blocks = weight.chunk(len(keep))
    parts = [F.linear(x * k, w) for k, w in zip(keep, blocks, strict=True)]
    return torch.cat(parts, dim=-1)
