"""Every example: the published counts in every place, and what its training must reach."""

from __future__ import annotations

import csv
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import specfmt
from specfmt.cli import main
from tests.tools.harness import channels_first, execute, keras

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
MNIST = Path(os.environ.get("SPECFMT_MNIST", ROOT.parent / "shared" / "data" / "mnist.npz"))

PARAMETERS = {
    "xor": 9,
    "mnist_mlp": 407_050,
    "mnist_softmax": 407_050,
    "fashion_mlp": 266_610,
    "iris_small": 403,
    "iris_mlp": 1_873,
    "iris_branches": 1_283,
    "mnist_dropout": 101_770,
    "mnist_batchnorm": 331_538,
    "penguins_wide_deep": 476,
    "tweet_sentiment": 32_017,
}
"""What the sources of the examples publish."""

ACCURACY = {
    "mnist_mlp": 0.97,
    "mnist_softmax": 0.975,
    "mnist_batchnorm": 0.97,
    "mnist_rows_lstm": 0.95,
    "digits_cnn": 0.97,
    "digits_augmented": 0.96,
    "digits_resnet": 0.96,
    "digits_encoder": 0.94,
    "u_net": 0.97,
    "penguins_wide_deep": 0.95,
    "tweet_sentiment": 0.74,
    "tiny_transformer": 0.95,
}
"""The test accuracy that an example must reach, in both targets."""


def test_the_table_is_complete() -> None:
    assert set(PARAMETERS) <= {path.stem for path in EXAMPLES}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_has_no_errors_and_is_formatted(path: Path) -> None:
    from specfmt.api import check, format_spec

    content = path.read_bytes()
    assert [d for d in check(content, file=path.name) if d.severity == "error"] == []
    assert format_spec(content, file=path.name, fix=False).encode() == content


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_counts_agree_everywhere(path: Path) -> None:
    spec = specfmt.load(path)
    params = specfmt.summarize(spec).to_data()["params"]
    assert params["total"] == PARAMETERS.get(path.stem, params["total"])
    if path.stem == "mnist_batchnorm":
        assert params["non_trainable"] == 720
    for style in ("auto", "functional", "subclass"):
        model = execute(specfmt.generate(spec, "keras", style=style))
        assert model.count_params() == params["total"], style
        module = execute(specfmt.generate(spec, "torch", style=style))
        trainable = sum(p.numel() for p in module.parameters() if p.requires_grad)
        assert trainable == params["trainable"], style


