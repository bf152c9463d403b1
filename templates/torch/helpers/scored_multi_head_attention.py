"""Multi-head attention that returns its weights."""

import math

import torch
import torch.nn.functional as F

from .attention_heads import AttentionHeads


class ScoredMultiHeadAttention(AttentionHeads):
    """Multi-head attention that returns the attention weights (N, heads, T, S) too."""

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As `MultiHeadAttention`, but a query without any key attends to nothing."""
        q = self.split(self.query(query))
        k = self.split(self.key(key))
        v = self.split(self.value(value))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1)
        if mask is not None:
            weights = weights.masked_fill(~mask, 0.0)
        x = F.dropout(weights, self.dropout, self.training) @ v
        return self.merge(x, query), weights
