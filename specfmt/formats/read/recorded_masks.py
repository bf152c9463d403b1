"""Leaving out what Keras 3 records of calls that nobody wrote: masks, and ``training`` defaults.

Keras 3 keeps the operations with which it worked out masks in the model, and the masks in the
calls.  A person would write neither, so a model with such masks is read without them.  That is
right where Keras, tracing the model that was read, works out the same masks with operations of
the same names.  Names are numbered in the order of the calls, so the entries of the spec may
have to stand in another order; where no order gives the names of the source, its masks stay.
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
from specfmt.graph.infer import compute_dtype
from specfmt.graph.model import Graph, Node, Unit, Value
from specfmt.graph.tracing import Trace, traced
from specfmt.layers.naming import is_automatic, to_snake_case
from specfmt.layers.registry import layer_class
from specfmt.spec.document import parse_document


@dataclass(slots=True)
class Plan:
    """How a source is read: which masks stay, and what that reading found.

    Attributes:
        kept: Calls whose masks stay, by their places; None for all calls.
        before: Place of a call -> places of calls that come before it in the spec.
        dropped: The places of calls whose masks were left out.
        models: Place of a model's layers -> its layers by their names.
        calls: Entry (by its identity) -> its layer, and which of the layer's calls it is.
    """

    kept: set[Path] | None = field(default_factory=set)
    before: dict[Path, list[Path]] = field(default_factory=dict)
    dropped: set[Path] = field(default_factory=set)
    models: dict[Path, dict[str, Record]] = field(default_factory=dict)
    calls: dict[int, tuple[Record, int]] = field(default_factory=dict)


def drop_recorded(plan: Plan, type_name: str, item: Json, calls: list[Call]) -> None:
    """Leave out the keywords that Keras 3 adds to the calls of a layer.

    Args:
        plan: Which masks are left out.
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
    """Whether the mask of a call is left out; none at all always is."""
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
    """The dtype of the one tensor that a call reads by position; None for any other call."""
    args = node.get("args") if isinstance(node, dict) else None
    if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
        return None
    config = args[0].get("config")
    if args[0].get("class_name") != "__keras_tensor__" or not isinstance(config, dict):
        return None
    return config.get("dtype")


def read_plainly(context: Context, read: Callable[[], Json]) -> Json:
    """The fields of a model, without masks that Keras would record again.

    Args:
        context: The import; its plan is set for each reading.
        read: Reads the model.

    Raises:
        SpecError: With every finding.
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
            plan = Plan(None)  # the order that the names ask for goes in a circle
        else:
            plan = _better_plan(context, fields)
    return fields


def _better_plan(context: Context, fields: Json) -> Plan | None:
    """How to read the source again; None if it was read well: Keras gives its masks and names."""
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
    """What Keras would record of a model that was read; None if shapes of it are unknown."""
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
    """What Keras would record of a model that was read, held against its source.

    Args:
        context: The import.
        fields: The model that was read.
        trace: What Keras would record of it.

    Attributes:
        twins: Operation for a mask -> the one of the source that computes the same.
    """

    def __init__(self, context: Context, fields: Json, trace: Trace) -> None:
        self.plan: Plan = context.plan
        self.fields = fields
        self.trace = trace
        self.twins: dict[Node, Record] = {}

    def units(self, graph: Graph | None = None) -> Iterator[Unit]:
        """The units of the model, those of models inside it included."""
        for unit in (graph or self.trace.graph).units:
            yield unit
            if unit.graph is not None:
                yield from self.units(unit.graph)

    def masks(self) -> set[Path]:
        """The calls whose masks were left out though Keras would record other ones."""
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
        """Units that Keras names, their names in the source, and the calls they come from."""
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
        """The layer and call of the source at a place of the spec; None in a Sequential."""
        entry: Any = self.fields
        for step in path:
            entry = entry[step]
        return self.plan.calls.get(id(entry))

    def _is_same(self, ours: Any, theirs: Any, place: Path, twins: dict[Node, Record]) -> bool:
        """Whether two masks are computed alike; ``twins`` is told by which operations."""
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
        """Whether a tensor that the spec names is one of the source."""
        if ours.node is None:
            return ours.name == theirs.layer
        found = self._call(ours.node.path)
        return found is not None and theirs == Ref(found[0].name, found[1], ours.index)


def _order(named: list[tuple[Unit, str, Path]], counts: Counter[str]) -> dict[Path, list[Path]]:
    """Which calls must come before which, so that Keras gives operations their names.

    None does for a name that Keras does not give by itself.

    A call inside a nested model has no place among those around it: the model is built at once.

    Args:
        named: Units, their names in the source, and the calls they come from.
        counts: How many units of each class there are; no order gives one a higher number.
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
