"""A causal mask joined with another mask or bias of attention."""

import torch


def causal_bias(
    bias: torch.Tensor, query: torch.Tensor, key: torch.Tensor
) -> torch.Tensor:
    """A mask or bias over (query time, key time) in which no place sees a later one."""
    shape = (query.shape[1], key.shape[1])
    past = torch.ones(shape, dtype=torch.bool, device=query.device).tril()
    if bias.dtype == torch.bool:
        return bias & past
    return bias.masked_fill(~past, -1e30)
