"""A program that reads through an HDF5 file, in a process with limited time and memory.

libhdf5 trusts the structure of a file: a damaged one of 15 KB can make it loop forever, or allocate
all memory.  `specfmt.formats.source.hdf5` therefore runs this first; if it succeeds,
the same library can read the file safely.  The program does not import specfmt; it is started by path.

    python -I survey.py PATHS START SIZE SECONDS MEMORY < FILE

Where processes can fork, it is started once and forks for each file that it is sent:

    python -I survey.py PATHS --serve < SOCKET
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any, BinaryIO, Final

ATTRIBUTES: Final = ("model_config", "keras_version", "training_config")
"""Text attributes of the root that describe the content."""

MAX_DEPTH: Final = 64
"""The deepest nesting of groups; files with more are malicious."""

LARGE_CHUNK: Final = 2**28
"""Chunks are read whole: larger ones are skipped here and refused when their data are read."""

RATIO: Final = 1000
"""Data that unpack to more than this many times their stored size are treated likewise."""


class Window(io.RawIOBase):
    """A range of a file as a file: an uncompressed zip member."""

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
    """Limit the processor time and the memory of this process."""
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
        return  # the time is still limited


def look(h5py: Any, group: Any, seen: set[int], depth: int = 0) -> None:
    """Read all attributes, groups, and dataset headers and chunks below a group, each once."""
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
            continue  # reported when it is needed


def _dataset(item: Any) -> None:
    """Read the header of a dataset, and its chunks if it has some, to read their index."""
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
        return  # reported when the data are read


def examine(stream: BinaryIO, start: int, size: int, seconds: float, memory: int) -> str:
    """Check a file within limits; returns the text attributes of its root as JSON, or an ``error``."""
    import h5py  # type: ignore[import-untyped]

    bound(seconds, memory)
    found: dict[str, str] = {}
    try:
        window = io.BufferedReader(Window(stream, start, size), 2**16)
        with h5py.File(window, "r") as file:
            for name in ATTRIBUTES:
                if name in file.attrs:
                    found[name] = _text(file.attrs[name])
            look(h5py, file, set())
    except MemoryError:
        found["error"] = "it needs far more memory than its size"
    except Exception as error:
        found["error"] = str(error).partition("\n")[0] or type(error).__name__
    return json.dumps(found)


def serve() -> None:
    """Answer requests that come with an open file, each in a fork, until the socket closes.

    A request is a line of JSON: start, size, seconds and memory as for `examine`, and the wall-clock
    seconds after which the fork is ended.  An answer is a line too: the exit code and the output of
    the fork.
    """
    import os
    import socket

    import h5py  # noqa: F401 (loaded for the forks)

    with socket.socket(fileno=os.dup(0)) as connection:
        while True:
            request, files, _, _ = socket.recv_fds(connection, 2**12, 1)
            if not request:
                return
            start, size, seconds, memory, clock = json.loads(request)
            reader, writer = os.pipe()
            child = os.fork()
            if child == 0:
                connection.close()
                os.close(reader)
                with open(files[0], "rb", buffering=0) as stream, open(writer, "w") as out:  # noqa: PTH123
                    out.write(examine(stream, start, size, seconds, memory))
                os._exit(0)
            os.close(writer)
            os.close(files[0])
            text, code = _result(child, reader, clock)
            connection.sendall(json.dumps([code, text]).encode() + b"\n")


def _result(child: int, reader: int, clock: float) -> tuple[str, int | None]:
    """The output of a fork and its exit code: None after a timeout."""
    import os
    import select
    import signal
    import time

    end = time.monotonic() + clock
    parts: list[bytes] = []
    late = False
    with open(reader, "rb", buffering=0) as pipe:
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                os.kill(child, signal.SIGKILL)
                late = True
                break
            part = pipe.read(2**20)
            if not part:
                break
            parts.append(part)
    _, status = os.waitpid(child, 0)
    code = None if late else os.waitstatus_to_exitcode(status)
    return b"".join(parts).decode("utf-8", "replace"), code


def main(arguments: list[str]) -> int:
    """Serve, or check the file on standard input and print the text attributes of its root."""
    sys.path += json.loads(arguments[0])
    if arguments[1:] == ["--serve"]:
        serve()
        return 0
    start, size, memory = int(arguments[1]), int(arguments[2]), int(arguments[4])
    print(examine(sys.stdin.buffer, start, size, float(arguments[3]), memory))
    return 0


def _text(value: Any) -> str:
    """A text attribute; empty if it is not text."""
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        has_bytes = getattr(value, "dtype", None) is not None and value.dtype.kind == "S"
        value = value.tobytes() if has_bytes else b""
    return str(value.decode("utf-8-sig", "surrogateescape")).rstrip("\0")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
