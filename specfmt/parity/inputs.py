"""Inputs and weights to compare programs with: random, seeded, and such that all layers matter."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod, sqrt
from typing import Any, Final

import numpy as np

from specfmt.graph.infer import infer
from specfmt.graph.model import Graph, Node, Value, map_values
from specfmt.spec.diagnostics import Diagnostic, SpecError
from specfmt.spec.layer import Shape, Weight
from specfmt.vocab.base import Term
from specfmt.weights.arrays import Array

SIZES: Final = (7, 12, 5, 33, 64, 96, 128, 224, 331)
"""Tried, in this order, for a size that the spec leaves open."""

VARIANTS: Final = 2
"""How many sizes are compared where the spec leaves some open."""

DEFAULT_RANGE: Final = 8
"""Integer inputs that index nothing are below this."""


def input_shapes(graph: Graph, batches: tuple[int, ...]) -> list[dict[str, tuple[int, ...]]]:
    """Shapes of all inputs: every batch size, and several of every size that is left open.

    Raises:
        SpecError: SF511 if no size passes through all layers.
    """
    fixed = [value.shape for value in graph.inputs.values()]
    given = {shape[0] for shape in fixed if shape and shape[0] is not None}
    counts = tuple(given) if given else batches
    if all(None not in (shape or ())[1:] for shape in fixed):
        return [_filled(graph, batch, (0, 0)) for batch in counts]
    found: list[tuple[int, int]] = []
    for size in SIZES:
        for steps in ((size, size + 1), (size, size)):
            if len(found) < VARIANTS and passes(graph, _filled(graph, 2, steps)):
                found.append(steps)
                break
    if not found:
        message = f"expected some size from {min(SIZES)} to {max(SIZES)} to pass through all layers"
        raise SpecError([Diagnostic("SF511", message, ("inputs",), "give the sizes in `inputs`")])
    shapes = [_filled(graph, batch, found[0]) for batch in counts]
    return shapes + [_filled(graph, counts[-1], steps) for steps in found[1:]]


def _filled(graph: Graph, batch: int, steps: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """Shapes with ``steps`` for unknown sizes: the first at axis 1, the second elsewhere."""
    return {
        name: (
            batch,
            *(
                (steps[0] if axis == 0 else steps[1]) if size is None else size
                for axis, size in enumerate((value.shape or ())[1:])
            ),
        )
        for name, value in graph.inputs.items()
    }


def passes(graph: Graph, shapes: dict[str, tuple[int, ...]]) -> bool:
    """Whether inputs of these shapes pass through all layers with something left of them."""
    new: dict[Value, Value] = {
        value: Value(value.name, shapes[name], value.dtype, value.masked)
        for name, value in graph.inputs.items()
    }
    problems: list[Diagnostic] = []
    for node in graph.nodes:
        call = Node(node.name, node.unit, map_values(node.args, lambda v: new.get(v, v)), node.path)
        infer(call, getattr(graph.spec, "dtype", None), problems)
        if problems or any(not _positive(value.shape) for value in call.outputs):
            return False
        new.update(zip(node.outputs, call.outputs, strict=False))
    return True


def _positive(shape: Shape | None) -> bool:
    return shape is not None and all(size is None or size > 0 for size in shape)


def index_limits(graph: Graph) -> dict[str, int]:
    """Inputs that a layer looks up in a table, and the table's length."""
    limits: dict[str, int] = {}
    names = {value: name for name, value in graph.inputs.items()}
    for node in graph.nodes:
        inner = index_limits(node.unit.graph) if node.unit.graph is not None else {}
        for argument, value in node.args.items():
            name = names.get(value) if isinstance(value, Value) else None
            rows = inner.get(argument) or getattr(node.unit.spec, "input_dim", None)
            if name is not None and isinstance(rows, int):
                limits[name] = min(rows, limits.get(name, rows))
    return limits


def random_inputs(graph: Graph, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
    """Numbers for every input: normal ones, or whole ones in range."""
    rng = np.random.default_rng(seed)
    limits = index_limits(graph)
    found: dict[str, Array] = {}
    for name, value in graph.inputs.items():
        shape, dtype = shapes[name], value.dtype
        whole = name in limits or not dtype.startswith(("float", "bfloat"))
        if dtype == "bool":
            found[name] = rng.random(shape) < 0.7
        elif whole:
            numbers = rng.integers(0, limits.get(name, DEFAULT_RANGE), shape)
            found[name] = numbers.astype("float32" if dtype.startswith("bfloat") else dtype)
        else:
            plain = dtype if dtype in ("float32", "float64", "float16") else "float32"
            found[name] = rng.standard_normal(shape).astype(plain)
    return found


def random_weight(weight: Weight, rng: np.random.Generator) -> Array:
    """A weight that keeps signals at their scale: what starts at one stays near it."""
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
    """What a weight starts from if that is one number."""
    if init.type in ("Zeros", "Ones"):
        return float(init.type == "Ones")
    if init.type == "Constant":
        value = init.spec.value
        return float(value) if isinstance(value, int | float) else None
    return None


def _fan(shape: tuple[int, ...]) -> int:
    """How many products add up in an output of a kernel; a depthwise one sums over positions."""
    if len(shape) > 2 and shape[-1] == 1:
        return prod(shape[:-2])
    return prod(shape[:-1])


def random_weights(units: Iterator[Any], seed: int) -> Iterator[tuple[Any, Any]]:
    """Every layer with weights, and a function that draws them."""
    for index, unit in enumerate(units):
        if unit.weights:
            yield unit, _Draw(unit.weights, np.random.default_rng((seed, index)))


class _Draw:
    """Draws a layer's weights when it is called."""

    def __init__(self, weights: tuple[Weight, ...], rng: np.random.Generator) -> None:
        self.weights, self.rng = weights, rng

    def __call__(self) -> dict[str, Array]:
        return {weight.name: random_weight(weight, self.rng) for weight in self.weights}
