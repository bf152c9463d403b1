"""Grouped attention that returns its weights."""

from .grouped_heads import GroupedHeads
from .scored_multi_head_attention import ScoredMultiHeadAttention


class ScoredGroupQueryAttention(GroupedHeads, ScoredMultiHeadAttention):
    """Grouped attention that returns its weights."""
