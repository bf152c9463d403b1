"""Reading the tensors of TensorFlow's checkpoints, without TensorFlow.

A checkpoint named ``ckpt`` is a table ``ckpt.index``, which lists the tensors, and their data in
``ckpt.data-00000-of-00001``.  Source: `tensorflow/core/protobuf/tensor_bundle.proto`,
`tensorflow/core/util/tensor_bundle/tensor_bundle.cc`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from specfmt.formats.source.checkpoint.checksums import verify
from specfmt.formats.source.checkpoint.slices import Extents, extents, place, shape_of, slice_key
from specfmt.formats.source.checkpoint.tables import MAGIC, table
from specfmt.formats.source.folders import INDEX
from specfmt.formats.source.protobuf import messages, numbers, parts, varint
from specfmt.formats.source.tensor_protos import DTYPE_NUMBERS, sizes

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MAX_INDEX: Final = 64 * 2**20
MAX_TEXT: Final = 64 * 2**20
"""The most bytes of a tensor of text: the objects of a checkpoint, a vocabulary."""

UINT32: Final = 2**32


class CheckpointError(ValueError):
    """A checkpoint is damaged.

    Attributes:
        file: The damaged file.
    """

    def __init__(self, file: Path, reason: object) -> None:
        super().__init__(str(reason))
        self.file = file


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor of a checkpoint.

    Attributes:
        dtype: Keras's name of its dtype; empty for others, such as complex numbers.
        shape: Its shape.
        shard: The number of the file with its data.
        offset, size: Where the data are in that file, in bytes.
        checksum: The masked checksum of the data.
        slices: The slices whose data are those of a partitioned variable; other entries list them.
    """

    dtype: str = ""
    shape: tuple[int, ...] = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    checksum: int = 0
    slices: tuple[Extents, ...] = ()


@dataclass(slots=True)
class Bundle:
    """The tensors of a checkpoint.

    Attributes:
        prefix: Its name, without ``.index``.
        entries: Key -> tensor.
        parts: Key -> slice of a partitioned variable.
        shards: The number of files with data.
    """

    prefix: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    parts: dict[bytes, Entry] = field(default_factory=dict)
    shards: int = 1

    @property
    def index(self) -> Path:
        """The file that lists the tensors."""
        return self.prefix.with_name(self.prefix.name + INDEX)

    def is_number(self, key: str) -> bool:
        """Whether a tensor consists of real numbers."""
        return self.entries[key].dtype not in ("", "string")

    def check(self, key: str) -> None:
        """Compare the shape of a tensor of numbers with its size, and with those of its slices.

        Raises:
            CheckpointError: They differ.
        """
        entry = self.entries[key]
        if not entry.slices:
            return self._check_size(key, entry)
        covered = 0
        for part, found in self._slices(key, entry):
            try:
                wanted = shape_of(found, entry.shape)
            except ValueError as error:
                raise CheckpointError(self.index, f"{key}: {error}") from error
            if part.slices or part.dtype != entry.dtype or part.shape != wanted:
                raise CheckpointError(self.index, f"{key} has a slice of another shape or dtype")
            self._check_size(f"a slice of {key}", part)
            covered += prod(part.shape)
        if covered != prod(entry.shape):
            reason = f"{key} has {covered} of {prod(entry.shape)} elements in its slices"
            raise CheckpointError(self.index, reason)

    def _check_size(self, key: str, entry: Entry) -> None:
        if prod(entry.shape) * _stored_dtype(entry).itemsize != entry.size:
            raise CheckpointError(self.index, f"{key} has {entry.size} bytes")

    def _slices(self, key: str, entry: Entry) -> list[tuple[Entry, Extents]]:
        found = []
        for item in entry.slices:
            part = self.parts.get(slice_key(key, item))
            if part is None:
                raise CheckpointError(self.index, f"it does not list a slice of {key}")
            found.append((part, item))
        return found

    def numbers(self, key: str) -> Array:
        """A tensor of numbers; bfloat16 as 16-bit integers.

        Raises:
            CheckpointError: It is damaged.
            OSError: A file cannot be read.
        """
        import numpy as np

        self.check(key)
        entry = self.entries[key]
        if not entry.slices:
            return self._array(entry, key)
        parts = self._slices(key, entry)
        stored = sum(path.stat().st_size for path in {self._data(part) for part, _ in parts})
        values: Array = np.empty((0,), _stored_dtype(entry))
        if prod(entry.shape) * values.itemsize > stored:
            raise CheckpointError(self.index, f"{key} is larger than its data")
        values = np.empty(entry.shape, values.dtype)
        filled = np.zeros(entry.shape, bool)
        for part, item in parts:
            where = place(item, entry.shape)
            values[where] = self._array(part, key)
            filled[where] = True
        if not filled.all():
            raise CheckpointError(self.index, f"{key} has slices that overlap")
        return values

    def _array(self, entry: Entry, key: str) -> Array:
        import numpy as np

        data = self._bytes(entry)
        try:
            verify(key, entry.checksum, data)
        except ValueError as error:
            raise CheckpointError(self._data(entry), error) from error
        dtype = _stored_dtype(entry)
        values = np.frombuffer(data, dtype.newbyteorder("<")).reshape(entry.shape)
        return values.astype(dtype, copy=False)

    def _data(self, entry: Entry) -> Path:
        name = f"{self.prefix.name}.data-{entry.shard:05d}-of-{self.shards:05d}"
        return self.prefix.with_name(name)

    def _bytes(self, entry: Entry) -> bytes:
        path = self._data(entry)
        if not path.is_file():
            raise CheckpointError(self.index, f"{path.name} is not in its folder")
        with path.open("rb") as stream:
            if entry.offset + entry.size > path.stat().st_size:
                raise CheckpointError(path, "data of a tensor end beyond the file")
            stream.seek(entry.offset)
            return stream.read(entry.size)

    def texts(self, key: str) -> list[bytes]:
        """The elements of a tensor of text.

        Raises:
            CheckpointError: It is damaged or too large.
        """
        entry = self.entries[key]
        if entry.dtype != "string" or entry.slices or entry.size > MAX_TEXT:
            reason = f"{key} is not a text of at most {MAX_TEXT // 2**20} MiB"
            raise CheckpointError(self.index, reason)
        data = self._bytes(entry)
        count, start = prod(entry.shape), 0
        lengths = []
        try:
            if count > len(data):
                raise ValueError("more texts than bytes")
            for _ in range(count):
                length, start = varint(data, start)
                lengths.append(length)
            if start + 4 + sum(lengths) > len(data):
                raise ValueError("texts end beyond their data")
            # Checksums treat a length as a number of four bytes, or of eight if it needs them.
            packed = [n.to_bytes(4 if n < UINT32 else 8, "little") for n in lengths]
            stored = data[start : start + 4]
            verify("the lengths of its texts", int.from_bytes(stored, "little"), *packed)
            verify("its texts", entry.checksum, *packed, data[start:])
        except ValueError as error:
            raise CheckpointError(self.index, f"{key}: {error}") from error
        start += 4
        found = []
        for length in lengths:
            found.append(data[start : start + length])
            start += length
        return found


