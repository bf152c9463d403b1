"""Files of Keras 2 (tf_keras), of Keras 3 in the old layout, and arrays as Keras 1 kept them."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import pytest

from specfmt.formats.keras_json import document_from_keras_json
from specfmt.targets import torch as torch_target
from specfmt.weights.convert import convert
from specfmt.weights.legacy_layouts import layout_conversion
from tests.tools.harness import as_list, build_graph, channels_first, execute, relative_error


def nested_model(k: Any) -> Any:
    """A frozen batch norm in a shared nested model, recurrent and attention layers, a Flatten."""
    inner = k.Sequential(
        [
            k.Input((6, 5, 2)),
            k.layers.Conv2D(3, 3, name="conv"),
            k.layers.BatchNormalization(name="norm"),
            k.layers.Flatten(name="flat"),
            k.layers.Dense(4, name="dense"),
        ],
        name="inner",
    )
    a, b = k.Input((6, 5, 2), name="a"), k.Input((6, 5, 2), name="b")
    words = k.Input((7,), dtype="int32", name="words")
    x = k.layers.Concatenate(name="both")([inner(a), inner(b)])
    y = k.layers.Embedding(9, 4, name="table")(words)
    y = k.layers.MultiHeadAttention(2, 3, name="heads")(y, y)
    y = k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True), name="twice")(y)
    y = k.layers.TimeDistributed(k.layers.Dense(2, name="each"), name="steps")(y)
    y = k.layers.GRU(3, name="last")(y)
    f = k.layers.Reshape((3, 2, 5, 2), name="frames")(b)
    f = k.layers.ConvLSTM2D(3, 2, dropout=0.1, return_sequences=True, name="film")(f)
    f = k.layers.Bidirectional(k.layers.ConvLSTM2D(2, (1, 3), padding="same"), name="both_ways")(f)
    f = k.layers.AlphaDropout(0.1, name="alpha")(k.layers.Flatten(name="row")(f))
    z = k.layers.Concatenate(name="all")([x, y, f])
    return k.Model([a, b, words], k.layers.Dense(2, name="out")(z), name="net")


def save(model: Any, path: Path) -> None:
    if path.name.startswith("weights_"):
        model.save_weights(path)
    else:
        model.save(path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("package", "names"),
    [
        ("tf_keras", ("whole.h5", "whole.keras", "weights_only.h5", "weights_v3.weights.h5")),
        ("keras", ("whole.h5", "whole.keras", "weights_v3.weights.h5")),
    ],
)
@pytest.mark.parametrize("frozen", [False, True])
def test_real_files(package: str, names: tuple[str, ...], frozen: bool, tmp_path: Path) -> None:
    """Nested, shared, trained (so that optimizer state is in the file), frozen and not."""
    import importlib

    import safetensors.torch
    import torch

    k = importlib.import_module(package)
    model = nested_model(k)
    model.get_layer("inner").get_layer("norm").trainable = not frozen
    rng = np.random.default_rng(0)
    data = [rng.standard_normal((2, 6, 5, 2)).astype("f4") for _ in range(2)] + [
        rng.integers(0, 9, (2, 7))
    ]
    model.compile("adam", "mse")
    model.fit(data, np.zeros((2, 2)), verbose=0)
    for weight in model.weights:
        if "seed" not in weight.name:
            value = (
                rng.uniform(0.5, 1.5, weight.shape)
                if "var" in weight.name
                else rng.standard_normal(weight.shape)
            )
            weight.assign(value)
    expected = np.asarray(model(data, training=False))
    graph = build_graph(document_from_keras_json(model.to_json())[0])
    module = execute(torch_target.generate_model(graph, style="subclass")).eval()
    tensors = [torch.from_numpy(np.ascontiguousarray(channels_first(x, False))) for x in data]
    found = set()
    for name in names:
        source, dest = tmp_path / name, tmp_path / "out.safetensors"
        save(model, source)
        convert(graph, source, dest)
        found.add(dest.read_bytes())
        module.load_state_dict(safetensors.torch.load_file(dest))
        with torch.no_grad():
            assert relative_error(expected, as_list(module(*tensors))[0].numpy()) < 1e-5
    assert len(found) == 1


def places(*shapes: tuple[int, ...]) -> list[Any]:
    return [SimpleNamespace(weight=SimpleNamespace(shape=shape)) for shape in shapes]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "options", "build", "old"),
    [
        ("LSTM", {"units": 3}, (None, 5, 4), [(4, 3), (3, 3), (3,)] * 4),
        ("GRU", {"units": 3, "reset_after": False}, (None, 5, 4), [(4, 3), (3, 3), (3,)] * 3),
        ("Conv1D", {"filters": 3, "kernel_size": 2}, (None, 9, 4), [(2, 1, 4, 3), (3,)]),
        ("Conv1D", {"filters": 3, "kernel_size": 2}, (None, 9, 4), [(3, 4, 2, 1), (3,)]),
        (
            "Conv2D",
            {"filters": 3, "kernel_size": 2, "data_format": "channels_first"},
            (None, 5, 9, 9),
            [(3, 5, 2, 2), (3,)],
        ),
        (
            "Conv2DTranspose",
            {"filters": 3, "kernel_size": 2},
            (None, 9, 9, 5),
            [(2, 2, 5, 3), (3,)],
        ),
        (
            "ConvLSTM2D",
            {"filters": 3, "kernel_size": 2},
            (None, 4, 9, 9, 5),
            [(2, 2, 5, 3), (2, 2, 3, 3), (3,)] * 4,
        ),
        ("LSTM", {"units": 3}, (None, 5, 4), [(4, 12), (3, 12), (24,)]),
        ("GRU", {"units": 3}, (None, 5, 4), [(4, 9), (3, 9), (18,)]),
    ],
)
def test_former_layouts(layer: str, options: dict[str, Any], build: Any, old: Any) -> None:
    """The same arrays as Keras 2's own converter gives."""
    import tf_keras
    from tf_keras.src.saving.legacy.hdf5_format import preprocess_weights_for_loading

    from specfmt.layers.registry import build_layer

    theirs = getattr(tf_keras.layers, layer)(**options)
    theirs.build(build)
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(shape).astype("f4") for shape in old]
    expected = preprocess_weights_for_loading(theirs, list(arrays), "1", "tensorflow")
    ours = build_layer({"type": layer, **options})
    shapes = [tuple(w.shape) for w in theirs.weights]
    change = layout_conversion(ours, places(*shapes), old, True, "tensorflow")
    assert change is not None
    for a, b in zip(expected, change(arrays), strict=True):
        assert np.allclose(a, b, rtol=0, atol=0)


