"""Real commands that are killed: nothing partial, no process left, leftovers gone at the next run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals"),
]

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "specfmt"]
KILLS = 5
"""Moments at which `convert` is killed."""


def started(arguments: list[str], folder: Path, **options: Any) -> subprocess.Popen[str]:
    scratch = folder / "tmp"
    scratch.mkdir(exist_ok=True)
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch)},
        text=True,
        # A background job starts its children with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


def content(folder: Path) -> dict[str, bytes] | None:
    if not folder.exists():
        return None
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("there_already", [False, True])
def test_convert_is_complete_or_absent(there_already: bool, tmp_path: Path) -> None:
    """The folder is whole or not there; one that was there keeps whole files."""
    layers = [{"type": "Dense", "units": 40, "name": f"d{i}"} for i in range(30)]
    spec = {"specfmt": 1, "name": "net", "inputs": {"x": {"shape": [4]}}, "layers": layers}
    (tmp_path / "net.yaml").write_text(json.dumps(spec))
    source = tmp_path / "net.json"
    done = started(["export", "net.yaml", "-o", str(source)], tmp_path)
    assert done.wait(60) == 0
    arguments = ["convert", source.name, "-o", "out", "--no-verify", "--force"]
    out, known = tmp_path / "out", {"net.yaml", "net.json", "tmp", "out"}
    assert started(arguments, tmp_path, stderr=subprocess.DEVNULL).wait(120) == 0
    wanted = content(out)
    assert wanted is not None
    former = dict.fromkeys(wanted, b"older")
    draw = random.Random(7)
    for _ in range(KILLS):
        for path in out.iterdir() if out.exists() else ():
            path.unlink()
        if there_already:
            out.mkdir(exist_ok=True)
            for name, text in former.items():
                (out / name).write_bytes(text)
        elif out.exists():
            out.rmdir()
        before = set(tmp_path.iterdir())
        process = started(arguments, tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        while process.poll() is None and set(tmp_path.iterdir()) <= before:
            time.sleep(0.0005)  # until the temporary folder is there
        time.sleep(draw.uniform(0, 0.1))
        process.kill()
        process.communicate()
        found = content(out)
        if there_already:
            assert found is not None
            assert found.keys() == wanted.keys()
            assert all(found[name] in (former[name], wanted[name]) for name in found)
        else:
            assert found in (None, wanted)
    assert started(arguments, tmp_path, stderr=subprocess.DEVNULL).wait(120) == 0
    assert content(out) == wanted
    assert {path.name for path in tmp_path.iterdir()} == known
    assert not [path for path in (tmp_path / "tmp").iterdir() if "specfmt" in path.name]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_train_ends_its_script(number: signal.Signals, tmp_path: Path) -> None:
    """The script gets the signal, and its end is the command's."""
    example = str(ROOT / "examples" / "iris_mlp.yaml")
    arguments = ["train", example, "-t", "torch", "--", "--epochs", "1000000"]
    import termios

    shown, written = os.openpty()  # the bar of progress is only on a terminal
    termios.tcsetwinsize(written, (24, 80))
    process = started(arguments, tmp_path, stderr=written)
    os.close(written)
    read = ""
    while "epoch/s" not in read:  # it trains
        read += terminal_text(shown)
        assert process.poll() is None, read
    (script,) = children(process.pid)
    process.send_signal(number)
    while text := terminal_text(shown):
        read += text
    assert process.wait(60) == 128 + number
    assert "Traceback" not in read
    assert not Path(f"/proc/{script}/cmdline").exists()
    assert not [path for path in (tmp_path / "tmp").iterdir() if "specfmt" in path.name]


def terminal_text(terminal: int) -> str:
    """What was written to a terminal since; empty when its last writer has ended."""
    try:
        return os.read(terminal, 2**16).decode("utf-8", "replace")
    except OSError:
        return ""


def children(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    if not path.exists():
        pytest.skip("no /proc")
    return [int(item) for item in path.read_text().split()]