Training = Callable[[str, str], tuple[Path, dict[str, float]]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Trains an example once; its folder and the test values that the script prints."""

    @cache
    def function(name: str, target: str) -> tuple[Path, dict[str, float]]:
        out = tmp_path_factory.mktemp(f"{name}_{target}")
        return out, train(name, target, out, *mnist(name))

    return function


def train(
    name: str, target: str, out: Path, *options: str, style: str = "auto"
) -> dict[str, float]:
    """The test values that a training script prints."""
    script = out / f"{name}_{target}.py"
    spec = specfmt.load(ROOT / "examples" / f"{name}.yaml")
    script.write_text(specfmt.generate(spec, target, part="train", style=style))
    done = subprocess.run(
        [sys.executable, str(script), "--out", str(out / "run"), *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": "", "MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for file in ("history.csv", "history.png"):
        assert (out / "run" / file).stat().st_size > 0
    last = done.stdout.strip().splitlines()[-1]
    return {key: float(value) for key, value in re.findall(r"test ([\w ]+?) (-?[\d.]+)", last)}


def mnist(name: str) -> list[str]:
    """The options that make an example use the file of the real MNIST."""
    if "mnist" not in name:
        return []
    if not MNIST.is_file():
        pytest.skip(f"{MNIST} is not here; set SPECFMT_MNIST to an .npz of MNIST")
    return ["--data", str(MNIST)]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["keras", "torch"])
@pytest.mark.parametrize("name", ACCURACY)
def test_accuracy(name: str, target: str, trained: Training) -> None:
    assert trained(name, target)[1]["accuracy"] >= ACCURACY[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("mnist_mlp", "digits_cnn", "mnist_rows_lstm"),
        *("tweet_sentiment", "penguins_wide_deep", "digits_augmented"),
    ],
)
def test_migration(name: str, trained: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    """`specfmt convert` of a trained model: the same answer to every test picture."""
    import numpy as np
    import safetensors.torch
    import torch

    folder, values = trained(name, "keras")
    done = CliRunner().invoke(
        main, ["convert", str(folder / "run" / "model.keras"), "-o", str(folder / "moved")]
    )
    assert done.exit_code == 0, done.output
    script = runpy.run_path(str(folder / f"{name}_keras.py"), run_name="script")
    monkeypatch.setattr(sys, "argv", [name, *mnist(name)])
    given = vars(script["parse_arguments"]())
    wanted = {"path": given.get("data"), "seed": given["seed"]}
    taken = signature(script["load_data"]).parameters
    _, (x, y) = script["load_data"](**{key: wanted[key] for key in taken})
    theirs = (
        keras()
        .models.load_model(folder / "run" / "model.keras")
        .predict(mapped(as_tensor, x), verbose=0)
    )
    module = execute((folder / "moved" / f"{name}.py").read_text()).eval()
    state = safetensors.torch.load_file(folder / "moved" / f"{name}.safetensors")
    module.load_state_dict(state)
    given_x = x.values() if isinstance(x, dict) else [x]
    with torch.no_grad():
        ours = module(*map(as_argument, given_x)).numpy()
    assert float(abs(ours - theirs).max()) <= 1e-5
    answers = y.argmax(-1) if y.ndim == 2 and y.shape[-1] > 1 else np.ravel(y)
    labels = (ours[:, 0] > 0.5) * 1 if ours.shape[-1] == 1 else ours.argmax(-1)
    assert round(float((labels == answers).mean()), 4) == values["accuracy"]


def mapped(convert: Callable[[Any], Any], x: Any) -> Any:
    """An array, or each array of a dict, converted."""
    return {k: convert(a) for k, a in x.items()} if isinstance(x, dict) else convert(x)


def as_tensor(array: Any) -> Any:
    """An array as Keras takes it: strings as tensors."""
    import tensorflow as tf

    return tf.constant(array) if array.dtype.kind == "U" else array


def as_argument(array: Any) -> Any:
    """An array as the PyTorch model takes it: numbers as tensors, images channels-first."""
    import numpy as np
    import torch

    if array.dtype.kind == "U":
        return array
    return torch.from_numpy(np.ascontiguousarray(channels_first(array, False)))


@pytest.mark.slow
@pytest.mark.parametrize("target", ["keras", "torch"])
@pytest.mark.parametrize("seed", [1, 7, 42])
def test_iris_on_three_seeds(target: str, seed: int, tmp_path: Path) -> None:
    assert train("iris_mlp", target, tmp_path, "--seed", str(seed))["accuracy"] >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("target", ["keras", "torch"])
@pytest.mark.parametrize("name", ["iris_small", "iris_branches", "siamese"])
def test_it_trains(name: str, target: str, tmp_path: Path) -> None:
    assert train(name, target, tmp_path)["loss"] < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("target", ["keras", "torch"])
@pytest.mark.parametrize(
    ("name", "style"),
    [("fashion_mlp", "auto"), ("mnist_dropout", "sequential"), ("mnist_dropout", "subclass")],
)
def test_it_runs_on_any_pictures(name: str, style: str, target: str, tmp_path: Path) -> None:
    """Any .npz with pictures of 28 by 28, here of a bright bar at one of ten heights."""
    import numpy as np

    rng = np.random.default_rng(0)
    arrays = {}
    for part, size in (("train", 7_000), ("test", 200)):
        labels = rng.integers(0, 10, size)
        bars = np.arange(28)[None, :, None] // 2 == labels[:, None, None]
        pictures = rng.integers(0, 40, (size, 28, 28)) + 200 * bars
        arrays |= {f"x_{part}": pictures.astype("uint8"), f"y_{part}": labels.astype("uint8")}
    file = tmp_path / "pictures.npz"
    np.savez(file, **arrays)
    options = ("--data", str(file), "--epochs", "3")
    found = train(name, target, tmp_path, *options, style=style)
    assert found["accuracy"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("target", ["keras", "torch"])
def test_xor_gives_the_four_answers(target: str, tmp_path: Path) -> None:
    train("xor", target, tmp_path)
    with (tmp_path / "run" / "history.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["loss"]) < 0.01
    assert float(last["binary_accuracy"]) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("target", ["keras", "torch"])
def test_diabetes_beats_the_mean_by_half(target: str, tmp_path: Path) -> None:
    import numpy as np
    from sklearn.datasets import load_diabetes

    squared = train("diabetes_regression", target, tmp_path)["mean_squared_error"]
    _, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(7).permutation(len(y))
    split = len(order) - round(0.2 * len(order))
    train_part, test_part = y[order[:split]], y[order[split:]]
    assert squared <= 0.5 * float(((test_part - train_part.mean()) ** 2).mean())
