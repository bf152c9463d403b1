"""The layers whose tables or statistics a training script computes before it trains."""

from __future__ import annotations

from dataclasses import dataclass

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.graph.model import Graph, Unit, Value
from specfmt.layers.categorical import Lookup
from specfmt.layers.merging import Concatenate
from specfmt.layers.preprocessing import Normalization, Rescaling, shape_of
from specfmt.layers.preprocessing_categories import Discretization
from specfmt.targets.source import literal, number
from specfmt.targets.training.data import DataCode


@dataclass(frozen=True)
class Adapted:
    """A layer with the method ``adapt``.

    Attributes:
        unit: The layer.
        samples: What it reads, as an expression over the arrays ``x``.
    """

    unit: Unit
    samples: str


@dataclass(frozen=True)
class Adaptations:
    """What the function ``adapt`` of a training script does, in the order of the layers.

    Attributes:
        layers: The layers that it adapts.
        kept: The names of normalizations that read computed values, and so keep the mean 0 and
            the variance 1 until weights are loaded.
    """

    layers: list[Adapted]
    kept: list[str]


def adaptations(graph: Graph, data: DataCode) -> Adaptations:
    """The layers of a model that have to be adapted to its training data.

    Raises:
        SpecError: A layer needs a table that cannot be computed from the model's inputs.
    """
    layers: list[Adapted] = []
    kept: list[str] = []
    problems: list[Diagnostic] = []
    names = {value: name for name, value in graph.inputs.items()}
    for unit in graph.walk_units():
        if not unit.layer.unadapted:
            continue
        read = [_source(v, names, data) for node in unit.calls for v in node.inputs()]
        if read and None not in read:
            layers.append(Adapted(unit, joined([text for text in read if text], 0)))
        elif isinstance(unit.layer, Normalization):
            kept.append(unit.name)
        else:
            problems.append(_unreadable(unit))
    if problems:
        raise SpecError(problems)
    return Adaptations(layers, kept)


def _source(value: Value, names: dict[Value, str], data: DataCode) -> str | None:
    """A tensor as an expression over the arrays of the inputs; None if it is not that simple."""
    if value in names:
        return data.item("x", names[value])
    if value.node is None:
        return None
    layer = value.node.layer
    parts = [_source(part, names, data) for part in value.node.inputs()]
    if None in parts:
        return None
    if isinstance(layer, Concatenate):
        return joined([text for text in parts if text], layer.axis)
    if isinstance(layer, Rescaling) and shape_of(layer.scale) == shape_of(layer.offset) == ():
        offset = f" + {number(layer.offset)}" if layer.offset else ""
        return f"({parts[0]} * {number(layer.scale)}{offset})"
    return None


def joined(arrays: list[str], axis: int) -> str:
    """Arrays as one."""
    if len(arrays) == 1:
        return arrays[0]
    along = f", axis={literal(axis)}" if axis else ""
    return f"np.concatenate([{', '.join(arrays)}]{along})"


def _unreadable(unit: Unit) -> Diagnostic:
    return Diagnostic(
        "SF213",
        f"expected {unit.name} to read an input of the model, from which `adapt()` can compute "
        "its table before training, received computed values",
        unit.path,
        "move it directly behind an input, or give it its table",
    )


def statistics_axes(unit: Unit, shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """The axes over which a normalization computes mean and variance."""
    assert isinstance(unit.layer, Normalization)
    kept = unit.layer.statistics_axes(shape)
    return tuple(axis for axis in range(len(shape)) if axis not in kept)


def summary(found: Adaptations) -> str:
    """What ``adapt`` computes, for its docstring."""
    layers = [one.unit.layer for one in found.layers]
    tables = sum(isinstance(layer, Lookup) for layer in layers)
    parts = ["vocabulary" if tables == 1 else "vocabularies"] * (tables > 0)
    parts += ["bin boundaries"] * any(isinstance(layer, Discretization) for layer in layers)
    parts += ["means and variances"] * any(isinstance(layer, Normalization) for layer in layers)
    return f"Computes the {', '.join(parts)} from the training samples."
