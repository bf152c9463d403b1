"""Attention by several heads with sizes of its own for keys and values."""

import torch
import torch.nn.functional as F

from .attention_heads import AttentionHeads


class MultiHeadAttention(AttentionHeads):
    """Scaled dot-product attention by several heads of any size."""

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
