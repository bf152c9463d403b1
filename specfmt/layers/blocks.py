"""Blocks: named parts of a model with parameters, and what the uses of them stand for.

    blocks:
      bottleneck:
        parameters: {filters: required, stride: 1, project: false}
        layers:
          - {type: Conv2D, name: 0_conv, when: $project, filters: $(4 * filters), ...}
    layers:
      - {block: bottleneck, name: block1, filters: 64, project: true}
      - {block: bottleneck, name: block$(i + 2), filters: 64, repeat: 2}

A use stands for the block's entries with its parameters filled in: see `specfmt.layers.expansion`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Annotated, Any, ClassVar

from pydantic import Field

from specfmt.diagnostics import Diagnostic, InUse, Path
from specfmt.fields.edges import Edges
from specfmt.fields.errors import (
    FieldError,
    NestedError,
    close_matches,
    did_you_mean,
    error_to_diagnostic,
    show,
)
from specfmt.fields.expressions import LETTER, WORDS, Expression, is_computed, parse_text
from specfmt.fields.model import SpecModel, to_data
from specfmt.fields.rules import Integer, Nullable, Rule
from specfmt.fields.types import Bool, Name, NameRule, OptionalName, Str
from specfmt.fields.validation import validate

REQUIRED = "required"
"""The default of a parameter that each use must give."""

INPUT = "x"
"""The name of a block's input, if it does not name its inputs."""

INDEX = "i"
"""The number of a repetition, from 0, in the fields of a repeated use."""

OWN_NAME = "name"
"""The name of a use, in the entries of its block."""

ENTRY_KINDS = ("type", "reuse", "op", "block")
"""The keys of which an entry has exactly one."""

USE_FIELDS = ("block", "name", "inputs", "repeat", "when")
"""Fields of a use that are not parameters."""

MAX_LAYERS = 250_000
"""The most layers that the uses of blocks may stand for in one document."""

MAX_DEPTH = 32
"""The most blocks inside each other."""

SHOWN = 4
"""The most parameters of a use in a message."""


