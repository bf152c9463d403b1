"""The slices of partitioned variables, which TensorFlow 1 saves as tensors of their own.

The key of a slice contains the variable's name and the slice in an encoding that keeps the order.
Source: `EncodeTensorNameSlice` of `tensorflow/core/util/saved_tensor_slice_util.cc`,
`tensorflow/core/framework/tensor_slice.proto`, `tensorflow/core/lib/strings/ordered_code.cc`.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.source.protobuf import messages, numbers, signed
from specfmt.formats.source.tensor_protos import MAX_RANK

Extents = tuple[tuple[int, int], ...]
"""Start and length along each axis; a length of `WHOLE` is that of the axis."""

WHOLE: Final = -1


def extents(data: Any) -> Extents:
    """The slice that a `TensorSliceProto` describes.

    Raises:
        ValueError: It is damaged.
    """
    found = []
    for item in messages(data, 1):
        pair = numbers(item)
        found.append((signed(pair.get(1, 0)), signed(pair.get(2, WHOLE % 2**64))))
        if len(found) > MAX_RANK:
            raise ValueError("a slice of too many axes")
    return tuple(found)


def shape_of(part: Extents, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a slice of a tensor.

    Raises:
        ValueError: It is not inside the tensor.
    """
    if len(part) != len(shape):
        raise ValueError("a slice of another rank")
    found = []
    for (start, length), size in zip(part, shape, strict=True):
        known = size if length == WHOLE else length
        if start < 0 or known < 0 or start + known > size:
            raise ValueError("a slice that ends beyond its tensor")
        found.append(known)
    return tuple(found)


def place(part: Extents, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The index of a slice in its tensor."""
    lengths = shape_of(part, shape)
    return tuple(
        slice(start, start + length) for (start, _), length in zip(part, lengths, strict=True)
    )


def slice_key(name: str, part: Extents) -> bytes:
    """The key under which a checkpoint lists a slice of a variable."""
    text = name.encode("utf-8", "surrogateescape").replace(b"\0", b"\0\xff")
    found = _unsigned(0) + text + b"\0\1" + _unsigned(len(part))
    return found + b"".join(_signed(number) for pair in part for number in pair)


def _unsigned(value: int) -> bytes:
    """A number: how many bytes it needs, and these."""
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes([len(data)]) + data


def _signed(value: int) -> bytes:
    """A number whose first bits, as many as it needs bytes, are the opposite of its sign."""
    size = (value if value >= 0 else ~value).bit_length() // 7 + 1
    bits = (value + (1 << 80)) & ((1 << 8 * size) - 1)
    ones = ((1 << size) - 1) << 7 * size
    return (bits ^ ones).to_bytes(size, "big")
