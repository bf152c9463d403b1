"""Leaving out what Keras 3 itself adds to recorded calls: masks, and defaults of ``training``.

Keras 3 records the operations with which it computes masks in the model, and the masks in the calls.
An author would write neither, so a model is read without them.  This is correct if Keras, tracing the
resulting model, records the same masks by operations of the same names.  Names are numbered in the
order of the calls, so the entries of the spec may have to be reordered; if no order gives the names of
the source, its masks are kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from specfmt.diagnostics import Path, SpecError
from specfmt.fields.model import to_data
from specfmt.formats.config.context import Context
from specfmt.formats.config.reading import Json
from specfmt.formats.read.assemble import Record
from specfmt.formats.read.nodes import Call, Ref, collect_refs
from specfmt.formats.read.policies import read_policy
from specfmt.graph.build import build
from specfmt.graph.model import Graph, Node, Unit, Value
from specfmt.graph.tracing import Trace, traced
from specfmt.layers.naming import is_automatic
from specfmt.layers.policies import compute_dtype
from specfmt.layers.registry import layer_class
from specfmt.spec.document import parse_document
from specfmt.vocab.naming import to_snake_case


@dataclass(slots=True)
class Plan:
    """How a source is read: which masks are kept; and the results of reading it so.

    Attributes:
        kept: The paths of calls whose masks are kept; None for all calls.
        before: Path of a call -> paths of calls that must come before it in the spec.
        dropped: The paths of calls whose masks were left out.
        models: Path of a model's layers -> its layers by name.
        calls: Identity of an entry -> its layer, and the index of the layer's call.
    """

    kept: set[Path] | None = field(default_factory=set)
    before: dict[Path, list[Path]] = field(default_factory=dict)
    dropped: set[Path] = field(default_factory=set)
    models: dict[Path, dict[str, Record]] = field(default_factory=dict)
    calls: dict[int, tuple[Record, int]] = field(default_factory=dict)


def drop_recorded(plan: Plan, type_name: str, item: Json, calls: list[Call]) -> None:
    """Leave out the keywords that Keras 3 adds to the calls of a layer.

    Args:
        plan: The plan.
        type_name: The layer's type.
        item: The serialized layer.
        calls: Its calls, read from ``item``.
    """
    cls = layer_class(type_name) if any(call.kwargs for call in calls) else None
    if cls is None:
        return
    training = cls.training_default
    added = {} if training is None else {"training": training}
    takes_mask = any(argument.name == "mask" for argument in cls.call_arguments)
    for call, node in zip(calls, item.get("inbound_nodes") or [], strict=True):
        given = {key: value for key, value in call.kwargs.items() if key != "mask"}
        if not call.kwargs or given != added or takes_mask != ("mask" in call.kwargs):
            continue
        dtype = compute_dtype(read_policy(item["config"].get("dtype"), ()))
        if single_dtype(node) == dtype and _may_go(plan, call):
            call.kwargs = {}


def drop_model_masks(plan: Plan, calls: list[Call]) -> None:
    """Leave out the masks that Keras 3 adds to the calls of a nested model."""
    for call in calls:
        if "mask" in call.kwargs and _may_go(plan, call):
            del call.kwargs["mask"]


def _may_go(plan: Plan, call: Call) -> bool:
    """Whether the mask of a call is left out; a mask of None always is."""
    mask = call.kwargs.get("mask")
    refs: list[Ref] = []
    collect_refs(mask, refs)
    if not refs:
        return True
    if plan.kept is None or call.path in plan.kept:
        return False
    plan.dropped.add(call.path)
    call.dropped_mask = mask
    return True


def single_dtype(node: Any) -> Any:
    """The dtype of the only positional tensor of a call; None for any other call."""
    args = node.get("args") if isinstance(node, dict) else None
    if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
        return None
    config = args[0].get("config")
    if args[0].get("class_name") != "__keras_tensor__" or not isinstance(config, dict):
        return None
    return config.get("dtype")


def read_plainly(context: Context, read: Callable[[], Json]) -> Json:
    """Read a model without the masks that Keras would record again.

    Args:
        context: The import; its plan is set for each attempt.
        read: Reads the model and returns its fields.

    Raises:
        SpecError: With all errors.
    """
    warnings = list(context.warnings)
    plan: Plan | None = Plan()
    fields: Json = {}
    while plan is not None:
        context.plan = plan
        context.warnings[:] = warnings
        try:
            fields = read()
        except SpecError:
            if not plan.before:
                raise
            plan = Plan(None)  # the order that the names require is cyclic
        else:
            plan = _better_plan(context, fields)
    return fields


def _better_plan(context: Context, fields: Json) -> Plan | None:
    """A plan for another attempt; None if Keras would record the masks and names of the source."""
    plan: Plan = context.plan
    is_first = plan.kept == set() and not plan.before
    if plan.kept is None or (is_first and not plan.dropped):
        return None
    trace = _trace_of(fields) if plan.dropped else None
    if trace is None:
        return Plan(None)
    comparison = _Comparison(context, fields, trace)
    kept, named = comparison.masks(), comparison.names()
    if not kept and all(unit.name == name for unit, name, _ in named):
        return None
    before = _order(named, Counter(unit.type_name for unit in comparison.units()))
    return Plan(kept, before) if is_first and (kept or before) else Plan(None)


def _trace_of(fields: Json) -> Trace | None:
    """The trace of a model that was read: what Keras would record; None if shapes are unknown."""
    spec, problems = parse_document({"specfmt": 1, **fields})
    if spec is None or problems:
        return None
    graph, problems = build(spec)
    if any(problem.severity == "error" for problem in problems):
        return None
    if any(value.shape is None for node in graph.nodes for value in node.outputs):
        return None
    return traced(graph)


class _Comparison:
    """Compares the trace of a model that was read with its source.

    Args:
        context: The import.
        fields: The model that was read.
        trace: Its trace.

    Attributes:
        twins: Operation for a mask -> the equivalent one of the source.
    """

    def __init__(self, context: Context, fields: Json, trace: Trace) -> None:
        self.plan: Plan = context.plan
        self.fields = fields
        self.trace = trace
        self.twins: dict[Node, Record] = {}

    def units(self, graph: Graph | None = None) -> Iterator[Unit]:
        """The units of the model, including those of nested models."""
        for unit in (graph or self.trace.graph).units:
            yield unit
            if unit.graph is not None:
                yield from self.units(unit.graph)

    def masks(self) -> set[Path]:
        """The calls whose masks were left out although Keras would record others."""
        different = set()
        for node in (node for unit in self.units() for node in unit.calls):
            found = self._call(node.path) if node in self.trace.calls else None
            if found is None or "mask" in node.args:
                continue
            record, index = found
            call = record.calls[index]
            twins: dict[Node, Record] = {}
            mask = (node.recorded or {}).get("mask")
            if self._is_same(mask, call.dropped_mask, record.path[:-1], twins):
                self.twins |= twins
            else:
                different.add(call.path)
        return different

    def names(self) -> list[tuple[Unit, str, Path]]:
        """Units that Keras names, with their names in the source and the paths of their calls."""
        nodes = {node.unit: node for node in self.twins}
        found = []
        for unit, path in self.trace.named:
            cause = self._call(path)
            if cause is None:
                continue
            layer, index = cause
            if unit in nodes:
                found.append((unit, self.twins[nodes[unit]].name, layer.calls[index].path))
            elif unit in self.trace.origins:
                found.append((unit, layer.name, layer.calls[index].path))
        return found

    def _call(self, path: Path) -> tuple[Record, int] | None:
        """The layer and call of the source for a path in the spec; None in a Sequential."""
        entry: Any = self.fields
        for step in path:
            entry = entry[step]
        return self.plan.calls.get(id(entry))

    def _is_same(self, ours: Any, theirs: Any, place: Path, twins: dict[Node, Record]) -> bool:
        """Whether two masks are computed in the same way; adds their operations to ``twins``."""
        waiting = [(ours, theirs)]
        while waiting:
            ours, theirs = waiting.pop()
            if isinstance(ours, (list, tuple)) and isinstance(theirs, list):
                if len(ours) != len(theirs):
                    return False
                waiting += zip(ours, theirs, strict=True)
            elif isinstance(ours, dict) and isinstance(theirs, dict):
                if ours.keys() != theirs.keys():
                    return False
                waiting += [(item, theirs[key]) for key, item in ours.items()]
            elif not isinstance(ours, Value) or not isinstance(theirs, Ref):
                if ours != theirs:
                    return False
            elif ours.node is None or ours.node in self.trace.calls:
                if not self._is_tensor(ours, theirs):
                    return False
            else:
                record = self.plan.models[place].get(theirs.layer)
                twin = twins.get(ours.node) or self.twins.get(ours.node)
                if record is None or (twin or record) is not record or len(record.calls) != 1:
                    return False
                if twin is None:
                    data = {key: item for key, item in record.entry.items() if key != "name"}
                    if data != to_data(ours.node.unit.spec):
                        return False
                    twins[ours.node] = record
                    waiting.append((list(ours.node.args.values()), record.calls[0].args))
        return True

    def _is_tensor(self, ours: Value, theirs: Ref) -> bool:
        """Whether a tensor of the spec is this tensor of the source."""
        if ours.node is None:
            return ours.name == theirs.layer
        found = self._call(ours.node.path)
        return found is not None and theirs == Ref(found[0].name, found[1], ours.index)


def _order(named: list[tuple[Unit, str, Path]], counts: Counter[str]) -> dict[Path, list[Path]]:
    """The order constraints under which Keras gives operations their names in the source.

    Names that Keras would not give impose none.  Calls inside a nested model cannot be interleaved with
    calls outside it, because the model is built at once.

    Args:
        named: Units, their names in the source, and the paths of their calls.
        counts: Class -> the number of its units, which limits the numbers in names.
    """
    numbered: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for unit, name, cause in named:
        if not is_automatic(name, unit.type_name):
            return {}
        number = int(name.removeprefix(to_snake_case(unit.type_name)).removeprefix("_") or 0)
        if number >= counts[unit.type_name]:
            return {}
        numbered[unit.type_name].append((number, cause))
    before: dict[Path, list[Path]] = defaultdict(list)
    for causes in numbered.values():
        for (_, first), (_, second) in pairwise(sorted(causes, key=lambda item: item[0])):
            if first != second and first[:-3] == second[:-3]:
                before[second].append(first)
    return dict(before)
