"""Blocks: named parts of a model with parameters, and the flat list of layers that their uses mean.

    blocks:
      bottleneck:
        parameters: {filters: required, stride: 1, project: false}
        layers:
          - {type: Conv2D, name: 0_conv, when: $project, filters: $(4 * filters), ...}
    layers:
      - {block: bottleneck, name: block1, filters: 64, project: true}
      - {block: bottleneck, name: block$(i + 2), filters: 64, repeat: 2}

A use stands for the block's entries with its parameters filled in.  Each name inside is preceded by
the name of the use: ``block1_0_conv``.  A layer whose ``when`` is false hands on what it would
have read.  With ``name: null`` a layer inside has Keras's automatic name, whatever the use is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from specfmt.diagnostics import Diagnostic, Path, RootPath
from specfmt.fields.errors import FieldError, NestedError, did_you_mean, show
from specfmt.fields.expressions import (
    Expression,
    evaluate,
    evaluate_text,
    parse_text,
)
from specfmt.fields.model import SpecModel
from specfmt.fields.rules import Rule
from specfmt.fields.types import NameRule, Str
from specfmt.fields.validation import validate
from specfmt.layers.naming import Counter, Namer
from specfmt.vocab.naming import to_snake_case

REQUIRED = "required"
"""The default of a parameter that each use must give."""

INPUT = "x"
"""The name of a block's input, if it does not name its inputs."""

INDEX = "i"
"""The name of the number of a repetition, from 0, in the fields of a repeated use."""

USE_FIELDS = ("block", "name", "inputs", "repeat", "when")
"""Fields of a use that are not parameters."""

MAX_ENTRIES = 250_000
"""The most layers that the uses of blocks may stand for in one model."""

MAX_USES_DEEP = 32
"""The most blocks inside each other."""


class ParametersRule(Rule):
    """A mapping from parameter to its default, or ``required``."""

    def check(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise FieldError("a mapping from parameter to its default, or required", value)
        for name in value:
            if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
                raise FieldError("a parameter's name of letters, digits and _", name)
            if name in (*USE_FIELDS, INDEX):
                raise FieldError(f"a parameter's name other than {name}", name)
        return dict(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "object"}


class BodyRule(Rule):
    """The entries of a block, which can be read only where the parameters have values."""

    def check(self, value: Any) -> list[Any]:
        if not isinstance(value, (list, tuple)) or not value:
            raise FieldError("a list of layers", value)
        return list(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "minItems": 1}


class NamesRule(Rule):
    """A name, or a list of different names."""

    def check(self, value: Any) -> tuple[str, ...]:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, (list, tuple)) or not names:
            raise FieldError("a name or a list of names", value)
        for name in names:
            NameRule().check(name)
        return tuple(names)

    def schema(self) -> dict[str, Any]:
        name = NameRule().schema()
        return {"anyOf": [name, {"type": "array", "minItems": 1, "items": name}]}


class Block(SpecModel):
    """A part of a model with parameters, which layers lists use as ``{block: name, ...}``.

    Attributes:
        description: What it computes, for the docstring of generated code.
        parameters: Parameter -> its default, or ``required``.
        inputs: The names of the tensors that it reads.
        layers: Its entries, with expressions.
        outputs: The tensors that it gives; without them the output of the last entry.
    """

    description: Str = ""
    parameters: Annotated[dict[str, Any], ParametersRule()] = {}
    inputs: Annotated[tuple[str, ...], NamesRule()] = (INPUT,)
    layers: Annotated[Any, BodyRule()]
    outputs: Annotated[Any, NamesRule()] = None


class BlocksRule(Rule):
    """A mapping from name to block."""

    def check(self, value: Any) -> dict[str, Block]:
        if not isinstance(value, dict):
            raise FieldError("a mapping from name to {parameters: ..., layers: [...]}", value)
        found: dict[str, Block] = {}
        problems: list[Diagnostic] = []
        for name, item in value.items():
            try:
                NameRule().check(name)
                if not isinstance(item, (dict, Block)):
                    raise FieldError("{parameters: ..., layers: [...]}", item)
                found[name] = item if isinstance(item, Block) else validate(Block, item, "a block")
            except FieldError as error:
                problems.append(Diagnostic(error.code, error.message, (name,), error.hint))
            except NestedError as error:
                problems.extend(d.under((name,)) for d in error.diagnostics)
        if problems:
            raise NestedError(problems)
        return found

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"$ref": "#/$defs/block"}}


