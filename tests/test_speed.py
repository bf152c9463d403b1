"""What keeps `specfmt validate` quick: few imports, linear time.

No absolute time is asserted; `benchmarks/` measures.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import specfmt
from specfmt.targets.torch.expr import Call, Tensor
from specfmt.targets.torch.layout import choose
from specfmt.targets.torch.steps import Step
from tests.tools.examples_tools import FOLDER, ROOT
from tests.tools.harness import keras
from tests.tools.timing import ratio

HEAVY = ("tensorflow", "keras", "torch", "numpy", "jinja2", "rich", "jsonschema", "click")


def modules_after(*arguments: str) -> set[str]:
    """Top-level packages and specfmt's modules that a command has imported when it ends."""
    code = (
        "import os, sys\n"
        "from specfmt.__main__ import main\n"
        "def leave(code=0):\n"
        "    print(*sys.modules, file=sys.stderr, flush=True)\n"
        "    raise SystemExit(code)\n"
        "os._exit = leave\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


FAMILIES = {
    f"specfmt.layers.{name}"
    for name in (
        "base",
        "block_scope",
        "block_sizes",
        "blocks",
        "core",
        "entries",
        "former_arguments",
        "former_types",
        "index",
        "keras_names",
        "kept",
        "lora",
        "naming",
        "op",
        "policies",
        "quantization",
        "registry",
        "size_rules",
        "sizes",
        "symbols",
    )
}
"""The layers that a spec of Dense layers needs, and what finds them."""

TRAINING_CHECKS = (
    "naming",
    "source",
    "training",
    *(f"training.{name}" for name in ("data_checks", "data_sources", "data_values", "outputs")),
)
"""What holds a ``train:`` section against its model; a spec without one does not need it."""


def test_validate_of_a_model_alone_imports_no_target(tmp_path: Path) -> None:
    spec = tmp_path / "alone.yaml"
    spec.write_text("specfmt: 1\ninputs: {x: {shape: [2]}}\nlayers: [{type: Dense, units: 1}]\n")
    modules = modules_after("validate", str(spec))
    assert "specfmt.layers.core" in modules
    assert not modules & set(HEAVY)
    assert not {m for m in modules if m.startswith(("specfmt.targets", "specfmt.weights"))}
    assert {m for m in modules if m.startswith("specfmt.layers.")} == FAMILIES
    assert not modules & {"specfmt.vocab.losses", "specfmt.vocab.optimizers", "difflib", "json"}


def test_validate_imports_only_what_it_needs() -> None:
    modules = modules_after("validate", str(FOLDER / "iris_mlp.yaml"))
    assert "specfmt.layers.core" in modules
    assert not modules & set(HEAVY)
    later = {m for m in modules if m.startswith(("specfmt.targets", "specfmt.weights"))}
    assert later == {"specfmt.targets", *(f"specfmt.targets.{name}" for name in TRAINING_CHECKS)}
    families = {m for m in modules if m.startswith("specfmt.layers.")}
    assert families == FAMILIES
    assert not modules & {"difflib", "json"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["validate", "{good}"], 0),
        (["validate", "{good}", "{bad}"], 1),
        (["validate", "{bad}", "--format", "text"], 1),
        (["validate", "{good}", "{missing}"], 2),
        (["validate"], 2),
        (["validate", "--help"], 0),
        (["validate", "-"], 1),
        (["validate", "{folder}"], 2),
    ],
)
def test_the_quick_path_says_what_click_says(
    tmp_path: Path, arguments: list[str], code: int
) -> None:
    """With and without the quick path: the same output and exit code."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("specfmt: 1\nlayers: [{type: Dence}]\n")
    places = {
        "good": FOLDER / "xor.yaml",
        "bad": bad,
        "missing": tmp_path / "missing.yaml",
        "folder": tmp_path,
    }
    given = [argument.format(**places) for argument in arguments]
    runs = []
    for start in ("specfmt.__main__", "specfmt.cli"):
        done = subprocess.run(
            [sys.executable, "-c", f"from {start} import main; main(**{{}})", *given],
            cwd=ROOT,
            input="",
            capture_output=True,
            text=True,
            check=False,
        )
        outputs = [o.replace("-c ", "specfmt ") for o in (done.stdout, done.stderr)]
        runs.append((done.returncode, *outputs))
    assert runs[0] == runs[1]
    assert runs[0][0] == code


def deep(layers: int) -> str:
    lines = ["specfmt: 1", "inputs: {x: {shape: [16]}}", "layers:"]
    for block in range(layers // 2):
        lines += [
            f"  - {{type: Dense, name: dense_{block}, units: 16, activation: relu}}",
            f"  - {{type: Add, name: sum_{block}, inputs: [dense_{block}, dense_{block}]}}",
        ]
    return "\n".join(lines) + "\n"


def misspelt(layers: int) -> str:
    head = "specfmt: 1\ninputs: {x: {shape: [16]}}\nlayers:\n"
    return head + "".join(
        f"  - {{type: Dense, name: dense_{n}, units: 16, inputs: dence_{n}}}\n"
        for n in range(layers)
    )


@pytest.mark.slow
@pytest.mark.parametrize("text", [deep, misspelt])
def test_checking_is_linear(text: Callable[[int], str]) -> None:
    """Ten times the layers take ten times as long, give or take."""
    few, many = (partial(specfmt.check, text(n)) for n in (1_000, 10_000))
    assert ratio(many, few, times=10, enough=1.5) <= 1.5


@pytest.mark.slow
@pytest.mark.parametrize("target", ["keras", "torch"])
def test_generating_is_linear(target: str) -> None:
    """Eight times the layers take eight times as long, give or take; formatting is ruff's time."""
    few, many = (partial(specfmt.generate, specfmt.loads(deep(n)), target) for n in (500, 4_000))
    assert ratio(many, few, times=8, enough=1.5) <= 1.5


def branches(blocks: int) -> list[Step]:
    """Steps that read channels-first, branches that take either order, steps that do not."""
    x = Tensor((None, 8, 8, 4))
    steps = []
    for _ in range(blocks):
        made = Tensor(x.shape)
        steps.append(Step((made,), Call("conv", (x,)), "channels"))
        sides = [Tensor(x.shape) for _ in range(3)]
        steps += [Step((side,), Call("F.relu", (made,))) for side in sides]
        joined, x = Tensor(x.shape), Tensor(x.shape)
        steps.append(Step((joined,), Call("torch.add", tuple(sides))))
        steps.append(Step((x,), Call("norm", (joined,)), "keras"))
    return steps


@pytest.mark.slow
def test_choosing_layouts_is_linear() -> None:
    """The minimum cut sends all short paths at once, not one after the other."""
    few, many = (partial(choose, branches(n), {}, {}) for n in (200, 1_600))
    assert ratio(many, few, times=8, enough=2.5) <= 2.5


@pytest.mark.slow
def test_import_takes_a_small_part_of_what_keras_takes() -> None:
    """Both read one model; EfficientNetV2L is what `benchmarks/` measures.

    An import analyzes what it read: shapes, weights and counts are found in it.
    """
    models = keras().models
    text = keras().applications.EfficientNetV2B0(weights=None).to_json()
    ours, theirs = (
        partial(read, text) for read in (specfmt.from_keras_json, models.model_from_json)
    )
    assert ratio(ours, theirs, enough=1 / 15) < 1 / 15
