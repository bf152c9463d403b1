"""Opening weight files of Keras: HDF5 files, ``.keras`` archives, and weights in several shards.

A ``.keras`` archive holds ``model.weights.h5``, or ``model.weights.json`` and the shards that it
lists; list and shards can also be files in a folder.  Every HDF5 file is checked in a separate
process before it is opened (see `specfmt.formats.source.hdf5`).
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

from specfmt.diagnostics import SpecError
from specfmt.formats.config.reading import parse_json
from specfmt.formats.source.hdf5 import DamagedError, check_file
from specfmt.formats.source.sources import CONFIG, archive_names, read_member
from specfmt.formats.source.survey import Window
from specfmt.weights.hdf5 import BOMB_FLOOR, BOMB_RATIO, h5py_module, readable
from specfmt.weights.order import Order, order_of
from specfmt.weights.problems import fail, unreadable

MEMBER: Final = "model.weights.h5"
MAP: Final = "model.weights.json"
MAP_END: Final = ".weights.json"
MAX_SHARDS: Final = 10_000
MAX_MAP: Final = 64 * 2**20

_BOMB: Final = "such an archive is made to exhaust memory; do not use it"

LOCAL_HEADER: Final = 30
"""Size in bytes of a zip member's local header without the name."""


@dataclass(frozen=True)
class Opened:
    """An open Keras weight file.

    Attributes:
        roots: The HDF5 files: one, or all shards.
        order: The layers in the order of the configuration in the file; None if it has none.
    """

    roots: list[Any]
    order: Order | None = None


@contextmanager
def opened(file: Path) -> Iterator[Opened]:
    """Open the HDF5 files of a weight file, also inside an archive.

    Raises:
        SpecError: SF500 if it is damaged, SF505 if it would unpack to far more than its size.
    """
    h5py_module()
    with ExitStack() as stack:
        stream = stack.enter_context(file.open("rb"))
        head = stream.read(4)
        if head == b"PK\x03\x04":
            with readable(file, "a .keras archive"):
                archive = stack.enter_context(zipfile.ZipFile(stream))
                found = _in_archive(file, stream, archive, stack)
        elif head.startswith(b"\x89HDF"):
            found = Opened([_root(file, stream, 0, file.stat().st_size, stack, file)])
        else:
            with readable(file, "a list of weight files"):
                found = Opened(_beside(file, stack))
        yield found


def _root(
    file: Path, stream: BinaryIO, start: int, size: int, stack: ExitStack, inside: Any
) -> Any:
    """Check an HDF5 file, then open it."""
    h5py = h5py_module()
    with readable(file, "an HDF5 file"):
        try:
            check_file(stream, start, size)
        except DamagedError as error:
            unreadable(file, "an HDF5 file", error)
        return stack.enter_context(h5py.File(inside, "r"))


def _in_archive(file: Path, stream: BinaryIO, archive: zipfile.ZipFile, stack: ExitStack) -> Opened:
    names = archive_names(archive)
    if MEMBER in names:
        shards = [MEMBER]
    elif MAP in names:
        shards = _shards(read_member(archive, names[MAP], MAX_MAP), file)
    else:
        fail(
            "SF500",
            f"expected a .keras archive with {MEMBER}, received one without",
            file,
            "save the model again with `model.save('model.keras')`",
        )
    infos = []
    for shard in shards:
        if shard not in names:
            unreadable(file, "a .keras archive", f"it lists {shard} but does not contain it")
        infos.append(archive.getinfo(names[shard]))
        check_size(infos[-1], file)
    whole, size = sum(info.file_size for info in infos), file.stat().st_size
    if whole > max(BOMB_FLOOR, BOMB_RATIO * size):
        message = (
            f"expected shards of at most {BOMB_RATIO} times the archive, received {whole} bytes"
        )
        fail("SF505", message, file, _BOMB)
    roots = []
    for info in infos:
        member, start = _member(archive, info, stream, stack)
        inside = io.BufferedReader(Window(member, start, info.file_size), 2**16)
        roots.append(_root(file, member, start, info.file_size, stack, inside))
    return Opened(roots, _order(archive, names))


def _order(archive: zipfile.ZipFile, names: dict[str, str]) -> Order | None:
    """The layers in the order of the archive's configuration."""
    if CONFIG not in names:
        return None
    try:
        return order_of(parse_json(read_member(archive, names[CONFIG])))
    except SpecError:
        return None  # the weights can be read without it


def check_size(info: zipfile.ZipInfo, file: Path, what: str = "a .keras archive") -> None:
    """Raise SF500 or SF505 if a member would unpack to far more than its size."""
    if info.compress_size > file.stat().st_size:
        unreadable(file, what, f"the stated size of {info.filename} exceeds that of the file")
    if info.file_size > max(BOMB_FLOOR, BOMB_RATIO * info.compress_size):
        fail(
            "SF505",
            f"expected {info.filename} to unpack to at most {BOMB_RATIO} times its size, received "
            f"{info.file_size} bytes from {info.compress_size}",
            file,
            _BOMB,
        )


def _member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, stream: BinaryIO, stack: ExitStack
) -> tuple[BinaryIO, int]:
    """A member as a seekable file, and its offset in that file."""
    if info.compress_type != zipfile.ZIP_STORED:
        unpacked: Any = tempfile.TemporaryFile()  # noqa: SIM115 - the stack closes it
        stack.callback(unpacked.close)
        with archive.open(info) as packed:
            shutil.copyfileobj(packed, unpacked, 2**20)
        unpacked.flush()
        return unpacked, 0
    with archive.open(info) as member:  # reading to the end verifies its checksum
        while member.read(2**22):
            continue
    stream.seek(info.header_offset + LOCAL_HEADER - 4)
    lengths = stream.read(4)
    start = info.header_offset + LOCAL_HEADER
    start += int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    return stream, start


def looks_like_map(file: Path, head: bytes) -> bool:
    """Whether a file is the list of shards that Keras writes next to them."""
    return file.name.endswith(MAP_END) and head.lstrip()[:1] == b"{"


def _beside(file: Path, stack: ExitStack) -> list[Any]:
    """Open the shards in the folder of their list."""
    with file.open("rb") as stream:
        names = _shards(stream.read(MAX_MAP + 1), file)
    roots = []
    for name in names:
        path = file.with_name(name)
        if not path.is_file():
            unreadable(file, "a list of weight files", f"{name} is not in its folder")
        stream = stack.enter_context(path.open("rb"))
        roots.append(_root(path, stream, 0, path.stat().st_size, stack, path))
    return roots


def _shards(text: bytes, file: Path) -> list[str]:
    """The names of the shards, each once; paths to other folders are refused."""
    what = "a list of weight files"
    try:
        listed = json.loads(text)["weight_map"].values()
        items = [name for item in listed for name in (item if isinstance(item, list) else [item])]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        unreadable(file, what, f"{type(error).__name__}: {error}")
    found = list(dict.fromkeys(name for name in items if isinstance(name, str)))
    if not found or len(found) > MAX_SHARDS:
        unreadable(file, what, f"it names {len(found)} files")
    for name in found:
        if PurePosixPath(name.replace("\\", "/")).name != name or ":" in name:
            fail(
                "SF505",
                "expected names of files in the folder of the list, received a path",
                file,
                _PATH,
            )
    return found


_PATH: Final = "opening it would read other files; do not use it"
