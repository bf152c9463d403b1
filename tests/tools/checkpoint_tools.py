"""Writing TensorFlow's checkpoints and the metadata of SavedModels without TensorFlow."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from specfmt.formats.source.checkpoint.checksums import checksum, masked
from specfmt.formats.source.checkpoint.slices import slice_key

MAGIC = bytes.fromhex("57fb808b247547db")
DTYPES = {"float32": 1, "float64": 2, "int32": 3, "string": 7, "complex64": 8, "int64": 9}
BFLOAT16 = 14


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes | str) -> bytes:
    """A field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A block whose keys share prefixes."""
    out, last = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        last = key
    return out + struct.pack("<II", 0, 1)


def with_trailer(content: bytes, compression: bytes = b"\0") -> bytes:
    """A block with its compression and its checksum."""
    return content + compression + crc(content + compression)


def crc(*parts: bytes) -> bytes:
    """The masked checksum of bytes."""
    return struct.pack("<I", masked(checksum(*parts)))


def table(entries: list[tuple[bytes, bytes]], per_block: int = 3) -> bytes:
    """A table of several blocks."""
    out, index = b"", []
    for start in range(0, len(entries), per_block):
        part = entries[start : start + per_block]
        content = block(part)
        index.append((part[-1][0], varint(len(out)) + varint(len(content))))
        out += with_trailer(content)
    handles = b""
    for content in (block([]), block(index)):
        handles += varint(len(out)) + varint(len(content))
        out += with_trailer(content)
    return out + handles.ljust(40, b"\0") + MAGIC


def entry(
    dtype: int,
    shape: tuple[int, ...],
    offset: int,
    size: int,
    shard: int = 0,
    checksum: bytes = bytes(4),
    slices: tuple[bytes, ...] = (),
) -> bytes:
    axes = b"".join(field(2, field(1, axis)) for axis in shape)
    return (
        field(1, dtype)
        + field(2, axes)
        + (field(3, shard) if shard else b"")
        + field(4, offset)
        + field(5, size)
        + varint(6 << 3 | 5)
        + checksum
        + b"".join(field(7, item) for item in slices)
    )


def texts(values: list[bytes]) -> tuple[bytes, bytes]:
    """The data of a tensor of text, and its checksum."""
    lengths = [struct.pack("<I", len(v)) for v in values]
    rest = crc(*lengths) + b"".join(values)
    return b"".join(varint(len(v)) for v in values) + rest, crc(*lengths, rest)


def objects(nodes: list[tuple[dict[str, int], str, str]]) -> bytes:
    """A message of objects: children, key and name of each one's variable."""
    out = b""
    for children, key, name in nodes:
        node = b"".join(field(1, field(1, n) + field(2, child)) for child, n in children.items())
        if key:
            node += field(2, field(1, "VARIABLE_VALUE") + field(2, name) + field(3, key))
        out += field(1, node)
    return out


def write(prefix: Path, tensors: dict[str, Any], graph: bytes | None = None) -> Path:
    """A checkpoint of arrays and lists of texts, with a message of objects if given; returns its ``.index``."""
    entries = [(b"", field(1, 1))]
    data = b""
    if graph is not None:
        packed, sum_ = texts([graph])
        listed = entry(7, (), 0, len(packed), checksum=sum_)
        entries.append((b"_CHECKPOINTABLE_OBJECT_GRAPH", listed))
        data += packed
    for key in sorted(tensors):
        if isinstance(tensors[key], list):
            raw, sum_ = texts(tensors[key])
            shape = (len(tensors[key]),)
            listed = entry(7, shape, len(data), len(raw), checksum=sum_)
            entries.append((key.encode(), listed))
            data += raw
            continue
        array = np.asarray(tensors[key])
        number = BFLOAT16 if array.dtype == np.uint16 else DTYPES[array.dtype.name]
        raw = array.tobytes()
        listed = entry(number, array.shape, len(data), len(raw), checksum=crc(raw))
        entries.append((key.encode(), listed))
        data += raw
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(data)
    index = prefix.with_name(f"{prefix.name}.index")
    index.write_bytes(table(entries))
    return index


