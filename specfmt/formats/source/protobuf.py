"""Reading the wire format of protocol buffers, without a copy of the data.

Source: https://protobuf.dev/programming-guides/encoding.  A message is read field by field, so that
what nobody asks for costs nothing, and nesting costs no recursion.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

Data = bytes | memoryview

VARINT_BITS: Final = 63
"""The largest shift of a group of seven bits: numbers have 64 bits."""

FIXED: Final = {1: 8, 5: 4}
"""Wire type -> bytes, of numbers with a fixed size."""


def fields(data: Data) -> Iterator[tuple[int, Any]]:
    """The fields of a message: field number, and an integer or bytes (of the type of ``data``).

    Numbers with a fixed size are given as their bytes, in little-endian order.

    Raises:
        ValueError: The message is damaged.
    """
    place, end = 0, len(data)
    while place < end:
        key, place = varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = varint(data, place)
            yield key >> 3, value
            continue
        size = FIXED.get(kind)
        if kind == 2:
            size, place = varint(data, place)
        if size is None or place + size > end:
            raise ValueError("a field ends beyond its message")
        yield key >> 3, data[place : place + size]
        place += size


def varint(data: Data, place: int) -> tuple[int, int]:
    """A number of variable length, and the place behind it.

    Raises:
        ValueError: It is longer than 64 bits, or ends beyond the data.
    """
    value = shift = 0
    while place < len(data):
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
        if shift > VARINT_BITS:
            raise ValueError("a number that is too long")
    raise ValueError("a number that ends beyond the data")


def packed(data: Data) -> Iterator[int]:
    """The numbers of a packed field.

    Raises:
        ValueError: The message is damaged.
    """
    place = 0
    while place < len(data):
        value, place = varint(data, place)
        yield signed(value)


def signed(value: int) -> int:
    """A 64-bit number in two's complement as a signed one."""
    return value - 2**64 if value >= 2**63 else value


def numbers(data: Data) -> dict[int, int]:
    """The integers of a message by field number, the last of each.

    Raises:
        ValueError: The message is damaged.
    """
    return {number: value for number, value in fields(data) if isinstance(value, int)}


def parts(data: Data) -> dict[int, Data]:
    """The fields of a message that are messages, bytes or text, the last of each.

    Raises:
        ValueError: The message is damaged.
    """
    return {number: value for number, value in fields(data) if not isinstance(value, int)}


def messages(data: Data, number: int) -> Iterator[Data]:
    """The fields of a message with a number, which are messages or bytes.

    Raises:
        ValueError: The message is damaged.
    """
    for found, value in fields(data):
        if found == number and not isinstance(value, int):
            yield value


def text(data: Data) -> str:
    """Bytes as text.

    Raises:
        ValueError: They are not UTF-8.
    """
    return bytes(data).decode("utf-8")
