"""Spec -> graph: names, order and edges, then shapes, dtypes, masks, weights and counts.

All mistakes are collected.  A call whose inputs are unknown because of an earlier mistake
is passed over silently, so that one mistake is one finding.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from specfmt.graph.arguments import (
    call_signature,
    constant,
    edges_of,
    has_open_signature,
    is_one,
    leaves,
    names_in,
    names_read,
    open_arguments,
    positional_count,
    reads_previous,
    some_of,
)
from specfmt.graph.infer import infer
from specfmt.graph.masks import settle_masks
from specfmt.graph.model import Graph, Node, Unit, Value, flatten, map_leaves
from specfmt.graph.order import in_order
from specfmt.spec.diagnostics import Diagnostic, Path
from specfmt.spec.document import Broken, InputSpec, Model, ModelSpec, Reuse
from specfmt.spec.fields import did_you_mean, show
from specfmt.spec.layer import Layer, Op, Shape
from specfmt.spec.naming import automatic_names


def build(spec: ModelSpec, known: Iterable[Diagnostic] = ()) -> tuple[Graph, list[Diagnostic]]:
    """The graph of a document and every finding about it, besides those ``known`` before."""
    problems = list(known)
    before = len(problems)
    graph = Builder(spec, (), problems, trainable=spec.trainable, policy=spec.dtype).graph()
    return graph, problems[before:]


def _input_shape(item: InputSpec) -> Shape | None:
    """With the batch axis; None for an input that could not be read."""
    return None if item.shape is None else (item.batch_size, *item.shape)


LONG_CYCLE = 12
"""Names of a cycle that a message shows."""
SUGGESTIONS = 20
"""Findings that may search the model's names for what was meant."""


def _fits_kind(item: Any, kind: str | None, *, nested: bool) -> bool:
    """Whether a call argument names tensors in the form that its kind takes.

    Args:
        item: What is given.
        kind: The argument's kind; None for arguments that nothing is known of.
        nested: It is an input of a nested model, which may be lists and mappings of tensors.
    """
    if kind not in ("tensor", "tensors"):
        return True
    if nested and isinstance(item, dict):
        return bool(item) and all(_fits_kind(inner, kind, nested=True) for inner in item.values())
    if isinstance(item, (list, tuple)) and (nested or kind == "tensors"):
        return bool(item) and all(
            inner is None or _fits_kind(inner, "tensor", nested=nested) for inner in item
        )
    return isinstance(item, str)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _lacks_layers(found: Diagnostic, path: Path) -> bool:
    """Whether it was said already that the model at ``path`` has no (readable) layers."""
    return found.path == (*path, "layers") or (
        found.code == "SF122" and found.path == path and "`layers`" in found.message
    )


class _Unresolved:
    """A reference that leads nowhere (already reported)."""


UNRESOLVED = _Unresolved()

MODEL_ARGUMENTS = ("training", "mask")
"""What the call of a nested model takes besides its inputs."""


