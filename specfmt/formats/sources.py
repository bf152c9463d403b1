"""Files that hold an architecture, told apart by their content: JSON, zip or HDF5."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

from specfmt.formats.locate import Located, locate
from specfmt.formats.reading import MAX_BYTES, fail, parse_json
from specfmt.formats.vocabularies import fill_vocabularies

if TYPE_CHECKING:
    from pathlib import Path

HDF5_MAGIC: Final = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC: Final = b"PK\x03\x04"
CONFIG: Final = "config.json"
METADATA: Final = "metadata.json"


def read_source(path: Path) -> Located:
    """The architecture in a file, whatever its name says.

    Args:
        path: JSON (`to_json()`, ``config.json``, tf.js ``model.json``, a wrapper around one),
            a ``.keras`` archive or an ``.h5`` file with the attribute ``model_config``.

    Raises:
        SpecError: SF400 to SF402 if it holds none.
        OSError: The file cannot be read.
    """
    with path.open("rb") as stream:
        head = stream.read(8)
        if head.startswith(ZIP_MAGIC):
            return _from_zip(path)
        if head == HDF5_MAGIC:
            return _from_hdf5(path)
        return from_text(head + stream.read(MAX_BYTES + 1))


def holds_weights(path: Path) -> bool:
    """Whether a file that holds an architecture holds weights too: JSON does not."""
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
            config = _member(archive, CONFIG)
            if config is None:
                fail(
                    "SF402",
                    f"expected a .keras archive with {CONFIG}, received one without",
                    hint="save the model again with `model.save('model.keras')`",
                )
            located = locate(parse_json(config))
            metadata = _member(archive, METADATA)
            if located.version is None and metadata is not None:
                found = parse_json(metadata)
                version = found.get("keras_version") if isinstance(found, dict) else None
                located.version = version if isinstance(version, str) else None
            fill_vocabularies(
                located.topology, archive.namelist(), lambda name: _member(archive, name)
            )
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
        fail(
            "SF400", f"expected a .keras archive, received a zip file that cannot be read: {error}"
        )


def _member(archive: zipfile.ZipFile, name: str) -> bytes | None:
    """A member's bytes, at most `MAX_BYTES` of them however small it looks packed."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        return None
    if info.file_size > MAX_BYTES:
        fail(
            "SF401",
            f"expected at most {MAX_BYTES // 2**20} MiB of {name}, received {info.file_size} bytes",
        )
    with archive.open(info) as stream:
        return stream.read(MAX_BYTES + 1)


def _from_hdf5(path: Path) -> Located:
    """An ``.h5`` file: the attribute ``model_config``, which TF-Keras and Keras 3 write alike."""
    try:
        import h5py  # type: ignore[import-untyped]
    except ImportError:
        fail(
            "SF402",
            "expected h5py to read an .h5 file, it is not installed",
            hint="pip install h5py",
        )
    try:
        with h5py.File(path, "r") as file:
            config = _attribute(file, "model_config")
            if config is None:
                fail(
                    "SF402",
                    "expected an .h5 file with a model, received one with weights only",
                    hint="save the whole model with `model.save`, or import its `to_json()`",
                )
            located = locate(parse_json(config))
            version = _attribute(file, "keras_version")
            if located.version is None and version is not None:
                located.version = version.decode("utf-8", "replace")
            training = _attribute(file, "training_config")
            if located.training is None and training is not None:
                located.training = parse_json(training)
                located.training_path = ("training_config",)
            return located
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        fail("SF400", f"expected an .h5 file, received one that cannot be read: {error}")


def _attribute(file: Any, name: str) -> bytes | None:
    """A text attribute as bytes, or None if it is missing or no text."""
    if name not in file.attrs:
        return None
    value = file.attrs[name]
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    data = getattr(value, "tobytes", None)
    return data() if data is not None and getattr(value, "dtype", None) is not None else None
