"""What the comparison chooses and refuses before anything runs: sizes, parts, types, bounds, trust."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import specfmt
from specfmt.cli import main
from specfmt.diagnostics import SpecError
from specfmt.files import scratch_folder
from specfmt.parity.half_precision import in_float32
from specfmt.parity.original import Reference
from specfmt.parity.pair import Pair
from specfmt.parity.precision import LAST_DIGIT, MOVE, OPERATIONS, bounded, coarser
from specfmt.parity.report import Against, Difference, Report
from specfmt.parity.run import BATCHES, FEW, usual_batches
from specfmt.parity.runnable import runnable_part
from specfmt.parity.sizes import input_shapes
from specfmt.parity.trust import refusal, without_words
from specfmt.parity.workers import Workers
from tests.tools.harness import build_graph

Document = dict[str, Any]


def document(inputs: Document, layers: list[Document], **more: Any) -> Document:
    return {"specfmt": 1, "inputs": inputs, "layers": layers, **more}


def unet(levels: int, size: Any = 2) -> list[Document]:
    """Pools and enlarges so many times and joins the first and the last."""
    layers: list[Document] = [{"type": "Conv2D", "name": "c", "filters": 2, "kernel_size": 1}]
    layers += [{"type": "MaxPooling2D", "pool_size": size} for _ in range(levels)]
    layers += [{"type": "UpSampling2D", "size": size, "name": f"u{i}"} for i in range(levels)]
    return [*layers, {"type": "Concatenate", "inputs": ["c", f"u{levels - 1}"]}]


TWO = {"a": {"shape": [None, 6]}, "b": {"shape": [None, 6]}}
IMAGE = {"x": {"shape": [None, None, 1]}}
ATTENTION = {
    "type": "MultiHeadAttention",
    "num_heads": 2,
    "key_dim": 4,
    "inputs": {"args": ["a", "b"], "attention_mask": "m"},
}
MASK = {"m": {"shape": [None, None], "dtype": "bool"}}
SIZES = {
    "nothing ties them": (TWO, [{"type": "Concatenate", "axis": 1, "inputs": ["a", "b"]}], [7, 8]),
    "an addition ties them": (TWO, [{"type": "Add", "inputs": ["a", "b"]}], [7, 7]),
    "a mask of scores": (TWO | MASK, [ATTENTION], [7, 8, 7, 8]),
    "a mask of steps": (
        {"a": {"shape": [None, 6]}, "m": {"shape": [None], "dtype": "bool"}},
        [{"type": "LSTM", "units": 2, "inputs": {"sequences": "a", "mask": "m"}}],
        [7, 7],
    ),
    "a mask of queries": (
        {**TWO, "m": {"shape": [None], "dtype": "bool"}},
        [
            {
                "type": "GroupQueryAttention",
                "head_dim": 2,
                "num_query_heads": 2,
                "num_key_value_heads": 1,
                "inputs": {"args": ["a", "b"], "query_mask": "m"},
            }
        ],
        [7, 8, 7],
    ),
    "four halvings": (IMAGE, unet(4), [32, 48]),
    "thirds and fifths": (IMAGE, unet(1, [3, 5]), [30, 45]),
    "a long crop": (
        {"x": {"shape": [None, 4]}},
        [
            {"type": "Conv1D", "filters": 2, "kernel_size": 5},
            {"type": "Cropping1D", "cropping": 5000},
        ],
        [10_005],
    ),
    "rows of twelve": (
        {"x": {"shape": [None]}},
        [{"type": "Reshape", "target_shape": [-1, 12]}],
        [12],
    ),
}


@pytest.mark.parametrize("case", SIZES)
def test_open_sizes(case: str) -> None:
    """As unlike as the layers allow, and as large as they need."""
    inputs, layers, expected = SIZES[case]
    graph = build_graph(document(inputs, layers))
    first, second, other = input_shapes(graph, (1, 2))

    def chosen(shapes: Any) -> list[int]:
        return [
            shapes[name][axis]
            for name, value in graph.inputs.items()
            for axis, size in enumerate(value.shape or ())
            if axis and size is None
        ]

    assert chosen(first) == chosen(second) == expected
    assert chosen(other) != expected


@pytest.mark.parametrize(("mask", "ok"), [([5, 4], True), ([1, 4], True), ([5, 5], False)])
def test_a_mask_that_does_not_fit_is_an_error(mask: list[int], ok: bool) -> None:
    """Keras fails on it only when it runs."""
    inputs = {"a": {"shape": [5, 6]}, "b": {"shape": [4, 6]}, "m": {"shape": mask, "dtype": "bool"}}
    found = specfmt.check(json.dumps(document(inputs, [ATTENTION])))
    assert [d.message for d in found if "attention mask" in d.message] == (
        []
        if ok
        else [
            "multi_head_attention (MultiHeadAttention): expected an attention mask whose last axes "
            "are 5, 4, received shape (N, 5, 5)"
        ]
    )


@pytest.mark.parametrize(
    "config",
    [
        {"module": "subprocess", "class_name": "Popen", "config": {"args": ["true"]}},
        {"module": "os", "class_name": "function", "config": "system"},
        {"module": "keras.utils", "class_name": "function", "config": "get_file"},
        {"module": "keras.src.utils.file_utils", "class_name": "get_file", "config": {}},
        {"module": "kerasx.layers", "class_name": "Dense", "config": {}},
        {"module": "tensorflow.io", "class_name": "write_file", "config": {}},
        {"class_name": "Lambda", "config": {"function": ["4wEAAA==", None, None]}},
        {"class_name": "__lambda__", "config": {"code": "4wEAAA=="}},
        {"class_name": "TFOpLambda", "config": {"function": "io.write_file"}},
        {"class_name": "TFOpLambda", "config": {"function": "compat.v1.py_function"}},
        {"class_name": "TFOpLambda", "config": {"function": "raw_ops.WriteFile"}},
        {"class_name": "TFOpLambda", "config": {"function": "load_op_library"}},
        {"class_name": "TensorFlowOpLayer", "config": {"node_def": "{}"}},
    ],
)
def test_what_is_not_handed_to_keras(config: Document) -> None:
    """Keras 2 would import every module and look up every function that a file names."""
    around = {"class_name": "Sequential", "config": {"layers": [{"config": {"cell": [config]}}]}}
    assert refusal(around)
    assert not refusal({"class_name": "Sequential", "config": {"layers": []}})


def test_what_keras_writes_is_trusted() -> None:
    for module, name in (
        ("keras", "Sequential"),
        ("keras.src.models.functional", "Functional"),
        ("keras.src.engine.functional", "Functional"),
        ("keras.layers", "Dense"),
        ("tensorflow.keras.layers", "Dense"),
        ("keras.src.ops.numpy", "Add"),
        ("keras.initializers", "GlorotUniform"),
        ("builtins", "function"),
    ):
        assert not refusal({"module": module, "class_name": name, "config": {}}), module
    for function in ("math.reduce_sum", "__operators__.add", "compat.v1.nn.crelu", "nn.relu"):
        assert not refusal({"class_name": "TFOpLambda", "config": {"function": function}})


def test_the_known_part() -> None:
    """A layer that is to be written becomes an input of what follows and an output before it."""
    custom = {"type": "Custom", "class": "mine.Scale", "name": "scale", "shape": [8, 8, 4]}
    spec = specfmt.loads(
        json.dumps(
            document(
                {"x": {"shape": [8, 8, 3]}},
                [
                    {"type": "Conv2D", "name": "before", "filters": 4, "kernel_size": 1},
                    custom,
                    {"type": "Conv2D", "name": "after", "filters": 2, "kernel_size": 3},
                    {"type": "Add", "name": "sum", "inputs": ["before", "scale"]},
                    {"type": "Flatten", "name": "flat"},
                ],
                outputs=["after", "flat"],
            )
        )
    )
    known = runnable_part(spec, specfmt.analyze(spec))
    assert known.needs() == "Scale (scale)"
    assert known.spec is not None
    graph = specfmt.analyze(known.spec)
    assert {name: value.shape for name, value in graph.inputs.items()} == {
        "x": (None, 8, 8, 3),
        "scale": (None, 8, 8, 4),
    }
    assert list(graph.outputs) == ["after", "flat", "before"]
    assert [unit.name for unit in graph.units] == ["before", "after", "sum", "flat"]


def test_nothing_is_known() -> None:
    """Of a model of such layers alone nothing is left, and nobody calls it equal."""
    custom = {"type": "Custom", "class": "mine.Scale", "shape": [3]}
    spec = specfmt.loads(json.dumps(document({"x": {"shape": [3]}}, [custom])))
    assert runnable_part(spec, specfmt.analyze(spec)).spec is None
    report = specfmt.verify(spec)
    assert report.to_data()["not_compared"] == {"Scale": ["custom"]}
    assert not report.compared


def test_words_of_the_users_own_are_not_needed() -> None:
    """An initializer plays no part once there are weights."""
    dense = {
        "type": "Dense",
        "units": 2,
        "kernel_initializer": {"type": "Custom", "class": "my.Ini"},
    }
    spec = specfmt.loads(json.dumps(document({"x": {"shape": [3]}}, [dense])))
    known = runnable_part(spec, specfmt.analyze(spec))
    assert known.spec is not None
    assert known.spec.layers[0].kernel_initializer.type == "Zeros"
    assert not known.missing


def test_halves_become_whole() -> None:
    """Policies, inputs and casts of few digits; everything else stays."""
    layers = [
        {"type": "Dense", "units": 2, "dtype": "bfloat16"},
        {"op": "cast", "inputs": "dense", "dtype": "float16"},
        {"type": "Dense", "units": 2, "dtype": "float64"},
    ]
    inputs = {"x": {"shape": [3], "dtype": "float16"}}
    spec = specfmt.loads(json.dumps(document(inputs, layers, dtype="mixed_float16")))
    found, coarsest = in_float32(spec)
    assert coarsest == "bfloat16"
    assert found.dtype is None
    assert found.inputs is not None
    assert found.inputs["x"].dtype == "float32"
    assert [layer.dtype for layer in found.layers] == [None, "float32", "float64"]
    plain = specfmt.loads(json.dumps(document({"x": {"shape": [3]}}, [{"type": "Flatten"}])))
    assert in_float32(plain) == (plain, "float32")


def test_bounds_follow_from_what_was_measured() -> None:
    row, calm = Difference("y", 1e-4, 1e-4, 0.0), Difference("y", 3 * MOVE, 3 * MOVE, 0.0)
    (exact,) = bounded([row], lambda: [calm], "float64", 1e-10)
    assert exact.bound == 1e-10
    assert not exact.ok
    (single,) = bounded([row], lambda: [calm], "float32", 1e-10)
    assert single.bound == 4 * OPERATIONS * LAST_DIGIT["float32"]  # the least; 3 would be measured
    assert not single.ok  # an error of 1e-4 in a calm model is no rounding
    wild = Difference("y", 300 * MOVE, 300 * MOVE, 0.0)
    assert bounded([row], lambda: [wild], "float32", 1e-10)[0].ok
    assert coarser("float64", "float32") == "float32"
    small = Difference("y", 1e-11, 1e-11, 0.0)
    (unmeasured,) = bounded([small], lambda: pytest.fail("measured"), "float64", 1e-10)
    assert unmeasured.ok  # what takes a run of its own is measured only where it is needed


def test_words_of_ones_own_are_left_out() -> None:
    """Where weights are given: not activations, and nothing of Keras's own."""
    own = {
        "module": "mine",
        "class_name": "HeNormal",
        "config": {},
        "registered_name": "a>HeNormal",
    }
    keras = {"module": "keras.initializers", "class_name": "HeNormal", "config": {"seed": None}}
    inner = {"class_name": "Sequential", "config": {"layers": []}, "compile_config": {"loss": "f"}}
    config = {
        "kernel_initializer": own,
        "bias_initializer": keras,
        "recurrent_initializer": "start",
        "depthwise_initializer": "zeros",
        "activity_regularizer": {"class_name": "Penalty", "config": {}},
        "bias_regularizer": None,
        "kernel_constraint": {"class_name": "function", "config": "clip"},
        "activation": own,
        "layers": [inner],
    }
    zeros = {"class_name": "Zeros", "config": {}}
    assert without_words(config) == {
        "kernel_initializer": zeros,
        "bias_initializer": keras,
        "recurrent_initializer": zeros,
        "depthwise_initializer": "zeros",
        "activity_regularizer": None,
        "bias_regularizer": None,
        "kernel_constraint": None,
        "activation": own,
        "layers": [{"class_name": "Sequential", "config": {"layers": []}}],
    }
    assert refusal(without_words(config)) == "it names mine.HeNormal, which is not Keras's own"


