"""What attention by several heads has in common."""

import torch
from torch import nn


class AttentionHeads(nn.Module):
    """Projections to heads of any size and back, around attention.

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

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """Heads side by side (..., T, heads * size) to (..., heads, T, size)."""
        return torch.unflatten(x, -1, (self.num_heads, -1)).transpose(-3, -2)

    def merge(self, x: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        """The heads' results, side by side again, to the output."""
        merged: torch.Tensor = self.output(x.transpose(-3, -2).flatten(-2))
        return merged