class Builder:
    """Builds the graph of one model; nested models get a builder of their own."""

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
        self.spec = spec
        self.path = path
        self.problems = problems
        self.trainable = trainable
        self.policy = policy
        self.name = name or spec.name or "model"
        self.entries = spec.layers
        self.names = automatic_names(
            [(e.type_name, e.name, getattr(e, "reuse", None)) for e in self.entries]
        )
        self.by_name: dict[str, int] = {}
        self.values: dict[str, Value] = {}
        self.nodes: dict[int, Node] = {}
        self.units: dict[str, Unit] = {}
        self.form: Any = None

    def report(
        self, code: str, message: str, path: Path, hint: str = "", *, on_key: bool = False
    ) -> None:
        self.problems.append(Diagnostic(code, message, (*self.path, *path), hint, on_key=on_key))

    def _suggest(self, name: str, names: Iterable[str]) -> str:
        """A did-you-mean hint, for the first findings: each compares with all names."""
        return did_you_mean(name, names) if len(self.problems) < SUGGESTIONS else ""

    def graph(self) -> Graph:
        inputs = self._inputs()
        self._index_names(inputs)
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
        )
        settle_masks(graph, self.policy)
        return graph

    def _inputs(self) -> dict[str, Value]:
        declared = self.spec.inputs
        if not declared:
            place = (*self.path, "inputs")
            if not any(d.path[: len(place)] == place for d in self.problems):
                self.report(
                    "SF207",
                    "expected `inputs:` with the shape of each input, it is missing",
                    (),
                    "add for example `inputs: {features: {shape: [4]}}`",
                )
            value = Value("", None, "float32")
            return {"": value} if declared is None else {}
        return {
            name: Value(name, _input_shape(item), item.dtype) for name, item in declared.items()
        }

    def _index_names(self, inputs: dict[str, Value]) -> None:
        self.values.update(inputs)
        for index, name in enumerate(self.names):
            if name in self.by_name or name in inputs:
                other = f"layers[{self.by_name[name]}]" if name in self.by_name else "a model input"
                self.report(
                    "SF203",
                    f'expected a name of its own, received "{name}", which is also {other}',
                    ("layers", index, "name")
                    if self.entries[index].name is not None
                    else ("layers", index),
                    "give one of them another name",
                )
                continue
            self.by_name[name] = index

    def _references(self, index: int) -> list[str]:
        """Names of the tensors that an entry reads, in order."""
        entry = self.entries[index]
        edges = edges_of(entry)
        return list(names_read(edges))

    def _producer(self, name: str) -> int | None:
        """The entry that gives tensor ``name``, or None for an input or an unknown name."""
        if name in self.by_name:
            return self.by_name[name]
        base, _, output = name.rpartition(":")
        return self.by_name.get(base) if _is_number(output) else None

    def _order(self) -> list[int]:
        """Entries in an order that edges allow, the document's where it does; cycles reported."""
        waits: list[set[int]] = []
        for index, entry in enumerate(self.entries):
            needs = {self._producer(name) for name in self._references(index)}
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
            "a layer cannot read what is computed from it; change one of these `inputs`",
        )

    def _add(self, index: int) -> None:
        entry = self.entries[index]
        name = self.names[index]
        path: Path = ("layers", index)
        if self.by_name.get(name) != index:
            return
        if isinstance(entry, Broken):
            self.values[name] = Value(name, None, "float32")
            return
        unit = self._unit(entry, name, path)
        if unit is None:
            self.values[name] = Value(name, None, "float32")
            return
        self.form = None
        args = self._bind(entry, unit, index, path)
        node = Node(name, unit, args or {}, (*self.path, *path), len(unit.calls))
        node.form = self.form
        node.positional = positional_count(entry, unit, node.args)
        if args is None:
            node.outputs = (Value(name, None, "float32", node=node),)
        else:
            unit.calls.append(node)
            infer(node, self.policy, self.problems)
        self.nodes[index] = node
        for number, value in enumerate(node.outputs):
            self.values[f"{name}:{number}"] = value
        self.values[name] = node.outputs[0]

    def _unit(self, entry: Any, name: str, path: Path) -> Unit | None:
        if isinstance(entry, Reuse):
            unit = self.units.get(entry.reuse)
            if unit is None:
                target = self.by_name.get(entry.reuse)
                if target is None or not isinstance(self.entries[target], (Broken, Reuse)):
                    self.report(
                        "SF208",
                        f"expected the name of a layer of this model, received {show(entry.reuse)}",
                        (*path, "reuse"),
                        self._suggest(entry.reuse, self.units),
                    )
                elif isinstance(self.entries[target], Reuse):
                    self.report(
                        "SF208",
                        f"expected the name of a layer, received {show(entry.reuse)}, "
                        "which is a further call of one",
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
                (*self.path, *path),
                self.problems,
                trainable=not frozen,
                policy=entry.dtype or self.policy,
                name=name,
            ).graph()
        unit = Unit(
            name,
            entry,
            graph,
            (*self.path, *path),
            trainable=not frozen,
            policy=entry.dtype or self.policy,
        )
        self.units[name] = unit
        return unit

    def _resolve(self, name: str, path: Path) -> Value | _Unresolved:
        value = self.values.get(name)
        if value is not None:
            return value
        base, _, output = name.rpartition(":")
        if _is_number(output) and base in self.values:
            producer = self.values[base].node
            if self.values[base].shape is None:
                return self._unknown_output(base, int(output)) if len(output) < 4 else UNRESOLVED
            count = len(producer.outputs) if producer else 1
            self.report(
                "SF206",
                f"expected {base} to have an output {output}, received a layer with {count}",
                path,
                "outputs are counted from 0" if count > 1 else f"write {base}",
            )
        elif self._producer(name) is None:
            self.report(
                "SF201",
                f"expected the name of a layer or input, received {show(name)}",
                path,
                self._suggest(name, self.values) or "names in this model: " + some_of(self.values),
            )
        return UNRESOLVED

    def _unknown_output(self, base: str, output: int) -> Value | _Unresolved:
        """An output of a call of which nothing is known, not even how many outputs it has."""
        node = self.values[base].node
        if node is None:
            return UNRESOLVED
        for number in range(len(node.outputs), output + 1):
            value = Value(f"{base}:{number}", None, "float32", node=node, index=number)
            self.values[value.name] = value
            node.outputs = (*node.outputs, value)
        return node.outputs[output]

    def _bind(self, entry: Any, unit: Unit, index: int, path: Path) -> dict[str, Any] | None:
        """Call arguments by name, or None where one is missing or leads nowhere."""
        key = "call" if isinstance(entry, Model) else "inputs"
        edges = edges_of(entry)
        before = len(self.problems)
        if isinstance(entry, Op) and reads_previous(entry):
            previous = self._previous(index, path, key)
            bound = {} if previous is None else {"0": previous}
            return None if isinstance(previous, _Unresolved) or not bound else bound
        if isinstance(entry, Op):
            items = edges if isinstance(edges, tuple) else (edges,)
            bound = {
                str(i): self._operand(item, (*path, key) if edges is not items else (*path, key, i))
                for i, item in enumerate(items)
            }
            unknown = any(isinstance(v, _Unresolved) for v in leaves(bound))
            return None if unknown or len(self.problems) > before else bound
        if unit.graph is not None:
            bound = self._bind_model(unit, unit.graph, edges, index, path, key)
        elif edges is None:
            previous = self._previous(index, path, key)
            bound = {} if previous is None else self._positional(unit, [previous], path)
        elif isinstance(edges, str):
            bound = self._positional(unit, [self._resolve(edges, (*path, key))], path)
        elif isinstance(edges, dict):
            bound = self._by_name(unit, edges, (*path, key))
        else:
            values = [self._resolve(name, (*path, key, i)) for i, name in enumerate(edges)]
            bound = self._positional(unit, values, path)
        if any(isinstance(value, _Unresolved) for value in leaves(bound)):
            return None
        if len(self.problems) > before:
            return None
        for argument, required, _ in call_signature(unit):
            if required and argument not in bound:
                self.report(
                    "SF204",
                    f"expected {unit.type_name} to read `{argument}`, it is missing",
                    path,
                    f"add it to `{key}:`",
                )
        return None if len(self.problems) > before else bound

    def _bind_model(
        self, unit: Unit, inner: Graph, edges: Any, index: int, path: Path, key: str
    ) -> dict[str, Any]:
        """Call arguments of a nested model by the names of its inputs."""
        extra: dict[str, Any] = {}
        if edges is None:
            form: Any = self._previous(index, path, key)
            if form is None:
                return {}
        else:
            where: Path = (*path, key)
            if isinstance(edges, dict):
                own = set(inner.inputs)
                extra = {k: v for k, v in edges.items() if k in MODEL_ARGUMENTS and k not in own}
                named = {k: v for k, v in edges.items() if k not in extra}
                nest: Any = inner.input_nest
                args: Any = named.get("args")
                if set(named) == {"args"} and "args" not in own and is_one(args):
                    edges, where = args[0], (*where, "args", 0)
                elif isinstance(nest, dict) and set(named) == set(nest):
                    edges = named
                else:
                    return self._by_name(unit, {**named, **extra}, where)
            form = self._nest(edges, where)
        names = [value.name for value in flatten(inner.input_nest) if value is not None]
        values = flatten(form)
        if len(values) > len(names):
            return self._positional(unit, values, path)
        self.form = form
        bound = dict(zip(names, values, strict=False))
        return {**bound, **(self._by_name(unit, extra, (*path, key)) if extra else {})}

    def _nest(self, item: Any, path: Path) -> Any:
        """Tensor names in a nest as values."""
        if isinstance(item, dict):
            return {key: self._nest(inner, (*path, key)) for key, inner in item.items()}
        if isinstance(item, (list, tuple)):
            return [self._nest(inner, (*path, i)) for i, inner in enumerate(item)]
        return self._resolve(item, path) if isinstance(item, str) else item

    def _previous(self, index: int, path: Path, key: str) -> Value | _Unresolved | None:
        if index:
            name = self.names[index - 1]
            value = self.values.get(name)
            return UNRESOLVED if value is None else value
        inputs = list(self.spec.inputs or {})
        if len(inputs) > 1:
            self.report(
                "SF204",
                f"expected `{key}:` on the first layer of a model with {len(inputs)} inputs, "
                "it is missing",
                path,
                f"write for example `{key}: {inputs[0]}`",
            )
            return None
        return self.values[inputs[0]] if inputs else self.values.get("", UNRESOLVED)

    def _positional(
        self, unit: Unit, values: list[Value | _Unresolved], path: Path
    ) -> dict[str, Any]:
        if has_open_signature(unit):
            return open_arguments(values)
        signature = [item for item in call_signature(unit) if item[2] != "value"]
        for place, (name, _, kind) in enumerate(signature):
            if kind == "tensors" and place < len(values):
                # A list argument takes all that is left: [x, h, c] is x with its states.
                names = [before for before, _, _ in signature[:place]]
                return {**dict(zip(names, values, strict=False)), name: values[place:]}
        if len(values) > len(signature):
            known = ", ".join(name for name, _, _ in signature)
            self.report(
                "SF205",
                f"expected {unit.type_name} to read at most {len(signature)} "
                f"tensor{'s' if len(signature) > 1 else ''} ({known}), "
                f"received {len(values)}",
                (*path, "inputs"),
            )
            return {}
        return {name: value for (name, _, _), value in zip(signature, values, strict=False)}

    def _by_name(self, unit: Unit, edges: dict[str, Any], path: Path) -> dict[str, Any]:
        # What a custom layer takes is not known, so any structure of tensors may stand.
        signature = [] if has_open_signature(unit) else call_signature(unit)
        kinds = {name: kind for name, _, kind in signature}
        bound: dict[str, Any] = {}
        for argument, item in edges.items():
            kind = kinds.get(argument)
            if argument == "args" and isinstance(item, tuple) and "args" not in kinds:
                values = [self._nest(inner, (*path, argument, i)) for i, inner in enumerate(item)]
                bound.update(self._positional(unit, values, path))
            elif kind is None and not has_open_signature(unit):
                self.report(
                    "SF205",
                    f"expected a call argument of {unit.type_name}, received {show(argument)}",
                    (*path, argument),
                    did_you_mean(argument, kinds) or "it takes " + ", ".join(kinds),
                    on_key=True,
                )
            elif item is not None and not _fits_kind(item, kind, nested=unit.graph is not None):
                some = "a list of tensor names" if kind == "tensors" else "the name of a tensor"
                self.report(
                    "SF201",
                    f"expected {some} as `{argument}`, received {show(item)}",
                    (*path, argument),
                )
            elif kind == "value" or not any(True for _ in names_read(item)):
                bound[argument] = item
            elif isinstance(item, str):
                value = self._resolve(item, (*path, argument))
                bound[argument] = [value] if kind == "tensors" else value
            else:
                bound[argument] = self._nest(item, (*path, argument))
        return bound

    def _operand(self, item: Any, path: Path) -> Any:
        if isinstance(item, str):
            return self._resolve(item, path)
        if isinstance(item, dict) and "const" in item:
            return constant(item["const"])
        if isinstance(item, tuple):
            return tuple(self._operand(inner, (*path, i)) for i, inner in enumerate(item))
        return item

    def _input_nest(self, inputs: dict[str, Value]) -> Any:
        """The inputs in the structure in which Keras takes them."""
        said = self.spec.input_structure
        values = list(inputs.values())
        if said is None:
            return values[0] if len(values) == 1 else values
        names = names_in(said)
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
        return map_leaves(said, lambda name: inputs.get(name))

    def _outputs(self, inputs: dict[str, Value]) -> tuple[dict[str, Value], str, Any]:
        said = self.spec.outputs
        if said is None:
            if not self.entries:
                if not any(_lacks_layers(d, self.path) for d in self.problems):
                    self.report("SF212", "expected at least one layer, received none", ("layers",))
                return {}, "single", None
            name = self.names[-1]
            last = self.values.get(name) or Value(name, None, "float32")
            node = last.node
            if node is not None and len(node.outputs) > 1:
                return {v.name: v for v in node.outputs}, "list", list(node.outputs)
            return {name: last}, "single", last
        form = (
            "single" if isinstance(said, str) else "mapping" if isinstance(said, dict) else "list"
        )
        outputs: dict[str, Value] = {}
        found: dict[str, Value] = {}
        for name, path in names_in(said):
            value = self._resolve(name, ("outputs", *path))
            if isinstance(value, Value):
                found[name] = value
                key = str(path[0]) if form == "mapping" and len(path) == 1 else name
                while key in outputs:
                    key += "_"
                outputs[key] = value
        return outputs, form, map_leaves(said, found.get)


def _needed(nodes: list[Node], outputs: dict[str, Value]) -> tuple[list[Node], list[Node]]:
    """Calls that some output needs, and the others, which Keras leaves out of the model."""
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