def _stored_dtype(entry: Entry) -> np.dtype[Any]:
    """The dtype of the data: bfloat16, which NumPy does not have, as 16-bit integers."""
    import numpy as np

    return np.dtype("uint16" if entry.dtype == "bfloat16" else entry.dtype)


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
        CheckpointError: It is damaged.
        OSError: It cannot be read.
    """
    size = index.stat().st_size
    if size > MAX_INDEX:
        raise CheckpointError(index, f"it lists tensors in {size} bytes, more than {MAX_INDEX}")
    bundle = Bundle(index.with_name(index.name.removesuffix(INDEX)))
    try:
        for key, value in table(index.read_bytes()):
            if not key:
                bundle.shards = _shards(value)
            elif key[0]:
                bundle.entries[key.decode("utf-8", "backslashreplace")] = _entry(value)
            else:
                bundle.parts[key] = _entry(value)
    except (ValueError, struct.error) as error:
        raise CheckpointError(index, error) from error
    return bundle


def _shards(data: memoryview) -> int:
    """The number of files, from the header."""
    if 1 in parts(data):
        raise ValueError(
            "it has version 1 of the format of TensorFlow's checkpoints: load it with TensorFlow and "
            "save it again"
        )
    header = numbers(data)
    if header.get(2, 0):
        raise ValueError("its numbers are big-endian")
    return header.get(1, 0) or 1


def _entry(data: memoryview) -> Entry:
    plain, other = numbers(data), parts(data)
    dtype = DTYPE_NUMBERS.get(plain.get(1, 0), "")
    shape = tuple(sizes(other.get(2, b"")))
    shard, offset, size = (plain.get(i, 0) for i in (3, 4, 5))
    crc = int.from_bytes(other.get(6, b""), "little")
    slices = tuple(map(extents, messages(data, 7)))
    return Entry(dtype, shape, shard, offset, size, crc, slices)
