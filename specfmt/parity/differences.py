"""How far two programs' arrays are apart."""

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
"""A weight whose gradients are this much smaller than the largest of all is held against that."""


def difference(
    name: str, ours: Array, theirs: Array, bound: float, floor: float = 0.0
) -> Difference:
    """The largest difference of two arrays; infinite where one has NaN and the other has not."""
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
    """Gradients by Keras weight: torch's are put back through the parameter expressions.

    Args:
        pair: What was run.
        keras, torch: One step of each program.
        bound: What they may differ by, relative to the weight's largest.
    """
    ours, theirs = keras["gradients"], torch["gradients"]
    largest = max((float(np.abs(g).max()) for g in ours.values() if g.size), default=0.0)
    floor = GRADIENT_FLOOR * largest
    return [
        difference(slot.name, ours[key], array, bound, floor)
        for slot, key, array in _by_weight(pair, ours, theirs, add=True)
    ]


def as_keras(pair: Pair, keras: Result, torch: Result) -> Result:
    """A step of the PyTorch program as one of the Keras program: weights under Keras's names."""
    found = dict(torch)
    for part, add in (("gradients", True), ("statistics", False)):
        found[part] = {
            key: array for _, key, array in _by_weight(pair, keras[part], torch[part], add=add)
        }
    return found


def statistics(pair: Pair, keras: Result, torch: Result, bound: float) -> list[Difference]:
    """Weights that a step changes though no gradient does, such as moving averages."""
    ours, theirs = keras["statistics"], torch["statistics"]
    found = []
    for slot, key, array in _by_weight(pair, ours, theirs, add=False):
        # What a layer adds an epsilon to may be as small as rounding: that is not seen beside it.
        floor = float(getattr(slot.unit.spec, "epsilon", 0.0) or 0.0)
        now = difference(slot.name, ours[key], array, bound, floor)
        if not slot.weight.trainable or now.max_abs:  # others are frozen: they stayed equal
            found.append(now)
    return found


def _by_weight(
    pair: Pair, keras: dict[str, Array], torch: dict[str, Array], *, add: bool
) -> Iterator[tuple[Slot, str, Array]]:
    """Every Keras weight that has an array, its key, and PyTorch's array for it."""
    by_unit: dict[Any, list[TorchParam]] = {}
    for param in pair.program.parameters():
        by_unit.setdefault(param.unit, []).append(param)
    back: dict[Any, dict[str, Array]] = {}
    for slot in slots(pair.graph):
        if slot.unit not in back:
            back = {slot.unit: put_back(slot.unit, by_unit.get(slot.unit, []), torch, add=add)}
        index = slot.unit.weights.index(slot.weight)
        key = f"{'/'.join((*slot.owners, slot.unit.name))}:{index}"
        if key in keras and slot.weight.name in back[slot.unit]:
            yield slot, key, back[slot.unit][slot.weight.name]


def put_back(
    unit: Any, params: list[TorchParam], torch: dict[str, Array], *, add: bool
) -> dict[str, Array]:
    """A layer's arrays by Keras weight, from those of the torch tensors made of it.

    Args:
        unit: The layer.
        params: Its torch tensors.
        torch: Their arrays.
        add: A weight that stands in several tensors has the sum of their gradients.
    """
    shapes = {weight.name: weight.shape for weight in unit.weights}
    # What no gradient reaches has a gradient of zero; what is not stored has no value.
    found: dict[str, Array] = {name: np.zeros(shape) for name, shape in shapes.items() if add}

    def place(name: str, index: Any, value: Array) -> None:
        held = found.setdefault(name, np.zeros(shapes[name]))
        value = value.reshape(held[index].shape)
        held[index] = held[index] + value if add else value

    for param in params:
        if param.key in torch:
            param.value.scatter(torch[param.key], place)
    return found
