"""Reading weights from ``.npz`` files, which users write with `numpy.savez`."""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np

from specfmt.diagnostics import Diagnostic
from specfmt.weights.archives import check_size
from specfmt.weights.arrays import Array, widen_bfloat16
from specfmt.weights.hdf5 import readable
from specfmt.weights.problems import fail, problem, raise_all, unreadable
from specfmt.weights.sources import Stored

WHAT: Final = "an .npz file"
END: Final = ".npy"
MAX_ARRAYS: Final = 100_000


def looks_like(names: list[str]) -> bool:
    """Whether the members of a zip archive are arrays of NumPy."""
    return bool(names) and all(name.endswith(END) for name in names)


def read(file: Path, stack: ExitStack) -> dict[str, Stored]:
    """The arrays of a file: name -> array, in the order of the file.

    Args:
        file: The file.
        stack: Keeps it open, so that its list of members is read once, not for every array.

    Raises:
        SpecError: SF500 if it is damaged, SF504 for arrays of other than real numbers, SF505 if it
            would unpack to far more than its size.
    """
    found: dict[str, Stored] = {}
    problems: list[Diagnostic] = []
    with readable(file, WHAT):
        archive = stack.enter_context(zipfile.ZipFile(file))
        members = archive.infolist()
        if len(members) > MAX_ARRAYS:
            unreadable(file, WHAT, f"it has {len(members)} arrays")
        for info in members:
            check_size(info, file, WHAT)
            name = info.filename.replace("\\", "/").removesuffix(END)
            if name in found:
                unreadable(file, WHAT, f"it has two arrays named {name}")
            with archive.open(info) as stream:
                shape, dtype, size = _header(stream)
            if dtype.hasobject or not (dtype.kind in "fiub" or _is_bfloat16(dtype)):
                message = f"expected numbers for {name}, received {dtype}"
                hint = "save one array of numbers for each weight: np.savez(file, *weights)"
                problems.append(problem("SF504", message, file, hint))
                continue
            if size + prod(shape) * dtype.itemsize != info.file_size:
                unreadable(file, WHAT, f"{name} has {info.file_size} bytes")
            kept = np.dtype("float32") if _is_bfloat16(dtype) else dtype.newbyteorder("=")
            read_array = partial(_read, archive, file, info)
            found[name] = Stored(tuple(shape), kept, read_array, name)
    raise_all(problems)
    return found


def _is_bfloat16(dtype: np.dtype[Any]) -> bool:
    """Two opaque bytes: NumPy does not know bfloat16."""
    return dtype.kind == "V" and dtype.itemsize == 2 and not dtype.names


def _header(stream: Any) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape and dtype of an array, and the size of its header in bytes."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"an array in version {version} of NumPy's format")
    return shape, dtype, stream.tell()


def _read(archive: zipfile.ZipFile, file: Path, info: zipfile.ZipInfo) -> Array:
    with readable(file, WHAT), archive.open(info) as stream:
        values: Array = np.lib.format.read_array(stream, allow_pickle=False)
    if _is_bfloat16(values.dtype):
        return widen_bfloat16(np.ascontiguousarray(values).view("uint16"))
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def refuse_array(file: Path) -> None:
    """Raise SF505 for an ``.npy`` file: several arrays in one are a pickle, which could run any code."""
    fail(
        "SF505",
        "expected an .npz file, received an .npy file, which holds a list of arrays as a pickle",
        file,
        "save it as np.savez('weights.npz', *model.get_weights())",
    )
