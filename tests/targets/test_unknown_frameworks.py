"""Unknown layers against real Keras and PyTorch: weights there and back, and outputs once written."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specfmt import SpecError, convert_weights, generate, loads
from specfmt.graph.assumed import with_layer
from specfmt.graph.customs import customs_of, with_customs
from tests.tools.imports import import_source

pytestmark = pytest.mark.slow

TORCH_CLASSES = '''
"""The PyTorch bodies of the layers of this test."""

import torch
from torch import nn
import torch.nn.functional as F


class Scale(nn.Module):
    """x * gain * factor."""

    def __init__(self, factor: float, size: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(size))
        self.factor = factor

    def forward(self, x):
        return x * self.gain * self.factor


class Project(nn.Module):
    """A matrix with a count that training does not change."""

    def __init__(self, units: int, size: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(size, units))
        self.register_buffer("moving_shift", torch.zeros(units))

    def forward(self, x):
        return x @ self.kernel + self.moving_shift


class Split(nn.Module):
    """Two outputs: the sum over time, and the sequence turned around."""

    def __init__(self, axis: int) -> None:
        super().__init__()

    def forward(self, x):
        return x.sum(1), x.flip(1)


class Gate(nn.Module):
    """Two inputs, the second by name."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(size))

    def forward(self, x, *, other):
        return torch.sigmoid(self.gate) * x + other


class Hidden(nn.Module):
    """A layer inside of it, whose weights Keras keeps below the layer's own."""

    def __init__(self, units: int, size: int) -> None:
        super().__init__()
        self.dense_kernel = nn.Parameter(torch.zeros(size, units))
        self.dense_bias = nn.Parameter(torch.zeros(units))

    def forward(self, x):
        return torch.tanh(x @ self.dense_kernel + self.dense_bias)
