"""The feature order of `Dense` layers whose output is reshaped to an image.

Keras's `Reshape` takes features in the order height, width, channels.  If the PyTorch program
continues channels-first, the weights of the `Dense` are reordered so that it returns channels,
height, width, and no permute is needed.
"""

from __future__ import annotations

from collections import Counter

from specfmt.graph.model import Graph, Node, Value
from specfmt.layers.core import Dense
from specfmt.layers.reshaping import Reshape
from specfmt.targets.torch.expr import one_order


def feature_shapes(graph: Graph) -> dict[Node, tuple[int, ...]]:
    """Calls of `Dense` whose features are only used by a `Reshape`.

    Layers between the two must keep the shape; one that depends on the order of the features
    requires Keras's order in the layout pass.

    Returns:
        Call -> the shape after the `Reshape`, without the batch axis, in Keras's axis order.
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
    """The `Dense` that computes a vector, possibly followed by layers that keep its shape."""
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
