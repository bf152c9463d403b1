"""Recurrent layers with user-defined cells against real Keras and PyTorch."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specfmt import analyze, convert_weights, from_keras_json, generate, loads, to_keras_json
from specfmt.graph.assumed import with_layer
from specfmt.graph.customs import customs_of, with_customs
from tests.tools.imports import import_source

pytestmark = pytest.mark.slow

TORCH_CELLS = '''
"""The cells of this test in PyTorch."""

import torch
from torch import nn


class Minimal(nn.Module):
    def __init__(self, units, size):
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(size, units))
        self.recurrent_kernel = nn.Parameter(torch.zeros(units, units))

    def forward(self, x, states):
        output = torch.tanh(x @ self.kernel + states[0] @ self.recurrent_kernel)
        return output, [output]


class Pair(nn.Module):
    def __init__(self, units, more, size):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(size, units))
        self.b = nn.Parameter(torch.zeros(size, more))

    def forward(self, x, states):
        a = torch.tanh(x @ self.a) + 0.5 * states[0]
        b = torch.tanh(x @ self.b) - 0.5 * states[1]
        return 2.0 * torch.cat([a, b], dim=-1) + 1.0, [a, b]
'''

WEIGHTS = {"Minimal": ["kernel", "recurrent_kernel"], "Pair": ["a", "b"]}


def cell_classes(k: Any) -> tuple[Any, Any]:
    """The cells in Keras: one whose output is its state, and one with two states of other sizes."""
    tf = importlib.import_module("tensorflow")

    class Cell(k.layers.Layer):  # type: ignore[misc, name-defined]
        names: tuple[str, ...]

        def __init__(self, **kwargs: Any) -> None:
            self.own = {key: kwargs.pop(key) for key in self.names}
            super().__init__(**kwargs)
            for key, value in self.own.items():
                setattr(self, key, value)

        def matrix(self, name: str, rows: int, columns: int) -> Any:
            return self.add_weight(shape=(rows, columns), initializer="normal", name=name)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), **self.own}

    class Minimal(Cell):
        names = ("units", "size")

        @property
        def state_size(self) -> int:
            return int(self.units)

        def build(self, shape: Any) -> None:
            self.kernel = self.matrix("kernel", shape[-1], self.units)
            self.recurrent_kernel = self.matrix("recurrent_kernel", self.units, self.units)
            self.built = True

        def call(self, inputs: Any, states: Any) -> Any:
            ahead = tf.matmul(inputs, self.kernel)
            output = tf.tanh(ahead + tf.matmul(states[0], self.recurrent_kernel))
            return output, [output]

    class Pair(Cell):
        names = ("units", "more", "size")

        @property
        def state_size(self) -> list[int]:
            return [self.units, self.more]

        @property
        def output_size(self) -> int:
            return int(self.units + self.more)

        def build(self, shape: Any) -> None:
            self.a = self.matrix("a", shape[-1], self.units)
            self.b = self.matrix("b", shape[-1], self.more)
            self.built = True

        def call(self, inputs: Any, states: Any) -> Any:
            a = tf.tanh(tf.matmul(inputs, self.a)) + 0.5 * states[0]
            b = tf.tanh(tf.matmul(inputs, self.b)) - 0.5 * states[1]
            return 2.0 * tf.concat([a, b], -1) + 1.0, [a, b]

    register = k.utils.register_keras_serializable("own")
    return register(Minimal), register(Pair)


Make = Callable[[Any, Any, Any], Any]


def options(**own: Any) -> Make:
    """One layer after the other, with the same options."""

    def make(k: Any, minimal: Any, pair: Any) -> Any:
        x = k.layers.Input((5, 3))
        y = k.layers.RNN(minimal(units=4, size=3), return_sequences=True, **own)(x)
        y = k.layers.RNN(pair(units=2, more=3, size=4), **own)(y)
        return k.Model(x, k.layers.Dense(2)(y))

    return make


def plain(k: Any, minimal: Any, pair: Any) -> Any:
    return k.Sequential(
        [
            k.layers.Input((5, 3)),
            k.layers.RNN(minimal(units=4, size=3), return_sequences=True),
            k.layers.RNN(pair(units=2, more=3, size=4)),
            k.layers.Dense(2),
        ]
    )


def states(k: Any, minimal: Any, pair: Any) -> Any:
    """Returned states as the initial states of others."""
    x = k.layers.Input((5, 3))
    _, h = k.layers.RNN(minimal(units=4, size=3), return_state=True)(x)
    y, a, b = k.layers.RNN(pair(units=2, more=3, size=3), return_state=True, return_sequences=True)(
        x
    )
    y = k.layers.RNN(minimal(units=4, size=5), return_sequences=True)(y, initial_state=[h])
    z = k.layers.RNN(pair(units=2, more=3, size=4))(y, initial_state=[a, b])
    return k.Model(x, [z, h, b])


def stacked(k: Any, minimal: Any, pair: Any) -> Any:
    cells = [
        minimal(units=4, size=3),
        k.layers.LSTMCell(6),
        pair(units=2, more=3, size=6),
        minimal(units=3, size=5),
    ]
    x = k.layers.Input((5, 3))
    return k.Model(x, k.layers.Dense(2)(k.layers.RNN(cells)(x)))


def both_ways(mode: str | None, sequences: bool) -> Make:
    def make(k: Any, minimal: Any, pair: Any) -> Any:
        x = k.layers.Input((5, 3))
        y = k.layers.Masking()(x)
        inner = k.layers.RNN(pair(units=2, more=3, size=3), return_sequences=sequences)
        y = k.layers.Bidirectional(inner, merge_mode=mode)(y)
        y = k.layers.add(y) if mode is None else y
        return k.Model(x, k.layers.Dense(2)(y))

    return make


def masked(**own: Any) -> Make:
    def make(k: Any, minimal: Any, pair: Any) -> Any:
        x = k.layers.Input((5, 3))
        y = k.layers.Masking()(x)
        y = k.layers.RNN([minimal(units=4, size=3), minimal(units=3, size=4)], **own)(y)
        z = k.layers.RNN(pair(units=2, more=3, size=3), **own)(k.layers.Masking()(x))
        return k.Model(x, [k.layers.Dense(2)(y), z])

    return make


def each_step(k: Any, minimal: Any, pair: Any) -> Any:
    x = k.layers.Input((4, 5, 3))
    inner = k.layers.RNN(minimal(units=4, size=3))
    return k.Model(x, k.layers.Dense(2)(k.layers.TimeDistributed(inner)(x)))


MODELS: dict[str, Make] = {
    "plain": plain,
    "backwards": options(go_backwards=True),
    "unrolled": options(unroll=True),
    "states": states,
    "stacked": stacked,
    "concat": both_ways("concat", True),
    "last": both_ways("concat", False),
    "mean": both_ways("ave", True),
    "apart": both_ways(None, False),
    "masked": masked(),
    "masked_sequences": masked(return_sequences=True),
    "masked_backwards": masked(return_sequences=True, go_backwards=True),
    "each_step": each_step,
}
ZEROED = {
    "zeros": masked(zero_output_for_mask=True, return_sequences=True),
    "last_zeros": masked(zero_output_for_mask=True),
}


@pytest.fixture
def user_module(tmp_path: Path) -> Iterator[str]:
    """The user's PyTorch classes, importable."""
    (tmp_path / "own_cells.py").write_text(TORCH_CELLS)
    sys.path.insert(0, str(tmp_path))
    sys.modules.pop("own_cells", None)
    yield "own_cells"
    sys.path.remove(str(tmp_path))
    sys.modules.pop("own_cells", None)


