"""Grouped attention with a gate."""

from .gated_multi_head_attention import GatedMultiHeadAttention
from .group_query_attention import GroupQueryAttention


class GatedGroupQueryAttention(GroupQueryAttention, GatedMultiHeadAttention):
    """Grouped attention with a gate."""
