"""Output shapes of unknown layers without ``shape:``, inferred from the layers that follow.

A target that needs these shapes uses the first shape that all following layers accept.  The layers
determine the number of axes, their weights in a file the last size; where nothing determines the
shape, the layer is assumed to keep the shape of its input.  Sizes stay unknown (None) where the
following layers allow it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from specfmt.diagnostics import Diagnostic, InUse, Path, SpecError
from specfmt.graph.build import build
from specfmt.graph.model import Graph, Unit
from specfmt.layers.base import Layer, Shape, nested_layers
from specfmt.layers.blocks import index_of, with_entries
from specfmt.layers.custom import Custom, customs_in
from specfmt.layers.custom_cells import is_listed, output_and_states
from specfmt.layers.entries import Model
from specfmt.layers.recurrent_cells import output_size
from specfmt.spec.document import ModelSpec

RANKS = (2, 3, 4, 5)
MAX_BUILDS = 300
"""The most combinations that are tried."""
MAX_ENTRIES = 5000
"""The most layers that are analyzed in all combinations together."""

Misfit = Callable[[Graph], int]
"""Returns the number of weights in a file that do not fit a graph."""


@dataclass(frozen=True)
class Slot:
    """An output of an unknown layer whose shape is not given.

    Attributes:
        unit: The layer in the original graph, or the wrapper that contains it.
        path: The path of the layer in the document.
        index: The index of the output; a cell's states follow its output.
        count: The number of outputs of the layer.
        declared: The output shapes given by the entry.
    """

    unit: Unit
    path: Path
    index: int
    count: int
    declared: tuple[Any, ...]

    @property
    def inside(self) -> Path:
        """The path of the layer in the layer of the unit."""
        return self.path[len(self.unit.path) :]

    @property
    def is_cell(self) -> bool:
        """Whether it is a cell of a recurrent layer, whose output and states are vectors."""
        return is_cell(self.inside)


def has_unknown(graph: Graph) -> bool:
    """Whether the shape of any tensor is unknown."""
    return any(
        any(value.shape is None for value in node.outputs)
        or (node.unit.graph is None and _lacking(node.unit))
        or (node.unit.graph is not None and node.call_index == 0 and has_unknown(node.unit.graph))
        for node in graph.nodes
    )


def completed(graph: Graph, misfit: Misfit | None = None, sizes: Sequence[int] = ()) -> Graph:
    """The same model with a shape for every tensor.

    Args:
        graph: A graph without errors.
        misfit: Returns the number of weights in a file that do not fit a graph.
        sizes: Candidates for the last size of shapes, from the weights of a file.

    Returns:
        The graph itself if no shape is unknown.

    Raises:
        SpecError: SF307 if no shape fits: `shape:` has to be given.
    """
    if not has_unknown(graph):
        return graph
    search = _Search(graph, misfit or (lambda _: 0), tuple(sizes))
    return search.run()


def unknown_layers(graph: Graph) -> Iterator[tuple[Unit, Path, Custom]]:
    """Every layer that specfmt does not know, with its unit and its path in the document."""
    for unit in graph.walk_units():
        for path, layer in customs_in(unit.layer, unit.path):
            yield unit, path, layer


def holds_unknown(model: ModelSpec | Model) -> bool:
    """Whether a document has a layer that specfmt does not know."""
    return any(
        holds_unknown(entry)
        if isinstance(entry, Model)
        else (isinstance(entry, Custom) and not entry.define)
        or (isinstance(entry, Layer) and any(isinstance(i, Custom) for i in nested_layers(entry)))
        for entry in model.layers
    )


def with_layer(model: Any, path: Path, change: dict[str, Any]) -> Any:
    """The same document with fields of the layer at ``path`` changed."""
    if not path:
        return model.model_copy(update=change)
    head = path[0]
    if isinstance(model, (ModelSpec, Model)) and (head == "layers" or isinstance(head, InUse)):
        index = index_of(model.layers, path)
        if index is None:  # it is an entry of a nested model
            changed = [
                with_layer(entry, path, change) if isinstance(entry, Model) else entry
                for entry in model.layers
            ]
        else:
            rest = path[4:] if isinstance(head, InUse) else path[2:]
            changed = list(model.layers)
            changed[index] = with_layer(changed[index], rest, change)
        return model.model_copy(update={"layers": with_entries(model.layers, changed)})
    if isinstance(model, tuple):  # the cells of a stack
        index = int(head)
        return (*model[:index], with_layer(model[index], path[1:], change), *model[index + 1 :])
    return model.model_copy(
        update={str(head): with_layer(getattr(model, str(head)), path[1:], change)}
    )


def is_cell(path: Path) -> bool:
    """Whether a layer at this path in another layer is a cell."""
    fields = [part for part in path if isinstance(part, str)]
    return bool(fields) and fields[-1] in ("cell", "cells")


def inner_input(layer: Any, path: Path, shape: Shape | None) -> Shape | None:
    """The shape of what a layer inside another layer reads, from that of what this one reads.

    Args:
        layer: The layer around it, such as a `TimeDistributed` or an `RNN`.
        path: The path of the inner layer in it.
        shape: The shape of its first input; None if it is not known.
    """
    for field, following in zip(path, (*path[1:], None), strict=False):
        if shape is None or isinstance(field, int):
            continue
        inner = getattr(layer, field)
        if field == "cell":
            shape = (shape[0], *shape[2:])
        elif field == "cells" and isinstance(following, int):
            inner = inner[following]
            shape = shape if not following else (shape[0], output_size(layer.cells[following - 1]))
        elif inner is layer.step_layer:
            shape = (shape[0], *shape[2:])
        layer = inner
    return shape


def _lacking(unit: Unit) -> int:
    """The number of cells in a layer of which a size is not known."""
    return sum(
        None in output_and_states(layer)
        for path, layer in customs_in(unit.layer, ())
        if is_cell(path)
    )


class _Search:
    def __init__(self, graph: Graph, misfit: Misfit, sizes: tuple[int, ...]) -> None:
        self.graph, self.misfit, self.sizes = graph, misfit, sizes
        self.slots = list(_slots(graph))
        self.builds = self.entries = 0

    def run(self) -> Graph:
        """Find the first combination of shapes without errors.

        Tried are shapes with unknown sizes, then with the sizes of the input, then any rank.
        """
        best: tuple[int, Graph, dict[Slot, Any]] | None = None
        for step in (self._opened, self._kept, self._any):
            start = self._start(step) if step is not self._any else best
            assert start is not None
            best = start if best is None or start[0] < best[0] else best
            found = self._improved(start, step)
            if found[0] == 0:
                return self._finish(found[1])
            best = min(best, found, key=lambda item: item[0])
        raise SpecError(self._asked())

    def _start(self, step: Any) -> tuple[int, Graph, dict[Slot, Any]]:
        chosen: dict[Slot, Any] = {}
        places: dict[tuple[Path, int], Slot] = {}
        graph, cost, is_old = self.graph, 0, False
        for slot in self.slots:  # in order: a layer may read the output of another one
            given = places.get(_read_from(slot))
            if given is not None:
                read: Shape | None = (None, *chosen[given])
            else:
                if is_old and not self.is_spent:
                    (graph, cost), is_old = self._try(chosen), False
                read = _child_shape(slot, graph)
            chosen[slot] = next(_fitting(slot, step(read or ())), (None,))
            places[slot.path, slot.index] = slot
            is_old = True
        if is_old:
            graph, cost = self._try(chosen)
        return cost, graph, chosen

    @property
    def is_spent(self) -> bool:
        """Whether the search has reached its limits; SF307 then asks for the missing shapes."""
        return self.builds > MAX_BUILDS or self.entries > MAX_ENTRIES

    def _improved(
        self, best: tuple[int, Graph, dict[Slot, Any]], step: Any
    ) -> tuple[int, Graph, dict[Slot, Any]]:
        """Improve the shapes one after the other."""
        for slot in self.slots if best[0] else ():
            for shape in _fitting(slot, step(_child_shape(slot, best[1]) or ())):
                if self.is_spent:
                    return best
                trial = {**best[2], slot: shape}
                graph, cost = self._try(trial)
                if cost < best[0]:
                    best = cost, graph, trial
                if cost == 0:
                    return best
        return best

    def _opened(self, read: Shape) -> Iterator[Shape]:
        """Shapes of the input's rank with all sizes unknown except the last."""
        for size in dict.fromkeys((*read[-1:], *self.sizes)):
            yield (*(None,) * (len(read) - 2), *([size] if len(read) > 1 else []))

    def _kept(self, read: Shape) -> Iterator[Shape]:
        """Shapes with the sizes of the input except the last."""
        inside = prod(axis or 0 for axis in read[1:-1])
        for size in dict.fromkeys((*read[-1:], *self.sizes)):
            if len(read) > 1:
                yield (*read[1:-1], size)
            if len(read) > 2 and size and inside and size % inside == 0:
                yield (
                    *read[1:-1],
                    size // inside,
                )  # the number of kernel rows of a Dense after a Flatten

    def _any(self, read: Shape) -> Iterator[Shape]:
        """Shapes of any rank."""
        for rank in dict.fromkeys((len(read) or 2, *RANKS)):
            for size in dict.fromkeys((*read[-1:], *self.sizes, None)):
                yield (*(None,) * (rank - 2), *([size] if rank > 1 else []))
                if len(read) == rank > 2:
                    yield (*read[1:-1], size)

    def _try(self, chosen: dict[Slot, Any]) -> tuple[Graph, int]:
        spec = self.graph.spec
        shapes: dict[Path, list[Any]] = {}
        for slot, shape in chosen.items():
            shapes.setdefault(slot.path, list(slot.declared))[slot.index] = shape
        for path, found in shapes.items():
            declared = found[0] if len(found) == 1 else tuple(found)
            spec = with_layer(spec, path, {"shape": declared})
        assert isinstance(spec, ModelSpec)
        self.builds += 1
        self.entries += len(self.graph.nodes)
        graph, problems = build(spec)
        return graph, self._cost(graph, problems)

    def _cost(self, graph: Graph, problems: list[Diagnostic]) -> int:
        errors = sum(problem.severity == "error" for problem in problems)
        lacking = sum(map(_lacking, graph.walk_units()))
        return errors + lacking + _unknown_values(graph) + self.misfit(graph)

    def _finish(self, graph: Graph) -> Graph:
        paths = {slot.unit.path for slot in self.slots}
        graph.assumed = frozenset(u for u in graph.walk_units() if u.path in paths)
        return graph

    def _asked(self) -> list[Diagnostic]:
        """The errors that ask for `shape:`."""
        found = []
        for slot in {slot.path: slot for slot in self.slots}.values():
            found.append(
                Diagnostic(
                    "SF307",
                    f"{slot.unit.name} is missing `shape:`, and no shape was found that the "
                    "following layers accept",
                    slot.path,
                    "give its output shape, without the batch axis: `shape: [8]`",
                )
            )
        return found


