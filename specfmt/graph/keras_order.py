"""The order of a model's layers and weights in Keras.

A Sequential has its layers in the order of definition.  A functional model sorts them by depth (the
length of the longest path to an output), and within a depth by a depth-first search from the outputs,
as `keras.src.ops.function.map_graph` does.  Operations that Keras adds for masks count as steps.
"""

from __future__ import annotations

from collections.abc import Iterator

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.graph.model import Graph, Node, Unit, Value, flatten
from specfmt.graph.tracing import carries_masks, traced

Operation = Unit | str
"""A unit, or the name of a model input (Keras's InputLayer)."""


def keras_layers(graph: Graph) -> list[Operation]:
    """Inputs and units in the order of Keras's `model.layers` (operations included)."""
    if graph.is_sequential or not carries_masks(graph):
        return traced_layers(graph)
    trace = traced(graph)
    found = traced_layers(trace.graph)
    origins = trace.origins
    return [
        item if isinstance(item, str) else origins[item]
        for item in found
        if isinstance(item, str) or item in origins
    ]


def traced_layers(graph: Graph) -> list[Operation]:
    """As `keras_layers`, for a graph that already contains the operations for masks."""
    if graph.is_sequential:
        return [*graph.inputs, *graph.units]
    walk, first_seen = _walk(graph)
    depths = _depths(graph, walk)
    for name in graph.inputs:
        depths.setdefault(name, 0)
        first_seen.setdefault(name, -1)
    return sorted(depths, key=lambda item: (-depths[item], first_seen[item]))


def refuse_taken_names(graph: Graph) -> None:
    """Refuse names that Keras gives to its own operations for masks.

    Args:
        graph: A model as Keras traces it.

    Raises:
        SpecError: SF203, since Keras builds no model with two operations of the same name.
    """
    problems = []
    taken: set[str] = set()
    for item in traced_layers(graph):
        name = item if isinstance(item, str) else item.name
        if name in taken:
            owners = [unit.path for unit in graph.units if unit.name == name and unit.path]
            problems.append(
                Diagnostic(
                    "SF203",
                    f'expected a unique name, received "{name}", which Keras gives to an '
                    "operation that computes a mask",
                    (*owners[0], "name") if owners else ("inputs",),
                    "rename it",
                )
            )
        taken.add(name)
        if isinstance(item, Unit) and item.graph is not None:
            refuse_taken_names(item.graph)
    if problems:
        raise SpecError(problems)


def keras_units(graph: Graph) -> list[Unit]:
    """The units without model inputs, in Keras's order."""
    return [item for item in keras_layers(graph) if isinstance(item, Unit)]


def walk_layers(graph: Graph) -> Iterator[Unit]:
    """All layers, including those of nested models, in the order of Keras's `model.weights`."""
    for unit in keras_units(graph):
        if unit.graph is not None:
            yield from walk_layers(unit.graph)
        else:
            yield unit


Source = Node | str


def arguments_in_order(node: Node) -> list[Value]:
    """The tensors of a call as Keras flattens them: positional ones, then keywords by name."""
    items = list(node.args.items())
    graph = node.unit.graph
    if node.recorded is not None:
        first = node.form if graph is not None else [item for _, item in items[: node.positional]]
        return [leaf for leaf in flatten([first, node.recorded]) if isinstance(leaf, Value)]
    if node.form is not None and graph is not None:
        keywords = {key: item for key, item in items if key not in graph.inputs}
        leaves = flatten([node.form, keywords])
    else:
        positional = [item for _, item in items[: node.positional]]
        leaves = flatten([positional, dict(items[node.positional :])])
    return [leaf for leaf in leaves if isinstance(leaf, Value)]


def _walk(graph: Graph) -> tuple[list[Source], dict[Operation, int]]:
    """Calls and inputs in depth-first order, and the order in which operations are first visited."""
    names = {value: name for name, value in graph.inputs.items()}

    def source(value: Value) -> Source:
        return names[value] if value.node is None else value.node

    finished: set[Source] = set()
    order: list[Source] = []
    first_seen: dict[Operation, int] = {}
    for output in flatten(graph.output_nest):
        stack: list[tuple[Source, Iterator[Value]]] = []

        def enter(item: Source, stack: list[tuple[Source, Iterator[Value]]] = stack) -> None:
            operation = item if isinstance(item, str) else item.unit
            first_seen.setdefault(operation, len(first_seen))
            reads = [] if isinstance(item, str) else arguments_in_order(item)
            stack.append((item, iter(reads)))

        if source(output) not in finished:
            enter(source(output))
        while stack:
            item, reads = stack[-1]
            for value in reads:
                below = source(value)
                if below not in finished:
                    enter(below)
                    break
            else:
                stack.pop()
                finished.add(item)
                order.append(item)
    return order, first_seen


def _depths(graph: Graph, walk: list[Source]) -> dict[Operation, int]:
    names = {value: name for name, value in graph.inputs.items()}
    by_node: dict[Source, int] = {}
    by_operation: dict[Operation, int] = {}
    for item in reversed(walk):
        operation = item if isinstance(item, str) else item.unit
        depth = max(by_node.setdefault(item, 0), by_operation.get(operation, 0))
        by_operation[operation] = by_node[item] = depth
        if isinstance(item, str):
            continue
        for value in arguments_in_order(item):
            below = names[value] if value.node is None else value.node
            by_node[below] = max(depth + 1, by_node.get(below, 0))
    return by_operation
