"""A gate behind attention (Qiu et al., 2025, arXiv:2505.06708)."""

from typing import Any

import torch
from torch import nn

from .attention_heads import AttentionHeads


class GatedHeads(AttentionHeads):
    """Heads whose results are multiplied by a gate, computed from the query."""

    def __init__(self, dim: int, num_heads: int, key_dim: int, **kwargs: Any) -> None:
        super().__init__(dim, num_heads, key_dim, **kwargs)
        bias = self.query.bias is not None
        self.gate = nn.Linear(dim, self.output.in_features, bias=bias)

    def merge(self, x: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        x = x.transpose(-3, -2).flatten(-2)
        merged: torch.Tensor = self.output(x * torch.sigmoid(self.gate(query)))
        return merged
