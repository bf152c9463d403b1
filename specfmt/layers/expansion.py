"""Writes the uses of blocks out to the flat list of layers that they stand for.

Each name inside a block is preceded by the name of the use: ``block1_0_conv``.  A layer whose
``when`` is false hands on what it would have read.  It is done at the level of plain data, so that
what follows reads layers as if they had been written one by one.  With ``name: null`` a layer or a
use inside has an automatic name, whatever the use around it is called: the one that Keras gives,
which counts the layers before that have automatic names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specfmt.diagnostics import Diagnostic, InUse, Path
from specfmt.fields.errors import FieldError, did_you_mean, show
from specfmt.fields.expressions import wrong
from specfmt.fields.rules import Boolean, Integer
from specfmt.fields.types import NameRule
from specfmt.layers.block_scope import BlockScope, Context, Frame, edges_key, reading
from specfmt.layers.block_sizes import compute, compute_parameter, own_entries
from specfmt.layers.blocks import (
    INDEX,
    MAX_LAYERS,
    OWN_NAME,
    REQUIRED,
    Block,
    BlockCall,
    Expanded,
    is_whole,
    parameters_of,
    use_findings,
    uses_name,
)
from specfmt.layers.naming import Counter, Namer
from specfmt.layers.registry import layer_class
from specfmt.vocab.naming import to_snake_case

MAX_NAME = 500
"""The most characters of a name that is made of those of uses."""

KINDS = ("type", "op", "reuse")
"""The keys of which an entry that is no use has one; they say what it is."""

EDGES = ("inputs", "call")

ParseEntry = Callable[[Any], tuple[Any, list[Diagnostic]]]
BreakEntry = Callable[[Any], Any]
Naming = Callable[[Any], tuple[str, str | None, str | None]]


@dataclass
class Repetition:
    """A use of a block, or one of its repetitions, while it is written out.

    Attributes:
        frame: The list that has the use.
        index: Its index there.
        item: The use as written.
        block: The block.
        values: The values of names in its expressions.
        number: The number of the repetition, from 0; None if it is not repeated.
    """

    frame: Frame
    index: int
    item: dict[str, Any]
    block: Block
    values: Mapping[str, Any]
    number: int | None

    @property
    def kind(self) -> str:
        return str(self.item["block"])

    def place(self, *rest: str | int) -> Path:
        return self.frame.place(self.index, *rest)


class Expander(BlockScope):
    """Writes out the uses of blocks in one list of layers.

    Args:
        parse: The function that reads one entry: the entry and the findings, relative to it.
        broken: The function that makes a placeholder for an entry that could not be read.
        naming: The function that gives an entry's type, name and the layer that it calls again.
        inputs: The names of the model's inputs.
    """

    def __init__(
        self, parse: ParseEntry, broken: BreakEntry, naming: Naming, inputs: Sequence[str]
    ) -> None:
        super().__init__()
        self.parse = parse
        self.broken = broken
        self.naming = naming
        self.entries: list[Any] = []
        self.written: list[Any] = []
        self.places: list[Path] = []
        self.calls: list[BlockCall | None] = []
        self.slots: list[int] = []
        self.reads: list[tuple[str, Path]] = []
        self.namer = Namer()
        self.counter = Counter()
        self.steps = 0
        self.last = inputs[0] if len(inputs) == 1 else None

    def expand(self, written: Sequence[Any]) -> Expanded:
        """The flat list; findings are in `problems`."""
        frame = Frame(None, (), self.context.values, {}, self.last, [])
        for index, item in enumerate(written):
            self._item(frame, index, item)
        found = Expanded(self.entries)
        found.written, found.items = self.written, frame.items
        found.places, found.calls, found.slots = self.places, self.calls, self.slots
        found.tensors, found.last, found.reads = frame.tensors, frame.previous, self.reads
        return found

    # ---------------------------------------------------------------------------- entries

    def _item(self, frame: Frame, index: int, item: Any) -> None:
        self.steps += 1
        if not isinstance(item, dict):
            self._add(frame, index, item, "")
        elif "block" in item and not set(KINDS) & set(item):
            self._use(frame, index, item)
        elif self.in_block(frame):
            self._entry(frame, index, item)
        else:
            name = item.get("name")
            self._add(frame, index, item, name if isinstance(name, str) else "")

    def _stands(self, frame: Frame, index: int, item: dict[str, Any]) -> bool | None:
        """Whether an entry stands: its ``when`` is true, or it has none; None if it is wrong."""
        try:
            return Boolean().check(compute(item.get("when", True), frame.values))
        except FieldError as error:
            self.report(error, frame.place(index, "when"))
            return None

    def _entry(self, frame: Frame, index: int, item: dict[str, Any]) -> None:
        """Add an entry of a block, if it stands."""
        before = self.mistakes
        stands = self._stands(frame, index, item)
        needed = {
            key: value
            for key, value in item.items()
            if key != "when" and (stands is not False or key in (*KINDS, *EDGES, "name"))
        }
        local, data = self._named(frame, item, self._computed(frame, index, needed))
        if stands is False:
            frame.previous = self.first_read(frame, data)
            if local and frame.previous is not None:
                frame.tensors[local] = frame.previous
        elif self.mistakes > before:
            self._append(frame, index, self.broken(self._with_edges(frame, index, data)), local)
        else:
            self._add(frame, index, data, local)

    def _computed(self, frame: Frame, index: int, item: dict[str, Any]) -> dict[str, Any]:
        """An entry with its expressions computed, without fields in which one has a mistake."""
        inner, found = own_entries(item), {}
        for key, value in item.items():
            before = self.mistakes
            if value is not inner or inner is None:
                found[key] = self.value(frame.values, value, frame.place(index, key))
            else:
                found[key] = value
            if self.mistakes > before:
                del found[key]
        return found

    def _named(
        self, frame: Frame, item: dict[str, Any], data: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """The name of an entry inside its block, and the entry with its whole name."""
        own = as_name(data.get("name"))
        given = own if isinstance(own, str) else None
        if frame.call is None:
            return given or "", data
        kind, reused = data.get("type", data.get("op", "entry")), data.get("reuse")
        local = frame.namer.name(str(kind), given, reused if isinstance(reused, str) else None)
        if given is not None:
            whole = given if is_whole(item["name"]) else f"{frame.call.name}_{given}"
        elif "name" in data:
            whole = self.counter.next(str(kind))
            if whole == self.namer.peek(str(kind)):
                return local, {key: value for key, value in data.items() if key != "name"}
        elif frame.call.is_named:
            whole = f"{frame.call.name}_{local}"
        else:
            return local, data
        first: dict[str, Any] = {key: data[key] for key in KINDS if key in data}
        rest = {key: value for key, value in data.items() if key != "name"}
        return local, {**first, "name": whole, **rest}

    def _add(self, frame: Frame, index: int, item: Any, local: str) -> None:
        """Read an entry and add it to the flat list."""
        data = self._with_edges(frame, index, item) if isinstance(item, dict) else item
        place = frame.place(index)
        with reading(Context(self.library, frame.call or self.context.call, frame.values)):
            entry, found = self.parse(data)
        for finding in found:
            self.report(finding.under(place))
        if frame.call is None:
            self.written.append(_as_written(entry, data, item))
        self._append(frame, index, entry, local)

    def _append(self, frame: Frame, index: int, entry: Any, local: str) -> None:
        name = self.namer.name(*self.naming(entry))
        self.counter.count(self.naming(entry)[0], name)
        frame.items.append(len(self.entries))
        self.entries.append(entry)
        self.places.append(frame.place(index))
        self.calls.append(frame.call)
        self.slots.append(index)
        self.last = frame.previous = name
        if frame.call is not None:
            frame.tensors[local or name] = name
            frame.layers[local or name] = name

    def _with_edges(self, frame: Frame, index: int, data: dict[str, Any]) -> dict[str, Any]:
        """An entry whose edges have the names of the flat list."""
        key, reused = edges_key(data), data.get("reuse")
        if frame.call is not None and isinstance(reused, str):
            if reused not in frame.layers:
                self.unknown("SF208", "a layer", reused, frame, frame.place(index, "reuse"))
            data = {**data, "reuse": frame.layers.get(reused, reused)}
        if data.get(key) is None:
            if frame.previous is None or frame.previous == self.last:
                return data
            return {**data, key: frame.previous}
        kind = data.get("type")
        cls = layer_class(kind) if isinstance(kind, str) else None
        loose = cls is not None and cls.takes_any_arguments
        edges = self.renamed(frame, data[key], frame.place(index, key), loose=loose)
        if frame.call is not None and isinstance(edges, str) and edges == self.last:
            return {name: value for name, value in data.items() if name != key}
        return {**data, key: edges}

    # ------------------------------------------------------------------------------- uses

    def _use(self, frame: Frame, index: int, item: dict[str, Any]) -> None:
        """Write out one use of a block, as often as it is repeated."""
        if frame.call is None:
            self.written.append(item)
        if not self.in_block(frame) and self._is_wrong(frame, index, item):
            self._break(frame, index, item)
            return
        stands = self._stands(frame, index, item)
        if stands is False:
            self._skip(frame, item)
            return
        count = self._repetitions(frame, index, item)
        block = self.library.blocks.get(item["block"]) if isinstance(item["block"], str) else None
        if block is None or stands is None or count == 0 or not self._fits(frame, index, item):
            self._break(frame, index, item)
            return
        outputs: tuple[str, ...] = ()
        for number in range(count or 1):
            values = frame.values if count is None else {**frame.values, INDEX: number}
            use = Repetition(frame, index, item, block, values, count and number)
            found = self._once(use, outputs)
            if found is None:
                self._break(frame, index, item)
                return
            outputs = found

    def _is_wrong(self, frame: Frame, index: int, item: dict[str, Any]) -> bool:
        """Report the mistakes for which a use outside of blocks is not written out."""
        before = self.mistakes
        for finding in use_findings(item, self.library.blocks, self.library.names):
            self.report(finding.under(frame.place(index)))
        if self.mistakes > before:
            values = {**frame.values, INDEX: 0} if "repeat" in item else frame.values
            for key, value in parameters_of(item).items():
                self.value(values, value, frame.place(index, key))
        return self.mistakes > before

    def _break(self, frame: Frame, index: int, item: dict[str, Any]) -> None:
        """Add a placeholder for a use that cannot be written out."""
        try:
            name = compute(item.get("name"), {**frame.values, INDEX: 0})
        except FieldError:
            name = None
        local = name if isinstance(name, str) else ""
        whole = f"{frame.call.name}_{local}" if frame.call is not None and local else local
        edges = item.get("inputs") if frame.call is None else None
        entry = self.broken({"name": whole or None, "inputs": edges})
        self._append(frame, index, entry, local)

    def _skip(self, frame: Frame, item: dict[str, Any]) -> None:
        """Hand on what a use that does not stand would have read."""
        try:
            data = {key: compute(item.get(key), frame.values) for key in ("name", "inputs")}
        except FieldError:
            data = {}
        frame.previous = self.first_read(frame, data)
        name = data.get("name")
        if isinstance(name, str) and frame.previous is not None:
            frame.tensors[name] = frame.previous

    def _fits(self, frame: Frame, index: int, item: dict[str, Any]) -> bool:
        """Whether a use does not stand for more layers than are allowed."""
        library = self.library
        if not self.in_block(frame):
            size = library.sizes.of_use(item, frame.values)
            if size <= library.left:
                library.left -= size
                return True
        elif self.steps <= MAX_LAYERS:
            return True
        message = (
            f"expected uses of blocks that stand for at most {MAX_LAYERS:,} layers together, "
            "received more"
        )
        path = frame.place(index, "repeat" if "repeat" in item else "block")
        self.report(Diagnostic("SF219", message, path, "repeat blocks less often"))
        return False

    def _repetitions(self, frame: Frame, index: int, item: dict[str, Any]) -> int | None:
        """How often a use is repeated; None if it is not, 0 if it is not known."""
        if item.get("repeat") is None:
            return None
        try:
            return Integer(1, MAX_LAYERS).check(compute(item["repeat"], frame.values))
        except FieldError as error:
            self.report(error, frame.place(index, "repeat"))
            return 0

    def _once(self, use: Repetition, previous: tuple[str, ...]) -> tuple[str, ...] | None:
        """Write out one repetition; its outputs, or None if it cannot be written out."""
        frame, block = use.frame, use.block
        arguments = self._arguments(use)
        named = self._use_name(use)
        inputs = self._inputs(use, previous)
        if arguments is None or named is None or inputs is None:
            return None
        local, name, is_named = named
        call = BlockCall(
            use.kind, block, name, is_named, arguments, parameters_of(use.item),
            frame.call or self.context.call, use.index, use.number, use.place(), inputs,
        )  # fmt: skip
        body = Frame(
            call,
            (InUse(call), use.kind, "layers"),
            {**arguments, OWN_NAME: name},
            dict(zip(block.inputs, inputs, strict=True)),
            inputs[0],
            call.items,
        )
        for place, inner in enumerate(block.layers):
            self._item(body, place, inner)
        call.outputs = self._outputs(body)
        frame.items.append(call)
        for key in (local, use.item.get("name")):
            if isinstance(key, str):
                frame.tensors[key] = call.outputs[0]
                frame.tensors |= {f"{key}:{n}": out for n, out in enumerate(call.outputs)}
        frame.previous = call.outputs[0]
        return call.outputs

    def _arguments(self, use: Repetition) -> dict[str, Any] | None:
        """The value of every parameter of a block; None if one is missing or wrong."""
        found = {}
        for key, default in use.block.parameters.items():
            given = key in use.item
            if not given and default == REQUIRED:
                continue
            try:
                found[key] = compute_parameter(
                    use.item.get(key, default), use.values if given else {}
                )
            except FieldError as error:
                before = self.mistakes
                if given:
                    self.value(use.values, use.item[key], use.place(key))
                if given and self.mistakes == before:
                    self.report(error, use.place(key))
        return found if len(found) == len(use.block.parameters) else None

    def _use_name(self, use: Repetition) -> tuple[str, str, bool] | None:
        """The name of a use in its list, its whole name, and whether the spec gives one."""
        frame, given, call = use.frame, use.item.get("name"), use.frame.call
        if given is None:
            kind, base = f"block {use.kind}", to_snake_case(use.kind)
            local = frame.namer.name(kind, None, None, base)
            if call is None or not call.is_named or "name" in use.item:
                return local, self.namer.name(kind, None, None, base), False
            return local, f"{call.name}_{local}", True
        try:
            local = NameRule().check(as_name(compute(given, use.values)))
            if use.number is not None and not uses_name(given, INDEX):
                local = f"{local}_{use.number + 1}"
            whole = call is None or is_whole(given)
            name = local if whole or call is None else f"{call.name}_{local}"
            if len(name) > MAX_NAME:
                raise wrong(f"a whole name of at most {MAX_NAME} characters", name)
        except FieldError as error:
            self.report(error, use.place("name"))
            return None
        if local in frame.uses:
            again = frame.uses[local] == use.index
            what = "another repetition" if again else "a use before it"
            message = (
                f"expected a unique name, received {show(local)}, which is also that of {what}"
            )
            hint = f"let the name depend on ${INDEX}" if again else "rename one of them"
            self.report(Diagnostic("SF203", message, use.place("name"), hint))
            return None
        frame.uses[local] = use.index
        return local, name, True

    def _inputs(self, use: Repetition, previous: tuple[str, ...]) -> tuple[str, ...] | None:
        """The tensors that a use reads; a repetition reads first what the one before gives."""
        frame, wanted, path = use.frame, use.block.inputs, use.place("inputs")
        before = self.mistakes
        given = self.value(use.values, use.item.get("inputs"), path)
        kind = f"the block {use.kind} ({', '.join(wanted)})"
        if isinstance(given, dict):
            for key in given:
                if key not in wanted:
                    message = f"expected the name of an input of {kind}, received {show(key)}"
                    where, hint = use.place("inputs", key), did_you_mean(key, wanted)
                    self.report(Diagnostic("SF205", message, where, hint, on_key=True))
            given = [given[name] for name in wanted if name in given]
        elif given is None:
            given = [] if frame.previous is None else [frame.previous]
        elif isinstance(given, str):
            given = [given]
        if self.mistakes > before:
            return None
        if not isinstance(given, (list, tuple)) or not all(isinstance(n, str) for n in given):
            self.report(FieldError("the name of a tensor for each input", given), path)
            return None
        names = given
        if use.item.get("inputs") is not None:
            names = [self.renamed(frame, name, path) for name in given]
            if frame.call is None and not previous:
                self.reads += [(name, path) for name in names]
        names = [*previous[: len(wanted)], *names[len(previous) :]]
        if len(names) != len(wanted):
            code = "SF204" if len(names) < len(wanted) else "SF205"
            several = "s" if len(wanted) > 1 else ""
            message = f"expected {len(wanted)} input{several} for {kind}, received {len(names)}"
            self.report(Diagnostic(code, message, path))
        return tuple(names) if self.mistakes == before else None

    def _outputs(self, body: Frame) -> tuple[str, ...]:
        """The tensors that a block gives, in the flat list."""
        assert body.call is not None
        call = body.call
        if call.block.outputs is None:
            return (body.previous or "",)
        found = []
        for number, name in enumerate(call.block.outputs):
            tensor = self.tensor(body, name)
            if tensor is None:
                path = (InUse(call), call.kind, "outputs", number)
                self.unknown("SF201", "a layer or input", name, body, path)
            found.append(tensor or name)
        return tuple(found)


def _as_written(entry: Any, data: Any, written: Any) -> Any:
    """An entry as the document has it: with the edges that it has there."""
    if not isinstance(written, dict) or not hasattr(entry, "model_copy"):
        return entry
    key = edges_key(written)
    if written.get(key) == data.get(key):
        return entry
    return entry.model_copy(update={key: written.get(key)})


def as_name(value: Any) -> Any:
    """A computed name: a number is one too, such as ``$(i + 1)``."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
