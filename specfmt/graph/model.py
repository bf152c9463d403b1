"""The graph: what every later stage reads.

A *unit* is a layer or nested model that owns weights; a *node* is one call of a unit; a
*value* is a tensor that a node or a model input gives.  Nodes stand in topological order,
as close to the document's order as the edges allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from specfmt.diagnostics import Path
from specfmt.layers.base import Layer, Shape, Weight
from specfmt.layers.entries import InputSpec, Model
from specfmt.spec.document import ModelSpec


@dataclass(eq=False, slots=True)
class Value:
    """A tensor of the graph.

    Attributes:
        name: The name by which entries refer to it.
        shape: With the batch axis first; None only where an earlier mistake hides it.
        dtype: Keras's dtype name.
        masked: Whether Keras carries a mask along with it.
        node: The call that gives it; None for a model input.
        index: Which output of that call.
    """

    name: str
    shape: Shape | None
    dtype: str
    masked: bool = False
    node: Node | None = None
    index: int = 0


@dataclass(frozen=True, slots=True)
class Array:
    """A constant array among the operands of an operation: nested lists, and their dtype.

    Attributes:
        value: The numbers.
        dtype: Keras's dtype name.
        is_tensor: Whether it is a tensor of the backend, not an array of numpy.
    """

    value: Any
    dtype: str
    is_tensor: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the nested lists."""
        sizes = []
        value = self.value
        while isinstance(value, (list, tuple)):
            sizes.append(len(value))
            value = value[0] if value else None
        return tuple(sizes)


@dataclass(eq=False, slots=True)
class Unit:
    """A layer or nested model, with its weights; shared by all its calls.

    Attributes:
        spec: The layer's or nested model's definition.
        graph: The nested model's graph, else None.
        weights: In Keras's order; empty for a nested model (they are its graph's).
        trainable: False if the layer or a model around it is frozen.
        policy: The dtype policy that holds for it, its own or that of a model around it.
        path: Where the definition stands in the document.
    """

    name: str
    spec: Layer | Model
    graph: Graph | None
    path: Path
    trainable: bool = True
    policy: Any = None
    weights: tuple[Weight, ...] = ()
    weights_known: bool = False
    calls: list[Node] = field(default_factory=list)

    @property
    def layer(self) -> Layer:
        assert isinstance(self.spec, Layer)
        return self.spec

    @property
    def type_name(self) -> str:
        return self.spec.type_name

    def count(self, *, trainable: bool | None = None) -> int:
        """The number of parameters: all, or only (not) trainable ones."""
        if self.graph is not None:
            return self.graph.count(trainable=trainable)
        return sum(
            weight.size
            for weight in self.weights
            if trainable is None or (weight.trainable and self.trainable) == trainable
        )


@dataclass(eq=False, slots=True)
class Node:
    """One call of a unit.

    Attributes:
        name: The entry's name; equal to the unit's for its first call.
        args: Call argument -> `Value`, list of values, or constant; operations use the
            position ("0", "1", ...) as the key and nest freely.
        positional: How many of the arguments the document gives by position.
        call_index: Which call of the unit this is, from 0.
        macs: Multiply-accumulates for one sample.
        form: What a nested model reads in the form in which the document gives it: a nest of
            values; None for a layer.
        unmasked: Masked values that have lost their mask by the time this call looks at it.
        recorded: The keywords that Keras records of the call; None where only the document's own
            arguments are known (see `specfmt.graph.tracing`).
    """

    name: str
    unit: Unit
    args: dict[str, Any]
    path: Path
    call_index: int = 0
    positional: int = 1
    outputs: tuple[Value, ...] = ()
    macs: int = 0
    form: Any = None
    unmasked: frozenset[Value] = frozenset()
    recorded: dict[str, Any] | None = None

    @property
    def layer(self) -> Layer:
        return self.unit.layer

    def inputs(self) -> tuple[Value, ...]:
        """All tensors that the call reads, in argument order."""
        values = tuple(self.args.values())
        if len(values) == 1 and isinstance(values[0], Value):  # most calls
            return values
        return tuple(values_in(values))


