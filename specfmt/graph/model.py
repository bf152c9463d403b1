"""The graph of a model, which all later stages read.

A *unit* is a layer or nested model with its weights; a *node* is a call of a unit; a *value* is a
tensor, the output of a node or a model input.  Nodes are in topological order, as close to the order
of the document as possible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from specfmt.diagnostics import Path
from specfmt.layers.base import Layer, Shape, Weight
from specfmt.layers.blocks import BlockCall
from specfmt.layers.entries import InputSpec, Model
from specfmt.layers.op import Op
from specfmt.spec.document import ModelSpec


@dataclass(eq=False, slots=True)
class Value:
    """A tensor of the graph.

    Attributes:
        name: The name by which entries refer to it.
        shape: The shape, with the batch axis first; None if an error or an unknown layer hides it.
        dtype: Keras's dtype name.
        masked: Whether it has a mask in Keras.
        node: The call whose output it is; None for a model input.
        index: The index of the output.
        sizes: The shape with a `Size` for each size that is known only at run time (None for one
            that has no expression); None where all sizes but the batch sizes of a model are known.
    """

    name: str
    shape: Shape | None
    dtype: str
    masked: bool = False
    node: Node | None = None
    index: int = 0
    sizes: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Array:
    """A constant array operand of an operation.

    Attributes:
        value: The numbers, as nested lists.
        dtype: Keras's dtype name.
        is_tensor: Whether it is a tensor of the backend instead of a NumPy array.
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
        trainable: False if the layer or a model that contains it is frozen.
        policy: Its dtype policy, or else that of the model that contains it.
        around: The dtype policy of the model that contains it.
        path: The path of the definition in the document.
    """

    name: str
    spec: Layer | Model
    graph: Graph | None
    path: Path
    trainable: bool = True
    policy: Any = None
    around: Any = None
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

    @property
    def is_counted(self) -> bool:
        """Whether all weights are known."""
        if self.graph is not None:
            return self.graph.is_counted
        return isinstance(self.spec, Op) or (self.weights_known and self.layer.lists_weights)


@dataclass(eq=False, slots=True)
class Node:
    """A call of a unit.

    Attributes:
        name: The name of the entry; for the first call that of the unit.
        args: Call argument -> `Value`, list of values, or constant; for operations the keys are
            positions ("0", "1", ...) and values may be nested.
        positional: The number of arguments that the document gives by position.
        call_index: The index of this call among the unit's calls, from 0.
        macs: Multiply-accumulates per sample.
        form: The inputs of a nested model in the structure that the document gives; None for a
            layer.
        single: The arguments that are lists of one tensor, and that the document gives as a tensor.
        unmasked: Masked inputs that have lost their mask when this call runs.
        recorded: The keywords that Keras records for the call; None if only the arguments in the
            document are known (see `specfmt.graph.tracing`).
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
    single: frozenset[str] = frozenset()
    unmasked: frozenset[Value] = frozenset()
    recorded: dict[str, Any] | None = None

    @property
    def layer(self) -> Layer:
        return self.unit.layer

    def inputs(self) -> tuple[Value, ...]:
        """All input tensors of the call, in argument order."""
        values = tuple(self.args.values())
        if len(values) == 1 and isinstance(values[0], Value):  # most calls
            return values
        return tuple(values_in(values))

    def nested(self, args: dict[str, Any]) -> dict[str, Any]:
        """Arguments of the call of a layer with lists of tensors as Keras nests them."""
        return {
            name: item[0] if name in self.single else nest_as(self.layer.input_nest(name), item)
            for name, item in args.items()
        }


@dataclass(frozen=True, slots=True)
class Condition:
    """Two sizes that a call needs to be equal, which they are only for some sizes of the inputs.

    Attributes:
        node: The call.
        first, second: The sizes.
    """

    node: Node
    first: Any
    second: Any


@dataclass(eq=False, slots=True)
class Use:
    """A use of a block: the calls that it stands for.

    Attributes:
        call: What the document says: the block, the name of the use, the parameters' values.
        items: Its calls and the uses of further blocks, in order, without those that no output
            depends on.
        inputs: The tensors that it reads, in the order of the block's inputs.
        outputs: The tensors that it gives, in the order of the block's outputs.
    """

    call: BlockCall
    items: list[Node | Use]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]

    def nodes(self) -> Iterator[Node]:
        """Its calls, those of the uses inside it included."""
        for item in self.items:
            if isinstance(item, Use):
                yield from item.nodes()
            else:
                yield item


