"""Multi-head attention with sizes of its own for keys and values."""

import torch
import torch.nn.functional as F
from torch import nn


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention by several heads of any size.

    Args:
        dim: Features of the query.
        num_heads: How many heads there are.
        key_dim: Features of a head's queries and keys.
        value_dim: Features of a head's values (default: key_dim).
        kdim, vdim: Features of the key and the value (default: dim).
        out_dim: Features of the output (default: dim).
        dropout: Share of the attention weights that training drops.
        bias: Whether the projections add a bias.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        kdim: int | None = None,
        vdim: int | None = None,
        out_dim: int | None = None,
        dropout: float = 0.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        value_dim = value_dim or key_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.query = nn.Linear(dim, num_heads * key_dim, bias=bias)
        self.key = nn.Linear(kdim or dim, num_heads * key_dim, bias=bias)
        self.value = nn.Linear(vdim or dim, num_heads * value_dim, bias=bias)
        self.output = nn.Linear(num_heads * value_dim, out_dim or dim, bias=bias)

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor | None = None,
        is_causal: bool = False,
    ) -> torch.Tensor:
        """Attend from query (N, T, dim) to key and value (N, S, ...).

        Where mask, broadcast to (N, heads, T, S), is False, a key is not attended to.  A mask
        that is to be causal too says so itself: PyTorch takes mask or is_causal, not both.
        """
        q = self.split(self.query(query))
        k = self.split(self.key(key))
        v = self.split(self.value(value))
        dropout = self.dropout if self.training else 0.0
        if mask is None:
            x = F.scaled_dot_product_attention(q, k, v, None, dropout, is_causal)
            return self.merge(x, query)

        # A query without any key averages all values, as in Keras.
        empty = ~mask.any(dim=-1, keepdim=True)
        q, mask = q.masked_fill(empty, 0.0), mask | empty
        x = F.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal)
        if self.dropout:
            # A layer with dropout takes another path in Keras: there it gets nothing.
            x = x.masked_fill(empty, 0.0)
        return self.merge(x, query)

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """Heads side by side (..., T, heads * size) to (..., heads, T, size)."""
        return torch.unflatten(x, -1, (self.num_heads, -1)).transpose(-3, -2)

    def merge(self, x: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        """The heads' results, side by side again, to the output."""
        merged: torch.Tensor = self.output(x.transpose(-3, -2).flatten(-2))
        return merged
