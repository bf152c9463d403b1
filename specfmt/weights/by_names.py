"""Matching weights that a file lists in one row, such as an ``.npz`` file, with those of a model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from specfmt.diagnostics import Diagnostic
from specfmt.graph.keras_groups import is_own
from specfmt.graph.keras_order import keras_units
from specfmt.graph.model import Graph
from specfmt.weights.by_layer import Place, ends, places_of
from specfmt.weights.problems import (
    UNKNOWN_WEIGHTS,
    missing,
    problem,
    raise_all,
    unused,
    wrong_shape,
)
from specfmt.weights.sources import KerasWeights, Stored

NUMBERED: Final = re.compile(r"arr_(\d{1,9})")
"""Names that `numpy.savez` gives to arrays without names."""


def match(graph: Graph, stored: Mapping[str, Stored], file: Path) -> KerasWeights:
    """Find the weights of a model by their names, or by the order of `model.get_weights()`.

    A name is that of Keras 2 (``dense/kernel:0``) or Keras 3 (``inner/dense/kernel``), also below
    further ones; a layer may have another name if its weight is the only one of its kind and shape.
    The order counts if the names are those of `numpy.savez`, or none is known.

    Args:
        graph: The model.
        stored: Name in the file -> weight, in the order of the file.
        file: The file, for messages.

    Raises:
        SpecError: SF501 to SF503, SF508.
    """
    units = keras_units(graph)
    places = [place for unit in units for place in places_of(unit, unit.name)]
    problems: list[Diagnostic] = []
    for unit in graph.walk_units():
        if is_own(unit) and not unit.weights and not unit.weights_known:
            message = f"expected a layer whose weights are known, received {unit.name}"
            problems.append(problem("SF508", message, file, UNKNOWN_WEIGHTS))
    raise_all(problems)
    named = _by_name(places, list(stored))
    numbers = [NUMBERED.fullmatch(name) for name in stored]
    if named and not all(numbers):
        named |= _left_over(places, stored, named)
        pairs = [(place, named.get(place)) for place in places]
        taken = set(named.values())
        rest = [name for name in stored if name not in taken]
    else:
        names = list(stored)
        if all(numbers):
            names.sort(key=lambda name: int(name.removeprefix("arr_")))
        kept = [place for place in places if not place.weight.merged_into]
        places = places if len(names) == len(places) else kept
        padded = [*names, *[None] * (len(places) - len(names))]
        pairs = list(zip(places, padded, strict=False))
        rest = names[len(places) :]
    found = {}
    for place, name in pairs:
        weight = place.weight
        if name is None:
            if not weight.merged_into:
                problems.append(missing(place.label, weight.shape, place.label, file))
            continue
        item = stored[name]
        if item.shape != weight.shape:
            problems.append(wrong_shape(place.label, weight.shape, item.shape, name, file))
        found[place.unit, weight.name] = item
    raise_all([*problems, *unused(rest, file)])
    return found


def _by_name(places: list[Place], names: list[str]) -> dict[Place, str]:
    """Weights whose names are in the file; a name that fits several belongs to none of them."""
    whole = {place.label: place for place in places}
    tails_of: dict[str, Place | None] = {}
    for place in places:
        for end in ends(place.label):
            if end.count("/") > place.weight.name.count("/"):  # with the name of its layer
                tails_of[end] = None if end in tails_of else place
    found: dict[Place, str] = {}
    for name in names:
        tails = list(ends(_plain(name)))
        known = [whole.get(tail) for tail in tails] + [tails_of.get(tail) for tail in tails]
        fitting = next(filter(None, known), None)
        if fitting is not None:
            found.setdefault(fitting, name)
    return found


def _left_over(
    places: list[Place], stored: Mapping[str, Stored], named: dict[Place, str]
) -> dict[Place, str]:
    """Weights left over whose last name and shape are unique, in the model and in the file.

    First among those of the same layer or nested model whose names differ only in parts that one
    of them lacks: Keras 2 leaves out the names of some cells and wrapped layers.
    """
    found: dict[Place, str] = {}
    taken = set(named.values())
    for key in (_first_and_last, _last):
        wanted: dict[Any, list[Place]] = {}
        for place in places:
            if place not in named and place not in found:
                wanted.setdefault((key(place.label), place.weight.shape), []).append(place)
        offered: dict[Any, list[str]] = {}
        for name, item in stored.items():
            if name not in taken:
                offered.setdefault((key(_plain(name)), item.shape), []).append(name)
        for group, alike in wanted.items():
            names = offered.get(group, [])
            if len(names) != len(alike) or len(names) > MAX_ALIKE:
                continue
            for place in alike:
                parts = place.label.split("/")
                fitting = [name for name in names if _one_in_other(parts, _plain(name).split("/"))]
                if len(alike) == 1 or len(fitting) == 1:
                    found[place] = (fitting if len(fitting) == 1 else names)[0]
        taken |= set(found.values())
    unique = Counter(found.values())
    return {place: name for place, name in found.items() if unique[name] == 1}


MAX_ALIKE: Final = 64
"""The most weights with the same last name and shape whose names are compared with each other."""


def _plain(name: str) -> str:
    return name.partition(":")[0].strip("/")


def _first_and_last(name: str) -> tuple[str, str]:
    return name.partition("/")[0], name.rpartition("/")[2]


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _one_in_other(one: list[str], other: list[str]) -> bool:
    """Whether the parts of one name are among those of the other, in the same order."""
    short, long = sorted((one, other), key=len)
    rest = iter(long)
    return all(part in rest for part in short)
