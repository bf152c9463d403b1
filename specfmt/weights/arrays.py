"""Arrays in files: kinds of numbers, and writing without a second copy."""

from __future__ import annotations

from math import prod
from typing import Any, BinaryIO, Final

import numpy as np

CHUNK: Final = 16 * 2**20
"""Bytes that are put in order at a time."""

Array = np.ndarray[Any, Any]


def widen_bfloat16(bits: Array) -> Array:
    """bfloat16 numbers, given as 16-bit integers, as float32: exact."""
    wide = bits.astype(np.uint32)
    wide <<= 16
    return wide.view(np.float32)


def little_endian(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The same kind of numbers in the byte order that files have."""
    return dtype.newbyteorder("<")


def write_array(stream: BinaryIO, array: Array) -> None:
    """Write an array row by row; only `CHUNK` bytes of it are ever copied."""
    array = array.astype(little_endian(array.dtype), copy=False)
    if array.ndim == 0 or array.flags.c_contiguous:
        stream.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return
    row = max(1, prod(array.shape[1:]) * array.itemsize)
    step = max(1, CHUNK // row)
    for start in range(0, array.shape[0], step):
        block = np.ascontiguousarray(array[start : start + step])
        stream.write(block.reshape(-1).view(np.uint8).data)
