"""Generated PyTorch programs under three type checkers: mypy and ty in full, pyright as it comes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import specfmt
from specfmt.diagnostics import SpecError
from specfmt.migration import migrate
from specfmt.targets import torch
from specfmt.targets.torch.program import Options
from tests.targets.test_training import VARIANTS, classifier, dense, regressor
from tests.tools.examples_tools import EXAMPLES, STYLES, spec
from tests.tools.harness import build_graph
from tests.tools.training_tools import chain, script

WRONG = """
import torch
from torch import nn


def wrong(layer: nn.Linear, x: torch.Tensor) -> int:
    return torch.relu(layer(x))
"""
"""What every checker must find, or it knows nothing of torch."""

AXES, FIDELITIES = ("torch", "keras"), ("idiomatic", "exact")


def examples() -> Iterator[tuple[str, str]]:
    """Models and training scripts in all styles, with every option in some of them."""
    for index, name in enumerate(EXAMPLES):
        for part in ("model", "train"):
            for turn, style in enumerate(STYLES, start=index):
                if part == "train" and (turn + index) % 3:
                    continue
                options = {"axes": AXES[turn % 2], "fidelity": FIDELITIES[turn // 2 % 2]}
                try:
                    code = specfmt.generate(spec(name), "torch", part=part, style=style, **options)
                except SpecError:  # not a chain
                    continue
                yield f"{name}_{part}_{style}", code


def layers() -> Iterator[tuple[str, str]]:
    """Models of the case table: as many as hold a layer, function or class that is new."""
    from tests.layers.test_cases import table

    seen: set[str] = set()
    for index, case in enumerate(table()):
        if not case.torch:
            continue
        kinds = {f"{e.get('type')} {e.get('op')}" for e in case.entries}
        if index % 16 and kinds <= seen:
            continue
        style = ("subclass", "auto")[index % 2]
        options = Options(axes=AXES[index // 2 % 2], fidelity=FIDELITIES[index // 4 % 2])
        code = torch.generate_model(build_graph(case.document()), style=style, options=options)
        parts = {f"{style} {n}" for n in re.findall(r"(?:def|class|nn|F|torch)[ .](\w+)", code)}
        if not kinds | parts <= seen:
            seen |= kinds | parts
            yield f"case_{index}", code


def scripts() -> Iterator[tuple[str, str]]:
    """Training scripts with every loss, metric, optimizer, schedule, constraint and callback."""
    from tests.vocab.test_vocab_losses import CASES as LOSSES
    from tests.vocab.test_vocab_metrics import CASES as METRICS
    from tests.vocab.test_vocab_optimizers import CASES as OPTIMIZERS
    from tests.vocab.test_vocab_optimizers import SCHEDULE_CASES

    documents: dict[str, Any] = dict(VARIANTS)
    schedules = [{"initial_learning_rate": 0.2, **case} for case in SCHEDULE_CASES]
    for schedule in schedules:
        if schedule["type"] == "PiecewiseConstantDecay":
            del schedule["initial_learning_rate"]
        documents[schedule["type"]] = regressor(
            optimizer={"type": "SGD", "learning_rate": schedule}
        )
    for case in OPTIMIZERS:
        if case["type"] != "SGD" and len(case) > 2 + (case["type"] == "RMSprop"):
            continue
        option = next((k for k in case if k not in ("type", "learning_rate")), "")
        documents[f"{case['type']}_{option}"] = regressor(optimizer=case)
    weights: Any = ("kernel", "recurrent", "bias")
    for constraint in ("max_norm", "non_neg", "unit_norm"):
        held = {f"{name}_regularizer": "l1l2" for name in weights}
        held |= {f"{name}_constraint": constraint for name in weights}
        held["kernel_constraint"] = "unit_norm"
        lstm = {"type": "LSTM", "units": 3, **held}
        documents[constraint] = regressor(
            {"type": "Reshape", "target_shape": [5, 1]},
            {"type": "Conv1D", "filters": 2, "kernel_size": 1, "kernel_regularizer": "l2"},
            {"type": "Bidirectional", "layer": lstm},
            dense(2, kernel_regularizer={"type": "OrthogonalRegularizer"}),
        )
    for index, (name, document) in enumerate(documents.items()):
        for style in ("auto", "subclass")[index % 2 :][:1]:
            yield (
                f"train_{name}_{style}",
                script(document, "torch", fidelity=FIDELITIES[index % 2], style=style),
            )
    words: dict[str, Any] = {}
    for kind, cases in (
        ("loss", [case.loss for case in LOSSES]),
        ("metrics", [case.metric for case in METRICS]),
    ):
        for word in cases:
            key = word if isinstance(word, str) else f"{word['type']}_{len(word) > 1}"
            words.setdefault(f"{kind}_{key}", (kind, word))
    for name, (kind, word) in words.items():
        given = {"loss": word} if kind == "loss" else {"metrics": [word, "mae"]}
        for make in (classifier, regressor):
            try:
                yield f"{name}_{make.__name__}", _word(make, given)
            except SpecError:  # for other shapes
                continue
            break


def _word(make: Callable[..., Any], given: dict[str, Any]) -> str:
    document = make()
    document["train"] |= given
    return script(document, "torch")


def loaders(folder: Path) -> Iterator[tuple[str, str]]:
    """What `convert` writes: a model with a layer that is to be written, and how to load it."""
    document = chain([4], dense(3), {"type": "Custom", "class": "mine.Scale", "shape": [3]})
    source = folder / "source.json"
    source.write_text(specfmt.to_keras_json(specfmt.loads(json.dumps(document))))
    made = migrate(source, folder / "converted")
    for path in (made.source, made.usage):
        yield path.stem, path.read_text(encoding="utf-8")


def check(name: str, folder: Path, cache: Path) -> str:
    """What a checker prints of the programs in a folder; nothing is loaded from a network."""
    installed = find_spec("torch")
    assert installed is not None
    assert installed.origin is not None
    packages = Path(installed.origin).parents[1]
    commands = {
        "mypy": ["--strict", "--config-file=", "--ignore-missing-imports", f"--cache-dir={cache}"],
        "pyright": ["--pythonpath", sys.executable, "--project", str(folder)],
        "ty": [
            "check", "--output-format=concise", "--ignore=import-not-found", "--no-progress",
            f"--python={sys.prefix}", f"--extra-search-path={packages}",
        ],
    }  # fmt: skip
    (folder / "pyrightconfig.json").write_text('{"reportMissingImports": "none"}')
    done = subprocess.run(
        [sys.executable, "-m", name, *commands[name], *([] if name == "pyright" else ["."])],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "https_proxy": "http://127.0.0.1:9", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All programs that differ in more than their first lines, and one that is wrong."""
    folder = tmp_path_factory.mktemp("programs")
    found: dict[str, str] = {}
    for name, code in (
        *examples(),
        *layers(),
        *scripts(),
        *loaders(tmp_path_factory.mktemp("loaders")),
    ):
        body = code.split("\n", 3)[-1]
        if found.setdefault(body, name) == name:
            (folder / f"{name}.py").write_text(code, encoding="utf-8")
    assert len(found) > 250
    (folder / "wrong.py").write_text(WRONG)
    return folder