def test_large_models_are_compared_with_fewer_samples(tmp_path: Path) -> None:
    """A photograph through a convolution is large, a few numbers are not."""
    for size, expected in ((224, FEW), (16, BATCHES)):
        layers = [{"type": "Conv2D", "filters": 32, "kernel_size": 1}]
        spec = specfmt.loads(json.dumps(document({"x": {"shape": [size, size, 3]}}, layers)))
        with Workers() as workers:
            pair = Pair(spec, tmp_path, "idiomatic", lambda _: None, workers)
            assert usual_batches(pair) == expected
    pair.batches, pair.samples = [1, 2, 5, 5], [((4,),)] * 3 + [((7,),)]
    assert pair.smallest({0: 1e-7, 1: 1e-3, 2: 2e-3, 3: 1e-5}, 0.1) == (1, 3)


def test_an_original_that_differs_is_no_success() -> None:
    near, far = Difference("y", 1e-7, 1e-7, 1e-5), Difference("y", 1e-3, 1e-3, 1e-5)
    against = Against("original", "m.h5", "tf_keras 2", {"keras": [near], "torch": [far]})
    against.layers = {"torch": [near, Difference("bn", 1e-3, 1e-3, 1e-5)]}
    report = Report({"keras": 1, "torch": 1}, outputs=[near], against=[against])
    assert not report.ok
    data = report.to_data()
    assert list(data)[:3] == ["params", "outputs", "ok"]
    assert data["original"]["ok"] is False
    assert data["original"]["first_difference"] == {"torch": "bn"}
    silent = Report({"keras": 1}, against=[Against("original", "m.h5", why="it needs Scale")])
    assert silent.ok
    assert silent.to_data()["original"] == {
        "file": "m.h5",
        "ok": None,
        "not_compared": "it needs Scale",
    }