@dataclass(eq=False)
class BlockCall:
    """One use of a block, with all its values.

    Attributes:
        kind: The block's name.
        block: The block.
        name: The name of the use, that of the use around it included: ``conv2_block1``.
        is_named: Whether the spec names it or a use around it.
        arguments: Every parameter's value.
        given: The parameters that the use gives, as written, with expressions.
        parent: The use around it.
        place: The index of the entry in the list of layers around it.
        index: The number of the repetition, from 0; None if it is not repeated.
        path: The place of the entry in the document.
        inputs: The names of the tensors that it reads, in the flat list.
        outputs: The names of the tensors that it gives, in the flat list.
        items: Its entries in order: indices in the flat list, and uses of further blocks.
    """

    kind: str
    block: Block
    name: str
    is_named: bool
    arguments: dict[str, Any]
    given: dict[str, Any]
    parent: BlockCall | None
    place: int
    index: int | None
    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    items: list[int | BlockCall] = field(default_factory=list)

    def chain(self) -> Iterator[BlockCall]:
        """This use and those around it, from the inside out."""
        call: BlockCall | None = self
        while call is not None:
            yield call
            call = call.parent


class Expanded(tuple[Any, ...]):
    """The flat list of a model's entries, with the uses of blocks that they come from.

    Attributes:
        written: The list of layers as the document has it.
        items: Indices in the flat list, and uses, in the order of the document.
        places: For each entry its place in the document: from the root if it stands in a block,
            else from the model.
        calls: For each entry the innermost use that it comes from, or None.
        slots: For each entry its index in the list of layers that it comes from.
        tensors: Name of a use (``name:1`` for a second output) -> the tensor that it stands for.
        last: The tensor that the last entry gives.
    """

    written: list[Any]
    items: list[int | BlockCall]
    places: list[Path]
    calls: list[BlockCall | None]
    slots: list[int]
    tensors: dict[str, str]
    last: str | None

    def to_data(self) -> Any:
        """The list of layers as the document has it."""
        return self.written


@dataclass
class _Frame:
    """The entries of one list, while it is expanded."""

    call: BlockCall | None
    path: Path
    values: dict[str, Any]
    tensors: dict[str, str]
    layers: dict[str, str]
    previous: str | None
    items: list[int | BlockCall]
    namer: Namer = field(default_factory=Namer)

    def place(self, index: int, *rest: str | int) -> Path:
        path = (*self.path, index, *rest)
        return path if self.call is None else RootPath(path)


ParseEntry = Callable[[Any], tuple[Any, list[Diagnostic]]]
Naming = Callable[[Any], tuple[str, str | None, str | None]]