def write_parts(prefix: Path, name: str, array: Any, parts: list[Any], others: Any) -> Path:
    """A checkpoint whose variable ``name`` is in parts (start and length along each axis).

    Args:
        prefix: The checkpoint.
        name: The variable.
        array: Its value.
        parts: The slices that are listed; None in place of a pair for a whole axis.
        others: Name -> array of further variables.
    """
    listed, data = {}, b""
    whole = entry(1, array.shape, 0, 0, slices=tuple(_slice(part) for part in parts))
    listed[name.encode()] = whole
    values = {name.encode(): value for name, value in others.items()}
    for part in parts:
        pairs = tuple(pair or (0, -1) for pair in part)
        where = tuple(slice(a, a + n) if n >= 0 else slice(None) for a, n in pairs)
        values[slice_key(name, pairs)] = np.ascontiguousarray(array[where])
    for key, value in values.items():
        raw = value.tobytes()
        listed[key] = entry(1, value.shape, len(data), len(raw), checksum=crc(raw))
        data += raw
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(data)
    index = prefix.with_name(f"{prefix.name}.index")
    index.write_bytes(table([(b"", field(1, 1)), *sorted(listed.items())]))
    return index


def _slice(part: Any) -> bytes:
    pairs = (
        b"" if pair is None else field(1, pair[0] % 2**64) + field(2, pair[1]) for pair in part
    )
    return b"".join(field(1, pair) for pair in pairs)


def metadata(
    config: str, kind: str = "_tf_keras_network", path: str = "root", number: int = 0
) -> bytes:
    """``keras_metadata.pb`` with one object."""
    return field(1, field(2, number) + field(3, path) + field(4, kind) + field(5, config))


def old_saved_model(config: str, kind: str = "_tf_keras_network") -> bytes:
    """``saved_model.pb`` with the metadata of one object, as before Keras 2.5."""
    first = field(4, field(1, kind) + field(3, config))
    graph = field(2, b"\x12\x03abc" * 10) + field(7, field(1, first))
    return field(1, 1) + field(2, graph)


def lookup_model(keys: list[str] | None, values: list[int], asset: str = "vocabulary.txt") -> bytes:
    """``saved_model.pb`` of a model whose ``layer-1`` has a table: of constants, or of an asset."""

    def node(children: dict[str, int], kind: int = 4, content: bytes = b"") -> bytes:
        listed = (field(1, field(1, n) + field(2, name)) for name, n in children.items())
        return field(1, b"".join(listed) + field(kind, content))

    def tensor(dtype: int, count: int, content: bytes) -> bytes:
        return field(1, dtype) + field(2, field(2, field(1, count))) + content

    def const(name: str, content: bytes) -> bytes:
        value = field(5, field(1, "value") + field(2, field(8, content)))
        return field(1, field(1, name) + field(2, "Const") + value)

    ends = [node({}, 9, field(1, "k")), node({}, 9, field(1, "v"))] if keys is not None else []
    nodes = [
        node({"layer-1": 1}),
        node({"lookup_table": 2}),
        node({"_initialize": 3}),
        node({}, 6, field(1, "init")),
        *(ends or [node({}, 5, field(1, 0))]),
    ]
    bound = b"".join(map(varint, [2, *range(4, len(nodes))]))
    functions = field(2, field(1, "init") + field(2, field(2, bound)))
    texts = b"".join(field(8, key) for key in keys or [])
    graph = const("k", tensor(7, len(keys or []), texts))
    graph += const("v", tensor(9, len(values), field(10, b"".join(map(varint, values)))))
    meta = field(2, graph) + field(6, field(2, asset)) + field(7, b"".join(nodes) + functions)
    return field(1, 1) + field(2, meta)
