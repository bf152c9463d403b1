"""Masks of Keras 2 models: what both programs compute is what `tf_keras` computes with the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specfmt
from specfmt.api import import_spec
from tests.tools.harness import execute

pytestmark = pytest.mark.slow

T, WORDS = 7, 9
MODELS: dict[str, Callable[[Any, Any], Any]] = {}


def model(build: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    MODELS[build.__name__] = build
    return build


def words(k: Any, name: str, *, masked: bool = True) -> tuple[Any, Any]:
    ids = k.Input((T,), name=name)
    return ids, k.layers.Embedding(WORDS, 4, mask_zero=masked)(ids)


@model
def initial_state(k: Any, x: Any) -> Any:
    a, first = words(k, "a")
    b, second = words(k, "b")
    _, h, c = x.LSTM(4, return_state=True)(first)
    y = x.LSTM(4, return_sequences=True)(second, initial_state=[h, c])
    return k.Model([a, b], x.Dense(3, activation="softmax")(y))


@model
def initial_state_of_a_gru_behind_masking(k: Any, x: Any) -> Any:
    a, b = k.Input((T, 3), name="a"), k.Input((2,), name="b")
    masked = x.Masking(-1.0)(a)
    return k.Model([a, b], x.Dense(2)(x.GRU(5)(masked, initial_state=x.Dense(5)(b))))


@model
def initial_state_in_both_directions(k: Any, x: Any) -> Any:
    a, masked = words(k, "a")
    b = k.Input((2,), name="b")
    states = [x.Dense(3)(b) for _ in range(4)]
    both = x.Bidirectional(x.LSTM(3, return_sequences=True))
    return k.Model([a, b], x.GlobalAveragePooling1D()(both(masked, initial_state=states)))


@model
def sum_of_masked_and_unmasked(k: Any, x: Any) -> Any:
    a, masked = words(k, "a")
    b, bare = words(k, "b", masked=False)
    return k.Model([a, b], x.LSTM(3)(x.Add()([masked, bare])))


@model
def sum_of_two_masks(k: Any, x: Any) -> Any:
    (a, first), (b, second) = words(k, "a"), words(k, "b")
    total = x.Subtract()([first, second])
    return k.Model([a, b], [x.SimpleRNN(3)(total), x.GlobalAveragePooling1D()(total)])


@model
def features_side_by_side(k: Any, x: Any) -> Any:
    (a, first), (b, second) = words(k, "a"), words(k, "b")
    joined = x.Concatenate()([first, second])
    return k.Model([a, b], x.GRU(3, return_sequences=True)(joined))


@model
def features_side_by_side_of_three(k: Any, x: Any) -> Any:
    (a, first), (b, second) = words(k, "a"), words(k, "b", masked=False)
    joined = x.Concatenate(axis=-1)([first, second, x.Dense(2)(first)])
    return k.Model([a, b], x.LSTM(3)(x.Dropout(0.3)(joined)))


@model
def attention_weights(k: Any, x: Any) -> Any:
    a, masked = words(k, "a")
    steps = x.LSTM(4, return_sequences=True)(masked)
    weights = x.Dense(1, activation="sigmoid")(steps)
    product = x.Multiply()([steps, weights])
    return k.Model(a, [x.GlobalAveragePooling1D()(product), x.LSTM(2)(product)])


@model
def largest_of_three(k: Any, x: Any) -> Any:
    (a, first), (b, second) = words(k, "a"), words(k, "b")
    return k.Model([a, b], x.Maximum()([first, second, x.Dense(4)(first)]))


@model
def attention_around_a_residual(k: Any, x: Any) -> Any:
    a, masked = words(k, "a")
    seen = x.MultiHeadAttention(2, 3)(masked, masked)
    return k.Model(a, x.LSTM(3)(x.LayerNormalization()(x.Add()([masked, seen]))))


@model
def attention_over_one_memory_twice(k: Any, x: Any) -> Any:
    (a, first), (b, memory) = words(k, "a"), words(k, "b")
    seen = x.MultiHeadAttention(2, 3)(first, memory)
    return k.Model([a, b], x.MultiHeadAttention(1, 2)(seen, memory))


@model
def one_mask_for_three_readers(k: Any, x: Any) -> Any:
    a, masked = words(k, "a")
    b, bare = words(k, "b", masked=False)
    total = x.Average()([bare, masked])
    read = [x.LSTM(2)(total), x.GRU(2)(total), x.GlobalAveragePooling1D()(total)]
    return k.Model([a, b], x.Concatenate()(read))


@model
def inside_a_nested_model(k: Any, x: Any) -> Any:
    ids = k.Input((T,))
    masked, bare = x.Embedding(WORDS, 4, mask_zero=True)(ids), x.Embedding(WORDS, 4)(ids)
    inner = k.Model(ids, x.GRU(3)(x.Add()([masked, bare])), name="encoder")
    a, b = k.Input((T,), name="a"), k.Input((T,), name="b")
    return k.Model([a, b], x.Dense(1)(x.Subtract()([inner(a), inner(b)])))


@model
def a_chain(k: Any, x: Any) -> Any:
    a, masked = words(k, "a")
    b, bare = words(k, "b", masked=False)
    y = x.SpatialDropout1D(0.2)(x.Add()([masked, bare]))
    y = x.LSTM(4, return_sequences=True)(y)
    return k.Model([a, b], x.Dense(1)(x.LSTM(3, go_backwards=True)(y)))


@model
def a_mask_that_ends_at_a_rescaling(k: Any, x: Any) -> Any:
    a = k.Input((T, 3), name="a")
    y = x.Rescaling(0.5)(x.Masking(-1.0)(a))
    return k.Model(a, [x.LSTM(3)(y), x.GlobalAveragePooling1D()(y)])


def drawn(inputs: list[Any], rng: np.random.Generator) -> list[np.ndarray]:
    """Inputs with masked steps at the end, in the middle, and throughout a row."""
    found = []
    for tensor in inputs:
        shape = (5, *tensor.shape[1:])
        if tensor.shape[1] == T and len(shape) == 2:
            ids = rng.integers(1, WORDS, shape)
            ids[0, 4:], ids[1, 2], ids[2, :3], ids[3] = 0, 0, 0, 0
            found.append(ids.astype("float32"))
        else:
            values = rng.standard_normal(shape).astype("float32")
            if len(shape) == 3:
                values[0, 4:], values[1, 2] = -1.0, -1.0
            found.append(values)
    return found


def arrays(result: Any) -> list[np.ndarray]:
    several = result.values() if isinstance(result, dict) else result
    items = list(several) if isinstance(result, (dict, list, tuple)) else [result]
    return [np.asarray(item.detach() if hasattr(item, "detach") else item) for item in items]


@pytest.mark.parametrize("name", MODELS)
def test_both_programs_compute_what_the_file_meant(name: str, tmp_path: Path) -> None:
    import tf_keras
    import torch

    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(3)
    original = MODELS[name](tf_keras, tf_keras.layers)
    data = drawn(original.inputs, np.random.default_rng(5))
    expected = arrays(original(data if len(data) > 1 else data[0], training=False))
    path = tmp_path / "model.h5"
    original.save(path)

    spec, warnings = import_spec(path)
    assert not [str(warning) for warning in warnings if warning.code == "SF435"]
    specfmt.convert_weights(spec, path, tmp_path / "model.pt")
    specfmt.convert_weights(spec, path, tmp_path / "model.weights.h5")
    assert specfmt.dump(specfmt.loads(specfmt.dump(spec))) == specfmt.dump(spec)

    ours = execute(specfmt.generate(spec, "keras"))
    ours.load_weights(tmp_path / "model.weights.h5")
    keras = arrays(ours(data if len(data) > 1 else data[0], training=False))
    module = execute(specfmt.generate(spec, "torch")).eval()
    module.load_state_dict(torch.load(tmp_path / "model.pt"))
    with torch.no_grad():
        found = arrays(module(*(torch.from_numpy(array) for array in data)))
    for want, one, other in zip(expected, keras, found, strict=True):
        bound = 1e-5 * np.nanmax(np.abs(want))  # an average of no steps is no number in all three
        np.testing.assert_allclose(one, want, rtol=0, atol=bound)
        np.testing.assert_allclose(other, want, rtol=0, atol=bound)
