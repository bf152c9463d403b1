"""The order in which Keras runs the calls of a model.

It is that of `keras.src.ops.function.Function`: by depth, counted from the outputs.  It matters where a
call changes what later calls see: `MultiHeadAttention` removes the masks of its inputs
(`specfmt.graph.mask_flow`).
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


def runs_in_order(graph: Graph, unit: Unit) -> bool:
    """Whether Keras runs the calls of a unit in the order of the graph."""
    calls = [node for node in graph.nodes if node.unit is unit]
    return len(calls) < 2 or calls == [n for n in execution_order(graph) if n.unit is unit]


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
