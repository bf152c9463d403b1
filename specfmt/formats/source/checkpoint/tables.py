"""Reading the sorted tables in which TensorFlow lists the tensors of a checkpoint (``.index``).

The format is that of LevelDB's tables without compression: blocks of entries whose keys share
prefixes, an index of the blocks, and a footer.  Source: `tensorflow/core/lib/io/table_format.txt`,
https://github.com/google/leveldb/blob/main/doc/table_format.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from specfmt.formats.source.checkpoint.checksums import verify
from specfmt.formats.source.protobuf import varint

MAGIC: Final = bytes.fromhex("57fb808b247547db")
"""The last eight bytes of a table."""

FOOTER: Final = 48
TRAILER: Final = 5
"""Bytes behind a block: its compression, and a checksum."""

MAX_KEY: Final = 2**14
KEY_RATIO: Final = 32
"""All keys together have at most this many times the bytes of the table: prefixes are shared."""


def table(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """The entries of a table, in its order.

    Args:
        data: The file.

    Yields:
        Key and value.

    Raises:
        ValueError: The file is damaged, or its blocks or keys unpack to far more than is stored.
    """
    if len(data) < FOOTER or not data.endswith(MAGIC):
        raise ValueError("it does not end as a table of TensorFlow does")
    view = memoryview(data)
    footer = len(data) - FOOTER
    _, place = _handle(view, footer)
    index, _ = _handle(view, place)
    budget = _Budget(len(data))
    for _, handle in _entries(view, index, budget):
        yield from _entries(view, _handle(handle, 0)[0], budget)


Handle = tuple[int, int]
"""Offset and size of a block."""


class _Budget:
    """What reading a table may cost: each block is read once, and keys are not much longer than it."""

    def __init__(self, size: int) -> None:
        self.blocks, self.keys = 2 * size, KEY_RATIO * size + MAX_KEY

    def spend(self, *, block: int = 0, key: int = 0) -> None:
        self.blocks -= block
        self.keys -= key
        if self.blocks < 0 or self.keys < 0:
            raise ValueError("it unpacks to far more than is stored")


def _handle(data: memoryview, place: int) -> tuple[Handle, int]:
    offset, place = varint(data, place)
    size, place = varint(data, place)
    return (offset, size), place


def _entries(
    view: memoryview, handle: Handle, budget: _Budget
) -> Iterator[tuple[bytes, memoryview]]:
    """The entries of a block: each key gives the length of the prefix that it shares with the one before."""
    offset, size = handle
    if offset + size + TRAILER > len(view):
        raise ValueError("a block ends beyond the file")
    if view[offset + size]:
        raise ValueError("its blocks are compressed, as TensorFlow does not write them")
    budget.spend(block=size)
    stored = int.from_bytes(view[offset + size + 1 : offset + size + TRAILER], "little")
    verify("a block", stored, bytes(view[offset : offset + size + 1]))
    block = view[offset : offset + size]
    if size < 4:
        raise ValueError("a block is too short")
    restarts = int.from_bytes(block[-4:], "little")
    end = size - 4 * (restarts + 1)
    if end < 0:
        raise ValueError("a block is too short")
    place, key = 0, b""
    block = block[:end]
    while place < end:
        shared, place = varint(block, place)
        own, place = varint(block, place)
        length, place = varint(block, place)
        if shared > len(key) or shared + own > MAX_KEY or place + own + length > end:
            raise ValueError("an entry ends beyond its block")
        key = key[:shared] + bytes(block[place : place + own])
        budget.spend(key=len(key))
        place += own
        yield key, block[place : place + length]
        place += length
