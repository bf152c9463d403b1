"""`specfmt verify` and `specfmt convert`: what they compare, and that they notice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import specfmt
from specfmt.cli import main
from specfmt.diagnostics import SpecError
from specfmt.parity import pair as verify_pair
from specfmt.parity.deterministic import deterministic
from specfmt.parity.differences import difference
from specfmt.parity.inputs import index_limits, random_inputs, random_weights
from specfmt.parity.report import Difference, Report, Rounding, Step
from specfmt.parity.sizes import input_shapes
from specfmt.parity.workers import Workers
from specfmt.targets.torch.graph_lowering import lower_graph
from specfmt.targets.torch.program import Options
from specfmt.weights.convert import gather
from specfmt.weights.sources import Stored
from tests.tools.examples_tools import ADAPTED
from tests.tools.harness import build_graph

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SMALL = {
    "specfmt": 1,
    "name": "small",
    "inputs": {"image": {"shape": [None, None, 2]}},
    "layers": [
        {
            "type": "Conv2D",
            "name": "conv",
            "filters": 3,
            "kernel_size": 3,
            "strides": 2,
            "padding": "same",
        },
        {"type": "ReLU", "name": "relu"},
        {"type": "GlobalAveragePooling2D", "name": "pool"},
        {"type": "Dense", "name": "out", "units": 4, "activation": "softmax"},
    ],
}


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """One process a framework for the tests that take reports; the others start their own."""
    with Workers() as running:
        yield running


def spec_of(document: dict[str, Any]) -> Any:
    return specfmt.loads(json.dumps(document))


def test_difference() -> None:
    one = np.array([1.0, -4.0])
    assert difference("x", one, np.array([1.0, -4.2]), 1e-5).max_rel == pytest.approx(0.05)
    assert difference("x", one, one, 0.0).ok
    assert not difference("x", one, np.array([1.0, np.nan]), 1.0).ok
    assert difference("x", np.array([np.nan, np.inf]), np.array([np.nan, np.inf]), 0.0).ok
    assert not difference("x", one, np.zeros(3), 1.0).ok
    assert difference("x", np.zeros(2), np.full(2, 1e-3), 1e-2).max_rel == 1e-3


def test_report() -> None:
    """The keys of `--json`, and when a report is good."""
    near, far = Difference("y", 1e-7, 1e-7, 1e-5), Difference("y", 1e-3, 1e-3, 1e-5)
    counts = {"keras": 3, "torch": 3}
    report = Report(counts, outputs=[near])
    data = report.to_data()
    assert list(data)[:3] == ["params", "outputs", "ok"]
    assert data["params"] == counts
    assert data["ok"] is True
    assert data["outputs"] == [{"name": "y", "max_abs": 1e-7, "max_rel": 1e-7}]
    assert not Report(counts, outputs=[far]).ok
    assert not Report(counts, outputs=[near], step=Step(gradients=[far])).ok
    assert not Report(counts, outputs=[near], training=Step(statistics=[far])).ok
    known = Difference("y", 1e-3, 1e-3, 1e-5, by_design=True)
    assert Report(counts, outputs=[near], training=Step(statistics=[known])).ok
    assert not Report({"keras": 3, "torch": 4}, outputs=[near]).ok
    assert not Report(counts, shapes=[{"keras": {"y": [1]}, "torch": {"y": [2]}}]).ok
    assert Report(counts, outputs=[far], rounding=Rounding(1e-3, 1e-3, 1e-13)).ok
    assert not Report(counts, outputs=[far], rounding=Rounding(1e-3, 1e-3, 1e-4)).ok


def test_inputs() -> None:
    """Several batches and sizes; whole numbers that a table holds; the same for a seed."""
    graph = build_graph(SMALL)
    shapes = [tuple(s["image"]) for s in input_shapes(graph, (1, 4))]
    assert shapes[:2] == [(1, 7, 8, 2), (4, 7, 8, 2)]
    assert len({s[1:] for s in shapes}) == 2
    words = build_graph(
        {
            "specfmt": 1,
            "inputs": {"words": {"shape": [None], "dtype": "int32"}},
            "layers": [{"type": "Embedding", "input_dim": 3, "output_dim": 2}],
        }
    )
    assert index_limits(words) == {"words": 3}
    for shape in input_shapes(words, (2,)):
        first, second = (random_inputs(words, shape, 5)["words"] for _ in range(2))
        assert first.max() < 3
        assert np.array_equal(first, second)


def test_no_size_fits() -> None:
    """A chain that needs more than the largest size tried."""
    layers = [{"type": "MaxPooling2D", "pool_size": 20} for _ in range(3)]
    graph = build_graph(
        {"specfmt": 1, "inputs": {"x": {"shape": [None, None, 1]}}, "layers": layers}
    )
    with pytest.raises(SpecError, match="some sizes up to"):
        input_shapes(graph, (1,))


def test_random_weights_reach_every_layer() -> None:
    """Scales that start at zero or one do not hide what they scale; variances are positive."""
    document = {
        "specfmt": 1,
        "inputs": {"x": {"shape": [4, 4, 3]}},
        "layers": [
            {"type": "BatchNormalization"},
            {"type": "LayerScale", "init_values": 1e-6, "projection_dim": 3},
        ],
    }
    graph = build_graph(document)
    found = [compute() for _, compute in random_weights(iter(graph.units), 0)]
    assert found[0]["moving_variance"].min() >= 0.5
    assert found[1]["variable"].min() >= 0.5


def test_deterministic() -> None:
    """Dropout is turned off, also inside wrappers; a spec without any is not copied."""
    plain = spec_of(SMALL)
    assert deterministic(plain) == (plain, ())
    lstm = {"type": "LSTM", "units": 2, "dropout": 0.2, "recurrent_dropout": 0.1}
    layers = [
        {"type": "Bidirectional", "name": "both", "layer": lstm},
        {"type": "Dropout", "name": "drop", "rate": 0.5},
    ]
    noisy = {"specfmt": 1, "inputs": {"x": {"shape": [4, 3]}}, "layers": layers}
    silent, off = deterministic(spec_of(noisy))
    assert "drop" in off
    assert len(off) == 2
    assert (silent.layers[0].layer.dropout, silent.layers[0].layer.recurrent_dropout) == (0, 0)
    assert silent.layers[1].rate == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "skipped"),
    [
        ({"type": "RandomPosterization", "factor": 4}, "cannot be without noise"),
        ({"type": "RandomColorJitter", "hue_factor": 0.2, "contrast_factor": 0.3}, ""),
        ({"type": "RandAugment"}, ""),
        ({"type": "AugMix"}, ""),
        ({"type": "MixUp"}, "mix_up cannot be without noise"),
        ({"type": "RandomCrop", "height": 6, "width": 5}, "random_crop cannot be without noise"),
    ],
    ids=str,
)
def test_image_augmentation_is_turned_off(
    layer: dict[str, Any], skipped: str, workers: Workers
) -> None:
    """Training mode is compared without it, or not at all where that cannot be."""
    layers = [layer, {"type": "Conv2D", "filters": 2, "kernel_size": 3}]
    inputs = {"image": {"shape": [6, 5, 3]}}
    spec = spec_of({"specfmt": 1, "inputs": inputs, "layers": layers})
    report = specfmt.verify(spec, workers=workers)
    assert report.ok, report.to_data()
    assert skipped in report.skipped
    assert bool(report.without_noise) is not bool(skipped)


@pytest.mark.slow
def test_noise_at_inference(workers: Workers) -> None:
    """Dropout that a call keeps on draws other numbers in each program, so it is turned off."""
    layers = [
        {"type": "Dense", "units": 6},
        {
            "type": "Dropout",
            "name": "d",
            "rate": 0.5,
            "inputs": {"inputs": "dense", "training": True},
        },
    ]
    spec = spec_of({"specfmt": 1, "inputs": {"x": {"shape": [4]}}, "layers": layers})
    report = specfmt.verify(spec, workers=workers)
    assert report.ok, report.to_data()
    assert report.without_noise == ("d",)


@pytest.mark.slow
def test_examples(workers: Workers) -> None:
    """Outputs, gradients and a step agree in both modes, for every example, in one process pair."""
    paths = sorted(EXAMPLES.glob("*.yaml"))
    assert len(paths) >= 14
    for path in paths:
        if path.stem in ADAPTED:  # nothing computes without tables
            with pytest.raises(specfmt.SpecError, match="SF301"):
                specfmt.verify(specfmt.load(path), workers=workers)
            continue
        spec = specfmt.load(path)
        report = specfmt.verify(spec, workers=workers)
        assert report.ok, (path.name, report.to_data())
        assert report.rounding is None
        assert report.step is not None
        assert report.training is not None
        for step in (report.step, report.training):
            assert step.gradients
            assert step.after
            assert not step.exact
        designed = {d.name for d in report.training.rows() if d.by_design}
        graph = specfmt.analyze(spec)
        normalized = [u.name for u in graph.walk_units() if u.type_name == "BatchNormalization"]
        expected = {f"{name}/moving_variance" for name in normalized}
        assert designed == expected | (set(graph.outputs) if expected else set())
    exact = specfmt.verify(
        specfmt.load(EXAMPLES / "mnist_batchnorm.yaml"), workers=workers, fidelity="exact"
    )
    assert exact.ok
    assert exact.training is not None
    assert len(exact.training.statistics) == 2
    assert not any(d.by_design for d in exact.training.rows())


@pytest.mark.slow
def test_command_line(tmp_path: Path) -> None:
    """Unknown sizes, `--json`, `--layerwise`, exit codes."""
    file = tmp_path / "small.json"
    file.write_text(json.dumps(SMALL))
    result = CliRunner().invoke(main, ["verify", str(file), "--json", "--layerwise"])
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["ok"] is True
    assert data["params"] == {"keras": 73, "torch": 73}
    assert [item["name"] for item in data["layers"]] == ["conv", "relu", "pool", "out"]
    assert len(data["shapes"]) == 4
    table = CliRunner().invoke(main, ["verify", str(file), "--target", "torch"])
    assert table.exit_code == 0
    assert "PyTorch 73, spec 73" in table.stdout


@pytest.mark.slow
def test_layers_inside_of_blocks_are_compared(workers: Workers) -> None:
    spec = specfmt.load(EXAMPLES / "u_net.yaml")
    report = specfmt.verify(spec, layerwise=True, gradients=False, batches=[1], workers=workers)
    assert report.ok
    names = [node.name for node in specfmt.analyze(spec).nodes]
    assert [item.name for item in report.layers] == names


@pytest.mark.slow
def test_names_the_first_layer_that_differs(monkeypatch: Any, workers: Workers) -> None:
    """A wrong lowering is found, and the layer that it is of."""
    original = verify_pair.generate

    def wrong(spec: Any, target: str, *options: Any) -> str:
        code = original(spec, target, *options)
        return code.replace("F.relu(", "1.01 * F.relu(") if target == "torch" else code

    monkeypatch.setattr(verify_pair, "generate", wrong)
    report = specfmt.verify(spec_of(SMALL), workers=workers)
    assert not report.ok
    assert report.first == "relu"
    assert report.rounding is not None
    assert not report.rounding.explains


@pytest.mark.slow
def test_a_wrong_gradient_is_found(monkeypatch: Any, workers: Workers) -> None:
    """Outputs may agree where gradients do not."""
    original = verify_pair.generate

    def wrong(spec: Any, target: str, *options: Any) -> str:
        code = original(spec, target, *options)
        return (
            code.replace("F.relu(", "(lambda x, **_: F.relu(x).detach())(")
            if target == "torch"
            else code
        )

    monkeypatch.setattr(verify_pair, "generate", wrong)
    report = specfmt.verify(spec_of(SMALL), workers=workers)
    assert all(d.ok for d in report.outputs)
    assert report.step is not None
    assert [d.name for d in report.step.gradients if not d.ok] == ["conv/kernel", "conv/bias"]
    assert not report.ok


@pytest.mark.slow
def test_a_failing_program_is_named(monkeypatch: Any) -> None:
    monkeypatch.setattr(verify_pair, "generate", lambda *a, **k: "raise RuntimeError('no way')")
    with pytest.raises(SpecError, match="no way"):
        specfmt.verify(spec_of(SMALL))


TRAIN = """
import sys, keras
from sklearn.datasets import load_digits
keras.utils.set_random_seed(1)
x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
exec(open(sys.argv[1]).read())
model = build_model()
shape = model.input_shape[1:]
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x[:1400].reshape(-1, *shape), y[:1400], epochs=2, verbose=0)
model.save(sys.argv[2])
print("answers", *model.predict(x[1400:].reshape(-1, *shape), verbose=0).argmax(-1))
"""


@pytest.mark.slow
def test_convert_a_trained_model(tmp_path: Path) -> None:
    """A trained `.keras` file becomes a folder whose program answers alike, image by image."""
    source, model = tmp_path / "digits.py", tmp_path / "digits.keras"
    spec = specfmt.load(EXAMPLES / "digits_cnn.yaml")
    source.write_text(specfmt.generate(spec, "keras", flavor="keras"))
    command = [sys.executable, "-c", TRAIN, str(source), str(model)]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = theirs.rpartition("answers ")[2].split()
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["convert", str(model), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in out.iterdir()) == [
        "digits_cnn.py",
        "digits_cnn.safetensors",
        "digits_cnn.yaml",
        "load_digits_cnn.py",
    ]
    usage = subprocess.run(
        [sys.executable, out / "load_digits_cnn.py"], capture_output=True, text=True
    )
    assert usage.returncode == 0, usage.stderr
    assert usage.stdout.startswith("tensor(")
    predict = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import torch\nfrom digits_cnn import build_model\nfrom safetensors.torch import load_file\n"
        "from sklearn.datasets import load_digits\n"
        "x = torch.tensor(load_digits().data[1400:] / 16, dtype=torch.float32).view(-1, 1, 8, 8)\n"
        "m = build_model(); m.load_state_dict(load_file(sys.argv[1] + '/digits_cnn.safetensors')); m.eval()\n"
        "print(*m(x).argmax(-1).tolist())"
    )
    ours = subprocess.run(
        [sys.executable, "-c", predict, out], capture_output=True, text=True, check=True
    )
    assert ours.stdout.split() == theirs
    assert len(theirs) == 397


def test_gather_adds_nothing() -> None:
    """A weight that no torch parameter is made of is zero, in the dtype that Keras keeps."""
    graph = build_graph(
        {"specfmt": 1, "inputs": {"x": {"shape": [3]}}, "layers": [{"type": "Normalization"}]}
    )
    (unit,) = graph.units
    params = list(lower_graph(graph, Options()).parameters())
    stored = {
        p.key: Stored(
            p.value.shape, np.dtype("f4"), lambda p=p: np.ones(p.value.shape, "f4"), p.key
        )
        for p in params
    }
    arrays = gather(unit, params, stored)
    assert arrays["count"] == 0
    assert arrays["count"].dtype == np.dtype("int64")
    assert arrays["mean"].tolist() == [1, 1, 1]
