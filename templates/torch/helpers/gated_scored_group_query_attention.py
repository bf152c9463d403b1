"""Grouped attention with a gate that returns its weights."""

from .gated_scored_multi_head_attention import GatedScoredMultiHeadAttention
from .group_query_attention import GroupQueryAttention


class GatedScoredGroupQueryAttention(
    GroupQueryAttention, GatedScoredMultiHeadAttention
):
    """Grouped attention with a gate that returns its weights."""
