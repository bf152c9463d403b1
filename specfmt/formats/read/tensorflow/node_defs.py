"""Reading nodes of TensorFlow graphs as tf.keras 2.0 to 2.3 wrote them: JSON, or protobuf's wire format."""

from __future__ import annotations

import json
import struct
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.formats.config.reading import Json, as_map, fail
from specfmt.formats.source.protobuf import fields, signed, varint
from specfmt.formats.source.tensor_protos import DTYPE_NUMBERS

DTYPE_NAMES: Final = {
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_HALF": "float16",
    "DT_BFLOAT16": "bfloat16",
    "DT_INT8": "int8",
    "DT_INT16": "int16",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_UINT8": "uint8",
    "DT_UINT16": "uint16",
    "DT_UINT32": "uint32",
    "DT_UINT64": "uint64",
    "DT_BOOL": "bool",
    "DT_STRING": "string",
}


def read_node(value: Any, path: Path) -> tuple[str, Json]:
    """The operation of a node, and its attributes as plain values.

    Raises:
        SpecError: SF403 if the node is damaged.
    """
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        try:
            return _read_wire(value.encode("utf-8", "surrogateescape"))
        # A field whose wire type does not fit its number: bytes for a number, a number for bytes.
        except (ValueError, LookupError, TypeError, AttributeError, struct.error):
            fail("SF403", "expected node_def as JSON or protobuf, received other text", path)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            fail("SF403", "expected node_def as JSON, received invalid text", path)
    node = as_map(value, path, "node_def")
    attributes = as_map(node.get("attr") or {}, (*path, "attr"), "attr")
    return str(node.get("op")), {key: _attribute(item) for key, item in attributes.items()}


def _attribute(value: Any) -> Any:
    """The value of an attribute: ``{"i": "3"}`` as 3; None for other types."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((kind, item),) = value.items()
    if kind == "list" and isinstance(item, dict):
        return [
            _attribute({kind: one})
            for kind, many in item.items()
            for one in (many if isinstance(many, list) else [many])
        ]
    try:
        if kind == "i":
            return int(item)
        if kind == "f":
            return float(item)
        if kind == "s":
            return b64decode(item, validate=True).decode("utf-8")
    except (TypeError, ValueError, OverflowError, Base64Error):
        return None
    if kind == "type":
        if isinstance(item, str):
            return DTYPE_NAMES.get(item)
        return DTYPE_NUMBERS.get(item) if isinstance(item, int) else None
    return item if kind == "b" and isinstance(item, bool) else None


def _read_wire(data: bytes) -> tuple[str, Json]:
    op, attributes = "", {}
    for number, value in fields(data):
        if number == 2 and isinstance(value, bytes):
            op = value.decode("utf-8")
        elif number == 5 and isinstance(value, bytes):
            entry = dict(fields(value))
            attributes[entry[1].decode("utf-8")] = _wire_attribute(entry.get(2, b""))
    if not op:
        raise ValueError("no operation")
    return op, attributes


def _wire_attribute(data: bytes) -> Any:
    found = list(fields(data))
    if not found:
        return None
    number, value = found[-1]
    if number != 1:
        return _wire_value(number, value)
    items: list[Any] = []
    for kind, item in fields(value):
        if kind == 3 and isinstance(item, bytes):  # packed numbers
            place = 0
            while place < len(item):
                whole, place = varint(item, place)
                items.append(signed(whole))
        else:
            items.append(_wire_value(kind, item))
    return items


def _wire_value(number: int, value: Any) -> Any:
    if number == 2:
        return value.decode("utf-8")
    if number == 3:
        return signed(value)
    if number == 4:
        return struct.unpack("<f", value)[0]
    if number == 5:
        return bool(value)
    return DTYPE_NUMBERS.get(value) if number == 6 else None
