"""Attention whose query heads share keys and values."""

from .grouped_heads import GroupedHeads
from .multi_head_attention import MultiHeadAttention


class GroupQueryAttention(GroupedHeads, MultiHeadAttention):
    """Multi-head attention with fewer heads of keys and values than of queries."""
