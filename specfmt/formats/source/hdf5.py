"""Checking HDF5 files in a separate process, before they are opened with libhdf5."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO, Final

from specfmt.formats.source import survey as program

SECONDS: Final = 1.0
SECONDS_PER_MIB: Final = 1.0
MAX_SECONDS: Final = 60.0
"""Processor time for checking a file: seconds, and seconds per MiB up to a limit."""

WAIT: Final = 20.0
"""The limit of wall-clock time as a multiple of that of processor time."""

MEMORY: Final = 256 * 2**20
MAX_MEMORY: Final = 1024 * 2**20
MEMORY_PER_BYTE: Final = 4
"""The limit of memory: bytes beyond those that the process needs to start."""


class DamagedError(ValueError):
    """The file cannot be read as HDF5 within the limits."""


def check_file(stream: BinaryIO, start: int, size: int) -> dict[str, str]:
    """Read the structure of an HDF5 file in another process.

    Args:
        stream: An open file with a descriptor.
        start: The offset of the HDF5 file in it, in bytes.
        size: The length of the HDF5 file in bytes.

    Returns:
        The text attributes of its root that `survey.ATTRIBUTES` lists.

    Raises:
        DamagedError: It cannot be read, or needs more time or memory than an intact file.
        OSError: No process can be started.
    """
    mebibytes = size / 2**20
    seconds = min(SECONDS + SECONDS_PER_MIB * mebibytes, MAX_SECONDS)
    memory = min(MEMORY + MEMORY_PER_BYTE * size, MAX_MEMORY)
    clock = WAIT * (SECONDS + seconds)
    ask = _ask_server if hasattr(os, "fork") else _ask_process
    code, out, problem = ask(stream, (start, size, seconds, memory, clock))
    if code is None:
        raise DamagedError(_ENDLESS)
    if code < 0:
        over = code == -getattr(signal, "SIGPROF", 0)
        raise DamagedError(_ENDLESS if over else f"libhdf5 ends with signal {-code}")
    try:
        found = json.loads(out)
    except ValueError:
        raise DamagedError(problem or f"its reader ended with {code}") from None
    if "error" in found:
        raise DamagedError(found["error"])
    return {name: str(text) for name, text in found.items()}


Request = tuple[int, int, float, int, float]
"""Offset, size, seconds of processor time, memory in bytes, and seconds of wall-clock time."""
Answer = tuple[int | None, str, str]
"""Exit code (None after a timeout), output, and the last line of the error output."""


def _command() -> list[str]:
    return [sys.executable, "-I", str(program.__file__), json.dumps(_packages())]


def _environment() -> dict[str, str]:
    # Threads of OpenBLAS take address space and are not needed.
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _ask_process(stream: BinaryIO, request: Request) -> Answer:
    """Check a file in a new process, on systems without fork."""
    command = [*_command(), *map(str, request[:4])]
    try:
        done = subprocess.run(
            command,
            stdin=stream,
            capture_output=True,
            timeout=request[4],
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, "", ""
    complaint = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return done.returncode, done.stdout.decode("utf-8", "replace"), complaint


class _Server:
    """A process that has loaded h5py and forks for each file; it ends with the current process."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.socket, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [*_command(), "--serve"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )
        self.answers = self.socket.makefile("rb")

    def ask(self, stream: BinaryIO, request: Request) -> Answer:
        socket.send_fds(self.socket, [json.dumps(request).encode()], [stream.fileno()])
        line = self.answers.readline()
        if not line.endswith(b"\n"):
            raise OSError("the process that checks HDF5 files ended")
        code, text = json.loads(line)
        return code, text, ""

    def close(self) -> None:
        self.answers.close()
        self.socket.close()
        if self.owner == os.getpid():
            self.process.wait()


_servers: list[_Server] = []
_one_at_a_time = threading.Lock()


def _ask_server(stream: BinaryIO, request: Request) -> Answer:
    """Check a file in the server, which is started for the first file, and again if it has ended."""
    with _one_at_a_time:
        return _answer(stream, request)


def _answer(stream: BinaryIO, request: Request) -> Answer:
    if _servers and _servers[0].owner != os.getpid():
        _servers.clear()  # the server of the process that this one was forked from
    for attempt in (1, 2):
        if not _servers:
            _servers.append(_Server())
            atexit.register(_end_server)
        try:
            return _servers[0].ask(stream, request)
        except OSError:
            _end_server()
            if attempt == 2:
                raise
    raise AssertionError("two attempts return or raise")


def _end_server() -> None:
    while _servers:
        _servers.pop().close()


_ENDLESS: Final = "reading it takes too long"


def _packages() -> list[str]:
    """The folders of h5py and NumPy, which the isolated process does not search by default."""
    specs = [importlib.util.find_spec(name) for name in ("h5py", "numpy")]
    return sorted({str(Path(spec.origin).parents[1]) for spec in specs if spec and spec.origin})