def _slots(graph: Graph) -> Iterator[Slot]:
    for unit, path, layer in unknown_layers(graph):
        direct = unit.spec is layer or (path == (*unit.path, "cell") and unit.layer.return_state)  # type: ignore[attr-defined]
        count = len(unit.calls[0].outputs) if direct and unit.calls else 1
        declared = layer.shape
        if is_cell(path[len(unit.path) :]):
            if None not in output_and_states(layer):
                continue
            if declared is not None and is_listed(declared):
                declared = tuple(None if one == (None,) else one for one in declared)
                count = len(declared)
        elif declared is not None and not any(item is None for item in declared if count > 1):
            continue
        known = declared if declared is not None and len(declared) == count else (None,) * count
        for index in range(count):
            if known[index] is None:
                yield Slot(unit, path, index, count, tuple(known))


def _read_from(slot: Slot) -> tuple[Path, int]:
    """The layer whose output this one reads, and the index of that output."""
    node = slot.unit.calls[0] if slot.unit.calls and slot.path == slot.unit.path else None
    value = next(iter(node.inputs()), None) if node is not None else None
    if value is None or value.node is None:
        return (), 0
    return value.node.unit.path, value.index


def _child_shape(slot: Slot, graph: Graph) -> Shape | None:
    """The shape of the layer's input in ``graph``; inside another layer, that of what it reads."""
    unit = next((u for u in graph.walk_units() if u.path == slot.unit.path), None)
    node = unit.calls[0] if unit is not None and unit.calls else None
    shape = next((value.shape for value in node.inputs()), None) if node is not None else None
    return shape if unit is None else inner_input(unit.layer, slot.inside, shape)


def _fitting(slot: Slot, shapes: Iterator[Shape]) -> Iterator[Shape]:
    """The shapes that an output can have."""
    return (shape for shape in shapes if len(shape) == 1) if slot.is_cell else shapes


def _unknown_values(graph: Graph) -> int:
    own = sum(value.shape is None for node in graph.nodes for value in node.outputs)
    return own + sum(_unknown_values(u.graph) for u in graph.units if u.graph is not None)
