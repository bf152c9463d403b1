"""Grouped attention with a gate that returns its weights."""

from .gated_scored_multi_head_attention import GatedScoredMultiHeadAttention
from .grouped_heads import GroupedHeads


class GatedScoredGroupQueryAttention(GroupedHeads, GatedScoredMultiHeadAttention):
    """Grouped attention with a gate that returns its weights."""
