"""HDF5 files, looked through in a process of its own before libhdf5 is trusted with them."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, Final

from specfmt.formats import survey as program

SECONDS: Final = 1.0
SECONDS_PER_MIB: Final = 1.0
MAX_SECONDS: Final = 60.0
"""Processor time for looking through a file: its headers, not its numbers."""

WAIT: Final = 20.0
"""Times as long may pass on a clock, as other programs run too."""

MEMORY: Final = 256 * 2**20
MAX_MEMORY: Final = 1024 * 2**20
MEMORY_PER_BYTE: Final = 4
"""Bytes that the process may take beyond those with which it started."""


class DamagedError(ValueError):
    """The file cannot be read as HDF5 within the bounds."""


def has_h5py() -> bool:
    """Whether h5py is installed; nothing is imported."""
    return importlib.util.find_spec("h5py") is not None


def look_through(stream: BinaryIO, start: int, size: int) -> dict[str, str]:
    """Read the structure of an HDF5 file in another process.

    Args:
        stream: An open file with a descriptor.
        start: Where the HDF5 file begins in it.
        size: Its length in bytes.

    Returns:
        The texts at its root that `survey.ATTRIBUTES` names.

    Raises:
        DamagedError: It cannot be read, or takes longer or more memory than a sound file.
        OSError: No process can be started.
    """
    mebibytes = size / 2**20
    seconds = min(SECONDS + SECONDS_PER_MIB * mebibytes, MAX_SECONDS)
    memory = min(MEMORY + MEMORY_PER_BYTE * size, MAX_MEMORY)
    command = [sys.executable, "-I", str(program.__file__), str(start), str(size)]
    command += [str(seconds), str(memory), json.dumps(_packages())]
    # A thread of OpenBLAS costs address space, and it computes nothing.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            stdin=stream,
            capture_output=True,
            timeout=WAIT * (SECONDS + seconds),
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DamagedError(_ENDLESS) from None
    if done.returncode < 0:
        over = done.returncode == -getattr(signal, "SIGPROF", 0)
        raise DamagedError(_ENDLESS if over else f"libhdf5 ends with signal {-done.returncode}")
    try:
        found = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise DamagedError(last or f"its reader ended with {done.returncode}") from None
    if "error" in found:
        raise DamagedError(found["error"])
    return {name: str(text) for name, text in found.items()}


_ENDLESS: Final = "reading it does not come to an end"


def _packages() -> list[str]:
    """The folders of h5py and NumPy: the isolated process knows only those of the interpreter."""
    specs = [importlib.util.find_spec(name) for name in ("h5py", "numpy")]
    return sorted({str(Path(spec.origin).parents[1]) for spec in specs if spec and spec.origin})