'''


def layer_classes(keras: Any) -> dict[str, Any]:
    """The Keras layers, for Keras 3 or tf_keras."""
    layers = keras.layers
    tf = importlib.import_module("tensorflow")

    class Base(layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, **kwargs: Any) -> None:
            own = {key: kwargs.pop(key) for key in self.names if key in kwargs}
            super().__init__(**kwargs)
            self.own = own
            for key, value in own.items():
                setattr(self, key, value)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), **self.own}

    class Scale(Base):
        names = ("factor", "size")

        def build(self, shape: Any) -> None:
            self.gain = self.add_weight(name="gain", shape=(shape[-1],), initializer="normal")
            super().build(shape)

        def call(self, x: Any) -> Any:
            return x * self.gain * self.factor

    class Project(Base):
        names = ("units", "size")

        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(
                name="kernel", shape=(shape[-1], self.units), initializer="normal"
            )
            self.shift = self.add_weight(
                name="moving_shift", shape=(self.units,), initializer="normal", trainable=False
            )
            super().build(shape)

        def call(self, x: Any) -> Any:
            return tf.tensordot(x, self.kernel, 1) + self.shift

        def compute_output_shape(self, shape: Any) -> Any:
            return (*shape[:-1], self.units)

    class Split(Base):
        names = ("axis",)

        def call(self, x: Any) -> Any:
            return tf.reduce_sum(x, 1), tf.reverse(x, [1])

        def compute_output_shape(self, shape: Any) -> Any:
            return (shape[0], shape[2]), tuple(shape)

    class Gate(Base):
        names = ("size",)

        def build(self, *shapes: Any, **named: Any) -> None:
            self.gate = self.add_weight(name="gate", shape=(self.size,), initializer="normal")
            self.built = True

        def call(self, x: Any, other: Any = None) -> Any:
            return tf.sigmoid(self.gate) * x + other

        def compute_output_spec(self, x: Any, other: Any = None) -> Any:
            return keras.KerasTensor(x.shape, x.dtype)

    class Hidden(Base):
        names = ("units", "size")

        def build(self, shape: Any) -> None:
            self.dense = layers.Dense(self.units, bias_initializer="normal")
            if keras.__name__ != "tf_keras":  # that one names weights where a call builds them
                self.dense.build(shape)
            super().build(shape)

        def call(self, x: Any) -> Any:
            return tf.tanh(self.dense(x))

        def compute_output_shape(self, shape: Any) -> Any:
            return (*shape[:-1], self.units)

    register = keras.utils.register_keras_serializable("own")
    return {cls.__name__: register(cls) for cls in (Scale, Project, Split, Gate, Hidden)}


Model = Callable[[Any, dict[str, Any]], Any]


def in_a_row(k: Any, own: dict[str, Any]) -> Any:
    return k.Sequential(
        [
            k.layers.Input((5,)),
            k.layers.Dense(4),
            own["Scale"](factor=2.0, size=4),
            k.layers.Dense(3),
        ]
    )


def between_images(k: Any, own: dict[str, Any]) -> Any:
    x = k.layers.Input((8, 7, 3))
    y = k.layers.Conv2D(4, 3, padding="same")(x)
    y = own["Project"](units=6, size=4)(y)
    y = k.layers.Conv2D(5, 3)(y)
    y = own["Scale"](factor=0.5, size=5)(y)
    y = k.layers.Flatten()(y)
    return k.Model(x, k.layers.Dense(3)(y))


def two_outputs(k: Any, own: dict[str, Any]) -> Any:
    x = k.layers.Input((6, 4))
    total, turned = own["Split"](axis=1)(x)
    return k.Model(x, [k.layers.Dense(2)(total), k.layers.LSTM(3)(turned)])


def inside_a_model(k: Any, own: dict[str, Any]) -> Any:
    a = k.layers.Input((4,))
    inner = k.Model(a, k.layers.Dense(5)(own["Project"](units=7, size=4)(a)), name="inner")
    x = k.layers.Input((3,))
    return k.Model(x, k.layers.Dense(2)(inner(k.layers.Dense(4)(x))))


def called_twice(k: Any, own: dict[str, Any]) -> Any:
    shared = own["Scale"](factor=3.0, size=4)
    x = k.layers.Input((4,))
    y = shared(k.layers.Dense(4)(shared(x)))
    return k.Model(x, y)


def by_name(k: Any, own: dict[str, Any]) -> Any:
    x, y = k.layers.Input((4,)), k.layers.Input((4,))
    return k.Model([x, y], k.layers.Dense(2)(own["Gate"](size=4)(x, other=y)))


def one_after_another(k: Any, own: dict[str, Any]) -> Any:
    x = k.layers.Input((6, 4))
    y = own["Project"](units=5, size=4)(own["Scale"](factor=2.0, size=4)(x))
    y = k.layers.GRU(3)(own["Hidden"](units=7, size=5)(y))
    return k.Model(x, y)


MODELS: list[Model] = [
    in_a_row, between_images, two_outputs, inside_a_model, called_twice, by_name, one_after_another,
]  # fmt: skip


@pytest.fixture
def user_module(tmp_path: Path) -> Iterator[str]:
    """The user's PyTorch classes, importable."""
    (tmp_path / "own_torch.py").write_text(TORCH_CLASSES)
    sys.path.insert(0, str(tmp_path))
    sys.modules.pop("own_torch", None)
    yield "own_torch"
    sys.path.remove(str(tmp_path))
    sys.modules.pop("own_torch", None)


def run(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(code, "generated", "exec"), namespace)
    return namespace


def inputs_of(model: Any) -> list[Any]:
    rng = np.random.default_rng(3)
    return [
        rng.standard_normal((2, *tensor.shape[1:])).astype("float32") for tensor in model.inputs
    ]


def in_torch_order(values: list[Any]) -> list[Any]:
    import torch

    return [torch.from_numpy(v.transpose(0, 3, 1, 2).copy() if v.ndim == 4 else v) for v in values]


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("kind", ["keras", "h5", "tf_keras.h5"])
def test_written_layers_compute_what_keras_computes(
    make: Model, kind: str, tmp_path: Path, user_module: str
) -> None:
    import torch
    from safetensors.torch import load_file

    k: Any = importlib.import_module("tf_keras" if kind.startswith("tf_keras") else "keras")
    if make is by_name and kind.startswith("tf_keras"):
        pytest.skip("tf_keras has no KerasTensor of this kind")
    k.backend.clear_session()
    model = make(k, layer_classes(k))
    rng = np.random.default_rng(0)
    model.set_weights([rng.standard_normal(w.shape).astype(w.dtype) for w in model.get_weights()])
    source = tmp_path / f"model.{kind}"
    model.save(source)
    text, _ = import_source(source)
    spec = loads(text)
    weights = tmp_path / "model.safetensors"
    convert_weights(spec, source, weights)

    # Unwritten: the weights load, forward says what to write.
    stub = run(generate(spec, "torch"))["build_model"]()
    stub.load_state_dict(load_file(weights))
    x = inputs_of(model)
    with pytest.raises(NotImplementedError, match="write what "):
        stub(*in_torch_order(x))
    stored = load_file(weights)
    for key, value in stub.state_dict().items():
        assert torch.equal(value, stored[key])

    # And back: the file that Keras reads holds the same numbers.
    back = tmp_path / "back.weights.h5"
    convert_weights(spec, weights, back)
    again = tmp_path / "again.safetensors"
    convert_weights(spec, back, again)
    for key, value in load_file(again).items():
        assert torch.equal(value, stored[key])

    # Written by the user: equal.
    names = {layer.class_name for _, layer in customs_of(spec)}
    written = with_customs(spec, [f"{user_module}:{name}" for name in sorted(names)])
    if kind == "keras":  # a .keras file does not hold the names of weights
        for path, layer in customs_of(written):
            own = {
                "Scale": ["gain"],
                "Project": ["kernel", "moving_shift"],
                "Gate": ["gate"],
                "Hidden": ["dense/kernel", "dense/bias"],
                "Split": [],
            }[layer.class_name]
            written = with_layer(
                written, path, {"weights_": dict(zip(own, layer.weights_.values(), strict=True))}
            )
    convert_weights(written, source, weights)
    program = run(generate(written, "torch"))["build_model"]()
    program.load_state_dict(load_file(weights))
    program.eval()
    expected = model(x if len(x) > 1 else x[0], training=False)
    with torch.no_grad():
        found = program(*in_torch_order(x))
    many = isinstance(expected, (list, tuple))
    for want, got in zip(expected if many else [expected], found if many else [found], strict=True):
        want = np.asarray(want)
        assert np.abs(want - got.numpy()).max() <= 1e-5 * np.abs(want).max()


def test_a_keras_stub_builds_and_takes_the_file(tmp_path: Path) -> None:
    import keras

    keras.backend.clear_session()
    model = between_images(keras, layer_classes(keras))
    source = tmp_path / "m.keras"
    model.save(source)
    spec = loads(import_source(source)[0])
    for path, layer in customs_of(spec):  # as if no module said where the class is
        spec = with_layer(spec, path, {"class_": layer.class_name})
    code = generate(spec, "keras")
    stub = run(code)["build_model"]()
    assert stub.count_params() == model.count_params()
    assert stub.output.shape == model.output.shape
    weights = tmp_path / "m.weights.h5"
    model.save_weights(weights)
    stub.load_weights(weights)
    for one, other in zip(model.get_weights(), stub.get_weights(), strict=True):
        assert np.array_equal(one, other)
    with pytest.raises(NotImplementedError, match="write what "):
        stub(np.zeros((1, 8, 7, 3), "float32"))
    assert keras.models.model_from_json(stub.to_json()).count_params() == model.count_params()


def test_a_class_for_no_layer_is_an_error(tmp_path: Path) -> None:
    spec = loads(
        "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers:\n- {type: Custom, class: a.Scale}\n"
    )
    for wrong in ("Scale", "m:Scala", "m.Scale", "X=m:Scale"):
        with pytest.raises(SpecError, match="SF308"):
            with_customs(spec, [wrong])
