"""Reading the tensors of TensorFlow's checkpoints, without TensorFlow.

A checkpoint named ``ckpt`` is a table ``ckpt.index``, which lists the tensors, and their data in
``ckpt.data-00000-of-00001``.  Source: `tensorflow/core/protobuf/tensor_bundle.proto`,
`tensorflow/core/util/tensor_bundle/tensor_bundle.cc`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np

from specfmt.formats.read.tensorflow.node_defs import DTYPE_NUMBERS
from specfmt.formats.source.folders import INDEX
from specfmt.formats.source.protobuf import fields, messages, signed, varint
from specfmt.weights.arrays import Array, widen_bfloat16
from specfmt.weights.problems import unreadable
from specfmt.weights.sources import Stored
from specfmt.weights.tables import MAGIC, table

MAX_INDEX: Final = 64 * 2**20
MAX_TEXT: Final = 64 * 2**20
"""The most bytes of a tensor of text: the objects of a checkpoint, a vocabulary."""

MAX_RANK: Final = 32
"""NumPy arrays have at most this many axes (64 from version 2)."""

WHAT: Final = "a checkpoint of TensorFlow"


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor of a checkpoint.

    Attributes:
        dtype: Keras's name of its dtype; empty for others, such as complex numbers.
        shape: Its shape.
        shard: The number of the file with its data.
        offset, size: Where the data are in that file, in bytes.
        sliced: The data are those of several slices, which other entries list.
    """

    dtype: str = ""
    shape: tuple[int, ...] = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    sliced: bool = False


@dataclass(slots=True)
class Bundle:
    """The tensors of a checkpoint.

    Attributes:
        prefix: Its name, without ``.index``.
        entries: Key -> tensor.
        shards: The number of files with data.
    """

    prefix: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    shards: int = 1

    @property
    def index(self) -> Path:
        """The file that lists the tensors."""
        return self.prefix.with_name(self.prefix.name + INDEX)

    def stored(self, key: str) -> Stored | None:
        """A tensor of numbers, to be read on demand; None for other dtypes and for slices."""
        entry = self.entries[key]
        if entry.sliced or entry.dtype in ("", "string"):
            return None
        dtype = np.dtype("uint16" if entry.dtype == "bfloat16" else entry.dtype)
        if prod(entry.shape) * dtype.itemsize != entry.size:
            unreadable(self.index, WHAT, f"{key} has {entry.size} bytes")
        kept = np.dtype("float32") if entry.dtype == "bfloat16" else dtype
        read = partial(self._read, key, dtype)
        return Stored(entry.shape, kept, read, key)

    def _read(self, key: str, dtype: np.dtype[Any]) -> Array:
        entry = self.entries[key]
        values = np.frombuffer(self._bytes(entry), dtype.newbyteorder("<")).reshape(entry.shape)
        if entry.dtype == "bfloat16":
            return widen_bfloat16(values.astype("uint16"))
        return values.astype(dtype)

    def _bytes(self, entry: Entry) -> bytes:
        name = f"{self.prefix.name}.data-{entry.shard:05d}-of-{self.shards:05d}"
        path = self.prefix.with_name(name)
        try:
            with path.open("rb") as stream:
                if entry.offset + entry.size > path.stat().st_size:
                    unreadable(path, WHAT, "data of a tensor end beyond the file")
                stream.seek(entry.offset)
                return stream.read(entry.size)
        except FileNotFoundError:
            unreadable(self.index, WHAT, f"{name} is not in its folder")

    def texts(self, key: str) -> list[bytes]:
        """The elements of a tensor of text.

        Raises:
            SpecError: SF500 if it is damaged or too large.
        """
        entry = self.entries[key]
        if entry.dtype != "string" or entry.sliced or entry.size > MAX_TEXT:
            unreadable(self.index, WHAT, f"{key} is not a text of at most {MAX_TEXT // 2**20} MiB")
        data = self._bytes(entry)
        count, place = prod(entry.shape), 0
        lengths = []
        try:
            if count > len(data):
                raise ValueError("more texts than bytes")
            for _ in range(count):
                length, place = varint(data, place)
                lengths.append(length)
            place += 4  # the checksum of the lengths
            if place + sum(lengths) > len(data):
                raise ValueError("texts end beyond their data")
        except ValueError as error:
            unreadable(self.index, WHAT, f"{key}: {error}")
        found = []
        for length in lengths:
            found.append(data[place : place + length])
            place += length
        return found


def is_index(file: Path) -> bool:
    """Whether a file lists the tensors of a checkpoint, by the mark at its end."""
    if file.name.endswith(INDEX):
        return True  # perhaps a damaged one
    with file.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - len(MAGIC)))
        return stream.read() == MAGIC


def read_bundle(index: Path) -> Bundle:
    """The tensors that a checkpoint lists.

    Args:
        index: The file ``.index``.

    Raises:
        SpecError: SF500 if it is damaged.
        OSError: It cannot be read.
    """
    size = index.stat().st_size
    if size > MAX_INDEX:
        unreadable(index, WHAT, f"it lists tensors in {size} bytes, more than {MAX_INDEX}")
    bundle = Bundle(index.with_name(index.name.removesuffix(INDEX)))
    try:
        for key, value in table(index.read_bytes()):
            if key:
                bundle.entries[key.decode("utf-8", "backslashreplace")] = _entry(value)
            else:
                bundle.shards = _shards(value)
    except (ValueError, struct.error) as error:
        unreadable(index, WHAT, error)
    return bundle


def _shards(data: memoryview) -> int:
    """The number of files, from the header."""
    header = {number: value for number, value in fields(data) if isinstance(value, int)}
    if header.get(2, 0):
        raise ValueError("its numbers are big-endian")
    return header.get(1, 0) or 1


def _entry(data: memoryview) -> Entry:
    numbers: dict[int, int] = {}
    shape: tuple[int, ...] = ()
    sliced = False
    for number, value in fields(data):
        if isinstance(value, int):
            numbers[number] = value
        elif number == 2:
            shape = tuple(_sizes(value))
        elif number == 7:
            sliced = True
    dtype = DTYPE_NUMBERS.get(numbers.get(1, 0), "")
    return Entry(dtype, shape, numbers.get(3, 0), numbers.get(4, 0), numbers.get(5, 0), sliced)


def _sizes(data: memoryview) -> Iterator[int]:
    for rank, axis in enumerate(messages(data, 2)):
        size = 0
        for number, value in fields(axis):
            if number == 1 and isinstance(value, int):
                size = signed(value)
        if size < 0 or rank >= MAX_RANK:
            raise ValueError("a tensor of unknown or too many sizes")
        yield size