def test_reference(tmp_path: Path) -> None:
    """Numbered arrays or named ones, cast to the model's types; anything else is told."""
    inputs = {"x": {"shape": [3]}, "n": {"shape": [1], "dtype": "int32"}}
    layers = [{"type": "Dense", "units": 2, "name": "d", "inputs": "x"}]
    spec = specfmt.loads(json.dumps(document(inputs, layers, outputs=["d", "n"])))
    pair = Pair(spec, tmp_path / "pair", "idiomatic", lambda _: None, Workers())
    arrays = {
        "x0": np.ones((2, 3)),
        "x1": np.ones((2, 1)),
        "y0": np.ones((2, 2)),
        "y1": np.ones((2, 1)),
    }
    np.savez(tmp_path / "good.npz", **arrays)  # type: ignore[arg-type]
    assert list(Reference(tmp_path / "good.npz", pair).outputs) == ["d", "n"]
    del arrays["x1"]
    np.savez(tmp_path / "short.npz", **arrays)  # type: ignore[arg-type]
    (tmp_path / "text.npz").write_text("no archive")
    for name, text in (("short", "without x1"), ("text", "cannot be read")):
        with pytest.raises(SpecError, match=text) as error:
            Reference(tmp_path / f"{name}.npz", pair)
        assert error.value.diagnostics[0].code == "SF520"