def run(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(code, "generated", "exec"), namespace)
    return namespace


def randomized(model: Any) -> Any:
    rng = np.random.default_rng(0)
    model.set_weights([rng.standard_normal(w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


def steps_of(model: Any) -> Any:
    """Sequences of which some steps are masked: at the start, in between, at the end, or all."""
    x = np.random.default_rng(3).standard_normal((4, *model.inputs[0].shape[1:])).astype("float32")
    x[0, :2] = x[1, 2] = x[2, -1] = x[3] = 0.0
    return x


def in_torch_order(x: Any) -> Any:
    import torch

    return torch.from_numpy(x.transpose(0, 3, 1, 2).copy() if x.ndim == 4 else x)


def compared(expected: Any, found: Any) -> None:
    many = isinstance(expected, (list, tuple))
    for want, got in zip(expected if many else [expected], found if many else [found], strict=True):
        want = np.asarray(want)
        assert want.shape == tuple(got.shape)
        assert np.abs(want - np.asarray(got)).max() <= 1e-5 * np.abs(want).max()


def known(text: str) -> Any:
    """The spec, all of whose custom layers are cells."""
    spec = loads(text)
    assert all("cell" in path or "cells" in path for path, _ in customs_of(spec)), text
    return spec


def declared(spec: Any) -> Any:
    """The spec with the sizes that a file need not tell: how many states a cell has."""
    for path, layer in customs_of(spec):
        if layer.class_name == "Pair":  # files do not say how many states a cell has
            assert layer.shape in (None, (5,), ((5,), (2,), (3,)), (None, None, (3,)))
            spec = with_layer(spec, path, {"shape": ((5,), (2,), (3,))})
        else:
            units = layer.config["units"]
            assert layer.shape in (None, (units,), (None, (units,)))
            spec = with_layer(spec, path, {"shape": (units,)})
    return spec


@pytest.mark.parametrize("kind", ["keras", "h5", "tf_keras.h5"])
@pytest.mark.parametrize("name", [*MODELS, *ZEROED])
def test_cells_compute_what_keras_computes(
    name: str, kind: str, tmp_path: Path, user_module: str
) -> None:
    import torch
    from safetensors.torch import load_file

    k: Any = importlib.import_module("tf_keras" if kind.startswith("tf_keras") else "keras")
    k.backend.clear_session()
    model = randomized({**MODELS, **ZEROED}[name](k, *cell_classes(k)))
    source = tmp_path / f"model.{kind}"
    model.save(source)
    spec = known(import_source(source)[0])
    spec = declared(spec)
    graph = analyze(spec)
    assert graph.count() == model.count_params()
    assert graph.count(trainable=True) == sum(map(int, map(np.size, model.trainable_weights)))
    if kind == "keras":  # a .keras file does not have the names of weights
        for path, layer in customs_of(spec):
            own = dict(zip(WEIGHTS[layer.class_name], layer.weights_.values(), strict=True))
            spec = with_layer(spec, path, {"weights_": own})
    weights = tmp_path / "model.safetensors"
    convert_weights(spec, source, weights)
    stub = run(generate(spec, "torch"))["build_model"]()
    stub.load_state_dict(load_file(weights))
    x = steps_of(model)
    with pytest.raises(NotImplementedError, match="write what "):
        stub(in_torch_order(x))

    written = with_customs(
        spec, [f"{user_module}:{n}" for n in {c.class_name for _, c in customs_of(spec)}]
    )
    program = run(generate(written, "torch"))["build_model"]()
    program.load_state_dict(load_file(weights))
    expected = model(x, training=False)
    with torch.no_grad():
        compared(expected, program(in_torch_order(x)))
    back = tmp_path / "back.weights.h5"
    convert_weights(spec, weights, back)
    again = tmp_path / "again.safetensors"
    convert_weights(spec, back, again)
    stored = load_file(weights)
    for key, value in load_file(again).items():
        assert torch.equal(value, stored[key])


@pytest.mark.parametrize("name", [*MODELS, *ZEROED])
def test_json_and_keras_code(name: str, tmp_path: Path) -> None:
    """The same configs there and back, and code that builds the same model."""
    import keras as k

    k.backend.clear_session()
    minimal, pair = cell_classes(k)
    model = randomized({**MODELS, **ZEROED}[name](k, minimal, pair))
    text = model.to_json()
    spec = declared(from_keras_json(text))
    assert json.loads(to_keras_json(spec)) == json.loads(text)
    again = k.models.model_from_json(to_keras_json(spec))
    again.set_weights(model.get_weights())
    x = steps_of(model)
    compared(model(x), again(x))

    source = tmp_path / "m.keras"
    model.save(source)
    warnings = import_source(source)[1]
    assert warnings
    assert not any("define" in found.hint for found in warnings)
    spec = declared(known(import_source(source)[0]))
    for path, layer in customs_of(spec):  # as if no module said where the class is
        spec = with_layer(spec, path, {"class_": layer.class_name})
    stub = run(generate(spec, "keras"))["build_model"]()
    assert stub.count_params() == model.count_params()
    assert [o.shape for o in stub.outputs] == [o.shape for o in model.outputs]
    for one, other in zip(stub.weights, model.weights, strict=True):
        assert one.shape == other.shape
    model.save_weights(tmp_path / "m.weights.h5")
    stub.load_weights(tmp_path / "m.weights.h5")
    for one, other in zip(model.get_weights(), stub.get_weights(), strict=True):
        assert np.array_equal(one, other)
    with pytest.raises(NotImplementedError, match="write what "):
        stub(x)
    # With the classes where a module has them the code computes the same.
    for path, layer in customs_of(spec):
        spec = with_layer(spec, path, {"class_": f"cells_of_keras.{layer.class_name}"})
    module: Any = type(sys)("cells_of_keras")
    module.Minimal, module.Pair = minimal, pair
    sys.modules["cells_of_keras"] = module
    k.saving.get_custom_objects().update({"own>Minimal": minimal, "own>Pair": pair})
    try:
        built = run(generate(spec, "keras"))["build_model"]()
    finally:
        del sys.modules["cells_of_keras"]
    built.set_weights(model.get_weights())
    compared(model(x), built(x))


@pytest.mark.parametrize("name", ["plain", "states", "stacked", "concat", "masked", "each_step"])
def test_keras_2_reads_the_json(name: str) -> None:
    import tf_keras as k

    k.backend.clear_session()
    model = randomized(MODELS[name](k, *cell_classes(k)))
    spec = declared(from_keras_json(model.to_json()))
    again = k.models.model_from_json(to_keras_json(spec, format="keras2"))
    again.set_weights(model.get_weights())
    x = steps_of(model)
    compared(model(x), again(x))


def test_states_between_calls(tmp_path: Path, user_module: str) -> None:
    """A stateful layer goes on where the call before it ended, with states of several sizes."""
    import keras as k
    import torch
    from safetensors.torch import load_file

    k.backend.clear_session()
    minimal, pair = cell_classes(k)
    x = k.layers.Input(batch_shape=(4, 5, 3))
    y = k.layers.RNN([minimal(units=4, size=3), pair(units=2, more=3, size=4)], stateful=True)(x)
    model = randomized(k.Model(x, y))
    source = tmp_path / "m.h5"
    model.save(source)
    spec = declared(known(import_source(source)[0]))
    spec = with_customs(spec, [f"{user_module}:Minimal", f"{user_module}:Pair"])
    weights = tmp_path / "m.safetensors"
    convert_weights(spec, source, weights)
    program = run(generate(spec, "torch"))["build_model"]()
    program.load_state_dict(load_file(weights), strict=False)
    steps = steps_of(model)
    first = np.asarray(model(steps))
    second = np.asarray(model(steps))
    assert np.abs(first - second).max() > 1e-3
    with torch.no_grad():
        compared(first, program(torch.from_numpy(steps)))
        compared(second, program(torch.from_numpy(steps)))
