"""Random inputs and weights for the comparison, chosen so that every layer affects the outputs."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod, sqrt
from typing import Any, Final

import numpy as np

from specfmt.graph.model import Graph, Value
from specfmt.layers.base import Weight
from specfmt.vocab.base import Term
from specfmt.weights.arrays import Array

DEFAULT_RANGE: Final = 8
"""The upper bound of integer inputs that are not indices."""


KNOWN_WORDS: Final = 50
LONGEST_TEXT: Final = 12
OTHER_WORDS: Final = ("Zeppelin", "don't", "ÄRGER,", "東京", "x" * 70, "")
"""Strings that are unlikely in a vocabulary: capitals, punctuation, other scripts, long, empty."""


def index_limits(graph: Graph) -> dict[str, int]:
    """Inputs that are indices into a table, with the table's length."""
    limits: dict[str, int] = {}
    names = {value: name for name, value in graph.inputs.items()}
    models = {u: index_limits(u.graph) for u in graph.units if u.graph is not None}
    for node in graph.nodes:
        inner = models.get(node.unit, {})
        for argument, value in node.args.items():
            name = names.get(value) if isinstance(value, Value) else None
            rows = inner.get(argument) or getattr(node.unit.spec, "input_dim", None)
            if name is not None and isinstance(rows, int):
                limits[name] = min(rows, limits.get(name, rows))
    return limits


def random_inputs(graph: Graph, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
    """Random arrays for every input: normally distributed floats, or integers in range."""
    rng = np.random.default_rng(seed)
    limits = index_limits(graph)
    found: dict[str, Array] = {}
    for name, value in graph.inputs.items():
        shape, dtype = shapes[name], value.dtype
        whole = name in limits or not dtype.startswith(("float", "bfloat"))
        if dtype == "string":
            found[name] = random_texts(graph, shape, rng)
        elif dtype == "bool":
            found[name] = rng.random(shape) < 0.7
        elif whole:
            below = limits.get(name, DEFAULT_RANGE)
            if dtype.startswith(("int", "uint")):
                below = min(below, int(np.iinfo(dtype).max))
            numbers = rng.integers(0, below, shape)
            found[name] = numbers.astype("float32" if dtype.startswith("bfloat") else dtype)
        else:
            plain = dtype if dtype in ("float32", "float64", "float16") else "float32"
            found[name] = rng.standard_normal(shape).astype(plain)
    return found


def random_texts(graph: Graph, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Random strings: entries of the model's vocabularies, single or in texts, and unknown ones."""
    known: list[str] = []
    in_texts = False
    for unit in graph.walk_units():
        words = getattr(unit.spec, "vocabulary", None) or ()
        known += [word for word in words if isinstance(word, str)]
        in_texts |= hasattr(unit.spec, "standardize")
    pool = [*known[:KNOWN_WORDS], *OTHER_WORDS]
    lengths = rng.integers(0, LONGEST_TEXT, prod(shape)) if in_texts else np.ones(prod(shape), int)
    texts = [" ".join(str(word) for word in rng.choice(pool, length)) for length in lengths]
    return np.array(texts).reshape(shape)


def random_weight(weight: Weight, rng: np.random.Generator) -> Array:
    """A random weight that preserves the scale of activations; weights initialized to one stay near it."""
    shape = weight.shape
    start = _constant(weight.init)
    if weight.dtype.startswith("int"):
        return np.zeros(shape, weight.dtype)
    if start:
        values = rng.uniform(0.5, 1.5, shape)
    elif start == 0 and len(shape) < 2:
        values = 0.1 * rng.standard_normal(shape)
    else:
        values = rng.standard_normal(shape) / sqrt(max(1, _fan(shape)))
    return np.asarray(values, "float32")


def _constant(init: Term) -> float | None:
    """The constant that an initializer sets a weight to; None for other initializers."""
    if init.type in ("Zeros", "Ones"):
        return float(init.type == "Ones")
    if init.type == "Constant":
        value = init.spec.value
        return float(value) if isinstance(value, int | float) else None
    return None


def _fan(shape: tuple[int, ...]) -> int:
    """The fan-in of a kernel; that of a depthwise kernel is its number of positions."""
    if len(shape) > 2 and shape[-1] == 1:
        return prod(shape[:-2])
    return prod(shape[:-1])


def random_weights(units: Iterator[Any], seed: int) -> Iterator[tuple[Any, Any]]:
    """Every layer with weights, and a function that draws random ones."""
    for index, unit in enumerate(units):
        if unit.weights:
            yield unit, _Draw(unit.weights, np.random.default_rng((seed, index)))


class _Draw:
    """Draws random weights of a layer when called."""

    def __init__(self, weights: tuple[Weight, ...], rng: np.random.Generator) -> None:
        self.weights, self.rng = weights, rng

    def __call__(self) -> dict[str, Array]:
        return {weight.name: random_weight(weight, self.rng) for weight in self.weights}
