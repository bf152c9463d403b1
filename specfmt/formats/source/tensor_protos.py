"""Reading dtypes, shapes and constants of TensorFlow from protocol buffers.

Source: `tensorflow/core/framework/types.proto`, `tensor_shape.proto` and `tensor.proto`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import prod
from typing import Any, Final

from specfmt.formats.source.protobuf import Data, fields, messages, packed, signed, text

DTYPE_NUMBERS: Final = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    19: "float16",
    22: "uint32",
    23: "uint64",
}
"""Number of a dtype -> Keras's name of it."""

MAX_RANK: Final = 32
"""NumPy arrays have at most this many axes (64 from version 2)."""


def sizes(data: Data) -> Iterator[int]:
    """The sizes of a `TensorShapeProto`.

    Raises:
        ValueError: A size is unknown, or there are too many.
    """
    for rank, axis in enumerate(messages(data, 2)):
        size = 0
        for number, value in fields(axis):
            if number == 1 and isinstance(value, int):
                size = signed(value)
        if size < 0 or rank >= MAX_RANK:
            raise ValueError("a tensor of unknown or too many sizes")
        yield size


def constant(data: Data) -> list[Any]:
    """The texts or integers of a `TensorProto`.

    Raises:
        ValueError: It is damaged, or contains other values.
    """
    dtype, count, found = "", 1, list[Any]()
    for number, value in fields(data):
        if number == 1:
            dtype = DTYPE_NUMBERS.get(value, "")
        elif number == 2:
            count = prod(sizes(value))
        elif number == 4 and dtype in INTEGERS and not len(value) % INTEGERS[dtype][1]:
            letter, size = INTEGERS[dtype]
            found += struct.unpack(f"<{len(value) // size}{letter}", value)
        elif number == 8 and dtype == "string":
            found.append(text(value))
        elif number in (7, 10) and dtype in INTEGERS:
            found += [signed(value)] if isinstance(value, int) else packed(value)
    if len(found) != count:
        raise ValueError("a constant whose values do not fit its shape")
    return found


INTEGERS: Final = {"int32": ("i", 4), "int64": ("q", 8)}
"""Dtype -> format of `struct`, and bytes."""
