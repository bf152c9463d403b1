"""Odd names, odd streams, broken plugins: no traceback, and code that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import specfmt
from specfmt.layers import registry
from specfmt.targets.keras.emit import dir_of_model
from specfmt.targets.torch.class_builder import RESERVED

ROOT = Path(__file__).resolve().parents[1]


def document(name: str, model: str = "m") -> dict[str, Any]:
    layer = {"type": "Dense", "units": 3, "name": name}
    return {"specfmt": 1, "name": model, "inputs": {"i": {"shape": [4]}}, "layers": [layer]}


@pytest.mark.parametrize("name", ["a b", "_x", "\u00e9", "a:b", "-x", "a\\b"])
def test_names_that_a_keras_class_cannot_take(name: str) -> None:
    for given in (document(name), document("dense", name)):
        spec = specfmt.loads(json.dumps(given))
        with pytest.raises(specfmt.SpecError, match="SF302"):
            specfmt.generate(spec, "keras", style="subclass")
        assert specfmt.generate(spec, "keras", style="functional")
        assert specfmt.generate(spec, "torch")


@pytest.mark.slow
def test_no_attribute_of_the_frameworks_is_hidden() -> None:
    import keras
    from torch import nn

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    of_keras = {n for n in {*dir(keras.Model), *dir(model)} if not n.startswith("_")}
    assert of_keras - dir_of_model() == set()
    of_torch = {n for n in {*dir(nn.Module), *dir(nn.Module())} if not n.startswith("_")}
    assert of_torch - RESERVED == set()


class Broken:
    """An entry point whose module cannot be imported."""

    name, value = "Wonder", "wonder.layers:Wonder"

    def load(self) -> None:
        raise ImportError("no wonder")


def test_a_broken_plugin_is_named_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [Broken()])
    registry._plugins.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="Wonder = wonder.layers:Wonder"):
            assert "Wonder" not in registry.layer_types()
        assert "Dense" in registry.layer_types()
    finally:
        registry._plugins.cache_clear()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
@pytest.mark.parametrize("command", [["validate"], ["summary"], ["generate", "-t", "torch"]])
def test_streams_that_cannot_show_a_name(tmp_path: Path, encoding: str, command: list[str]) -> None:
    (tmp_path / "m.yaml").write_text(json.dumps(document("\u5c64\u202e\U000e0041")))
    for closed in (False, True):
        line = [sys.executable, "-P", "-m", "specfmt", *command, "m.yaml"]
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", *line] if closed else line,
            cwd=tmp_path,
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding},
        )
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
        assert "\u202e".encode() not in done.stdout
