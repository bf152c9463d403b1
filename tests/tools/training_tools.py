"""What the tests of training scripts share: generated scripts, run in this process."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")

import subprocess
import sys
import types
from pathlib import Path
from typing import Any

from specfmt.spec.document import parse_document
from tests.tools.harness import build_graph, keras_weights, state_dict


def chain(shape: list[int | None], *layers: dict[str, Any], dtype: str = "") -> dict[str, Any]:
    """A document with one input and a chain of layers."""
    given = {"shape": shape} | ({"dtype": dtype} if dtype else {})
    return {"specfmt": 1, "name": "case", "inputs": {"x": given}, "layers": list(layers)}


def dense(units: int, activation: str = "linear", **rest: Any) -> dict[str, Any]:
    """A Dense entry."""
    return {"type": "Dense", "units": units, "activation": activation, **rest}


def script(
    document: dict[str, Any], target: str, *, fidelity: str = "exact", **options: Any
) -> str:
    """The training script of a document.

    Raises:
        SpecError: The document has errors.
    """
    from specfmt.diagnostics import SpecError
    from specfmt.targets import keras, torch
    from specfmt.targets.torch.program import Options

    spec, problems = parse_document(document)
    if spec is None or problems:
        raise SpecError(problems)
    graph = build_graph(document)
    if target == "torch":
        return torch.generate_training(graph, options=Options(fidelity=fidelity), **options)
    return keras.generate_training(graph, flavor="keras", **options)


def load(code: str) -> types.ModuleType:
    """A script as a module; torch runs on one thread."""
    import torch

    torch.set_num_threads(1)
    module = types.ModuleType("generated")
    sys.modules["generated"] = module  # where pickle looks for the model's class
    exec(compile(code, "generated.py", "exec"), module.__dict__)
    return module


def arguments(module: types.ModuleType, out: Path, *options: str) -> Any:
    """The script's own arguments."""
    before = sys.argv
    sys.argv = ["script.py", "--out", str(out), *options]
    try:
        return module.parse_arguments()
    finally:
        sys.argv = before


def history(out: Path) -> dict[str, list[float]]:
    """The columns of history.csv."""
    lines = (out / "history.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    return {
        name: [float(row[index]) for row in rows] for index, name in enumerate(lines[0].split(","))
    }


def run_keras(document: dict[str, Any], out: Path, *options: str) -> types.ModuleType:
    """Train the Keras script."""
    module = load(script(document, "keras"))
    module.train(arguments(module, out, *options))
    return module


def run_torch(document: dict[str, Any], out: Path, *options: str) -> types.ModuleType:
    """Train the PyTorch script."""
    module = load(script(document, "torch"))
    module.train(arguments(module, out, "--device", "cpu", *options))
    return module


def train_both(
    document: dict[str, Any], folder: Path, *options: str
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Both scripts from the same initial weights; their histories, Keras's first."""
    from dataclasses import replace

    import numpy as np
    import torch

    from specfmt.spec.train import train_section
    from specfmt.targets.torch.graph_lowering import lower_graph
    from specfmt.targets.torch.program import Options
    from specfmt.targets.torch.training.script import logit_outputs

    graph = build_graph(document)
    assert train_section(graph.spec).data is not None
    keras_module, torch_module = load(script(document, "keras")), load(script(document, "torch"))
    start = keras_module.build_model()
    rng = np.random.default_rng(3)
    values = [
        np.asarray(v) if "variance" in v.path else rng.normal(size=v.shape).astype("float32") * 0.4
        for v in start.weights
    ]
    start.set_weights(values)
    keras_module.build_model = lambda: start
    program = lower_graph(graph, replace(Options(fidelity="exact"), logits=logit_outputs(graph)))
    state = state_dict(program, keras_weights(graph, start))
    build = torch_module.build_model

    def build_same() -> Any:
        model = build()
        missing, unexpected = model.load_state_dict(state, strict=False)
        assert not unexpected
        assert all(key.endswith("num_batches_tracked") for key in missing)
        return model

    torch_module.build_model = build_same
    torch.manual_seed(0)
    keras_module.train(arguments(keras_module, folder / "keras", *options))
    torch_module.train(arguments(torch_module, folder / "torch", "--device", "cpu", *options))
    return history(folder / "keras"), history(folder / "torch")


def ruff(paths: list[Path]) -> None:
    """`ruff check` and `ruff format --check` with default settings."""
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", *map(str, paths)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


HISTORY_BOUND = 1e-5
"""The bound of the project, relative to the largest value; the largest measured difference is 2e-6,
after Adam and SGD have taken dozens of steps in float32 (``accumulation``)."""


def assert_same_history(ours: dict[str, list[float]], theirs: dict[str, list[float]]) -> None:
    """Losses and metrics of every epoch are equal within `HISTORY_BOUND`."""
    import numpy as np

    assert ours
    for key, values in ours.items():
        got, wanted = np.array(values), np.array(theirs[key])
        assert got.shape == wanted.shape
        error = np.abs(got - wanted).max()
        assert error <= HISTORY_BOUND * np.abs(wanted).max(), (key, values, theirs[key])