def test_theano_kernels_are_turned() -> None:
    from specfmt.layers.registry import build_layer

    layer = build_layer({"type": "Conv2D", "filters": 3, "kernel_size": 2})
    kernel = np.arange(2 * 2 * 5 * 3.0).reshape(2, 2, 5, 3)
    change = layout_conversion(
        layer, places(kernel.shape, (3,)), [kernel.shape, (3,)], False, "theano"
    )
    assert change is not None
    assert np.array_equal(change([kernel, np.zeros(3)])[0], kernel[::-1, ::-1])
    assert (
        layout_conversion(layer, places(kernel.shape), [kernel.shape], False, "tensorflow") is None
    )


@pytest.mark.parametrize("backend", ["tensorflow", "theano"])
def test_gates_of_channels_first_films(backend: str) -> None:
    """Keras 1 kept each gate's kernels as (out, in, rows, columns), which Keras 2 misreads."""
    from specfmt.layers.registry import build_layer

    options = {"filters": 3, "kernel_size": 2, "data_format": "channels_first"}
    layer = build_layer({"type": "ConvLSTM2D", **options})
    rng = np.random.default_rng(2)
    kernel, recurrent = rng.standard_normal((2, 2, 5, 12)), rng.standard_normal((2, 2, 3, 12))
    bias = rng.standard_normal(12)
    old = []
    for gate in (0, 2, 1, 3):
        columns = slice(3 * gate, 3 * gate + 3)
        for array in (kernel, recurrent):
            turned = array[::-1, ::-1] if backend == "theano" else array
            old.append(turned[..., columns].transpose(3, 2, 0, 1))
        old.append(bias[columns])
    shapes = [array.shape for array in old]
    wanted = places(kernel.shape, recurrent.shape, bias.shape)
    change = layout_conversion(layer, wanted, shapes, True, backend)
    assert change is not None
    for array, expected in zip(change(old), (kernel, recurrent, bias), strict=True):
        assert np.array_equal(array, expected)
