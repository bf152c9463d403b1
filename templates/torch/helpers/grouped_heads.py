"""Query heads that share keys and values (arXiv:2305.13245)."""

import torch
from torch import nn

from .attention_heads import AttentionHeads


class GroupedHeads(AttentionHeads):
    """Fewer heads of keys and values than of queries."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        num_shared_heads: int,
        head_dim: int,
        kdim: int | None = None,
        dropout: float = 0.0,
        bias: bool = True,
    ) -> None:
        super().__init__(dim, num_heads, head_dim, dropout=dropout, bias=bias)
        self.head_dim = head_dim
        self.key = nn.Linear(kdim or dim, num_shared_heads * head_dim, bias=bias)
        self.value = nn.Linear(dim, num_shared_heads * head_dim, bias=bias)

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """Each head of keys and values is shared by a group of query heads."""
        x = torch.unflatten(x, -1, (-1, self.head_dim)).transpose(-3, -2)
        return x.repeat_interleave(self.num_heads // x.shape[-3], dim=-3)
