"""Reading single arrays of the weights that are saved with a model."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import cached_property
from typing import Any, Final

from specfmt.extras import require
from specfmt.formats.source.hdf5 import check_file


class StoredArrays:
    """The arrays of an HDF5 file, which is read, checked and opened once, for the first of them.

    Args:
        read: Returns the bytes of the file; None if there is no such file.
        stack: Closes it.
    """

    def __init__(self, read: Callable[[], bytes | None], stack: ExitStack) -> None:
        self._read, self._stack = read, stack

    def first(self, paths: Iterable[str]) -> Any:
        """The first array under one of the paths; None if there is none.

        Arrays of more numbers than the file has bytes are not read.

        Raises:
            SpecError: SF401 if the file is too large, SF312 if h5py is not installed.
        """
        file, size = self._file
        if file is None:
            return None
        try:
            for path in paths:
                found = _own_data(file, path)
                if found is not None and found.size <= size:
                    return found[()]
        except _DAMAGED:
            return None
        return None

    @cached_property
    def data(self) -> bytes | None:
        """The bytes of the file; None if there is none.

        Raises:
            SpecError: SF401 if it is too large.
        """
        return self._read()

    @cached_property
    def _file(self) -> tuple[Any, int]:
        """The open file, and its size in bytes; None if it is missing or damaged."""
        data = self.data
        if data is None:
            return None, 0
        require(["h5py"], "to read the weights of a vocabulary")
        import h5py  # type: ignore[import-untyped]

        try:
            with tempfile.TemporaryFile() as copy:
                copy.write(data)
                copy.flush()
                check_file(copy, 0, len(data))
            return self._stack.enter_context(h5py.File(io.BytesIO(data), "r")), len(data)
        except _DAMAGED:
            return None, 0


_DAMAGED: Final = (OSError, KeyError, RuntimeError, ValueError, TypeError)
"""What h5py raises for a damaged file."""


def _own_data(file: Any, path: str) -> Any:
    """A dataset in the file itself, without following links; else None."""
    import h5py

    item = file
    for part in path.split("/"):
        plain = isinstance(item, h5py.Group) and part in item
        if not plain or not isinstance(item.get(part, getlink=True), h5py.HardLink):
            return None
        item = item[part]
    if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
        return None
    return item