@dataclass(eq=False, slots=True)
class Graph:
    """A model: inputs, nodes in order, outputs.

    Attributes:
        inputs: Input name -> value.
        outputs: Output name -> value.
        output_form: ``single``, ``list`` or ``mapping``, as the document wrote them; nested
            outputs count by the outermost, and stand in ``outputs`` side by side.
        policy: The dtype policy of layers that name none, that of the model around it included.
        input_nest, output_nest: The inputs and outputs as Keras takes and gives them: a value,
            or a list or a dict, which may nest.
        unused: Calls that no output needs; Keras leaves them out of the model.
        assumed: Layers that specfmt does not know and whose shapes were assumed, nested models
            entered (see `specfmt.graph.assumed`).
        html: What shows it in a notebook; the public API sets it.
    """

    html: ClassVar[Callable[[Graph], str] | None] = None

    name: str
    spec: ModelSpec | Model
    inputs: dict[str, Value]
    input_specs: dict[str, InputSpec]
    nodes: list[Node]
    units: list[Unit]
    outputs: dict[str, Value]
    output_form: str = "single"
    unused: list[Node] = field(default_factory=list)
    input_nest: Any = None
    output_nest: Any = None
    policy: Any = None
    assumed: frozenset[Unit] = frozenset()

    def _repr_html_(self) -> str | None:
        show = type(self).html
        return None if show is None else show(self)

    def count(self, *, trainable: bool | None = None) -> int:
        """The number of parameters: all, or only (not) trainable ones."""
        return sum(unit.count(trainable=trainable) for unit in self.units)

    @property
    def is_counted(self) -> bool:
        """Whether all weights are known: no custom layer, and none behind one."""
        return all(
            unit.graph.is_counted if unit.graph is not None else unit.weights_known
            for unit in self.units
            if unit.graph is not None or not getattr(unit.spec, "is_operation", False)
        )

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one sample."""
        return sum(node.macs for node in self.nodes)

    @property
    def is_plain(self) -> bool:
        """Whether the model takes one tensor and gives one, in no list or mapping."""
        return isinstance(self.input_nest, Value) and isinstance(self.output_nest, Value)

    @property
    def is_chain(self) -> bool:
        """One input, one output, and every call reads only the value before it, once."""
        if len(self.inputs) != 1 or self.output_form != "single":
            return False
        if not isinstance(self.input_nest, Value):
            return False
        (previous,) = self.inputs.values()
        for node in self.nodes:
            if (
                node.call_index
                or len(node.args) != 1
                or next(iter(node.args.values())) is not previous
                or len(node.outputs) != 1
                or (isinstance(node.unit.spec, Layer) and node.unit.spec.is_operation)
                or (node.unit.graph is not None and not node.unit.graph.is_plain)
            ):
                return False
            previous = node.outputs[0]
        return bool(self.nodes) and list(self.outputs.values()) == [previous]

    @property
    def is_sequential(self) -> bool:
        """Whether Keras would call it Sequential: as ``style`` says, else if it is a chain."""
        if self.spec.style is not None:
            return self.spec.style == "sequential"
        return self.is_chain

    def walk_units(self) -> Iterator[Unit]:
        """All units that are layers, nested models entered, in Keras's weight order."""
        for unit in self.units:
            if unit.graph is not None:
                yield from unit.graph.walk_units()
            else:
                yield unit


def values_in(args: Any) -> Iterator[Value]:
    """Every `Value` in a nest of dicts, lists and tuples."""
    if isinstance(args, Value):
        yield args
    elif isinstance(args, dict):
        for item in args.values():
            yield from values_in(item)
    elif isinstance(args, (list, tuple)):
        for item in args:
            yield from values_in(item)


def map_values(args: Any, change: Any) -> Any:
    """The same nest with ``change`` applied to every `Value`."""
    if isinstance(args, Value):
        return change(args)
    if isinstance(args, dict):
        return {key: map_values(item, change) for key, item in args.items()}
    if isinstance(args, (list, tuple)):
        return type(args)(map_values(item, change) for item in args)
    return args


def flatten(nest: Any) -> list[Any]:
    """The leaves of a nest in Keras's order: a dict's by key."""
    if isinstance(nest, dict):
        return [leaf for key in sorted(nest) for leaf in flatten(nest[key])]
    if isinstance(nest, (list, tuple)):
        return [leaf for item in nest for leaf in flatten(item)]
    return [nest]


def map_leaves(nest: Any, change: Any) -> Any:
    """The same nest with ``change`` applied to every leaf; tuples become lists."""
    if isinstance(nest, dict):
        return {key: map_leaves(item, change) for key, item in nest.items()}
    if isinstance(nest, (list, tuple)):
        return [map_leaves(item, change) for item in nest]
    return change(nest)


def nest_as(nest: Any, items: Any) -> Any:
    """A flat list of items in the structure that ``nest`` gives by their numbers."""
    if nest is None or not isinstance(items, (list, tuple)):
        return items
    if isinstance(nest, int):
        return items[nest]
    return [nest_as(part, items) for part in nest]


def flat_order(nest: Any) -> list[int]:
    """For each leaf in Keras's order, its place in the order in which the nest is written."""
    count = 0

    def number(_: Any) -> int:
        nonlocal count
        count += 1
        return count - 1

    return flatten(map_leaves(nest, number))
