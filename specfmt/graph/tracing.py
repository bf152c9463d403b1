"""What Keras records when it traces a model, besides what the author wrote.

While a functional model is built, Keras computes a mask for every symbolic tensor; each step of that
is a named operation in the graph.  If a layer is called with a single tensor of its compute dtype,
Keras also records the keywords that it fills in: the mask of that tensor and the default of
``training`` (`Layer.__call__` of Keras 3.15, steps 1, 5 and 6).  In all other calls it fills them into
a copy of the arguments, which is not recorded.

`recorded` gives the graph with all of that in it.  Names matter: Keras names an operation after
its class and numbers those of a class in the order of their creation, in all models of a file, so the
calls are visited in the order in which generated code runs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from specfmt.diagnostics import Path
from specfmt.graph.infer import infer, split_arguments
from specfmt.graph.model import Graph, Node, Unit, Use, Value, map_leaves, map_values
from specfmt.layers.base import Layer, is_floating
from specfmt.layers.op import Op
from specfmt.layers.policies import compute_dtype
from specfmt.layers.registry import build_op
from specfmt.vocab.naming import to_snake_case


@dataclass(frozen=True)
class Trace:
    """A model as Keras traces it.

    Attributes:
        graph: The model, with operations for masks and with `Node.recorded` filled in.
        named: The units of ``graph`` that Keras names, in the order of naming, each with the path of
            the call that it comes from.
        automatic: The units of the original graph that have automatic names in generated code.
        origins: Unit of ``graph`` -> unit of the original graph.
        calls: Call of ``graph`` -> call of the original graph.

    All of these include nested models.
    """

    graph: Graph
    automatic: frozenset[Unit]
    origins: dict[Unit, Unit]
    calls: dict[Node, Node]
    named: list[tuple[Unit, Path]]


def traced(graph: Graph, unnamed: frozenset[str] = frozenset()) -> Trace:
    """Trace a model, including nested models, as Keras does.

    Args:
        graph: The model.
        unnamed: Classes of layers that generated code leaves to Keras to name, where Keras gives
            the same name.
    """
    tracer = _Tracer(frozenset(), unnamed)
    found = tracer.model(graph)
    if tracer.made:  # operations for masks may have the names of operations in the spec
        tracer = _Tracer(frozenset(tracer.made), unnamed)
        found = tracer.model(graph)
    return Trace(found, frozenset(tracer.automatic), tracer.origins, tracer.calls, tracer.named)


def built_first(graph: Graph) -> list[Unit]:
    """The nested models that generated code builds before any call.

    A model is built where it is first called, unless Keras computes masks in it: the names of the
    mask operations then depend on the place, and most authors build nested models first.
    """
    return [unit for unit in graph.units if unit.graph is not None and carries_masks(unit.graph)]


def carries_masks(graph: Graph) -> bool:
    """Whether Keras computes a mask for some tensor of a graph."""
    return any(value.masked for node in graph.nodes for value in node.outputs) or any(
        unit.graph is not None and carries_masks(unit.graph) for unit in graph.units
    )


def is_copied(node: Node, policy: Any) -> bool:
    """Whether Keras copies the arguments of a call, so that filled-in keywords are not recorded."""
    inner = node.unit.graph
    if inner is None:
        dtype = compute_dtype(node.layer.policy_in(policy))
    elif inner.is_sequential:
        specs = list(inner.input_specs.values())
        dtype = specs[0].dtype if specs else compute_dtype(inner.policy)
    else:
        return False
    if len(node.args) != 1 or not node.positional:
        return True
    (value,) = node.args.values()
    return not (isinstance(value, Value) and value.dtype == dtype)


class _Tracer:
    """Visits the models of one file in the order in which their code runs.

    Args:
        contested: Classes of operations that Keras creates for masks.  Operations of these classes
            without a name in the document are named by Keras.
        unnamed: Classes of layers that Keras names, where it gives the same name.

    Attributes:
        made: Classes of the operations that were created for masks.
    """

    def __init__(self, contested: frozenset[str], unnamed: frozenset[str]) -> None:
        self.contested = contested
        self.unnamed = unnamed
        self.made: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.automatic: set[Unit] = set()
        self.origins: dict[Unit, Unit] = {}
        self.calls: dict[Node, Node] = {}
        self.named: list[tuple[Unit, Path]] = []

    def model(self, graph: Graph) -> Graph:
        """Trace one model; its nested models are built where they are first called."""
        walk = _Walk(self, graph)
        # All layers of a Sequential are created before the first call.
        for unit in graph.units if graph.is_sequential else built_first(graph):
            walk.unit(unit)
        for node in graph.nodes:
            walk.call(node)
        return walk.result()

    def name(self, unit: Unit) -> str:
        """The name of a unit that is created now."""
        type_name = unit.type_name
        if unit.graph is not None:
            return unit.name
        contested = type_name in self.contested
        if isinstance(unit.spec, Op) or contested or type_name in self.unnamed:
            automatic = self.next_name(type_name)
            if unit.name == automatic or (contested and unit.spec.name is None):
                self.take(type_name)
                self.automatic.add(unit)
                return automatic
        for part in unit.layer.automatic_parts:
            self.take(part)
        return unit.name

    def next_name(self, type_name: str) -> str:
        """The name that Keras would give to the next operation of a class."""
        base = to_snake_case(type_name)
        count = self.counts[base]
        return f"{base}_{count}" if count else base

    def take(self, type_name: str) -> str:
        """Use the next name of a class."""
        name = self.next_name(type_name)
        self.counts[to_snake_case(type_name)] += 1
        return name


class _Walk:
    """Traces the calls of one model."""

    def __init__(self, tracer: _Tracer, graph: Graph) -> None:
        self.tracer = tracer
        self.graph = graph
        self.units: dict[Unit, Unit] = {}
        self.nodes: list[Node] = []
        self.place: Path = ()
        self.masks: dict[Value, Value] = {}
        self.values: dict[Value, Value] = {value: replace(value) for value in graph.inputs.values()}

    def result(self) -> Graph:
        graph = self.graph
        new = self.values.get
        nodes = self.nodes
        if graph.is_sequential:  # Keras writes only its layers
            nodes = [node for node in nodes if node.unit in self.tracer.origins]
        outputs = {name: self.values[value] for name, value in graph.outputs.items()}
        return replace(
            graph,
            inputs={name: self.values[value] for name, value in graph.inputs.items()},
            nodes=nodes,
            units=list(dict.fromkeys(node.unit for node in nodes)),
            outputs=outputs,
            unused=[],
            items=self._items(graph.items, nodes),
            input_nest=map_leaves(graph.input_nest, new),
            output_nest=map_leaves(graph.output_nest, new),
        )

    def _items(self, items: list[Node | Use] | None, nodes: list[Node]) -> list[Node | Use] | None:
        """The calls with the uses of blocks; None if there are operations for masks among them."""
        originals = self.tracer.calls
        if items is None or any(node not in originals for node in nodes):
            return None
        copies = {originals[node]: node for node in nodes}

        def mapped(item: Node | Use) -> Node | Use:
            if isinstance(item, Node):
                return copies[item]
            inputs, outputs = (
                tuple(self.values.get(value, value) for value in values)
                for values in (item.inputs, item.outputs)
            )
            return Use(item.call, [mapped(inner) for inner in item.items], inputs, outputs)

        return [mapped(item) for item in items]

    def unit(self, unit: Unit) -> Unit:
        """The copy of a unit, created at its first call."""
        found = self.units.get(unit)
        if found is None:
            inner = None if unit.graph is None else self.tracer.model(unit.graph)
            name = self.tracer.name(unit)
            found = replace(unit, name=name, graph=inner, calls=[])
            if unit in self.tracer.automatic:
                self.tracer.named.append((found, unit.path))
            self.units[unit] = found
            self.tracer.origins[found] = unit
        return found

    def call(self, node: Node) -> None:
        """Trace a call, and the operations for the masks of its outputs."""
        self.place = node.path
        unit = self.unit(node.unit)
        copy = replace(
            node,
            name=unit.name if isinstance(unit.spec, Op) else node.name,
            unit=unit,
            args=map_values(node.args, self.values.__getitem__),
            form=map_values(node.form, self.values.__getitem__),
        )
        self.tracer.calls[copy] = node
        copied = is_copied(copy, self.graph.policy)
        layer = unit.spec if isinstance(unit.spec, Layer) and not unit.spec.is_operation else None
        if unit.graph is not None:
            self._record_model(copy, unit.graph, copied)
        elif layer is not None:
            self._record_layer(copy, layer, copied)
        self._add(copy, node.outputs)
        if layer is not None:
            self._give_masks(copy, layer, copied)

    def _add(self, node: Node, outputs: tuple[Value, ...]) -> None:
        node.outputs = tuple(replace(value, node=node) for value in outputs)
        node.call_index = len(node.unit.calls)
        node.unit.calls.append(node)
        self.nodes.append(node)
        self.values.update(zip(outputs, node.outputs, strict=True))

    def _record_model(self, node: Node, inner: Graph, copied: bool) -> None:
        """Record the masks of all inputs of a nested model, in the structure of the inputs."""
        form = node.form
        if form is None:
            form = map_leaves(inner.input_nest, lambda value: node.args.get(value.name))
            node.form = form
        keywords = {key: item for key, item in node.args.items() if key not in inner.inputs}
        if not copied and keywords.get("mask") is None:
            keywords["mask"] = map_leaves(form, self._mask)
        node.recorded = keywords

    def _record_layer(self, node: Node, layer: Layer, copied: bool) -> None:
        keywords = dict(list(node.args.items())[node.positional :])
        if not copied:
            if layer.training_default is not None:
                keywords["training"] = layer.training_default
            if any(argument.name == "mask" for argument in layer.call_arguments):
                (value,) = node.args.values()
                keywords["mask"] = self._mask(value)
        node.recorded = keywords

    def _mask(self, value: Any) -> Value | None:
        return self.masks.get(value) if isinstance(value, Value) else None

    def _give_masks(self, node: Node, layer: Layer, copied: bool) -> None:
        """Add the layer's operations for the masks of its outputs."""
        dtype = compute_dtype(layer.policy_in(self.graph.policy))
        args = self._cast(node.args, dtype) if copied and layer.casts_inputs else node.args
        names = [argument.name for argument in layer.call_arguments]
        if not names or names[0] not in args:
            return
        flags, keywords = split_arguments(node, lambda value: value in self.masks)
        produced = layer.output_mask(*flags, **keywords)
        masked = (produced,) * len(node.outputs) if isinstance(produced, bool) else produced
        if not any(masked):
            return
        first = args[names[0]]
        given = node.args.get("mask")
        masks = map_leaves(node.args[names[0]], self._mask) if given is None else given
        mask = layer.mask_operations(self._operation, first, masks)
        for value, flag in zip(node.outputs, masked, strict=True):
            if flag and mask is not None:
                self.masks[value] = mask

    def _cast(self, args: dict[str, Any], dtype: str) -> dict[str, Any]:
        """The arguments in the layer's compute dtype, cast in Keras's order."""

        def cast(value: Value) -> Value:
            if not is_floating(value.dtype) or value.dtype == dtype:
                return value
            result = self._operation("cast", value, dtype=dtype)
            if value in self.masks:
                self.masks[result] = self.masks[value]
            return result

        return {key: map_values(item, cast) for key, item in args.items()}

    def _operation(self, function: str, *operands: Any, **fields: Any) -> Value:
        """Add an operation that Keras creates; returns its output."""
        op = build_op({"op": function, **fields})
        self.tracer.made.add(op.type_name)
        unit = Unit(self.tracer.take(op.type_name), op, None, ())
        self.tracer.named.append((unit, self.place))
        node = Node(unit.name, unit, {str(i): item for i, item in enumerate(operands)}, ())
        node.positional = len(operands)
        infer(node, self.graph.policy, [])
        unit.calls.append(node)
        self.nodes.append(node)
        (value,) = node.outputs
        return value