def test_folders_of_killed_runs_go(tmp_path: Path, monkeypatch: Any) -> None:
    """Those of processes that still run stay."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_folder("verify") as named:
        name = named.name.replace(f"-{os.getpid()}-", "-{}-")
    ended, running = (tmp_path / name.format(number) for number in (4194304, os.getppid()))
    for folder in (ended, running):
        folder.mkdir()
    with scratch_folder("verify") as mine:
        assert mine.is_dir()
        assert {p.name for p in tmp_path.iterdir()} == {mine.name, running.name}
    assert [p.name for p in tmp_path.iterdir()] == [running.name]


def test_convert_takes_an_architecture_alone(tmp_path: Path) -> None:
    """JSON holds no weights: source, spec and an example without any; steps are told."""
    source = tmp_path / "net.json"
    spec = specfmt.loads(
        json.dumps(document({"x": {"shape": [3]}}, [{"type": "Dense", "units": 2}]))
    )
    source.write_text(specfmt.to_keras_json(spec))
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["convert", str(source), "-o", str(out), "--no-verify"])
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in out.iterdir()) == ["load_model.py", "model.py", "model.yaml"]
    usage = (out / "load_model.py").read_text()
    assert usage.startswith('"""Computes one answer."""\n\ntry:\n    import torch\nexcept')
    assert "\n\nfrom model import build_model\n" in usage
    assert "load_state_dict" not in usage
    assert "step 1 of 3: reading net.json\nstep 2 of 3: writing PyTorch source\n" in result.stderr


def test_convert_without_frameworks(tmp_path: Path, monkeypatch: Any) -> None:
    """What was converted is there; that it was not compared is said."""
    monkeypatch.setattr("specfmt.migration.is_installed", lambda name: False)
    source = tmp_path / "net.json"
    spec = specfmt.loads(
        json.dumps(document({"x": {"shape": [3]}}, [{"type": "Dense", "units": 2}]))
    )
    source.write_text(specfmt.to_keras_json(spec))
    result = CliRunner().invoke(main, ["convert", str(source), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert "not compared with the original: neither TensorFlow nor PyTorch is installed" in said
    assert said.endswith('pip install "specfmt[keras,torch]"')
