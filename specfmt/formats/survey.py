"""A program that looks through an HDF5 file, in a process with bounds on time and memory.

libhdf5 trusts what a file says of itself: a damaged one of 15 KB makes it loop for ever, or ask
for all memory.  `specfmt.formats.hdf5` therefore runs this first; what the process survives, the
library reads again in the same way.  It stands alone: it is started by its path, without specfmt.

    python -I survey.py START SIZE SECONDS MEMORY PATHS < FILE
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any, BinaryIO, Final

ATTRIBUTES: Final = ("model_config", "keras_version", "training_config")
"""Texts at the root that say what the file holds."""

MAX_DEPTH: Final = 64
"""Groups inside each other; a file with more is made to overflow something."""

LARGE_CHUNK: Final = 2**28
"""Chunks are read whole: larger ones are not read here, and refused by who reads the numbers."""

RATIO: Final = 1000
"""The same for data that unpack to so many times what is stored."""


class Window(io.RawIOBase):
    """A stretch of a file as a file of its own: a zip member that is stored as it is."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        self.stream, self.start, self.size = stream, start, size
        self.position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        self.position = max(0, base + offset)
        return self.position

    def tell(self) -> int:
        return self.position

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self.size - self.position))
        self.stream.seek(self.start + self.position)
        done = 0
        with memoryview(buffer) as view:
            while done < count:
                got = self.stream.readinto(view[done:count])  # type: ignore[attr-defined]
                if not got:
                    break
                done += got
        self.position += done
        return done


def bound(seconds: float, memory: int) -> None:
    """End this process when it has used so much processor time, and refuse it more memory."""
    import signal

    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        import resource
        from pathlib import Path

        with Path("/proc/self/status").open() as lines:
            used = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData"))
        resource.setrlimit(resource.RLIMIT_DATA, (used + memory, used + memory))
    except (ImportError, OSError, ValueError, StopIteration):
        return  # the time is bounded all the same


def look(h5py: Any, group: Any, seen: set[int], depth: int = 0) -> None:
    """Every attribute, group and header of a dataset below a group, each once; chunks are read."""
    _attributes(group)
    if depth > MAX_DEPTH:
        raise ValueError(f"groups nested deeper than {MAX_DEPTH}")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:
            continue
        seen.add(address)
        if isinstance(item, h5py.Group):
            look(h5py, item, seen, depth + 1)
        elif isinstance(item, h5py.Dataset):
            _attributes(item)
            _dataset(item)


def _attributes(item: Any) -> None:
    for name in item.attrs:
        try:
            item.attrs[name]
        except (OSError, RuntimeError, ValueError, TypeError, LookupError):
            continue  # who needs it says so


def _dataset(item: Any) -> None:
    """Its header; the blocks of a chunked one too, as their index is read with the numbers."""
    try:
        shape, dtype, chunks = item.shape, item.dtype, item.chunks
        if shape is None or chunks is None or item.external or item.is_virtual:
            return
        size = dtype.itemsize
        for count in chunks:
            size *= count
        whole = dtype.itemsize
        for count in shape:
            whole *= count
        if size <= LARGE_CHUNK and whole <= max(LARGE_CHUNK, RATIO * item.id.get_storage_size()):
            for part in item.iter_chunks():
                item[part]
    except (OSError, RuntimeError, ValueError, TypeError, LookupError):
        return  # who reads the numbers says so


def main(arguments: list[str]) -> int:
    """Look through the file at standard input; prints the texts at its root as JSON."""
    start, size, memory = int(arguments[0]), int(arguments[1]), int(arguments[3])
    sys.path += json.loads(arguments[4])
    import h5py  # type: ignore[import-untyped]

    bound(float(arguments[2]), memory)
    found: dict[str, str] = {}
    try:
        window = io.BufferedReader(Window(sys.stdin.buffer, start, size), 2**16)
        with h5py.File(window, "r") as file:
            for name in ATTRIBUTES:
                if name in file.attrs:
                    found[name] = _text(file.attrs[name])
            look(h5py, file, set())
    except MemoryError:
        found["error"] = "it asks for far more memory than its size"
    except Exception as error:
        found["error"] = str(error).partition("\n")[0] or type(error).__name__
    print(json.dumps(found))
    return 0


def _text(value: Any) -> str:
    """A text attribute; empty where it is none."""
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        has_bytes = getattr(value, "dtype", None) is not None and value.dtype.kind == "S"
        value = value.tobytes() if has_bytes else b""
    return str(value.decode("utf-8-sig", "surrogateescape")).rstrip("\0")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
