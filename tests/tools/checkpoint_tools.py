"""Writing TensorFlow's checkpoints and the metadata of SavedModels without TensorFlow."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

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


def table(entries: list[tuple[bytes, bytes]], per_block: int = 3) -> bytes:
    """A table of several blocks."""
    out, index = b"", []
    for start in range(0, len(entries), per_block):
        part = entries[start : start + per_block]
        content = block(part)
        index.append((part[-1][0], varint(len(out)) + varint(len(content))))
        out += content + b"\0" + b"crc!"
    handles = b""
    for content in (block([]), block(index)):
        handles += varint(len(out)) + varint(len(content))
        out += content + b"\0" + b"crc!"
    return out + handles.ljust(40, b"\0") + MAGIC


def entry(dtype: int, shape: tuple[int, ...], offset: int, size: int, shard: int = 0) -> bytes:
    axes = b"".join(field(2, field(1, axis)) for axis in shape)
    return (
        field(1, dtype)
        + field(2, axes)
        + (field(3, shard) if shard else b"")
        + field(4, offset)
        + field(5, size)
    )


def texts(values: list[bytes]) -> bytes:
    """The data of a tensor of text."""
    return b"".join(varint(len(v)) for v in values) + b"crc!" + b"".join(values)


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
    """A checkpoint of arrays, with a message of objects if given; returns its ``.index``."""
    entries = [(b"", field(1, 1))]
    data = b""
    if graph is not None:
        packed = texts([graph])
        entries.append((b"_CHECKPOINTABLE_OBJECT_GRAPH", entry(7, (), 0, len(packed))))
        data += packed
    for key in sorted(tensors):
        array = np.asarray(tensors[key])
        number = BFLOAT16 if array.dtype == np.uint16 else DTYPES[array.dtype.name]
        entries.append((key.encode(), entry(number, array.shape, len(data), array.nbytes)))
        data += array.tobytes()
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(data)
    index = prefix.with_name(f"{prefix.name}.index")
    index.write_bytes(table(entries))
    return index


def metadata(config: str, kind: str = "_tf_keras_network", path: str = "root") -> bytes:
    """``keras_metadata.pb`` with one object."""
    return field(1, field(2, 0) + field(3, path) + field(4, kind) + field(5, config))


def old_saved_model(config: str, kind: str = "_tf_keras_network") -> bytes:
    """``saved_model.pb`` with the metadata of one object, as before Keras 2.5."""
    first = field(4, field(1, kind) + field(3, config))
    graph = field(2, b"\x12\x03abc" * 10) + field(7, field(1, first))
    return field(1, 1) + field(2, graph)
