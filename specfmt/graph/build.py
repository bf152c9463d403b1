"""Spec -> graph: names, order and edges, then shapes, dtypes, masks, weights and counts.

All mistakes are collected.  A call whose inputs are unknown because of an earlier mistake is
skipped, so that one mistake is reported once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from specfmt.diagnostics import Diagnostic, Path
from specfmt.fields.errors import did_you_mean, show
from specfmt.graph.arguments import (
    edges_of,
    edges_of_broken,
    names_in,
    names_read,
    positional_count,
    reads_previous,
    single_tensors,
)
from specfmt.graph.binding import Binder
from specfmt.graph.held import with_models
from specfmt.graph.infer import infer
from specfmt.graph.mask_flow import settle_masks
from specfmt.graph.model import Condition, Graph, Node, Unit, Use, Value, map_leaves
from specfmt.graph.order import in_order
from specfmt.graph.scope import Scope
from specfmt.graph.symbolic import infer_sizes, input_sizes
from specfmt.layers.base import Layer, Shape
from specfmt.layers.blocks import BlockCall, Expanded
from specfmt.layers.entries import InputSpec, InvalidEntry, Model, Reuse
from specfmt.spec.document import ModelSpec


def build(spec: ModelSpec, known: Iterable[Diagnostic] = ()) -> tuple[Graph, list[Diagnostic]]:
    """The graph of a document, and all its mistakes except those ``known`` already."""
    problems = list(known)
    before = len(problems)
    graph = Builder(spec, (), problems, trainable=spec.trainable, policy=spec.dtype).graph()
    return graph, problems[before:]


def _input_shape(item: InputSpec) -> Shape | None:
    """The shape of an input with the batch axis; None for an invalid input."""
    return None if item.shape is None else (item.batch_size, *item.static_shape)


DEFINED = ("x", "y", "z", "w", "v", "u")
"""The names of a custom layer's inputs in its ``define:``, in order."""

MAX_CONDITIONS = 100
"""The most equalities of unknown sizes that are kept for a model, each with its first call."""

LONG_CYCLE = 12
"""The most names of a cycle that a message shows."""


def _lacks_layers(found: Diagnostic, path: Path) -> bool:
    """Whether it has already been reported that the model at ``path`` has no (readable) layers."""
    return found.path == (*path, "layers") or (
        found.code == "SF122" and found.path == path and "`layers`" in found.message
    )


