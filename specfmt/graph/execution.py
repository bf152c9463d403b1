"""The order in which Keras runs the calls of a model.

It is that of `keras.src.ops.function.Function`: by depth, counted from the outputs.  It matters where a
call changes what later calls see: `MultiHeadAttention` removes the masks of its inputs
(`specfmt.graph.mask_flow`), and a stateful layer starts where its last call ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from specfmt.graph.keras_order import arguments_in_order
from specfmt.graph.model import Graph, Node, Unit, Value, flatten
from specfmt.graph.tracing import traced
from specfmt.layers.base import Layer, nested_layers


def takes_masks(unit: Unit) -> bool:
    """Whether a unit is, or contains, a layer that removes the masks of its inputs."""
    if unit.graph is not None:
        return any(takes_masks(inner) for inner in unit.graph.units)
    return isinstance(unit.spec, Layer) and bool(unit.spec.removes_masks_of)


def keeps_state(unit: Unit) -> bool:
    """Whether a call of a unit starts from the states in which the call before it ended."""
    units = [unit] if unit.graph is None else unit.graph.walk_units()
    return any(
        getattr(layer, "stateful", False)
        for one in units
        for layer in (one.layer, *nested_layers(one.layer))
    )


def calls_in_order(graph: Graph) -> list[Node]:
    """The calls of a model in the order of the document, or in Keras's if the results depend on it:
    each call of a layer that keeps its state starts from where Keras's call before it ended."""
    shared = {unit for unit in graph.units if len(unit.calls) > 1 and keeps_state(unit)}
    if not shared:
        return graph.nodes
    order = execution_order(graph)
    same = _calls_of(shared, graph.nodes) == _calls_of(shared, order)
    return graph.nodes if same else order


def _calls_of(units: set[Unit], nodes: list[Node]) -> dict[Unit, list[Node]]:
    found: dict[Unit, list[Node]] = {unit: [] for unit in units}
    for node in nodes:
        if node.unit in found:
            found[node.unit].append(node)
    return found


def execution_order(graph: Graph) -> list[Node]:
    """The calls in the order in which Keras runs them, including operations for masks."""
    trace = traced(graph)
    order = traced_order(trace.graph)
    return [trace.calls[node] for node in order if node in trace.calls]


def traced_order(graph: Graph) -> list[Node]:
    """The calls in the order of `Function._run_through_graph` (`map_graph`, `_build_map`)."""
    finished = _finished(graph)
    depths: dict[Node, int] = {}
    unit_depths: dict[Unit, int] = {}
    for node in reversed(finished):
        depth = max(depths.setdefault(node, 0), unit_depths.get(node.unit, 0))
        depths[node] = unit_depths[node.unit] = depth
        for value in arguments_in_order(node):
            if value.node is not None:
                depths[value.node] = max(depth + 1, depths.get(value.node, 0))
    by_depth: dict[int, list[Node]] = defaultdict(list)
    for node, depth in depths.items():
        by_depth[depth].append(node)
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def _finished(graph: Graph) -> list[Node]:
    """Calls in the order in which a depth-first search from the outputs finishes them (postorder)."""
    finished: dict[Node, None] = {}

    def entered(node: Node) -> tuple[Node, Iterator[Value]]:
        return node, iter(arguments_in_order(node))

    for output in flatten(graph.output_nest):
        stack = [] if output.node is None else [entered(output.node)]
        while stack:
            node, parents = stack[-1]
            parent = next(
                (v.node for v in parents if v.node is not None and v.node not in finished), None
            )
            if parent is None:
                stack.pop()
                finished[node] = None
            else:
                stack.append(entered(parent))
    return list(finished)
