"""Arrays in files: dtypes, and writing without a second copy."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, BinaryIO, Final

import numpy as np

CHUNK: Final = 16 * 2**20
"""Bytes that are copied at a time."""

Array = np.ndarray[Any, Any]


def widen_bfloat16(bits: Array) -> Array:
    """Convert bfloat16 numbers, given as 16-bit integers, to float32 exactly."""
    wide = bits.astype(np.uint32)
    wide <<= 16
    return wide.view(np.float32)


def little_endian(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in little-endian byte order, as in files."""
    return dtype.newbyteorder("<")


def blocks(array: Array) -> Iterator[Array]:
    """An array's elements in row-major order, about `CHUNK` bytes of copies at a time."""
    if array.flags.c_contiguous:
        yield array.reshape(-1)
        return
    row = prod(array.shape[1:]) * array.itemsize
    if row > CHUNK:
        for part in array:
            yield from blocks(part)
        return
    step = max(1, CHUNK // max(1, row))
    for start in range(0, array.shape[0], step):
        yield np.ascontiguousarray(array[start : start + step]).reshape(-1)


def write_array(stream: BinaryIO, array: Array) -> None:
    """Write an array's elements in row-major order."""
    for block in blocks(array.astype(little_endian(array.dtype), copy=False)):
        stream.write(block.view(np.uint8).data)