class Builder(Scope):
    """Builds the graph of one model; each nested model has its own builder."""

    def __init__(
        self,
        spec: ModelSpec | Model,
        path: Path,
        problems: list[Diagnostic],
        *,
        trainable: bool,
        policy: Any,
        name: str | None = None,
    ) -> None:
        super().__init__(spec, path, problems)
        self.binder = Binder(self)
        self.trainable = trainable
        self.policy = policy
        self.name = name or spec.name or "model"
        self.nodes: dict[int, Node] = {}
        self.units: dict[str, Unit] = {}
        self.symbolic = False
        self.conditions: dict[str, Condition] = {}

    def graph(self) -> Graph:
        inputs = self._inputs()
        self._index_names(inputs)
        self.check_uses()
        for index in self._order():
            self._add(index)
        outputs, form, nest = self._outputs(inputs)
        nodes, unused = _needed(list(self.nodes.values()), outputs)
        kept = {node.unit for node in nodes}
        graph = Graph(
            name=self.name,
            spec=self.spec,
            inputs=inputs,
            input_specs=self.spec.inputs or {},
            nodes=nodes,
            units=[unit for unit in self.units.values() if unit in kept],
            outputs=outputs,
            output_form=form,
            unused=unused,
            input_nest=self._input_nest(inputs),
            output_nest=nest,
            policy=self.policy,
            conditions=[c for c in self.conditions.values() if c.node.unit in kept],
        )
        if self.blocks is not None:
            graph.items = self._items(self.blocks, nodes)
        if not any(problem.severity == "error" for problem in self.problems):
            settle_masks(graph)  # not needed for a model with mistakes
        return graph

    def _inputs(self) -> dict[str, Value]:
        declared = self.spec.inputs
        if not declared:
            place = (*self.path, "inputs")
            if not any(d.path[: len(place)] == place for d in self.problems):
                self.report(
                    "SF207",
                    "expected `inputs:` with the shape of each input, received none",
                    (),
                    "add for example `inputs: {features: {shape: [4]}}`",
                )
            value = Value("", None, "float32")
            return {"": value} if declared is None else {}
        sizes = input_sizes(declared)
        self.symbolic = bool(sizes)
        return {
            name: Value(name, _input_shape(item), item.dtype, sizes=sizes.get(name))
            for name, item in declared.items()
        }

    def _index_names(self, inputs: dict[str, Value]) -> None:
        self.values.update(inputs)
        for index, name in enumerate(self.names):
            if name in self.by_name or name in inputs:
                other = self.whose(self.by_name[name]) if name in self.by_name else "a model input"
                self.report(
                    "SF203",
                    f'expected a unique name, received "{name}", which is also the name of {other}',
                    ("layers", index, "name")
                    if self.entries[index].name is not None
                    else ("layers", index),
                    "rename one of them",
                )
                continue
            self.by_name[name] = index

    def _references(self, index: int) -> list[str]:
        """Names of the tensors that an entry reads, in order."""
        entry = self.entries[index]
        edges = edges_of(entry)
        return list(names_read(edges))

    def _order(self) -> list[int]:
        """Entries in topological order, as close to the document's as possible; reports cycles."""
        waits: list[set[int]] = []
        for index, entry in enumerate(self.entries):
            needs = {self.producer(name) for name in self._references(index)}
            if reads_previous(entry) and index:
                needs.add(index - 1)
            if isinstance(entry, Reuse):
                needs.add(self.by_name.get(entry.reuse))
            waits.append({need for need in needs if need is not None})
        order, cycles = in_order(waits)
        for cycle in cycles:
            self._report_cycle(cycle)
        return order

    def _report_cycle(self, cycle: list[int]) -> None:
        start = min(cycle)
        turn = cycle.index(start)
        names = [self.names[i] for i in (*cycle[turn:], *cycle[:turn], start)]
        if len(names) > LONG_CYCLE:
            names = [*names[: LONG_CYCLE // 2], "...", *names[-LONG_CYCLE // 2 :]]
        self.report(
            "SF202",
            "expected layers that can be put in order, received a cycle: " + " <- ".join(names),
            ("layers", start),
            "a layer cannot depend on its own output; change one of these `inputs`",
        )

    def _add(self, index: int) -> None:
        entry = self.entries[index]
        name = self.names[index]
        path: Path = ("layers", index)
        if self.by_name.get(name) != index:
            return
        unit = None if isinstance(entry, InvalidEntry) else self._unit(entry, name, path)
        if unit is None:
            reused = entry.reuse if isinstance(entry, InvalidEntry) else None
            if reused is not None and reused not in self.by_name:
                self._report_reuse(reused, path)
            for given, place in edges_of_broken(entry):
                self.resolve(given, (*path, "inputs", *place))
            self.values[name] = Value(name, None, "float32")
            return
        args = self.binder.bind(entry, unit, index, path)
        defined = self._define(entry, unit, args, path) if args else None
        node = Node(name, unit, defined or args or {}, self.absolute(path), len(unit.calls))
        node.form = self.binder.form
        node.positional = positional_count(entry, unit, node.args)
        node.single = single_tensors(entry, unit)
        if defined is not None:
            values = list(defined.values())
            node.form = values[0] if len(values) == 1 else values
            node.positional = len(values)
        if args is None:
            node.outputs = (Value(name, None, "float32", node=node),)
        else:
            unit.calls.append(node)
            before = len(self.problems)
            infer(node, self.policy, self.problems)
            if self.symbolic:
                for condition in infer_sizes(node, self.problems, before):
                    if len(self.conditions) < MAX_CONDITIONS:
                        text = f"{condition.first} = {condition.second}"
                        self.conditions.setdefault(text, condition)
        self.nodes[index] = node
        for number, value in enumerate(node.outputs):
            self.values[f"{name}:{number}"] = value
        self.values[name] = node.outputs[0]

    def _define(
        self, entry: Any, unit: Unit, args: dict[str, Any], path: Path
    ) -> dict[str, Any] | None:
        """Turn a custom layer with ``define:`` into a nested model of its operations.

        Returns:
            The arguments of its call by the names of the nested model's inputs; None for other
            layers, and if a shape is unknown.
        """
        operations = vars(entry).get("define")
        values = list(args.values())
        if not operations or any(not isinstance(v, Value) or v.shape is None for v in values):
            return None
        names = [
            key if key.isidentifier() and key != "inputs" else DEFINED[place % len(DEFINED)]
            for place, key in enumerate(args)
        ]
        model = Model.model_construct(
            name=unit.name,
            inputs={
                name: InputSpec.model_construct(shape=value.shape[1:], dtype=value.dtype)
                for name, value in zip(names, values, strict=True)
            },
            layers=operations,
        )
        where = self.absolute(path)
        inner = Builder(
            model,
            where,
            self.problems,
            trainable=unit.trainable,
            policy=unit.policy,
            name=unit.name,
        )
        unit.spec, unit.graph = model, inner.graph()
        return dict(zip(names, values, strict=True))

    def _unit(self, entry: Any, name: str, path: Path) -> Unit | None:
        if isinstance(entry, Reuse):
            around = self.use_around(entry.reuse, path)
            if around is not None:
                self.report(
                    "SF208",
                    f"expected the name of a layer, received {show(entry.reuse)}, "
                    f"which is inside {around.name}",
                    (*path, "reuse"),
                    "a layer of a block is called again inside the block only",
                )
                return None
            unit = self.units.get(entry.reuse)
            if unit is None:
                target = self.by_name.get(entry.reuse)
                if target is None or not isinstance(self.entries[target], (InvalidEntry, Reuse)):
                    self._report_reuse(entry.reuse, path)
                elif isinstance(self.entries[target], Reuse):
                    self.report(
                        "SF208",
                        f"expected the name of a layer, received {show(entry.reuse)}, "
                        "which is itself a `reuse` entry",
                        (*path, "reuse"),
                        f"reuse {self.entries[target].reuse} instead",
                    )
            return unit
        reaches = not isinstance(entry, Layer) or entry.trainable_reaches_parts
        frozen = not (self.trainable and (entry.trainable or not reaches))
        graph = None
        if isinstance(entry, Model):
            graph = Builder(
                entry,
                self.absolute(path),
                self.problems,
                trainable=not frozen,
                policy=entry.dtype or self.policy,
                name=name,
            ).graph()
        if isinstance(entry, Layer):
            entry = with_models(entry, self._held_builder(path, entry, frozen))
        unit = Unit(
            name,
            entry,
            graph,
            self.absolute(path),
            trainable=not frozen,
            policy=entry.policy_in(self.policy)
            if isinstance(entry, Layer)
            else entry.dtype or self.policy,
            around=self.policy,
        )
        self.units[name] = unit
        return unit

    def _report_reuse(self, given: str | None, path: Path) -> None:
        self.report(
            "SF208",
            f"expected the name of a layer of this model, received {show(given)}",
            (*path, "reuse"),
            self.suggest(str(given), self.units),
        )

    def _held_builder(self, path: Path, entry: Layer, frozen: bool) -> Callable[..., Graph]:
        """The function that builds the graph of a model in a field of the layer at ``path``."""

        def make(model: Model, field: str) -> Graph:
            return Builder(
                model,
                (*self.absolute(path), *field.split(".")),
                self.problems,
                trainable=not frozen and model.trainable,
                policy=model.dtype or entry.dtype or self.policy,
                name=model.name,
            ).graph()

        return make

    def _items(self, blocks: Expanded, nodes: list[Node]) -> list[Node | Use] | None:
        """The calls with the uses of blocks; None if the calls of a use are not in a row."""
        kept = set(nodes)

        def found(items: list[int | BlockCall]) -> list[Node | Use]:
            made: list[Node | Use] = []
            for item in items:
                if isinstance(item, BlockCall):
                    inner = found(item.items)
                    read, given = (
                        tuple(self.values[name] for name in names if name in self.values)
                        for names in (item.inputs, item.outputs)
                    )
                    if inner:
                        made.append(Use(item, inner, read, given))
                elif item in self.nodes and self.nodes[item] in kept:
                    made.append(self.nodes[item])
            return made

        items = found(blocks.items)
        flat = [
            node for item in items for node in (item.nodes() if isinstance(item, Use) else [item])
        ]
        return items if flat == nodes else None

    def _input_nest(self, inputs: dict[str, Value]) -> Any:
        """The inputs in the structure in which the model takes them."""
        declared = self.spec.input_structure
        values = list(inputs.values())
        if declared is None:
            return values[0] if len(values) == 1 else values
        names = names_in(declared)
        for name, path in names:
            if name not in inputs:
                self.report(
                    "SF201",
                    f"expected the name of an input, received {show(name)}",
                    ("input_structure", *path),
                    did_you_mean(name, inputs),
                )
        found = [name for name, _ in names]
        if all(name in inputs for name in found) and sorted(found) != sorted(inputs):
            self.report(
                "SF214",
                f"expected each input once, received {', '.join(found)}",
                ("input_structure",),
                "the inputs are " + ", ".join(inputs),
            )
        return map_leaves(declared, lambda name: inputs.get(name))

    def _outputs(self, inputs: dict[str, Value]) -> tuple[dict[str, Value], str, Any]:
        declared = self.spec.outputs
        if declared is None:
            if not self.entries:
                if not any(_lacks_layers(d, self.path) for d in self.problems):
                    self.report("SF212", "expected at least one layer, received none", ("layers",))
                return {}, "single", None
            name = self.names[-1] if self.blocks is None else self.blocks.last or self.names[-1]
            last = self.values.get(name) or Value(name, None, "float32")
            node = last.node
            if node is not None and len(node.outputs) > 1:
                return {v.name: v for v in node.outputs}, "list", list(node.outputs)
            return {name: last}, "single", last
        form = (
            "single"
            if isinstance(declared, str)
            else "mapping"
            if isinstance(declared, dict)
            else "list"
        )
        outputs: dict[str, Value] = {}
        found: dict[str, Value] = {}
        again: dict[str, int] = {}
        for name, path in names_in(declared):
            value = self.resolve(name, ("outputs", *path))
            if isinstance(value, Value):
                found[name] = value
                key = str(path[0]) if form == "mapping" and len(path) == 1 else self.flat(name)
                first = key
                while key in outputs:
                    again[first] = again.get(first, 1) + 1
                    key = f"{first}_{again[first]}"
                outputs[key] = value
        return outputs, form, map_leaves(declared, found.get)


def _needed(nodes: list[Node], outputs: dict[str, Value]) -> tuple[list[Node], list[Node]]:
    """Calls that an output depends on, and the others, which Keras leaves out of the model."""
    needed = set(outputs.values())
    unused: list[Node] = []
    for node in reversed(nodes):
        if any(value in needed for value in node.outputs):
            needed.update(node.inputs())
        else:
            unused.append(node)
            if node in node.unit.calls:
                node.unit.calls.remove(node)
    left_out = set(unused)
    return [node for node in nodes if node not in left_out], unused[::-1]
