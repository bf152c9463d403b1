"""The mask of local attention."""

import torch


def window_mask(query: torch.Tensor, key: torch.Tensor, size: int) -> torch.Tensor:
    """Mask (T, S) under which a step attends to less than `size` steps either way."""
    rows = torch.arange(query.shape[-2], device=query.device).unsqueeze(1)
    columns = torch.arange(key.shape[-2], device=query.device)
    return (rows - columns).abs() < size
