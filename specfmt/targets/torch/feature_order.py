"""Vectors that become images: `Dense` layers in front of a `Reshape`.

Keras's `Reshape` reads features as height, width, channels.  A PyTorch program that goes on
channels-first gets them as channels, height, width from the `Dense` itself, whose weights are
put in that order, and needs no permute.
"""

from __future__ import annotations

from collections import Counter

from specfmt.graph.model import Graph, Node, Value
from specfmt.layers.core import Dense
from specfmt.layers.reshaping import Reshape
from specfmt.targets.torch.expr import one_order


def unfolded(graph: Graph) -> dict[Node, tuple[int, ...]]:
    """Calls of `Dense` whose features go into a `Reshape` alone, and the shape it gives them.

    The shapes are Keras's, without the batch.  Layers between the two must treat features one
    by one as far as shapes tell; what needs Keras's order asks for it in the layout pass.
    """
    readers = Counter(value for node in graph.nodes for value in node.inputs())
    readers.update(graph.outputs.values())
    found = {}
    for node in graph.nodes:
        if not isinstance(node.unit.spec, Reshape):
            continue
        shape = node.outputs[0].shape or ()
        sizes = tuple(size for size in shape[1:] if size is not None)
        source = _dense_before(node.inputs()[0], readers)
        if source is not None and len(sizes) == len(shape) - 1 and not one_order(shape):
            found[source] = sizes
    return found


def _dense_before(value: Value, readers: Counter[Value]) -> Node | None:
    """The `Dense` that gives a vector, through layers that keep its shape."""
    while readers[value] == 1 and value.node is not None and len(value.shape or ()) == 2:
        node = value.node
        spec, inputs = node.unit.spec, node.inputs()
        if len(node.unit.calls) > 1 or node.unit.graph is not None:
            return None
        if isinstance(spec, Dense):
            return node if spec.lora_rank is None else None
        if len(inputs) != 1 or inputs[0].shape != value.shape:
            return None
        value = inputs[0]
    return None
