"""Keras and PyTorch given the same random numbers, so that layers with noise can be compared.

Keras draws first, and each draw is kept; PyTorch then gets the numbers one after the other, with
its own limits and parameters.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

Draw = tuple[str, Any, tuple[Any, ...]]
"""The kind of a draw, the numbers, and the parameters of their distribution."""


class SameDraws:
    """The random numbers of one call of a layer."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.drawn: list[Draw] = []

    def pop(self, kind: str) -> tuple[Any, tuple[Any, ...]]:
        """The next draw, which must be of this kind."""
        expected, numbers, parameters = self.drawn.pop(0)
        assert kind == expected, f"Keras drew {expected} here"
        return numbers, parameters

    def patch_keras(self, patch: pytest.MonkeyPatch) -> None:
        """Keep what Keras draws."""
        import random

        import keras
        import tensorflow as tf

        module = keras.src.backend.tensorflow.random

        def keep(kind: str, numbers: Any, *parameters: Any) -> Any:
            self.drawn.append((kind, np.asarray(numbers), parameters))
            return tf.convert_to_tensor(numbers)

        def sizes(shape: Any) -> tuple[int, ...]:
            return tuple(int(n) for n in np.atleast_1d(np.asarray(shape, "int64")))

        def uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, **_: Any) -> Any:
            unit = keep("uniform", self.rng.random(sizes(shape)).astype("float32"))
            return minval + (maxval - minval) * unit

        def randint(shape: Any, minval: int, maxval: int, dtype: str = "int32", **_: Any) -> Any:
            numbers = self.rng.integers(minval, maxval, sizes(shape)).astype(dtype)
            return keep("randint", numbers, int(minval), int(maxval))

        def normal(shape: Any, **_: Any) -> Any:
            return keep("normal", self.rng.standard_normal(sizes(shape)).astype("float32"))

        def beta(shape: Any, alpha: Any, beta: Any, **_: Any) -> Any:
            numbers = self.rng.beta(1.0, 1.0, sizes(shape)).astype("float32")
            return keep("beta", numbers, float(alpha), float(beta))

        def gamma(shape: Any, alpha: Any, **_: Any) -> Any:
            numbers = self.rng.gamma(2.0, size=sizes(shape)).astype("float32")
            return keep("gamma", numbers, float(alpha))

        def shuffle(x: Any, **_: Any) -> Any:
            order = self.rng.permutation(len(x))
            keep("shuffle", order)
            return tf.gather(x, order)

        def choice(options: Sequence[Any]) -> Any:
            index = int(self.rng.integers(len(options)))
            self.drawn.append(("randint", np.asarray(index), (0, len(options))))
            return options[index]

        for function in (uniform, randint, normal, beta, gamma, shuffle):
            patch.setattr(module, function.__name__, function)
        patch.setattr(tf.random, "stateless_normal", self.fixed_normal(keep))
        patch.setattr(random, "choice", choice)

    def fixed_normal(self, keep: Any) -> Any:
        """Numbers that depend on TensorFlow's seed alone, as its own do."""
        known: dict[Any, Any] = {}

        def stateless_normal(shape: Any, seed: Any, **_: Any) -> Any:
            key = tuple(np.asarray(seed).tolist())
            if key not in known:
                numbers = self.rng.standard_normal(tuple(shape)).astype("float32")
                known[key] = keep("normal", numbers)
            return known[key]

        return stateless_normal

    def patch_torch(self, patch: pytest.MonkeyPatch) -> None:
        """Hand out what Keras drew."""
        import torch

        def numbers(kind: str, shape: Any) -> Any:
            found, _ = self.pop(kind)
            sizes = shape[0] if shape and not isinstance(shape[0], int) else shape
            if found.ndim == 4 and found.shape != tuple(sizes):
                found = np.moveaxis(found, -1, 1)
            return torch.from_numpy(np.ascontiguousarray(found)).reshape(tuple(sizes))

        def rand(*shape: Any, **_: Any) -> Any:
            return numbers("uniform", shape)

        def randn(*shape: Any, **_: Any) -> Any:
            return numbers("normal", shape)

        def randint(low: int, high: int, shape: Any, **_: Any) -> Any:
            found, limits = self.pop("randint")
            assert limits == (low, high)
            return torch.from_numpy(np.asarray(found).astype("int64")).reshape(tuple(shape))

        def randperm(n: int, **_: Any) -> Any:
            return torch.from_numpy(self.pop("shuffle")[0]).reshape(n)

        def beta(this: Any, shape: Any = ()) -> Any:
            found, parameters = self.pop("beta")
            ours = (float(this.concentration1), float(this.concentration0))
            np.testing.assert_allclose(ours, parameters, rtol=1e-5)
            return torch.from_numpy(found).reshape(tuple(shape))

        def dirichlet(this: Any, shape: Any = ()) -> Any:
            found, (alpha,) = self.pop("gamma")
            np.testing.assert_allclose(this.concentration.numpy(), alpha, rtol=1e-5)
            assert this.concentration.shape == found.shape
            return torch.from_numpy(found / found.sum())

        for function in (rand, randn, randint, randperm):
            patch.setattr(torch, function.__name__, function)
        patch.setattr(torch.distributions.Beta, "sample", beta)
        patch.setattr(torch.distributions.Dirichlet, "sample", dirichlet)


def keras_layer(entry: dict[str, Any]) -> Any:
    """Keras's layer of an entry."""
    import keras

    fields = {}
    for key, value in entry.items():
        if key == "layers":
            value = [keras_layer(item) for item in value]
        elif key != "type":
            value = tuple(value) if isinstance(value, list) else value
        if key != "type":
            fields[key] = value
    return getattr(keras.layers, entry["type"])(**fields)


def torch_module(entry: dict[str, Any], shape: Sequence[int | None]) -> Any:
    """The generated module of a model with this layer alone."""
    import specfmt
    from tests.tools.harness import execute

    inputs = {"image": {"shape": list(shape)}}
    document = {"specfmt": 1, "inputs": inputs, "layers": [entry]}
    return execute(specfmt.generate(specfmt.loads(json.dumps(document)), "torch"))


def both(
    entry: dict[str, Any], images: np.ndarray, monkeypatch: pytest.MonkeyPatch, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """What Keras and PyTorch make of images in training, in Keras's order, by the same draws."""
    import torch

    draws = SameDraws(seed)
    layer = keras_layer(entry)
    layer(images, training=False)  # a Pipeline is built by a call of its own
    with monkeypatch.context() as patch:
        draws.patch_keras(patch)
        expected = np.asarray(layer(images, training=True))
    module = torch_module(entry, images.shape[1:])
    first = entry.get("data_format") == "channels_first"
    x = torch.from_numpy((images if first else np.moveaxis(images, -1, 1)).copy())
    assert torch.equal(module.eval()(x), x), "at inference nothing changes"
    with monkeypatch.context() as patch:
        draws.patch_torch(patch)
        y = module.train()(x).numpy()
    assert draws.drawn == [], "Keras drew more"
    return expected, y if first else np.moveaxis(y, 1, -1)