@dataclass(eq=False, slots=True)
class Graph:
    """A model: inputs, nodes in order, outputs.

    Attributes:
        inputs: Input name -> value.
        outputs: Output name -> value.
        output_form: ``single``, ``list`` or ``mapping``, as in the document; for nested outputs,
            the outermost one (``outputs`` is flat).
        policy: The dtype policy of layers without their own.
        input_nest, output_nest: The inputs and outputs in Keras's structure: a value, or nested
            lists and dicts of values.
        unused: Calls that no output depends on; Keras leaves them out of the model.
        assumed: Layers that specfmt does not know and whose shapes were assumed, including those
            in nested models (see `specfmt.graph.assumed`).
        conditions: The equalities of unknown sizes on which its calls rely, each once.
        items: The calls and the uses of blocks, in order; None if the model uses no block, or if
            the calls of a use are not in a row.
        html: The function that renders it in a notebook; set by the public API.
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
    conditions: list[Condition] = field(default_factory=list)
    items: list[Node | Use] | None = None

    def _repr_html_(self) -> str | None:
        show = type(self).html
        return None if show is None else show(self)

    def count(self, *, trainable: bool | None = None) -> int:
        """The number of parameters: all, or only (not) trainable ones."""
        return sum(unit.count(trainable=trainable) for unit in self.units)

    @property
    def is_counted(self) -> bool:
        """Whether all weights are known: no custom layer leaves them open, or the shapes that the
        weights after it depend on."""
        return all(unit.is_counted for unit in self.units)

    @property
    def macs(self) -> int:
        """Multiply-accumulates per sample."""
        return sum(node.macs for node in self.nodes)

    @property
    def is_plain(self) -> bool:
        """Whether the model has one input and one output, neither in a list or mapping."""
        return isinstance(self.input_nest, Value) and isinstance(self.output_nest, Value)

    @property
    def is_chain(self) -> bool:
        """Whether it has one input and one output, and every call reads only the value before it, once."""
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
        """Whether it is a Sequential in Keras: as given by ``style``, else if it is a chain."""
        if self.spec.style is not None:
            return self.spec.style == "sequential"
        return self.is_chain

    def walk_units(self) -> Iterator[Unit]:
        """All layers, including those of nested models, in the order of Keras's weights."""
        for unit in self.units:
            if unit.graph is not None:
                yield from unit.graph.walk_units()
            else:
                yield unit


def values_in(args: Any) -> Iterator[Value]:
    """Every `Value` in nested dicts, lists and tuples."""
    if isinstance(args, Value):
        yield args
    elif isinstance(args, dict):
        for item in args.values():
            yield from values_in(item)
    elif isinstance(args, (list, tuple)):
        for item in args:
            yield from values_in(item)


def map_values(args: Any, change: Any) -> Any:
    """The same structure with ``change`` applied to every `Value`."""
    if isinstance(args, Value):
        return change(args)
    if isinstance(args, dict):
        return {key: map_values(item, change) for key, item in args.items()}
    if isinstance(args, (list, tuple)):
        return type(args)(map_values(item, change) for item in args)
    return args


def flatten(nest: Any) -> list[Any]:
    """The leaves of a structure in Keras's order: those of a dict sorted by key."""
    if isinstance(nest, dict):
        return [leaf for key in sorted(nest) for leaf in flatten(nest[key])]
    if isinstance(nest, (list, tuple)):
        return [leaf for item in nest for leaf in flatten(item)]
    return [nest]


def map_leaves(nest: Any, change: Any) -> Any:
    """The same structure with ``change`` applied to every leaf; tuples become lists."""
    if isinstance(nest, dict):
        return {key: map_leaves(item, change) for key, item in nest.items()}
    if isinstance(nest, (list, tuple)):
        return [map_leaves(item, change) for item in nest]
    return change(nest)


def nest_as(nest: Any, items: Any) -> Any:
    """The structure ``nest`` with its leaves, which are indices, replaced by the items."""
    if nest is None or not isinstance(items, (list, tuple)):
        return items
    if isinstance(nest, int):
        return items[nest]
    return [nest_as(part, items) for part in nest]


def flat_order(nest: Any) -> list[int]:
    """For each leaf in Keras's order, its index in the order in which the structure is written."""
    count = 0

    def number(_: Any) -> int:
        nonlocal count
        count += 1
        return count - 1

    return flatten(map_leaves(nest, number))