@pytest.fixture(scope="module")
def known(pytestconfig: pytest.Config) -> Path:
    """What mypy keeps of the libraries, from one run to the next."""
    return Path(pytestconfig.cache.mkdir("mypy"))  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright", "ty"])
def test_programs_are_clean(checker: str, programs: Path, known: Path) -> None:
    output = check(checker, programs, known)
    found = [line for line in output.splitlines() if re.search(r" error: | error\[", line)]
    wrong = [line for line in found if "wrong.py" in line]
    assert wrong, output[-2000:]
    assert [line for line in found if line not in wrong] == []


@pytest.mark.slow
def test_keras_programs_are_clean(tmp_path: Path, known: Path) -> None:
    """Models made of calls and training scripts, as far as a checker sees without Keras's types.

    Keras has none: a class derived from `keras.Model` derives from ``Any``, which --strict refuses.
    """
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in EXAMPLES:
        for part, flavor in (("model", "tf.keras"), ("train", "keras")):
            code = specfmt.generate(
                spec(name), "keras", part=part, style="functional", flavor=flavor
            )
            (folder / f"{name}_{part}.py").write_text(code, encoding="utf-8")
    (folder / "wrong.py").write_text("count: int = 'one'\n")
    found = re.findall(r"(\w+)\.py.* error: ", check("mypy", folder, known))
    assert found == ["wrong"]
