"""Safe reading of an open HDF5 file: no links to other files, no decompression bombs."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np

from specfmt.diagnostics import Diagnostic
from specfmt.extras import require
from specfmt.weights.arrays import Array, widen_bfloat16
from specfmt.weights.problems import fail, problem, unreadable

MAX_DEPTH: Final = 64
"""The deepest nesting of groups."""

BOMB_FLOOR: Final = 2**28
BOMB_RATIO: Final = 100
"""A large archive member may unpack to at most this many times its size, as in Keras."""


def h5py_module() -> Any:
    """The module h5py.

    Raises:
        SpecError: SF312 if it is not installed.
    """
    require(["h5py"], "to read and write HDF5 files")
    import h5py  # type: ignore[import-untyped]

    return h5py


@contextmanager
def readable(file: Path, what: str) -> Iterator[None]:
    """Report exceptions in the block as SF500: the file is damaged."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        OSError,
        LookupError,
        RuntimeError,
        ValueError,
        TypeError,
        AttributeError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
    ) as error:
        unreadable(file, what, error)


def child(group: Any, path: str, file: Path) -> Any:
    """The group or dataset at ``path`` below ``group``, or None.

    Raises:
        SpecError: SF505 for links and for data in another file.
    """
    h5py = h5py_module()
    current = group
    for part in path.split("/"):
        if not isinstance(current, h5py.Group) or part not in current:
            return None
        link = current.get(part, getlink=True)
        if not isinstance(link, h5py.HardLink):
            fail("SF505", f"expected plain data at {path}, received a link", file, _OWN_DATA)
        current = current[part]
    if isinstance(current, h5py.Dataset) and (current.external or current.is_virtual):
        fail(
            "SF505",
            f"expected the data of {path} in the file, received a reference",
            file,
            _OWN_DATA,
        )
    return current


_OWN_DATA: Final = "opening it would read other files; do not use it"


def text_list(attributes: Any, name: str) -> list[str] | None:
    """An attribute that is a list of names, also if Keras split it into chunks; None if missing."""
    if name in attributes:
        return [_text(item) for item in attributes[name]]
    found: list[str] = []
    chunk = 0
    while f"{name}{chunk}" in attributes:
        found += [_text(item) for item in attributes[f"{name}{chunk}"]]
        chunk += 1
    return found if chunk else None


def text_attribute(attributes: Any, name: str) -> str | None:
    """A text attribute, or None."""
    return _text(attributes[name]) if name in attributes else None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def datasets(group: Any, prefix: str, file: Path) -> Iterator[str]:
    """The paths of all datasets below a group.

    Raises:
        SpecError: SF505 for links, and for a group that has two paths.
    """
    seen: set[int] = set()
    for path, _, is_data in _below(group, prefix, file, seen):
        if is_data:
            yield path


def items(group: Any, name: str, file: Path) -> Iterator[tuple[str, Any, bool]]:
    """All groups and datasets below the group ``name``: path, object, and whether it is a dataset.

    Raises:
        SpecError: SF505 for links, for data in other files, and for a group that has two paths,
            which can make the paths endless.
    """
    yield from _one(group, name, name, file, set())


def _below(
    group: Any, prefix: str, file: Path, seen: set[int], depth: int = 0
) -> Iterator[tuple[str, Any, bool]]:
    h5py = h5py_module()
    address = h5py.h5o.get_info(group.id).addr
    if address in seen:
        fail(
            "SF505",
            f"expected the group {prefix} to have one path, received one with two",
            file,
            _OWN_DATA,
        )
    seen.add(address)
    if depth > MAX_DEPTH:
        fail("SF505", f"expected at most {MAX_DEPTH} nested groups", file, _OWN_DATA)
    for name in group:
        yield from _one(group, name, f"{prefix}/{name}" if prefix else name, file, seen, depth)


def _one(
    group: Any, name: str, path: str, file: Path, seen: set[int], depth: int = 0
) -> Iterator[tuple[str, Any, bool]]:
    h5py = h5py_module()
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        fail("SF505", f"expected plain data at {path}, received a link", file, _OWN_DATA)
    item = group[name]
    if isinstance(item, h5py.Group):
        yield path, item, False
        yield from _below(item, path, file, seen, depth + 1)
        return
    if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
        message = f"expected the data of {path} in the file, received a reference"
        fail("SF505", message, file, _OWN_DATA)
    yield path, item, True


def kind(dataset: Any) -> np.dtype[Any]:
    """The dtype of the array that `read_dataset` returns."""
    if _is_bfloat16(dataset):
        return np.dtype("float32")
    found: np.dtype[Any] = np.dtype(dataset.dtype).newbyteorder("=")
    return found


def _is_bfloat16(dataset: Any) -> bool:
    """Whether a dataset is bfloat16: two opaque bytes, or 16-bit integers with a label."""
    if dataset.dtype.itemsize != 2 or dataset.dtype.names:
        return False
    label = text_attribute(dataset.attrs, "dtype")
    return bool(dataset.dtype.kind == "V" or (label == "bfloat16" and dataset.dtype.kind in "ui"))


def dtype_problems(dataset: Any, name: str, file: Path) -> Iterator[Diagnostic]:
    """SF504 if a dataset does not contain real numbers, SF500 if it is not a dataset.

    Args:
        dataset: The object in the file.
        name: The name of the weight, for messages.
        file: The file.
    """
    h5py = h5py_module()
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        fail("SF500", f"expected the data of {name}, received a group", file, _AGAIN)
    label = text_attribute(dataset.attrs, "dtype")
    if _is_bfloat16(dataset) or (dataset.dtype.kind in "fiub" and label != "bfloat16"):
        return
    message = f"expected numbers for {name}, received {label or ''} {dataset.dtype}".replace(
        "  ", " "
    )
    yield problem("SF504", message, file, "save it as float32")


_AGAIN: Final = "the file is damaged; save it again"


def read_dataset(dataset: Any, file: Path) -> Array:
    """The numbers of a dataset, in native byte order; bfloat16 as float32.

    Raises:
        SpecError: SF500 if it cannot be read, SF505 if it unpacks to far more than is stored.
    """
    chunk = prod(dataset.chunks or (0,)) * dataset.dtype.itemsize
    if chunk > max(BOMB_FLOOR, prod(dataset.shape) * dataset.dtype.itemsize):
        fail("SF505", f"expected small chunks, received one of {chunk} bytes", file, _OWN_DATA)
    size, stored = prod(dataset.shape) * dataset.dtype.itemsize, dataset.id.get_storage_size()
    if size > max(BOMB_FLOOR, BOMB_RATIO * 10 * stored):
        fail("SF505", f"expected data of {size} bytes, received {stored} stored", file, _OWN_DATA)
    try:
        if _is_bfloat16(dataset):
            bits = np.empty(dataset.shape, dataset.dtype)
            dataset.read_direct(bits)
            return widen_bfloat16(bits.view("uint16"))
        values = np.empty(dataset.shape, kind(dataset))
        if values.size:
            dataset.read_direct(values)
        return values
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        unreadable(file, f"the data of {dataset.name}", error)
