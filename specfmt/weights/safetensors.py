"""``.safetensors`` files: eight bytes of header length, a JSON header, then the tensors' data.

Source: https://github.com/huggingface/safetensors#format.  Implemented here, without the package,
so that only one tensor at a time is in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np

from specfmt.weights.arrays import Array, widen_bfloat16, write_array
from specfmt.weights.problems import fail, problem, raise_all, unreadable
from specfmt.weights.sources import Stored, Tensor

KINDS: Final = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
NAMES: Final = {np.dtype(kind): name for name, kind in KINDS.items() if name != "BF16"}
MAX_HEADER: Final = 100_000_000
"""The limit of the format, in bytes."""

WHAT: Final = "a .safetensors file"


def looks_like(head: bytes) -> bool:
    """Whether a file that starts with these bytes may be a ``.safetensors`` file."""
    return len(head) >= 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= MAX_HEADER


def read(file: Path) -> Mapping[str, Stored]:
    """The tensors of a file, to be read on demand.

    Raises:
        SpecError: SF500 if the file is damaged, SF504 for unsupported dtypes.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > min(MAX_HEADER, size - 8):
            unreadable(file, WHAT, f"a header of {length} bytes in a file of {size}")
        raw = stream.read(length)
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        unreadable(file, WHAT, error)
    if not isinstance(header, dict):
        unreadable(file, WHAT, "its header is not a mapping")
    found = {}
    problems = []
    start = 8 + length
    stretches = []
    for name, item in header.items():
        if name == "__metadata__":
            continue
        try:
            kind, shape = item["dtype"], tuple(item["shape"])
            first, last = item["data_offsets"]
            whole = all(type(n) is int and n >= 0 for n in (*shape, first, last))
        except (TypeError, KeyError, ValueError) as error:
            unreadable(file, WHAT, f"the entry of {name}: {error!r}")
        if not whole or not isinstance(kind, str | None):
            unreadable(file, WHAT, f"the entry of {name} is missing its dtype, shape or offsets")
        stretches.append((first, last, name))
        if kind not in KINDS:
            message = f"expected a dtype that NumPy has for {name}, received {kind}"
            problems.append(problem("SF504", message, file, "save it as float32"))
            continue
        dtype = np.dtype(KINDS[kind])
        if last - first != prod(shape) * dtype.itemsize or start + last > size:
            unreadable(file, WHAT, f"the data of {name} is incomplete")
        reader = partial(_read, file, start + first, shape, kind)
        found[name] = Stored(shape, np.dtype("f4") if kind == "BF16" else dtype, reader, name)
    end = 0
    for first, last, name in sorted(stretches):  # the format allows neither gaps nor overlaps
        if first != end or last < first:
            unreadable(
                file, WHAT, f"the data of {name} does not begin where the previous tensor ends"
            )
        end = last
    if start + end != size:
        unreadable(file, WHAT, f"the tensors end at byte {start + end} of {size}")
    raise_all(problems)
    return found


def _read(file: Path, start: int, shape: tuple[int, ...], kind: str) -> Array:
    with file.open("rb") as stream:
        stream.seek(start)
        values = np.fromfile(stream, KINDS[kind], prod(shape))
    if values.size != prod(shape):
        unreadable(file, WHAT, "it was truncated while it was read")
    values = values.reshape(shape)
    return widen_bfloat16(values) if kind == "BF16" else values


def write(path: Path, tensors: Iterable[Tensor]) -> None:
    """Write tensors one at a time; only their dtypes and shapes are needed in advance."""
    entries = list(tensors)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for tensor in entries:
        if tensor.dtype.newbyteorder("<") not in NAMES:
            fail("SF504", f"expected numbers for {tensor.key}, received {tensor.dtype}", path)
        size = prod(tensor.shape) * tensor.dtype.itemsize
        header[tensor.key] = {
            "dtype": NAMES[tensor.dtype.newbyteorder("<")],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for tensor in entries:
            write_array(stream, tensor.value())
