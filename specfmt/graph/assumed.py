"""Shapes that nobody says: what a layer that specfmt does not know may give, by what follows it.

A layer of the user's own without ``shape:`` leaves the shapes behind it unknown.  A target that
needs them takes the first shape with which everything behind the layer can be computed: the
layers that follow decide how many axes there are, their weights in a file how long the last one
is, and where nothing decides, the layer is taken to keep the shape of its input.  Sizes stay
open where what follows allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from specfmt.graph.build import build
from specfmt.graph.model import Graph, Unit
from specfmt.layers.custom import Custom
from specfmt.spec.diagnostics import Diagnostic, Path, SpecError
from specfmt.spec.document import Model, ModelSpec
from specfmt.spec.layer import Layer, Shape

RANKS = (2, 3, 4, 5)
MAX_BUILDS = 300
"""How many combinations are tried."""

Misfit = Callable[[Graph], int]
"""How many weights of a file do not fit a graph."""


@dataclass(frozen=True)
class Slot:
    """An output whose shape nobody says.

    Attributes:
        unit: The layer in the graph first built, or the wrapper that holds it.
        path: Where the layer stands in the document.
        index: Which output.
        count: How many the layer has.
        said: What the entry says of its outputs.
    """

    unit: Unit
    path: Path
    index: int
    count: int
    said: tuple[Any, ...]


def has_unknown(graph: Graph) -> bool:
    """Whether the shape of some value is not known."""
    return any(
        any(value.shape is None for value in node.outputs)
        or (node.unit.graph is not None and node.call_index == 0 and has_unknown(node.unit.graph))
        for node in graph.nodes
    )


def completed(graph: Graph, misfit: Misfit | None = None, sizes: Sequence[int] = ()) -> Graph:
    """The same model with a shape for every value.

    Args:
        graph: A graph without errors.
        misfit: Counts the weights of a file that do not fit.
        sizes: Lengths that the last axis may have, from the weights of a file.

    Returns:
        The graph itself where nothing is unknown.

    Raises:
        SpecError: SF307 where no shape fits: the entry has to say it.
    """
    if not has_unknown(graph):
        return graph
    search = _Search(graph, misfit or (lambda _: 0), tuple(sizes))
    return search.run()


def unknown_layers(graph: Graph) -> Iterator[tuple[Unit, Path, Custom]]:
    """Every layer that specfmt does not know, with its unit and its place in the document."""
    for unit in graph.walk_units():
        layer, path = unit.layer, unit.path
        while not isinstance(layer, Custom) and isinstance(getattr(layer, "layer", None), Layer):
            layer, path = layer.layer, (*path, "layer")  # type: ignore[attr-defined]
        if isinstance(layer, Custom):
            yield unit, path, layer


def with_layer(model: Any, path: Path, change: dict[str, Any]) -> Any:
    """The same document with fields of the layer at ``path`` changed."""
    if not path:
        return model.model_copy(update=change)
    head = path[0]
    if head == "layers" and isinstance(model, (ModelSpec, Model)):
        index = int(path[1])
        entries = list(model.layers)
        entries[index] = with_layer(entries[index], path[2:], change)
        return model.model_copy(update={"layers": tuple(entries)})
    return model.model_copy(
        update={str(head): with_layer(getattr(model, str(head)), path[1:], change)}
    )


class _Search:
    def __init__(self, graph: Graph, misfit: Misfit, sizes: tuple[int, ...]) -> None:
        self.graph, self.misfit, self.sizes = graph, misfit, sizes
        self.slots = list(_slots(graph))
        self.builds = 0

    def run(self) -> Graph:
        best: tuple[int, Graph, dict[Slot, Any]] | None = None
        for opened in (True, False):
            chosen: dict[Slot, Any] = {}
            graph, cost = self.graph, 0
            for slot in self.slots:  # in order: a layer may read what another one gives
                chosen[slot] = self._kept(slot, graph, opened=opened)
                graph, cost = self._try(chosen)
            if cost == 0:
                return self._finish(graph)
            if best is None or cost < best[0]:
                best = cost, graph, chosen
        assert best is not None
        for slot in self.slots:
            for shape in self._candidates(slot, best[1]):
                if self.builds > MAX_BUILDS:
                    break
                trial = {**best[2], slot: shape}
                graph, cost = self._try(trial)
                if cost == 0:
                    return self._finish(graph)
                if cost < best[0]:
                    best = cost, graph, trial
        raise SpecError(self._asked())

    def _kept(self, slot: Slot, graph: Graph, *, opened: bool) -> Shape:
        """The shape that the layer reads, without the batch axis; ``opened`` in its last size."""
        read = _child_shape(slot, graph)
        if not read:
            return (None,)
        return (*(None,) * (len(read) - 2), *read[-1:]) if opened and len(read) > 1 else read[1:]

    def _candidates(self, slot: Slot, graph: Graph) -> Iterator[Shape]:
        """Shapes without the batch axis, the likeliest first."""
        read = _child_shape(slot, graph) or ()
        for rank in dict.fromkeys((len(read) or 2, *RANKS)):
            for size in dict.fromkeys((*self.sizes, *read[-1:], None)):
                yield (*(None,) * (rank - 2), *([size] if rank > 1 else []))
                if len(read) == rank > 2:
                    yield (*read[1:-1], size)

    def _try(self, chosen: dict[Slot, Any]) -> tuple[Graph, int]:
        spec = self.graph.spec
        shapes: dict[Path, list[Any]] = {}
        for slot, shape in chosen.items():
            shapes.setdefault(slot.path, list(slot.said))[slot.index] = shape
        for path, found in shapes.items():
            said = found[0] if len(found) == 1 else tuple(found)
            spec = with_layer(spec, path, {"shape": said})
        assert isinstance(spec, ModelSpec)
        self.builds += 1
        graph, problems = build(spec)
        return graph, self._cost(graph, problems)

    def _cost(self, graph: Graph, problems: list[Diagnostic]) -> int:
        errors = sum(problem.severity == "error" for problem in problems)
        return errors + _unknown_values(graph) + self.misfit(graph)

    def _finish(self, graph: Graph) -> Graph:
        paths = {slot.unit.path for slot in self.slots}
        graph.assumed = frozenset(u for u in graph.walk_units() if u.path in paths)
        return graph

    def _asked(self) -> list[Diagnostic]:
        """The findings that ask for `shape:`."""
        found = []
        for slot in {slot.path: slot for slot in self.slots}.values():
            found.append(
                Diagnostic(
                    "SF307",
                    f"expected `shape:` for {slot.unit.name}, received none, and no shape fits "
                    "what follows",
                    slot.path,
                    "say what it gives, without the batch axis: `shape: [8]`",
                )
            )
        return found


def _slots(graph: Graph) -> Iterator[Slot]:
    for unit, path, layer in unknown_layers(graph):
        direct = unit.spec is layer
        count = len(unit.calls[0].outputs) if direct and unit.calls else 1
        said = layer.shape
        if said is not None and not any(item is None for item in said if count > 1):
            continue
        known = said if said is not None and len(said) == count else (None,) * count
        for index in range(count):
            if known[index] is None:
                yield Slot(unit, path, index, count, tuple(known))


def _child_shape(slot: Slot, graph: Graph) -> Shape | None:
    """What the layer reads in ``graph``; inside of a wrapper over time, one step of it."""
    unit = next((u for u in graph.walk_units() if u.path == slot.unit.path), None)
    node = unit.calls[0] if unit is not None and unit.calls else None
    shape = next((value.shape for value in node.inputs()), None) if node is not None else None
    if shape is None or slot.path == slot.unit.path:
        return shape
    return (shape[0], *shape[2:])


def _unknown_values(graph: Graph) -> int:
    return sum(
        sum(value.shape is None for value in node.outputs)
        + (_unknown_values(node.unit.graph) if node.unit.graph is not None else 0)
        for node in graph.nodes
    )
