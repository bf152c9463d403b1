"""Differences between the arrays of two programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from specfmt.parity.pair import Pair, Result
from specfmt.parity.report import Difference
from specfmt.targets.torch.program import TorchParam
from specfmt.weights.arrays import Array
from specfmt.weights.slots import Slot, slots

GRADIENT_FLOOR: Final = 1e-3
"""Gradients are compared relative to their weight's largest, or to this fraction of the largest of all."""


def difference(
    name: str, ours: Array, theirs: Array, bound: float, floor: float = 0.0
) -> Difference:
    """The largest difference of two arrays; infinite if only one of them has NaN somewhere."""
    if ours.shape != theirs.shape:
        return Difference(name, float("inf"), float("inf"), bound, "shapes differ")
    if not ours.size:
        return Difference(name, 0.0, 0.0, bound)
    a, b = ours.astype("float64"), theirs.astype("float64")
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(a - b))
    apart = np.where(np.isnan(apart), np.inf, apart)
    finite = np.abs(a[np.isfinite(a)])
    scale = max(float(finite.max()) if finite.size else 0.0, floor)
    largest = float(apart.max())
    return Difference(name, largest, largest / scale if scale else largest, bound)


def worst(
    ours: list[dict[str, Array]], theirs: list[dict[str, Array]], bound: float
) -> list[Difference]:
    """The largest difference of each output over all inputs."""
    found: dict[str, Difference] = {}
    for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        for name in a:
            now = difference(name, a[name], b[name], bound)
            now = Difference(name, now.max_abs, now.max_rel, bound, f"inputs {index}")
            if name not in found or now.max_rel > found[name].max_rel:
                found[name] = now
    return list(found.values())


def gradients(pair: Pair, keras: Result, torch: Result, bound: float) -> list[Difference]:
    """Compare gradients by Keras weight; torch's are converted by the weight expressions.

    Args:
        pair: The programs.
        keras, torch: One training step of each program.
        bound: The largest allowed difference, relative to the largest gradient of the weight.
    """
    ours, theirs = keras["gradients"], torch["gradients"]
    largest = max((float(np.abs(g).max()) for g in ours.values() if g.size), default=0.0)
    floor = GRADIENT_FLOOR * largest
    return [
        difference(slot.name, ours[key], array, bound, floor)
        for slot, key, array in _by_weight(pair, ours, theirs, add=True)
    ]


def as_keras(pair: Pair, keras: Result, torch: Result) -> Result:
    """A training step of the PyTorch program with Keras's weights and their names."""
    found = dict(torch)
    for part, add in (("gradients", True), ("statistics", False)):
        found[part] = {
            key: array for _, key, array in _by_weight(pair, keras[part], torch[part], add=add)
        }
    return found


def statistics(pair: Pair, keras: Result, torch: Result, bound: float) -> list[Difference]:
    """Compare weights that a step changes without a gradient, such as moving averages."""
    ours, theirs = keras["statistics"], torch["statistics"]
    found = []
    for slot, key, array in _by_weight(pair, ours, theirs, add=False):
        # Variances as small as rounding errors do not matter: the layer adds an epsilon to them.
        floor = float(getattr(slot.unit.spec, "epsilon", 0.0) or 0.0)
        now = difference(slot.name, ours[key], array, bound, floor)
        if not slot.weight.trainable or now.max_abs:  # the others are frozen and unchanged
            found.append(now)
    return found


def _by_weight(
    pair: Pair, keras: dict[str, Array], torch: dict[str, Array], *, add: bool
) -> Iterator[tuple[Slot, str, Array]]:
    """Every Keras weight that has an array, with its key and PyTorch's array for it."""
    by_unit: dict[Any, list[TorchParam]] = {}
    for param in pair.program.parameters():
        by_unit.setdefault(param.unit, []).append(param)
    back: dict[Any, dict[str, Array]] = {}
    for slot in slots(pair.graph):
        if slot.unit not in back:
            back = {slot.unit: keras_arrays(slot.unit, by_unit.get(slot.unit, []), torch, add=add)}
        index = slot.unit.weights.index(slot.weight)
        key = f"{'/'.join((*slot.owners, slot.unit.name))}:{index}"
        if key in keras and slot.weight.name in back[slot.unit]:
            yield slot, key, back[slot.unit][slot.weight.name]


def keras_arrays(
    unit: Any, params: list[TorchParam], torch: dict[str, Array], *, add: bool
) -> dict[str, Array]:
    """A layer's arrays by Keras weight, computed from the arrays of its torch tensors.

    Args:
        unit: The layer.
        params: Its torch tensors.
        torch: Their arrays.
        add: Sum the arrays of a weight that is part of several tensors, as for gradients.
    """
    shapes = {weight.name: weight.shape for weight in unit.weights}
    # Weights that no gradient reaches have a gradient of zero; weights that are not stored have no value.
    found: dict[str, Array] = {name: np.zeros(shape) for name, shape in shapes.items() if add}

    def place(name: str, index: Any, value: Array) -> None:
        held = found.setdefault(name, np.zeros(shapes[name]))
        value = value.reshape(held[index].shape)
        held[index] = held[index] + value if add else value

    for param in params:
        if param.key in torch:
            param.value.scatter(torch[param.key], place)
    return found
