"""Multi-head attention with a gate that returns its weights."""

from .gated_multi_head_attention import GatedMultiHeadAttention
from .scored_multi_head_attention import ScoredMultiHeadAttention


class GatedScoredMultiHeadAttention(GatedMultiHeadAttention, ScoredMultiHeadAttention):
    """Gated multi-head attention that returns the attention weights too."""
