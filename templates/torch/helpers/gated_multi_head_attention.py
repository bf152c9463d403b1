"""Multi-head attention with a gate."""

from .gated_heads import GatedHeads
from .multi_head_attention import MultiHeadAttention


class GatedMultiHeadAttention(GatedHeads, MultiHeadAttention):
    """Multi-head attention with a gate."""
