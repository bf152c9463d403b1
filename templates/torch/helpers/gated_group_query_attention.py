"""Grouped attention with a gate."""

from .gated_multi_head_attention import GatedMultiHeadAttention
from .grouped_heads import GroupedHeads


class GatedGroupQueryAttention(GroupedHeads, GatedMultiHeadAttention):
    """Grouped attention with a gate."""
