"""Finding the file that a user means by a folder, or by the name of a checkpoint without its ending.

A SavedModel is a folder with ``saved_model.pb`` and, in ``variables``, a checkpoint.  A checkpoint is
several files whose names begin alike; its name is what TensorFlow's functions take.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
from pathlib import Path, PurePosixPath
from typing import Final

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.formats.config.reading import cut_words
from specfmt.formats.source.protobuf import Data

INDEX: Final = ".index"
SAVED_MODEL: Final = "saved_model.pb"
METADATA: Final = "keras_metadata.pb"
FILES: Final = frozenset([SAVED_MODEL, METADATA, "fingerprint.pb"])
"""The files of a SavedModel."""

VARIABLES: Final = "variables/variables"
STATE: Final = "checkpoint"
"""A text file in which TensorFlow names the latest checkpoint of a folder."""

MAX_STATE: Final = 2**20
DATA: Final = re.compile(r"(.*)\.data-\d{5}-of-\d{5}")
LATEST: Final = re.compile(r'^model_checkpoint_path: "((?:[^"\\]|\\.)*)"', re.MULTILINE)


def is_there(path: Path) -> bool:
    """Whether a file, a folder, or a checkpoint of this name exists."""
    return path.exists() or index_of(path).is_file()


def index_of(prefix: Path) -> Path:
    """The file that lists the tensors of a checkpoint, by its name."""
    return prefix.with_name(prefix.name + INDEX) if prefix.name else prefix


def is_checkpoint(path: Path) -> bool:
    """Whether a path is the name of a checkpoint, its folder, or one of its files."""
    if path.is_dir():
        return (path / STATE).is_file() or any(path.glob(f"*{INDEX}"))
    if not path.exists():
        return index_of(path).is_file()
    return path.name.endswith(INDEX) or DATA.fullmatch(path.name) is not None


def saved_model(path: Path) -> Path | None:
    """The folder of a SavedModel, given the folder or one of its files; None if it is none."""
    if path.is_dir():
        return path if (path / SAVED_MODEL).is_file() else None
    return path.parent if path.name in FILES else None


def weight_file(path: Path) -> Path:
    """The file with the weights that a user means.

    Args:
        path: A weight file; a checkpoint's name, folder, or any of its files; a SavedModel.

    Returns:
        The file; for checkpoints the one that ends with ``.index``.

    Raises:
        SpecError: SF500 if a folder does not have exactly one.
        OSError: There is no such file.
    """
    folder = saved_model(path)
    if folder is not None:
        found = index_of(folder / VARIABLES)
        if not found.is_file():
            message = "expected a SavedModel with variables, received one without"
            raise SpecError([Diagnostic("SF500", message, hint=_AGAIN, file=str(folder))])
        return found
    if path.is_dir():
        return _in_folder(path)
    data = DATA.fullmatch(path.name)
    if data is not None:
        return index_of(path.with_name(data[1]))
    if path.name == STATE and index_listed(path) is not None:
        return _in_folder(path.parent)
    if not path.exists():
        if index_of(path).is_file():
            return index_of(path)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return path


_AGAIN: Final = "save it again with `model.save(folder)`"


def _in_folder(folder: Path) -> Path:
    """The latest checkpoint of a folder, or the only one."""
    latest = index_listed(folder / STATE)
    if latest is not None and latest.is_file():
        return latest
    found = sorted(path for path in folder.glob(f"*{INDEX}") if path.is_file())
    if len(found) != 1:
        listed = cut_words(", ".join(path.name.removesuffix(INDEX) for path in found)) or "none"
        message = f"expected a folder with a SavedModel or one checkpoint, received {listed}"
        hint = "give the checkpoint itself, such as folder/ckpt"
        raise SpecError([Diagnostic("SF500", message, hint=hint, file=str(folder))])
    return found[0]


def index_listed(state: Path) -> Path | None:
    """The checkpoint that the text file of a folder names; it is in the same folder."""
    if not state.is_file() or state.stat().st_size > MAX_STATE:
        return None
    found = LATEST.search(state.read_text("utf-8", "replace"))
    if found is None:
        return None
    # The path is often that of another machine; only its last part is used.
    name = PurePosixPath(found[1].replace("\\\\", "/").replace("\\", "/")).name
    return index_of(state.with_name(name)) if name else None


def mapped(file: Path) -> Data:
    """The bytes of a regular file, of which only those that are used are read.

    The file is closed when nothing refers to its bytes any more.
    """
    if not file.is_file():  # a pipe would block
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
    with file.open("rb") as stream:
        if not file.stat().st_size:
            return b""
        return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
