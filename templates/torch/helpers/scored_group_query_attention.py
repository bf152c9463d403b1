"""Grouped attention that returns its weights."""

from .scored_multi_head_attention import ScoredMultiHeadAttention
from .group_query_attention import GroupQueryAttention


class ScoredGroupQueryAttention(GroupQueryAttention, ScoredMultiHeadAttention):
    """Grouped attention that returns its weights."""
