"""Grouped attention that returns its weights."""

from .group_query_attention import GroupQueryAttention
from .scored_multi_head_attention import ScoredMultiHeadAttention


class ScoredGroupQueryAttention(GroupQueryAttention, ScoredMultiHeadAttention):
    """Grouped attention that returns its weights."""
