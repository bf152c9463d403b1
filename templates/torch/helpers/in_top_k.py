"""Whether the right class is among the first."""

import torch


def in_top_k(
    prediction: torch.Tensor, target: torch.Tensor, k: int, dim: int = -1
) -> torch.Tensor:
    """Whether fewer than ``k`` classes are predicted above the right one."""
    right = prediction.gather(dim, target.unsqueeze(dim))
    return (prediction > right).sum(dim) < k
