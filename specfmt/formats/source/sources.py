"""Reading the architecture from a file, recognized by its content: JSON, zip or HDF5."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

from specfmt.extras import require
from specfmt.formats.config.reading import MAX_BYTES, cut_words, fail, parse_json
from specfmt.formats.source.bin_boundaries import fill_boundaries, fill_boundaries_of_hdf5
from specfmt.formats.source.folders import VARIABLES, index_of, is_checkpoint, saved_model
from specfmt.formats.source.hdf5 import DamagedError, check_file
from specfmt.formats.source.locate import Located, locate
from specfmt.formats.source.saved_models import read_saved_model
from specfmt.formats.source.stored_arrays import StoredArrays
from specfmt.formats.source.vocabularies import WEIGHTS, fill_vocabularies

if TYPE_CHECKING:
    from pathlib import Path

HDF5_MAGIC: Final = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC: Final = b"PK\x03\x04"
CONFIG: Final = "config.json"
METADATA: Final = "metadata.json"

MAX_MEMBER: Final = 64 * 2**20
"""The size limit, in bytes, of a member that is read whole: a vocabulary, the list of shards."""

_WHOLE: Final = "save the whole model with `model.save`, or import its `to_json()`"

BOMB_FLOOR: Final = 2**20
BOMB_RATIO: Final = 100
"""A large member may unpack to at most this many times its size; JSON compresses to about a tenth."""


def read_source(path: Path) -> Located:
    """The architecture in a file, whatever its name is.

    Args:
        path: JSON (`to_json()`, ``config.json``, tf.js ``model.json``, a wrapper around one),
            a ``.keras`` archive, an ``.h5`` file with the attribute ``model_config``, or the
            folder of a SavedModel.

    Raises:
        SpecError: SF400 to SF402 if it contains none.
        OSError: The file cannot be read.
    """
    folder = saved_model(path)
    if folder is not None:
        return read_saved_model(folder)
    if is_checkpoint(path):
        fail("SF402", "expected a whole model, received a checkpoint with weights only", (), _WHOLE)
    with path.open("rb") as stream:
        head = stream.read(8)
        if head.startswith(ZIP_MAGIC):
            return _from_zip(path)
        if head == HDF5_MAGIC:
            return _from_hdf5(path)
        return from_text(head + stream.read(MAX_BYTES + 1))


def holds_weights(path: Path) -> bool:
    """Whether a file with an architecture also contains weights: JSON does not."""
    folder = saved_model(path)
    if folder is not None:
        return index_of(folder / VARIABLES).is_file()
    with path.open("rb") as stream:
        head = stream.read(8)
    return head.startswith(ZIP_MAGIC) or head == HDF5_MAGIC


def from_text(text: str | bytes) -> Located:
    """The architecture in JSON text."""
    return locate(parse_json(text))


def _from_zip(path: Path) -> Located:
    """A ``.keras`` archive: its ``config.json``, and the version in its ``metadata.json``."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive_names(archive)
            if CONFIG not in names and all(name.endswith(".npy") for name in names):
                message = "expected a whole model, received an .npz file with weights only"
                fail("SF402", message, (), _WHOLE)
            if CONFIG not in names:
                fail(
                    "SF402",
                    f"expected a .keras archive with {CONFIG}, received one without",
                    hint="save the model again with `model.save('model.keras')`",
                )
            located = locate(parse_json(read_member(archive, names[CONFIG], MAX_BYTES)))
            if located.version is None and METADATA in names:
                found = parse_json(read_member(archive, names[METADATA]))
                version = found.get("keras_version") if isinstance(found, dict) else None
                located.version = version if isinstance(version, str) else None

            def read(name: str) -> bytes | None:
                return read_member(archive, names[name]) if name in names else None

            with ExitStack() as stack:
                arrays = StoredArrays(partial(read, WEIGHTS), stack)
                fill_vocabularies(located.topology, list(names), read, arrays)
                fill_boundaries(located.topology, arrays)
            return located
    except (
        zipfile.BadZipFile,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
        zlib.error,
        lzma.LZMAError,
    ) as error:
        reason = cut_words(str(error))
        message = f"expected a .keras archive, received a zip file that cannot be read: {reason}"
        fail("SF400", message)


def archive_names(archive: zipfile.ZipFile) -> dict[str, str]:
    """Path of each member with slashes -> its name, which may have backslashes (from Windows)."""
    names: dict[str, str] = {}
    for name in archive.namelist():
        names.setdefault(name.replace("\\", "/").removeprefix("./"), name)
    return names


def read_member(archive: zipfile.ZipFile, name: str, limit: int = MAX_MEMBER) -> bytes:
    """A member's bytes.

    Args:
        archive: The archive.
        name: The name of the member.
        limit: The largest allowed size in bytes.

    Raises:
        SpecError: SF401 for a member that is larger, or unpacks to far more than is stored.
    """
    info = archive.getinfo(name)
    if info.file_size > limit:
        message = (
            f"expected at most {limit // 2**20} MiB of {name}, received {info.file_size} bytes"
        )
        fail("SF401", message)
    if info.file_size > max(BOMB_FLOOR, BOMB_RATIO * info.compress_size):
        fail(
            "SF401",
            f"expected {name} to unpack to at most {BOMB_RATIO} times its size, received "
            f"{info.file_size} bytes from {info.compress_size}",
            hint="such an archive is made to exhaust memory; do not use it",
        )
    with archive.open(info) as stream:
        return stream.read(limit + 1)


def _from_hdf5(path: Path) -> Located:
    """An ``.h5`` file: its attribute ``model_config``, which Keras 2 and Keras 3 write."""
    require(["h5py"], "to read an .h5 file")
    try:
        with path.open("rb") as stream:
            texts = check_file(stream, 0, path.stat().st_size)
    except DamagedError as error:
        reason = cut_words(str(error))
        fail("SF400", f"expected an .h5 file, received one that cannot be read: {reason}")
    if not texts.get("model_config"):
        fail(
            "SF402",
            "expected an .h5 file with a model, received one with weights only",
            hint=_WHOLE,
        )
    located = locate(parse_json(_utf8(texts["model_config"])))
    if located.version is None and "keras_version" in texts:
        located.version = _utf8(texts["keras_version"]).decode("utf-8", "replace")
    if located.training is None and texts.get("training_config"):
        located.training = parse_json(_utf8(texts["training_config"]))
        located.training_path = ("training_config",)
    if path.stat().st_size <= MAX_MEMBER:
        with ExitStack() as stack:
            fill_boundaries_of_hdf5(located.topology, StoredArrays(path.read_bytes, stack))
    return located


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
