"""Gated multi-head attention that returns the attention weights too."""

from .gated_heads import GatedHeads
from .scored_multi_head_attention import ScoredMultiHeadAttention


class GatedScoredMultiHeadAttention(GatedHeads, ScoredMultiHeadAttention):
    """Gated multi-head attention that returns the attention weights too."""
