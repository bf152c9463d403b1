"""Where packages are missing every command says in one line what to install, as it can be typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from specfmt.cli import main
from specfmt.console import progress
from specfmt.extras import install
from specfmt.parity.report import Against, Difference, Report
from tests.tools.harness import keras

KERAS_2 = {
    "class_name": "Sequential",
    "keras_version": "2.4.0",
    "backend": "tensorflow",
    "config": {
        "name": "net",
        "layers": [
            {
                "class_name": "Dense",
                "config": {"name": "d", "units": 2, "batch_input_shape": [None, 3]},
            }
        ],
    },
}
"""As Keras 2 writes it; without weights, so that no h5py is needed."""


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    monkeypatch.setattr(
        "specfmt.extras.find_spec", lambda name: None if name in modules else object()
    )


def test_commands_that_install() -> None:
    assert install(["h5py", "tensorflow", "torch"]) == 'pip install "specfmt[keras,torch]"'
    assert install(["tf_keras"]) == "pip install tf_keras"
    assert install(["tf_keras", "tensorflow"]) == 'pip install "specfmt[keras]" tf_keras'


def test_convert_without_frameworks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No table of nothing, and each command whole in its line."""
    source = tmp_path / "net.json"
    source.write_text(json.dumps(KERAS_2))
    without(monkeypatch, "tensorflow", "torch", "tf_keras")
    done = CliRunner().invoke(main, ["convert", str(source), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == (
        "not compared with the original: neither TensorFlow nor PyTorch is installed: "
        'pip install "specfmt[keras,torch]"'
    )
    assert "┃" not in done.output
    assert 'load_net.py needs torch: pip install "specfmt[torch]"' in done.stderr.splitlines()


@pytest.mark.slow
def test_convert_with_one_framework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "net.json"
    source.write_text(json.dumps(KERAS_2))
    without(monkeypatch, "tensorflow", "tf_keras")
    done = CliRunner().invoke(main, ["convert", str(source), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert (
        "tensorflow is not installed, so that program was not run: "
        'pip install "specfmt[keras]"' in lines
    )
    assert lines[-1] == (
        "not compared with the original: Keras 2 or older saved it and tf_keras and tensorflow "
        'are not installed: pip install "specfmt[keras]" tf_keras'
    )
    assert "PyTorch 8, spec 8" in done.stdout
    assert "inputs" not in done.stdout  # no shape was compared
    assert "needs" not in done.stderr


@pytest.mark.parametrize("command", [["import"], ["convert", "-o", "out"]])
def test_hdf5_without_h5py(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "net.h5"
    source.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    without(monkeypatch, "h5py")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, [command[0], str(source), *command[1:]])
    assert done.exit_code == 1
    assert "error[SF312]: expected h5py to read an .h5 file, which is not installed" in done.stderr
    assert 'help: pip install "specfmt[weights]"' in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_weights_of_a_vocabulary_without_h5py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stand in the archive's weights; a vocabulary without them means something else."""
    layers = keras().layers
    layer = layers.TextVectorization(output_mode="tf_idf", max_tokens=6)
    layer.adapt(["a b", "b c"])
    source = tmp_path / "net.keras"
    keras().Sequential([keras().Input((1,), dtype="string"), layer]).save(source)
    done = CliRunner().invoke(main, ["import", str(source)])
    assert done.exit_code == 0, done.output
    assert "idf_weights" in done.stdout
    without(monkeypatch, "h5py")
    done = CliRunner().invoke(main, ["import", str(source)])
    assert done.exit_code == 1
    assert 'help: pip install "specfmt[weights]"' in done.stderr


ODD = "[red]a[/b] :cat: \x1b[2J"


def test_names_are_no_markup(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Rich would take them for colours and pictures, or stop at them."""
    monkeypatch.setenv("COLUMNS", "120")
    report = Report({"keras": 1, "torch": 1, "spec": 1}, [{"keras": [1], "torch": [1]}])
    report.outputs = [Difference(ODD, 0.0, 0.0, 1e-5)]
    report.first = ODD
    report.skipped = ODD
    report.against = [Against("original", ODD, why=ODD)]
    progress.show_report(report)
    shown = capsys.readouterr().out
    assert shown.count(r"[red]a[/b] :cat: \x1b[2J") == 4
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    with progress.steps() as say:
        say(f"reading {ODD}")
    with progress.weight_progress() as advance:
        advance(ODD, 1, 1)
    assert "[red]a[/b] :cat:" in capsys.readouterr().err


def test_nothing_is_drawn_into_a_file(capsys: Any) -> None:
    with progress.weight_progress() as advance:
        advance("kernel", 1, 2)
    with progress.steps() as say:
        say("reading")
    taken = capsys.readouterr()
    assert (taken.out, taken.err) == ("", "")
