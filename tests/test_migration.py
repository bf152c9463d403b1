"""What a migration writes besides the program: an input to try it with."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import specfmt
from specfmt.migration import example
from specfmt.targets.torch.expr import Tensor


@pytest.mark.parametrize("shape", [(None,), (None, 1), (None, 3, 2)])
def test_example_of_texts(shape: tuple[int | None, ...]) -> None:
    code = example(Tensor(shape, "string"), channels_first=False)
    value = eval(code, {"__builtins__": {}})
    for size in (1, *shape[1:]):
        assert len(value) == size
        value = value[0]
    assert value == "some text"


def test_example_does_not_grow_with_the_sizes_of_a_file() -> None:
    code = example(Tensor((None, 10**9, 10**9), "string"), channels_first=False)
    ast.parse(code)
    assert len(code) < 100


def test_the_example_says_what_to_install(tmp_path: Path) -> None:
    spec = specfmt.loads(
        "specfmt: 1\nname: net\ninputs: {x: {shape: [4]}}\nlayers: [{type: Dense, units: 3}]\n"
    )
    (tmp_path / "net.json").write_text(specfmt.to_keras_json(spec))
    script = specfmt.convert(tmp_path / "net.json", tmp_path / "out").usage
    command = [sys.executable, "-S", str(script)]  # without site-packages
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "torch is not installed: pip install torch\n"
