"""The mask of a decoder."""

import torch


def causal_mask(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Mask (T, S) under which a step attends to itself and to earlier steps."""
    size = (query.shape[-2], key.shape[-2])
    return torch.ones(size, dtype=torch.bool, device=query.device).tril()
