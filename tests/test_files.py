"""Files are written whole, in the right place, and what killed processes left is removed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from specfmt import files
from specfmt.cli import main

SPEC = "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers: [{type: Dense, units: 2}]\n"


def test_link_is_followed(tmp_path: Path) -> None:
    """What a link leads to is replaced, the link stays; also a link to nothing yet."""
    target, link = tmp_path / "deep" / "real.txt", tmp_path / "link.txt"
    target.parent.mkdir()
    link.symlink_to(target)
    for text in ("first", "second"):
        files.write_whole(link, text)
        assert link.is_symlink()
        assert target.read_text() == text
    assert sorted(p.name for p in target.parent.iterdir()) == ["real.txt"]


def test_mode_and_owner_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.sh"
    path.write_text("older")
    path.chmod(0o750)
    owned = os.getuid() == 0
    if owned:
        os.chown(path, 1234, 4321)
    files.write_whole(path, "newer")
    found = path.stat()
    assert stat.S_IMODE(found.st_mode) == 0o750
    assert not owned or (found.st_uid, found.st_gid) == (1234, 4321)


def test_fifo_is_written_into(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    files.write_whole(path, "through")
    reader.join(30)
    assert got == [b"through"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_device_is_written_into(tmp_path: Path) -> None:
    """A device like /dev/null, but one of the test's own."""
    path = tmp_path / "null"
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        path.write_bytes(b"")
    except OSError:
        pytest.skip("this user makes no devices")
    spec = tmp_path / "a.yaml"
    spec.write_text(SPEC)
    for arguments in (
        ["generate", str(spec), "-t", "keras", "-o", str(path)],
        ["schema", "-o", str(path)],
        ["export", str(spec), "-o", str(path)],
    ):
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0, done.output
        assert stat.S_ISCHR(path.stat().st_mode)


def test_leftovers_of_killed_processes(tmp_path: Path) -> None:
    """Removed if their process is gone; those of living ones and files of others stay."""
    code = (
        "import os, sys, time; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path; from specfmt.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as t:\n"
        "    t.write_text('half'); print('ready', flush=True); time.sleep(600)\n"
    )
    root = str(Path(__file__).resolve().parents[1])
    path = tmp_path / "a.txt"
    others = [tmp_path / ".a.txt.specfmt-00000000-99-abcdefgh", tmp_path / ".a.txt.swp"]
    for other in others:
        other.touch()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path), root], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        files.write_whole(path, "mine")
        assert len(list(tmp_path.iterdir())) == 4
        process.kill()
    files.write_whole(path, "mine again")
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])


def test_full_disk(tmp_path: Path) -> None:
    """One line, exit code 1, nothing partial, an older file untouched."""
    spec = tmp_path / "a.json"
    spec.write_text(
        '{"specfmt": 1, "inputs": {"x": {"shape": [500]}},'
        ' "layers": [{"type": "Dense", "units": 500}]}'
    )
    code = (
        "import resource, sys; sys.path.insert(0, sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "from specfmt.cli import main; main(sys.argv[2:])\n"
    )
    make = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import numpy as np\n"
        "from specfmt import load, analyze; from specfmt.weights import keras_h5\n"
        "g = analyze(load(sys.argv[2])); (u,) = [u for u in g.units if u.weights]\n"
        "keras_h5.write(Path(sys.argv[3]), g, [(u, lambda: {w.name: np.ones(w.shape, 'f4')"
        " for w in u.weights})])\n"
    )
    root = str(Path(__file__).resolve().parents[1])
    source = tmp_path / "s.weights.h5"
    subprocess.run([sys.executable, "-c", make, root, str(spec), str(source)], check=True)
    torch = tmp_path / "s.safetensors"
    done = CliRunner().invoke(main, ["weights", str(spec), str(source), "-o", str(torch)])
    assert done.exit_code == 0
    folder = tmp_path / "out"
    folder.mkdir()
    for origin, name in ((source, "a.safetensors"), (source, "a.pt"), (torch, "a.weights.h5")):
        dest = folder / name
        dest.write_text("older")
        arguments = ["weights", str(spec), str(origin), "-o", str(dest)]
        ended = subprocess.run(
            [sys.executable, "-c", code, root, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 1, ended.stderr
        assert "Traceback" not in ended.stderr
        assert f"Error: {dest}: File too large" in ended.stderr
        assert dest.read_text() == "older"
        dest.unlink()
        assert list(folder.iterdir()) == []


def test_folder_appears_whole(tmp_path: Path) -> None:
    """Nothing is there before everything is; into a folder that is there files are moved."""
    path = tmp_path / "out"
    with pytest.raises(FileNotFoundError), files.whole_folder(path) as beside:
        (beside / "a").write_text((beside / "none").read_text())
    assert list(tmp_path.iterdir()) == []
    for text in ("1", "2"):
        with files.whole_folder(path) as beside:
            (beside / "a").write_text(text)
            (beside / "b").write_text(text)
        (path / "own").write_text("mine")
        assert (path / "a").read_text() == text
    assert sorted(p.name for p in path.iterdir()) == ["a", "b", "own"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_reaches_the_program(number: signal.Signals, tmp_path: Path) -> None:
    """The program that is run gets the signal, and its end is the end."""
    inner = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: (print('ended', flush=True), sys.exit(7)))\n"
        "print('ready', flush=True); time.sleep(600)\n"
    )
    outer = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from specfmt.targets.running import run\n"
        f"sys.exit(run([sys.executable, '-c', {inner!r}], dict(os.environ)))\n"
    )
    root = str(Path(__file__).resolve().parents[1])
    with subprocess.Popen([sys.executable, "-c", outer, root], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.2)
        process.send_signal(number)
        assert process.stdout.readline() == b"ended\n"
        assert process.wait(60) == 7


@pytest.mark.parametrize(
    ("path", "fine"),
    [
        ("log.csv", True),
        ("deep/log.csv", True),
        ("./out/log..csv", True),
        ("..log/a", True),
        ("/etc/log.csv", False),
        ("../log.csv", False),
        ("a/../../log.csv", False),
        ("a/..", False),
        ("C:\\log.csv", False),
        ("\\\\host\\log.csv", False),
        ("a\\..\\b", False),
        ("", False),
    ],
)
def test_paths_of_callbacks(path: str, fine: bool) -> None:
    """They stay below `--out`."""
    import json

    from specfmt import check

    document = {
        "specfmt": 1,
        "inputs": {"x": {"shape": [4]}},
        "layers": [{"type": "Dense", "units": 3, "activation": "softmax"}],
        "train": {
            "data": {"source": "sklearn", "name": "iris"},
            "loss": "sparse_categorical_crossentropy",
            "callbacks": [
                {"type": "CSVLogger", "filename": path},
                {"type": "ModelCheckpoint", "filepath": f"{path}/x.keras" if path else path},
                {"type": "TensorBoard", "log_dir": path},
            ],
        },
    }
    errors = [d for d in check(json.dumps(document)) if d.severity == "error"]
    assert len(errors) == (0 if fine else 3)
    assert all("below --out" in d.message for d in errors)
