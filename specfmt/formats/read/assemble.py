"""Assembling layers and their calls to the entries of a spec: order, names and connections."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from specfmt.diagnostics import Path
from specfmt.formats.config.reading import Json, fail
from specfmt.formats.read.nodes import Call, Ref, map_refs
from specfmt.formats.read.operations import operation_class
from specfmt.layers.naming import automatic_names, is_automatic
from specfmt.layers.registry import layer_class


@dataclass(slots=True)
class Record:
    """A layer, operation or nested model with its calls.

    Attributes:
        name: Its name in the source, to which calls refer.
        entry: The entry without connections.
        calls: Its calls, in the order in which the source numbers them.
        path: Its path in the source.
        keep_name: Keep the name because it is that of an output.
        class_name: Its class in the source.
        pin_name: Write the name even if it is the automatic one.
    """

    name: str
    entry: Json
    path: Path
    calls: list[Call] = field(default_factory=list)
    keep_name: bool = True
    class_name: str = ""
    pin_name: bool = False

    @property
    def is_operation(self) -> bool:
        return "op" in self.entry


NO_INPUT = Ref("", 0, 0)
"""The name of the input of a model without a known input."""

Step = tuple[int, int]
"""A call: the index of its record, and of the call within it."""


class Assembler:
    """Sorts calls and writes them as entries.

    Args:
        inputs: The names of the model's inputs.
        records: The model's layers; every `Ref` in them refers to an input or a call.
        before: Path of a call -> paths of calls that must come before it.
        located: Filled in: identity of an entry -> the entry, its layer, and its path.

    Attributes:
        calls: For each entry, its record and the index of the record's call.
        last: The name of the last entry, once there are entries.
    """

    def __init__(
        self,
        inputs: Iterable[str],
        records: list[Record],
        before: dict[Path, list[Path]] | None = None,
        located: dict[int, tuple[Json, str, Path]] | None = None,
    ) -> None:
        self.inputs = list(inputs)
        self.before = before or {}
        self.calls: list[tuple[Record, int]] = []
        self.located = {} if located is None else located
        self.records = records
        self.index = {record.name: i for i, record in enumerate(records)}
        self.last = ""
        self.tensors: dict[tuple[str, int], str] = {(name, 0): name for name in self.inputs}
        if not self.inputs:
            self.tensors[NO_INPUT.layer, NO_INPUT.node] = NO_INPUT.layer

    def entries(self) -> list[Json]:
        """The entries, in topological order.

        Raises:
            SpecError: SF412 if the calls form a cycle.
        """
        steps = self._order()
        automatic = automatic_names([self._naming(step) for step in steps])
        names = self._names(steps, automatic)
        entries = []
        previous = self.inputs[0] if len(self.inputs) == 1 else None
        if not self.inputs:
            previous = NO_INPUT.layer
        for (i, k), name in zip(steps, names, strict=True):
            record = self.records[i]
            if k and not record.is_operation:
                entry: Json = {"reuse": self.tensors[record.name, 0]}
            else:
                entry = dict(record.entry)
            if record.calls:
                self._write_edges(entry, record, record.calls[k], previous)
            entries.append(entry)
            self.located[id(entry)] = (entry, record.name, record.path)
            previous = name
            self.calls.append((record, k))
        self.last = previous or ""
        pinned = [self.records[i].pin_name for i, _ in steps]
        _drop_names(entries, names, automatic, pinned)
        return entries

    def tensor(self, ref: Ref) -> str:
        """The name of a tensor in the spec."""
        name = self.tensors[ref.layer, ref.node]
        return f"{name}:{ref.tensor}" if ref.tensor else name

    def _order(self) -> list[Step]:
        """A topological order that follows a chain of calls to its end before it starts another."""
        waits: dict[Step, int] = {}
        readers: dict[Step, list[Step]] = {}
        ready: list[Step] = []
        steps = {
            call.path: (i, k)
            for i, record in enumerate(self.records if self.before else ())
            for k, call in enumerate(record.calls)
        }
        for i, record in enumerate(self.records):
            for k in range(max(1, len(record.calls))):
                needs = {(self.index[r.layer], r.node) for r in self._reads(record, k)}
                if k:
                    needs.add((i, k - 1))
                if steps and record.calls:
                    earlier = self.before.get(record.calls[k].path, ())
                    needs |= {steps[place] for place in earlier if place in steps}
                waits[i, k] = len(needs)
                for need in needs:
                    readers.setdefault(need, []).append((i, k))
                if not needs:
                    heappush(ready, (i, k))
        order: list[Step] = []
        chain: Step | None = None
        done: set[Step] = set()
        while ready or chain:
            step = chain if chain else heappop(ready)
            chain = None
            if step in done:
                continue
            done.add(step)
            order.append(step)
            freed = []
            for reader in readers.get(step, ()):
                waits[reader] -= 1
                if not waits[reader]:
                    freed.append(reader)
                    heappush(ready, reader)
            chain = min(freed, default=None)
        if len(order) < len(waits):
            self._fail_cycle(sorted(set(waits) - done))
        return order

    def _reads(self, record: Record, k: int) -> list[Ref]:
        if not record.calls:
            return []
        return [ref for ref in record.calls[k].refs() if ref.layer in self.index]

    def _fail_cycle(self, left: list[Step]) -> None:
        stuck = dict.fromkeys(left)
        walk: dict[Step, None] = {}
        step = left[0]
        while step not in walk:
            walk[step] = None
            i, k = step
            needs = [(self.index[r.layer], r.node) for r in self._reads(self.records[i], k)]
            if k:
                needs.append((i, k - 1))
            if self.before:
                fail(
                    "SF412",
                    "expected an order of the calls that gives masks their names, found none",
                )
            step = next(need for need in needs if need in stuck)
        seen = list(walk)
        cycle = [self.records[i].name for i, _ in seen[seen.index(step) :]]
        fail(
            "SF412",
            "expected layers that can be put in order, received a cycle: "
            + " <- ".join([*cycle, cycle[0]]),
            self.records[step[0]].path,
            "a layer cannot depend on its own output; the file is damaged",
        )

    def _names(self, steps: list[Step], automatic: list[str]) -> list[str]:
        """The name of every call and its output; operations may get a shorter name."""
        taken = {record.name for record in self.records} | set(self.inputs)
        names = []
        for (i, k), auto in zip(steps, automatic, strict=True):
            record = self.records[i]
            name = record.name
            if k and not record.is_operation:
                name = self._free(f"{self.tensors[record.name, 0]}_call_{k}", taken)
            elif k or not record.keep_name:
                taken.discard(record.name)
                own = auto in taken and not k and is_automatic(record.name, self._naming((i, k))[0])
                name = self._free(record.name if own else auto, taken)
            self.tensors[record.name, k] = name
            names.append(name)
        return names

    @staticmethod
    def _free(name: str, taken: set[str]) -> str:
        while name in taken:
            name += "_"
        taken.add(name)
        return name

    def _naming(self, step: Step) -> tuple[str, str | None, str | None]:
        record = self.records[step[0]]
        if record.is_operation:
            return operation_class(record.entry["op"]), None, None
        if step[1]:
            return "reuse", None, self.tensors.get((record.name, 0), record.name)
        cls = layer_class(record.entry["type"])
        return (cls.keras_class if cls else "") or record.entry["type"], None, None

    def _write_edges(self, entry: Json, record: Record, call: Call, previous: str | None) -> None:
        key = "call" if entry.get("type") == "Model" else "inputs"
        if record.is_operation:
            operands = map_refs(call.args, self.tensor)
            if len(operands) == 1 and isinstance(operands[0], str):
                operands = operands[0]
            edges: Any = operands
        elif record.entry.get("type") == "Model":
            edges = self._model_edges(record, call)
        else:
            edges = self._layer_edges(record, call)
        if edges != previous:
            entry[key] = edges
        if record.is_operation:
            entry.update(map_refs(call.kwargs, self.tensor))

    def _layer_edges(self, record: Record, call: Call) -> Any:
        args = map_refs(call.args, self.tensor)
        kwargs = map_refs(call.kwargs, self.tensor)
        signature = call_names(record.entry)
        # The states of stacked cells: one list per cell.
        lists = {name for name, kind, _ in signature if kind == "tensors"}
        kwargs = {key: _flat(item) if key in lists else item for key, item in kwargs.items()}
        takes_list = signature[0][1] == "tensors"
        single = not kwargs and len(args) == 1
        if single and (isinstance(args[0], str) or (takes_list and _all_names(args[0]))):
            return args[0]
        if not kwargs and len(args) > 1 and not takes_list and _all_names(args):
            return args
        names = [name for name, _, _ in signature]
        if len(args) > len(names) or (len(args) > 1 and kwargs):
            return {"args": args, **kwargs}
        if not args and names[0] in kwargs:  # the first argument would become positional
            kwargs[names[0]] = kwargs.pop(names[0])
            if len(kwargs) == 1:
                return {"args": [], **kwargs}
        return {**dict(zip(names, args, strict=False)), **kwargs}

    def _model_edges(self, record: Record, call: Call) -> Any:
        args = map_refs(call.args, self.tensor)
        kwargs = map_refs(call.kwargs, self.tensor)
        first = args[0] if len(args) == 1 else args
        if not kwargs and (isinstance(first, str) or _all_names(first) or isinstance(first, dict)):
            return first
        inner = list(record.entry.get("inputs") or {}) or ["inputs"]
        if isinstance(first, dict):
            return {**first, **kwargs}
        values = first if isinstance(first, list) else [first]
        if len(values) != len(inner):
            return {"args": args, **kwargs}
        return {**dict(zip(inner, values, strict=True)), **kwargs}


def _drop_names(
    entries: list[Json], names: list[str], automatic: list[str], pinned: list[bool]
) -> None:
    """Leave out automatic names; put other names after the type in their entry."""
    for entry, name, auto, pin in zip(entries, names, automatic, pinned, strict=True):
        entry.pop("name", None)
        if name == auto and not (pin and "reuse" not in entry):
            continue
        head, *rest = entry.items()
        entry.clear()
        entry.update([head, ("name", name), *rest])


def _flat(value: Any) -> Any:
    """Nested lists of names as a flat list; anything else unchanged."""
    if not isinstance(value, list) or _all_names(value):
        return value
    return [leaf for item in value for leaf in (_flat(item) if isinstance(item, list) else [item])]


def _all_names(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def call_names(entry: Json) -> list[tuple[str, str, bool]]:
    """A layer's call arguments as (name, kind, required), Keras's first."""
    cls = layer_class(entry["type"])
    if cls is None:
        return [("inputs", "tensor", True)]
    return [(argument.name, argument.kind, argument.required) for argument in cls.call_arguments]
