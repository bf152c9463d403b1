"""Rounding of floats to the shortest decimal, and back to the float32 value that Keras stores."""

from __future__ import annotations

import struct
from typing import Any

_FLOAT32 = struct.Struct("f")


def clean_float(value: float) -> float:
    """Remove float32 rounding noise: 0.30000001192092896 -> 0.3.

    A double that equals a float32 and takes many digits to print becomes the shortest decimal
    that rounds to the same float32; every other value stays as it is.
    """
    if len(repr(value)) <= 9:
        return value
    single = to_float32(value)
    if single != value:
        return value
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if to_float32(short) == single:
            return short
    return value


def to_float32(value: float) -> float:
    """The double that equals ``value`` rounded to float32 (infinite beyond its range)."""
    try:
        rounded: float = _FLOAT32.unpack(_FLOAT32.pack(value))[0]
    except OverflowError:
        return value
    return rounded


def clean_numbers(value: Any) -> Any:
    """`clean_float` over a value and everything in its lists and mappings."""
    if type(value) is float:
        return clean_float(value)
    if isinstance(value, (list, tuple)):
        return [clean_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: clean_numbers(item) for key, item in value.items()}
    return value
