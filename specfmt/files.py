"""Atomic writing: a file is written completely or not at all, and only regular files are replaced."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

MARK: Final = "specfmt"
"""Part of the name of every temporary file and folder, followed by host and process id."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary file that is renamed to ``path`` when the block ends without an error.

    A link is followed and its target replaced; mode and owner of an existing file are kept.  A
    device or FIFO is written into, never replaced.

    Raises:
        OSError: The file cannot be written; what stood there before is untouched.
    """
    former = _stat(path)
    if former is not None and stat.S_ISDIR(former.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if former is not None and not (stat.S_ISREG(former.st_mode) and _replaceable(path)):
        with _named(path), _written_into(path) as temporary:
            yield temporary
        return
    if former is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    clean(target.parent)
    with _named(path):
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=_prefix(target.name))
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            _take_over(temporary, former)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Make errors of the operating system name the requested file, not the temporary one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and MARK not in str(error.filename):
            raise
        reason = error.strerror or str(error)
        raise OSError(error.errno, reason, str(path)) from error


def _replaceable(path: Path) -> bool:
    """Whether a path may be replaced by a file; not if it is an open descriptor (``/dev/stdout``)."""
    return not str(path.absolute()).startswith(("/dev/", "/proc/"))


@contextmanager
def _written_into(target: Path) -> Iterator[Path]:
    """A temporary file whose content is copied into a device or FIFO when the block ends."""
    with scratch_folder("content") as folder:
        temporary = folder / "content"
        temporary.touch()
        yield temporary
        with temporary.open("rb") as content, target.open("wb", buffering=0) as stream:
            shutil.copyfileobj(content, stream, 2**20)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file by renaming a finished one into place (see `whole_file`).

    Raises:
        OSError: The file cannot be written; what stood there before is untouched.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``path`` when the block ends without an error.

    If ``path`` does not exist, the folder is renamed to it.  If it does, the files are moved into it
    one by one, and its other files are kept.

    Raises:
        OSError: A file cannot be written.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    clean(target.parent)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=_prefix(target.name)))
    try:
        yield temporary
        if not target.exists():
            temporary.chmod(0o777 & ~_umask())
            temporary.rename(target)
            return
        clean(target)
        for file in sorted(temporary.iterdir()):
            place = Path(os.path.realpath(target / file.name))
            _take_over(file, _stat(place))
            file.replace(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """A temporary folder of this process; those that killed processes left are removed first."""
    place = Path(tempfile.gettempdir())
    clean(place)
    with tempfile.TemporaryDirectory(prefix=_prefix(purpose), dir=place) as folder:
        yield Path(folder)


def clean(folder: Path) -> None:
    """Remove temporary files and folders that killed processes of specfmt left in a folder."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        match = _LEFT.fullmatch(entry.name)
        if match is None or match["host"] != _host():
            continue
        with suppress(OSError):
            if not _mine(entry) or _alive(int(match["process"])):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.is_file(follow_symlinks=False):
                Path(entry.path).unlink()


_LEFT: Final = re.compile(rf"\..*\.{MARK}-(?P<host>[0-9a-f]{{8}})-(?P<process>\d{{1,10}})-\w{{8}}")
"""``.name.specfmt-HOST-PROCESS-random``."""

LONGEST: Final = 40
"""Characters of a name that are used in the name of its temporary file (255 bytes are allowed)."""


def _prefix(name: str) -> str:
    return f".{name[:LONGEST]}.{MARK}-{_host()}-{os.getpid()}-"


@cache
def _host() -> str:
    """A short hash of this machine since its last boot: process ids of others mean nothing here."""
    import hashlib
    import platform

    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _mine(entry: os.DirEntry[str]) -> bool:
    """Whether this user owns a file."""
    return not hasattr(os, "getuid") or entry.stat(follow_symlinks=False).st_uid == os.getuid()


def _alive(process: int) -> bool:
    """Whether a process exists; true where that cannot be determined."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _take_over(temporary: Path, former: os.stat_result | None) -> None:
    """Give a new file the owner and mode of the file that it replaces, or the default ones."""
    if former is None:
        temporary.chmod(0o666 & ~_umask())
        return
    now = temporary.stat()
    if hasattr(os, "chown") and (now.st_uid, now.st_gid) != (former.st_uid, former.st_gid):
        with suppress(PermissionError):  # only root may change the owner
            os.chown(temporary, former.st_uid, former.st_gid)
    temporary.chmod(stat.S_IMODE(former.st_mode))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
