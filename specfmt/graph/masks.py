"""Masks that are lost while Keras runs a model.

Keras propagates masks twice.  While a functional model is built, a mask is computed for every symbolic
tensor, and a layer that takes a ``mask`` argument and is called with a single tensor has that mask
recorded as an argument of the call (`Layer.__call__` of Keras 3.15).  While the model runs, masks are
attached to the tensors, where all other layers find them; but `MultiHeadAttention` removes them from
its inputs.  A layer that runs after it and reads one of these tensors finds no mask: an `Add` in a
residual connection, or a second attention layer over the same memory.
"After" is the order of `keras.src.ops.function.Function`: by depth, counted from the outputs.

`Value.masked` is the mask of the symbolic tensor; `Node.unmasked` lists the tensors that have lost it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from specfmt.graph.infer import compute_dtype, split_arguments
from specfmt.graph.keras_order import arguments_in_order
from specfmt.graph.model import Graph, Node, Unit, Value, flatten
from specfmt.graph.tracing import traced
from specfmt.layers.base import Layer, is_floating


def settle_masks(graph: Graph, policy: Any) -> None:
    """Set `Node.unmasked` in a graph with layers that remove the masks of their inputs.

    Args:
        graph: The graph.
        policy: The model's dtype policy.
    """
    if not any(takes_masks(node.unit) for node in graph.nodes):
        return
    if not any(value.masked for node in graph.nodes for value in node.outputs):
        return
    same: dict[Value, Value] = {}
    carries: dict[Value, bool] = {value: value.masked for value in graph.inputs.values()}

    def attached(value: Value) -> bool:
        return carries[same.get(value, value)]

    for node in execution_order(graph):
        carries.update({value: value.masked for value in node.outputs})
        layer = node.unit.spec
        if not isinstance(layer, Layer) or layer.is_operation:
            continue
        dtype = compute_dtype(layer.dtype or policy)
        lost = frozenset(v for v in node.inputs() if v.masked and not attached(v))
        if lost and not _is_recorded(node, layer, dtype):
            if layer.reads_masks or _takes_mask(layer):
                node.unmasked = lost
            flags, keywords = split_arguments(node, attached)
            masks = layer.output_mask(*flags, **keywords)
            several = (masks,) * len(node.outputs) if isinstance(masks, bool) else masks
            carries.update(zip(node.outputs, several, strict=True))
        first = next(iter(node.inputs()), None)
        if layer.returns_input() and first is not None and not _is_cast(first, dtype):
            same[node.outputs[0]] = same.get(first, first)
        for argument in layer.removes_masks_of:
            value = node.args.get(argument)
            if isinstance(value, Value) and not _is_cast(value, dtype):
                carries[same.get(value, value)] = False


def _takes_mask(layer: Layer) -> bool:
    return any(argument.name.endswith("mask") for argument in layer.call_arguments)


def _is_recorded(node: Node, layer: Layer, dtype: str) -> bool:
    """Whether the mask of the symbolic tensor is an argument of the recorded call."""
    if not any(argument.name == "mask" for argument in layer.call_arguments):
        return False
    values = list(node.args.values())
    return len(values) == 1 and isinstance(values[0], Value) and values[0].dtype == dtype


def takes_masks(unit: Unit) -> bool:
    """Whether a unit is a layer that removes the masks of its inputs."""
    return isinstance(unit.spec, Layer) and bool(unit.spec.removes_masks_of)


def _is_cast(value: Value, dtype: str) -> bool:
    """Whether Keras passes the layer a copy of the tensor, cast to its compute dtype."""
    return is_floating(value.dtype) and value.dtype != dtype


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