class Expander:
    """Writes out the uses of blocks in one list of layers.

    Args:
        blocks: The blocks of the document.
        parse: The function that reads one entry: the entry and the findings, relative to it.
        naming: The function that gives an entry's type, name and the layer that it calls again.
        inputs: The names of the model's inputs.
    """

    def __init__(
        self,
        blocks: Mapping[str, Block],
        parse: ParseEntry,
        naming: Naming,
        inputs: Sequence[str],
    ) -> None:
        self.blocks = blocks
        self.parse = parse
        self.naming = naming
        self.entries: list[Any] = []
        self.places: list[Path] = []
        self.calls: list[BlockCall | None] = []
        self.slots: list[int] = []
        self.problems: list[Diagnostic] = []
        self.namer = Namer()
        self.counter = Counter()
        self.inputs = inputs
        self.last = inputs[0] if len(inputs) == 1 else None

    def expand(self, written: Sequence[Any]) -> Expanded:
        """The flat list; findings are in `problems`."""
        items: list[int | BlockCall] = []
        frame = _Frame(None, (), {}, {}, {}, self.last, items)
        for index, item in enumerate(written):
            self._item(frame, index, item)
        found = Expanded(self.entries)
        found.written, found.items = list(written), items
        found.places, found.calls, found.slots = self.places, self.calls, self.slots
        found.tensors, found.last = frame.tensors, frame.previous
        return found

    def _report(self, error: FieldError, path: Path) -> None:
        self.problems.append(Diagnostic(error.code, error.message, path, error.hint))

    # ---------------------------------------------------------------------------- entries

    def _item(self, frame: _Frame, index: int, item: Any) -> None:
        if len(self.entries) > MAX_ENTRIES:
            return
        if isinstance(item, dict) and "block" in item:
            self._use(frame, index, item)
        else:
            self._entry(frame, index, item)

    def _stands(self, frame: _Frame, index: int, item: dict[str, Any]) -> bool:
        """Whether an entry stands: its ``when`` is true, or it has none."""
        if "when" not in item:
            return True
        try:
            return bool(evaluate(item["when"], frame.values))
        except FieldError as error:
            self._report(error, frame.place(index, "when"))
            return True

    def _entry(self, frame: _Frame, index: int, item: Any) -> None:
        data = item
        local: str | None = None
        if frame.call is not None and isinstance(item, dict):
            written = {key: value for key, value in item.items() if key != "when"}
            try:
                data = evaluate(written, frame.values)
            except FieldError as error:
                self._report(error, frame.place(index))
                return
            local, data = self._named(frame, item, data)
            if not self._stands(frame, index, item):
                read = self._first_read(frame, data)
                if read is not None:
                    frame.tensors[local] = read
                    frame.previous = read
                return
        if isinstance(data, dict):
            data = self._with_edges(frame, index, data)
        entry, found = self.parse(data)
        place = frame.place(index)
        self.problems += [
            Diagnostic(
                d.code,
                d.message,
                d.path if isinstance(d.path, RootPath) else type(place)((*place, *d.path)),
                d.hint,
                d.severity,
                on_key=d.on_key,
            )
            for d in found
        ]
        name = self.namer.name(*self.naming(entry))
        self.counter.count(self.naming(entry)[0], name)
        frame.items.append(len(self.entries))
        self.entries.append(entry)
        self.places.append(place)
        self.calls.append(frame.call)
        self.slots.append(index)
        self.last = frame.previous = name
        if frame.call is not None:
            frame.tensors[local or name] = name
            frame.layers[local or name] = name

    def _named(
        self, frame: _Frame, item: dict[str, Any], data: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """The name of an entry inside its block, and the entry with its whole name."""
        assert frame.call is not None
        own = data.get("name")
        kind = data.get("type", data.get("op", "entry"))
        reused = data.get("reuse")
        local = frame.namer.name(str(kind), own, reused if isinstance(reused, str) else None)
        if own is not None:
            whole = str(own) if is_whole(item["name"]) else f"{frame.call.name}_{own}"
        elif "name" in data:
            whole = self.counter.next(str(kind))
            if whole == self.namer.peek(str(kind)):
                return local, {k: v for k, v in data.items() if k != "name"}
        elif frame.call.is_named:
            whole = f"{frame.call.name}_{local}"
        else:
            return local, data
        first: dict[str, Any] = {k: data[k] for k in ("type", "op", "reuse") if k in data}
        return local, {**first, "name": whole, **{k: v for k, v in data.items() if k != "name"}}

    # ------------------------------------------------------------------------------ edges

    def _first_read(self, frame: _Frame, data: dict[str, Any]) -> str | None:
        """The first tensor that an entry would read."""
        edges = data.get("call" if data.get("type") == "Model" else "inputs")
        while isinstance(edges, (list, dict)) and edges:
            edges = next(iter(edges.values())) if isinstance(edges, dict) else edges[0]
        return frame.previous if not isinstance(edges, str) else self._tensor(frame, edges)

    def _tensor(self, frame: _Frame, name: str) -> str | None:
        """The tensor that a name means, in the flat list; None if it is unknown."""
        if name in frame.tensors:
            return frame.tensors[name]
        base, mark, number = name.rpartition(":")
        if mark and base in frame.tensors and ":" not in frame.tensors[base]:
            return f"{frame.tensors[base]}:{number}"
        return name if frame.call is None else None

    def _with_edges(self, frame: _Frame, index: int, data: dict[str, Any]) -> dict[str, Any]:
        """An entry whose edges have the names of the flat list."""
        key = "call" if data.get("type") == "Model" else "inputs"
        if frame.call is not None and isinstance(data.get("reuse"), str):
            name = data["reuse"]
            if name not in frame.layers:
                hint = did_you_mean(name, frame.layers)
                self._unknown("a layer", name, frame, frame.place(index, "reuse"), hint, "SF208")
            data = {**data, "reuse": frame.layers.get(name, name)}
        if data.get(key) is None:
            if frame.previous is None or frame.previous == self.last:
                return data
            return {**data, key: frame.previous}
        edges = self._renamed(frame, data[key], frame.place(index, key), data.get("type"))
        if frame.call is not None and isinstance(edges, str) and edges == self.last:
            return {name: value for name, value in data.items() if name != key}
        return {**data, key: edges}

    def _renamed(self, frame: _Frame, edges: Any, path: Path, kind: Any) -> Any:
        if isinstance(edges, str):
            found = self._tensor(frame, edges)
            if found is None and kind != "Custom":
                self._unknown("a layer or input", edges, frame, path)
            return edges if found is None else found
        if isinstance(edges, (list, tuple)):
            return [
                self._renamed(frame, item, type(path)((*path, number)), kind)
                for number, item in enumerate(edges)
            ]
        if isinstance(edges, dict) and not {"const", "slice", "ellipsis"} & set(edges):
            return {
                name: self._renamed(frame, item, type(path)((*path, str(name))), kind)
                for name, item in edges.items()
            }
        return edges

    def _unknown(
        self, what: str, name: str, frame: _Frame, path: Path, hint: str = "", code: str = "SF201"
    ) -> None:
        assert frame.call is not None
        self.problems.append(
            Diagnostic(
                code,
                f"expected the name of {what} of the block {frame.call.kind}, received {show(name)}",
                path,
                hint or did_you_mean(name, frame.tensors),
            )
        )

    # ------------------------------------------------------------------------------- uses

    def _use(self, frame: _Frame, index: int, item: dict[str, Any]) -> None:
        """Write out one use of a block, as often as it is repeated."""
        kind = item["block"]
        block = self.blocks.get(kind) if isinstance(kind, str) else None
        if block is None:
            error = FieldError("the name of a block", kind, did_you_mean(kind, self.blocks))
            self._report(error, frame.place(index, "block"))
            return
        if not self._may_use(frame, index, kind):
            return
        if not self._stands(frame, index, item):
            read = self._first_read(frame, evaluate(item.get("inputs") or {}, frame.values))
            if read is not None:
                frame.previous = read
                if isinstance(item.get("name"), str):
                    frame.tensors[item["name"]] = read
            return
        count = self._repetitions(frame, index, item)
        outputs: tuple[str, ...] = ()
        for number in range(count or 1):
            if len(self.entries) > MAX_ENTRIES:
                message = (
                    f"expected at most {MAX_ENTRIES:,} layers in all uses of blocks, received more"
                )
                self.problems.append(Diagnostic("SF123", message, frame.place(index)))
                return
            values = frame.values if count is None else {**frame.values, INDEX: number}
            found = self._once(
                frame, index, item, kind, block, values, None if count is None else number, outputs
            )
            if found is None:
                return
            outputs = found

    def _may_use(self, frame: _Frame, index: int, kind: str) -> bool:
        chain = [] if frame.call is None else [call.kind for call in frame.call.chain()]
        if kind in chain:
            inside = " <- ".join([*chain[::-1], kind])
            message = f"expected blocks that do not use themselves, received {inside}"
            self.problems.append(Diagnostic("SF202", message, frame.place(index, "block")))
            return False
        if len(chain) >= MAX_USES_DEEP:
            message = f"expected at most {MAX_USES_DEEP} blocks inside each other, received more"
            self.problems.append(Diagnostic("SF123", message, frame.place(index, "block")))
            return False
        return True

    def _repetitions(self, frame: _Frame, index: int, item: dict[str, Any]) -> int | None:
        """How often a use is repeated; None if it is not."""
        if item.get("repeat") is None:
            return None
        try:
            count = evaluate(item["repeat"], frame.values)
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise FieldError("a number of repetitions of at least 1", count)
            if count > MAX_ENTRIES:
                raise FieldError(f"at most {MAX_ENTRIES:,} repetitions", count)
        except FieldError as error:
            self._report(error, frame.place(index, "repeat"))
            return 1
        return count

    def _once(
        self,
        frame: _Frame,
        index: int,
        item: dict[str, Any],
        kind: str,
        block: Block,
        values: dict[str, Any],
        number: int | None,
        previous: tuple[str, ...],
    ) -> tuple[str, ...] | None:
        """Write out one repetition; its outputs, or None if it cannot be written out."""
        arguments = self._arguments(frame, index, item, kind, block, values)
        named = self._use_name(frame, index, item, kind, values, number)
        inputs = self._inputs(frame, index, item, kind, block, values, previous)
        if arguments is None or named is None or inputs is None:
            return None
        local, name, is_named = named
        call = BlockCall(
            kind, block, name, is_named, arguments,
            {key: value for key, value in item.items() if key not in USE_FIELDS},
            frame.call, index, number, frame.place(index), inputs,
        )  # fmt: skip
        body = _Frame(
            call,
            ("blocks", kind, "layers"),
            {**arguments, "name": name},
            dict(zip(block.inputs, inputs, strict=True)),
            {},
            inputs[0],
            call.items,
        )
        for place, inner in enumerate(block.layers):
            self._item(body, place, inner)
        call.outputs = self._outputs(body, kind, block)
        frame.items.append(call)
        for key in (local, item.get("name")):
            if isinstance(key, str):
                frame.tensors[key] = call.outputs[0]
                frame.tensors |= {f"{key}:{n}": out for n, out in enumerate(call.outputs)}
        frame.previous = call.outputs[0]
        return call.outputs

    def _arguments(
        self,
        frame: _Frame,
        index: int,
        item: dict[str, Any],
        kind: str,
        block: Block,
        values: dict[str, Any],
    ) -> dict[str, Any] | None:
        """The value of every parameter of a block; None if one is missing."""
        complete = True
        for key in item:
            if key not in USE_FIELDS and key not in block.parameters:
                message = f"expected a parameter of the block {kind}, received {show(key)}"
                hint = did_you_mean(key, block.parameters)
                hint = hint or f"{kind} takes " + ", ".join([*block.parameters, *USE_FIELDS[1:]])
                path = frame.place(index, key)
                self.problems.append(Diagnostic("SF121", message, path, hint, on_key=True))
        found = {}
        for key, default in block.parameters.items():
            if key not in item and default == REQUIRED:
                message = f"the block {kind} is missing the required parameter `{key}`"
                self.problems.append(Diagnostic("SF122", message, frame.place(index)))
                complete = False
                continue
            try:
                found[key] = evaluate(item[key], values) if key in item else default
            except FieldError as error:
                self._report(error, frame.place(index, key))
                complete = False
        return found if complete else None

    def _use_name(
        self,
        frame: _Frame,
        index: int,
        item: dict[str, Any],
        kind: str,
        values: dict[str, Any],
        number: int | None,
    ) -> tuple[str, str, bool] | None:
        """The name of a use in its list, its whole name, and whether the spec gives one."""
        base = to_snake_case(kind)
        given = item.get("name")
        if given is None:
            local = frame.namer.name(f"block {kind}", None, None, base)
            if frame.call is None or not frame.call.is_named or "name" in item:
                return local, self.namer.name(f"block {kind}", None, None, base), False
            return local, f"{frame.call.name}_{local}", True
        try:
            local = str(evaluate_text(given, values)) if isinstance(given, str) else given
            NameRule().check(local)
        except FieldError as error:
            self._report(error, frame.place(index, "name"))
            return None
        if number is not None and not _uses(given, INDEX):
            local = f"{local}_{number + 1}"
        if frame.call is None or is_whole(given):
            return local, local, True
        return local, f"{frame.call.name}_{local}", True

    def _inputs(
        self,
        frame: _Frame,
        index: int,
        item: dict[str, Any],
        kind: str,
        block: Block,
        values: dict[str, Any],
        previous: tuple[str, ...],
    ) -> tuple[str, ...] | None:
        """The tensors that a use reads; a repetition reads first what the one before gives."""
        path = frame.place(index, "inputs")
        given = item.get("inputs")
        try:
            given = evaluate(given, values)
        except FieldError as error:
            self._report(error, path)
            return None
        if given is None:
            names: list[Any] = [] if frame.previous is None else [frame.previous]
        else:
            if isinstance(given, dict):
                given = [given.get(name) for name in block.inputs]
            names = [given] if isinstance(given, str) else list(given)
            if not all(isinstance(name, str) for name in names):
                self._report(FieldError("the name of a tensor for each input", given), path)
                return None
            names = [self._renamed(frame, name, path, None) for name in names]
        names = [*previous, *names[len(previous) :]][: len(block.inputs)]
        if len(names) != len(block.inputs):
            message = (
                f"expected {len(block.inputs)} inputs for the block {kind} "
                f"({', '.join(block.inputs)}), received {len(names)}"
            )
            self.problems.append(Diagnostic("SF204", message, path))
            return None
        return tuple(names)

    def _outputs(self, body: _Frame, kind: str, block: Block) -> tuple[str, ...]:
        """The tensors that a block gives, in the flat list."""
        assert body.call is not None
        if block.outputs is None:
            return (body.previous or "",)
        found = []
        for number, name in enumerate(block.outputs):
            tensor = self._tensor(body, name)
            if tensor is None:
                path = RootPath(("blocks", kind, "outputs", number))
                self._unknown("a layer or input", name, body, path)
            found.append(tensor or name)
        return tuple(found)


def is_whole(name: Any) -> bool:
    """Whether a name inside a block is whole: it is one expression, or uses ``$name``.

    Other names follow that of the use of the block.
    """
    if not isinstance(name, str) or "$" not in name:
        return False
    pieces = parse_text(name)
    return (len(pieces) == 1 and isinstance(pieces[0], Expression)) or _uses(name, "name")


def _uses(text: Any, name: str) -> bool:
    """Whether an expression of a text has a name in it."""
    if not isinstance(text, str) or "$" not in text:
        return False
    return any(isinstance(p, Expression) and name in p.names for p in parse_text(text))
