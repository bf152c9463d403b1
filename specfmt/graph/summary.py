"""The summary of a model: layers, shapes, counts, multiply-accumulates, activation memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

from specfmt.graph.model import Graph, Node, Use, Value
from specfmt.graph.symbolic import show_value
from specfmt.layers.base import Shape

BYTES = {"float64": 8, "int64": 8, "uint64": 8, "float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2,
         "int8": 1, "uint8": 1, "bool": 1, "complex64": 8, "complex128": 16}  # fmt: skip


@dataclass(frozen=True)
class TensorSummary:
    """An input or output of a model.

    Attributes:
        name: Its name.
        shape: Its shape, with the batch axis; sizes may be None, and the whole shape if unknown.
        dtype: Its dtype.
        text: The shape as text, with the names of unknown sizes: ``(N, T, 64)``.
    """

    name: str
    shape: Shape | None
    dtype: str
    text: str = ""

    def to_data(self) -> dict[str, Any]:
        """The tensor as data for JSON; an unknown shape is None."""
        return {"name": self.name, "shape": _listed(self.shape), "dtype": self.dtype}


@dataclass(frozen=True)
class LayerSummary:
    """One call of a layer.

    Attributes:
        name: The entry's name.
        type: The layer's type; ``Model`` for a nested model.
        inputs: The names of its inputs.
        output_shapes: The shape of each output, with the batch axis; None if it is unknown.
        params: The number of parameters; 0 for later calls of the same layer, None if it is unknown.
        trainable: The number of trainable parameters, or None.
        texts: The output shapes as text, with the names of unknown sizes: ``(N, T//2, 64)``.
        dtypes: The dtype of each output.
    """

    name: str
    type: str
    inputs: tuple[str, ...]
    output_shapes: tuple[Shape | None, ...]
    params: int | None
    trainable: int | None
    texts: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """The call as data for JSON; ``output_shape`` and ``dtype`` are lists if there are several
        outputs; what is unknown is None."""
        shapes = list(map(_listed, self.output_shapes))
        return {
            "name": self.name,
            "type": self.type,
            "inputs": list(self.inputs),
            "output_shape": shapes[0] if len(shapes) == 1 else shapes,
            "dtype": self.dtypes[0] if len(self.dtypes) == 1 else list(self.dtypes),
            "params": self.params,
            "trainable": self.trainable,
        }


@dataclass(frozen=True)
class Summary:
    """The summary of a model.

    Attributes:
        name: The model's name.
        inputs, outputs: Its inputs and outputs, in order.
        layers: Its layer calls in topological order; a nested model is one of them.
        folded: The same with each use of a block as one call, whose type is ``block`` and the name of
            the block.
        params: The number of parameters of the layers of which it is known.
        trainable: The number of trainable ones.
        macs: Multiply-accumulates per sample.
        activation_bytes: The size of all layers' outputs in bytes per sample; unknown sizes count
            as 1, unknown shapes not at all.
    """

    name: str
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]
    layers: tuple[LayerSummary, ...]
    folded: tuple[LayerSummary, ...]
    params: int
    trainable: int
    macs: int
    activation_bytes: int

    @property
    def uncounted(self) -> tuple[str, ...]:
        """The names of the layers of which the number of parameters is unknown."""
        return tuple(layer.name for layer in self.layers if layer.params is None)

    def to_data(self) -> dict[str, Any]:
        """The summary as data for JSON, as printed by ``specfmt summary --json``."""
        return {
            "name": self.name,
            "inputs": [item.to_data() for item in self.inputs],
            "outputs": [item.to_data() for item in self.outputs],
            "layers": [item.to_data() for item in self.layers],
            "params": {
                "total": self.params,
                "trainable": self.trainable,
                "non_trainable": self.params - self.trainable,
            },
            "macs": self.macs,
        }


def summarize(graph: Graph) -> Summary:
    """The summary of a graph."""
    return Summary(
        graph.name,
        _tensors(graph.inputs),
        _tensors(graph.outputs),
        tuple(map(_layer, graph.nodes)),
        _folded(graph),
        params=graph.count(),
        trainable=graph.count(trainable=True),
        macs=graph.macs,
        activation_bytes=activation_bytes(graph),
    )


def activation_bytes(graph: Graph) -> int:
    """Bytes of all layer outputs per sample, including nested models; unknown sizes count as 1,
    unknown shapes not at all."""
    inner = {u: activation_bytes(u.graph) for u in graph.units if u.graph is not None}
    total = 0
    for node in graph.nodes:
        if node.unit in inner:
            total += inner[node.unit]
            continue
        for value in node.outputs:
            if value.shape is not None:
                elements = prod(size or 1 for size in value.shape[1:])
                total += elements * BYTES.get(value.dtype, 4)
    return total


def _listed(shape: Shape | None) -> list[int | None] | None:
    return None if shape is None else list(shape)


def _tensors(values: dict[str, Value]) -> tuple[TensorSummary, ...]:
    return tuple(TensorSummary(name, v.shape, v.dtype, show_value(v)) for name, v in values.items())


def _layer(node: Node) -> LayerSummary:
    unit, first = node.unit, node.call_index == 0
    known = unit.is_counted or not first
    return LayerSummary(
        node.name,
        unit.type_name,
        tuple(value.name for value in node.inputs()),
        tuple(value.shape for value in node.outputs),
        params=(unit.count() if first else 0) if known else None,
        trainable=(unit.count(trainable=True) if first else 0) if known else None,
        texts=tuple(map(show_value, node.outputs)),
        dtypes=tuple(value.dtype for value in node.outputs),
    )


def _folded(graph: Graph) -> tuple[LayerSummary, ...]:
    """The calls, with the uses of blocks folded."""
    shown: dict[Value, str] = {}
    found = []
    for item in graph.nodes if graph.items is None else graph.items:
        layer = _use(item) if isinstance(item, Use) else _layer(item)
        read = item.inputs if isinstance(item, Use) else tuple(item.inputs())
        names = tuple(shown.get(value, value.name) for value in read)
        found.append(replace(layer, inputs=names))
        if isinstance(item, Use):
            for number, value in enumerate(item.outputs):
                shown.setdefault(value, f"{layer.name}:{number}" if number else layer.name)
    return tuple(found)


def _use(use: Use) -> LayerSummary:
    """The use of a block as one call."""
    layers = list(map(_layer, use.nodes()))
    counts = [layer.params for layer in layers]
    trained = [layer.trainable for layer in layers]
    return LayerSummary(
        use.call.name,
        f"block {use.call.kind}",
        (),
        tuple(value.shape for value in use.outputs),
        params=None if None in counts else sum(count or 0 for count in counts),
        trainable=None if None in trained else sum(count or 0 for count in trained),
        texts=tuple(map(show_value, use.outputs)),
        dtypes=tuple(value.dtype for value in use.outputs),
    )