class ParametersRule(Rule):
    """A mapping from parameter to its default, or ``required``."""

    expected = "a mapping from parameter to its default, or to required"

    def check(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise FieldError(self.expected, value)
        found = []
        for name in value:
            if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
                error = FieldError("a parameter's name of letters, digits and _", name)
            elif name in RESERVED or iskeyword(name):
                error = FieldError("a parameter's name without another meaning", name)
            else:
                continue
            found.append(Diagnostic(error.code, error.message, (name,), on_key=True))
        if found:
            raise NestedError(found)
        return dict(value)

    def schema(self) -> dict[str, Any]:
        words = "|".join(sorted({*RESERVED, *_KEYWORDS}))
        pattern = f"^(?!(?:{words})$)[A-Za-z_][A-Za-z0-9_]*$(?!\\n)"
        return {"type": "object", "propertyNames": {"pattern": pattern}}


RESERVED = frozenset((*ENTRY_KINDS, *USE_FIELDS, *WORDS, INDEX, LETTER))
_KEYWORDS = (
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
)  # fmt: skip
"""Python's keywords, which expressions cannot contain as names."""


class BodyRule(Rule):
    """A list of entries, in which expressions may stand for values."""

    def check(self, value: Any) -> list[Any]:
        if not isinstance(value, (list, tuple)) or not value:
            raise FieldError("a list of layers", value)
        return list(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/body_entry"}}


class NamesRule(Rule):
    """A name, or a list of names."""

    def check(self, value: Any) -> tuple[str, ...]:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, (list, tuple)) or not names:
            raise FieldError("a name or a list of names", value)
        return tuple(NameRule().check(name) for name in names)

    def schema(self) -> dict[str, Any]:
        name = NameRule().schema()
        return {"anyOf": [name, {"type": "array", "minItems": 1, "items": name}]}


class Block(SpecModel):
    """A part of a model with parameters, which entries ``{block: name, ...}`` use."""

    description: Str = ""
    parameters: Annotated[dict[str, Any], ParametersRule()] = Field(default={})
    inputs: Annotated[tuple[str, ...], NamesRule()] = (INPUT,)
    layers: Annotated[Any, BodyRule()]
    outputs: Annotated[Any, Nullable(NamesRule())] = None

    def explicit_arguments(self) -> dict[str, Any]:
        given = super().explicit_arguments()
        return {name: given[name] for name in type(self).model_fields if name in given}

    def to_data(self) -> dict[str, Any]:
        data: dict[str, Any] = super().to_data()
        for key in ("inputs", "outputs"):
            if len(data.get(key, ())) == 1:
                (data[key],) = data[key]
        return data


class BlockUse(SpecModel):
    """A use of a block: its entries, with values for its parameters, which are further keys."""

    type_name: ClassVar[str] = "block"

    block: Name
    name: OptionalName = None
    inputs: Edges = None
    repeat: Annotated[int | None, Nullable(Integer(1, MAX_LAYERS))] = None
    when: Bool = True


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

    def __str__(self) -> str:
        """The use for a message: ``conv2_block1 (filters: 64)``."""
        shown = [f"{key}: {show(self.arguments.get(key), 20)}" for key in list(self.given)[:SHOWN]]
        more = ", ..." if len(self.given) > SHOWN else ""
        name = self.name if len(self.name) <= 60 else f"{self.name[:60]}..."
        return f"{name} ({', '.join(shown)}{more})" if shown else name

    def chain(self) -> Iterator[BlockCall]:
        """This use and those around it, from the inside out."""
        call: BlockCall | None = self
        while call is not None:
            yield call
            call = call.parent


class Expanded(tuple[Any, ...]):
    """The flat list of a model's entries, with the uses of blocks that they come from.

    Attributes:
        written: The list of layers as the document has it: uses as data, and the other entries.
        items: Indices in the flat list, and uses, in the order of the document.
        places: For each entry its place in the document: from the root if it stands in a block
            (see `InUse`), else from the model.
        calls: For each entry the innermost use that it comes from, or None.
        slots: For each entry its index in the list of layers that it comes from.
        tensors: Name of a use (``name:1`` for a second output) -> the tensor that it stands for.
        last: The tensor that the last entry gives.
        reads: The names that uses outside of blocks read, with their places from the model's layers.
    """

    written: list[Any]
    items: list[int | BlockCall]
    places: list[Path]
    calls: list[BlockCall | None]
    slots: list[int]
    tensors: dict[str, str]
    last: str | None
    reads: list[tuple[str, Path]]

    def to_data(self) -> Any:
        """The list of layers as the document has it."""
        return to_data(self.written)


def with_entries(entries: Sequence[Any], others: Iterable[Any]) -> tuple[Any, ...]:
    """A model's layers with one entry in place of each."""
    if not isinstance(entries, Expanded):
        return tuple(others)
    made = Expanded(others)
    vars(made).update(vars(entries))
    return made


def place_of(entries: Sequence[Any], index: int, path: Path) -> Path:
    """The place in the document of an entry of a model's layers.

    Args:
        entries: The layers, with blocks written out.
        index: The index of the entry in them.
        path: The place of the model.
    """
    place = entries.places[index] if isinstance(entries, Expanded) else (index,)
    return place if isinstance(place[0], InUse) else (*path, "layers", *place)


def index_of(entries: Sequence[Any], path: Path) -> int | None:
    """The index in a model's layers of the entry at ``path``, relative to the model; None if there
    is none.

    It is the reverse of `place_of`.
    """
    within = isinstance(path[0], InUse)
    if not isinstance(entries, Expanded):
        return None if within else int(path[1])
    place = path[:4] if within else path[1:2]
    return entries.places.index(place) if place in entries.places else None


def uses_name(text: Any, name: str) -> bool:
    """Whether an expression of a text has a name in it."""
    if not isinstance(text, str) or "$" not in text:
        return False
    return any(isinstance(p, Expression) and name in p.names for p in parse_text(text))


def is_whole(name: Any) -> bool:
    """Whether a name inside a block is whole: it is one expression, or uses ``$name``.

    Other names follow that of the use of the block.
    """
    if not isinstance(name, str) or "$" not in name:
        return False
    pieces = parse_text(name)
    return (len(pieces) == 1 and isinstance(pieces[0], Expression)) or uses_name(name, OWN_NAME)


def use_findings(
    use: Mapping[str, Any], blocks: Mapping[str, Block], names: Collection[str]
) -> Iterator[Diagnostic]:
    """The mistakes of a use that do not depend on the values of expressions, paths relative to it.

    Args:
        use: The entry.
        blocks: The blocks without mistakes.
        names: The names of all blocks.
    """
    fixed = {key: use[key] for key in USE_FIELDS if key in use and not is_computed(use[key])}
    try:
        validate(BlockUse, {**fixed, "block": use["block"]}, "a use of a block")
    except NestedError as error:
        yield from error.diagnostics
    kind = use["block"]
    if not isinstance(kind, str):
        return
    if kind not in names:
        some = ", ".join(list(names)[:SHOWN])
        more = ", ..." if len(names) > SHOWN else ""
        hint = f"the document has {some}{more}" if names else "describe it in `blocks:`"
        wrong = FieldError("the name of a block", kind, did_you_mean(kind, names) or hint, "SF215")
        yield error_to_diagnostic(wrong, ("block",))
    if kind not in blocks:
        return
    parameters = blocks[kind].parameters
    meant: set[str] = set()
    for key in use:
        if key not in USE_FIELDS and key not in parameters:
            close = close_matches(key, (*parameters, *USE_FIELDS))
            meant.update(close)
            listed = ", ".join((*parameters, *USE_FIELDS[1:]))
            hint = f"did you mean {close[0]}?" if close else f"a use of {kind} takes {listed}"
            message = f"expected a parameter of the block {kind}, received {show(key)}"
            yield Diagnostic("SF216", message, (key,), hint, on_key=True)
    for key, default in parameters.items():
        if default == REQUIRED and key not in use and key not in meant:
            message = f"a use of {kind} is missing the required parameter `{key}`"
            yield Diagnostic("SF216", message)


def parameters_of(use: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a use gives, as written."""
    return {key: value for key, value in use.items() if key not in USE_FIELDS}
