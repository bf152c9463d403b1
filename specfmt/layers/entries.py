"""The entries of a layer list: layers, operations, repeated calls and nested models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import ConfigDict

from specfmt.diagnostics import Diagnostic
from specfmt.fields.edges import Edges, EdgesRule, OperandsRule
from specfmt.fields.errors import FieldError, NestedError, show
from specfmt.fields.expressions import is_computed
from specfmt.fields.model import SpecModel
from specfmt.fields.rules import (
    AnyMapping,
    Integer,
    Nullable,
    OneOf,
    Rule,
    Text,
    Tuple,
    choice_schema,
)
from specfmt.fields.types import (
    DTYPES,
    Bool,
    Literal,
    Name,
    NameRule,
    OptionalName,
    OptionalPolicy,
    OptionalPositiveInt,
)
from specfmt.fields.validation import rules_of, validate
from specfmt.layers.base import Layer
from specfmt.layers.block_scope import stands_in_block
from specfmt.layers.blocks import ENTRY_KINDS, Expanded
from specfmt.layers.registry import MODEL, build_layer, build_op, layer_class

MAX_AXES = 32
"""The largest number of axes of an input, which is also NumPy's limit before 2.0."""

SIZE_NAME = r"(?!(?:None|none|NONE|null|Null|NULL|true|True|TRUE|false|False|FALSE)$)[A-Za-z][A-Za-z0-9_]{0,29}"
"""What the name of an unknown size looks like; words that mean something else are mistakes."""

BATCH_NAME = "N"
"""The name of the batch size in shapes."""

Style = Literal["sequential", "functional"]


class SizeOrName(Rule):
    """A size, or the name of one that is not known until run time: ``T``; the messages are those for
    sizes."""

    size = Integer(0)
    expected = "an integer of at least 0, names"

    def check(self, value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(SIZE_NAME, value):
            return self.size.check(value)
        if value == BATCH_NAME:
            hint = "N stands for the batch size; use another name, such as T"
            raise FieldError("the name of a size", value, hint)
        return value

    def schema(self) -> dict[str, Any]:
        name = {"type": "string", "pattern": f"^(?!{BATCH_NAME}$){SIZE_NAME}$(?!\\n)"}
        return {"anyOf": [self.size.schema(), name]}


class InputSpec(SpecModel):
    """An input of a model, as `keras.Input`.

    ``shape`` excludes the batch axis; null is a size that is not known until run time, and so is
    a name, which inputs with equal sizes share.
    """

    shape: Annotated[tuple[int | str | None, ...], Tuple(Nullable(SizeOrName()), 0, MAX_AXES)]
    dtype: Annotated[str, OneOf(*DTYPES)] = "float32"
    batch_size: OptionalPositiveInt = None
    sparse: Bool = False
    ragged: Bool = False
    optional: Bool = False

    @property
    def static_shape(self) -> tuple[int | None, ...]:
        """The shape as Keras declares it, with None for named sizes."""
        return tuple(size if isinstance(size, int) else None for size in self.shape)


class InputsRule(Rule):
    """A mapping from input name to `{shape: [...]}`."""

    def check(self, value: Any) -> dict[str, InputSpec]:
        if not isinstance(value, dict):
            raise FieldError("a mapping from input name to {shape: [...]}", value)
        found: dict[str, InputSpec] = {}
        problems: list[Diagnostic] = []
        for name, item in value.items():
            try:
                NameRule().check(name)
                if not isinstance(item, (dict, InputSpec)):
                    raise FieldError("{shape: [...]}", item)
                found[name] = (
                    item if isinstance(item, InputSpec) else validate(InputSpec, item, "an input")
                )
            except FieldError as error:
                problems.append(Diagnostic(error.code, error.message, (name,), error.hint))
            except NestedError as error:
                problems.extend(d.under((name,)) for d in error.diagnostics)
        if problems:
            raise NestedError(problems)
        return found

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "propertyNames": NameRule().schema(),
            "additionalProperties": {"$ref": "#/$defs/input"},
        }


class NestRule(Rule):
    """A tensor name, or a list or a mapping of them, which may be nested."""

    _name = Text("the name of a tensor", r"\S")

    def check(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._name.check(value)
        if isinstance(value, (list, tuple)) and value:
            return tuple(self.check(item) for item in value)
        if isinstance(value, dict) and value:
            mapping = AnyMapping().check(value)
            return {key: self.check(item) for key, item in mapping.items()}
        raise FieldError(
            "a tensor name, a list of names, or a mapping from name to tensor name", value
        )

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/$defs/tensors"}


def nest_schema() -> dict[str, Any]:
    """The definition ``tensors`` of the JSON Schema, to which `NestRule` refers."""
    again = NestRule().schema()
    return {
        "anyOf": [
            NestRule._name.schema(),
            {"type": "array", "minItems": 1, "items": again},
            {"type": "object", "minProperties": 1, "additionalProperties": again},
        ]
    }


class Reuse(SpecModel):
    """Calls the layer or nested model of another entry again, with the same weights."""

    type_name: ClassVar[str] = "reuse"

    reuse: Name
    name: OptionalName = None
    inputs: Edges = None


class InvalidEntry(SpecModel):
    """A placeholder for an entry that could not be read, so that the others are still checked.

    Its edges are kept where they could be read, and are checked too.
    """

    model_config = ConfigDict(extra="ignore", frozen=False)

    name: str | None = None
    inputs: Any = None
    reuse: str | None = None
    type_name: str = "entry"


class EntriesRule(Rule):
    """A list of layers, operations, repeated calls and nested models."""

    def check(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, (_ParsedEntries, Expanded)):
            return value
        entries, problems = parse_entries(value)
        if problems:
            raise NestedError(problems)
        return entries

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"$ref": "#/$defs/entry"}}


Entries = Annotated[tuple[Any, ...], EntriesRule()]


class AnyModel(SpecModel):
    """Base of the document and of nested models."""

    def explicit_arguments(self) -> dict[str, Any]:
        given = super().explicit_arguments()
        return {name: given[name] for name in type(self).model_fields if name in given}


class Model(AnyModel):
    """A nested model with its own inputs, layers and outputs; ``call`` is what it is called on."""

    type_name: ClassVar[str] = MODEL

    name: OptionalName = None
    style: Style | None = None
    inputs: Annotated[dict[str, InputSpec] | None, Nullable(InputsRule())] = None
    layers: Entries
    outputs: Annotated[Any, Nullable(NestRule())] = None
    input_structure: Annotated[Any, Nullable(NestRule())] = None
    call: Edges = None
    trainable: Bool = True
    dtype: OptionalPolicy = None

    def tag(self) -> dict[str, str]:
        return {"type": MODEL}


def parse_entry(value: Any) -> Any:
    """One entry of a layer list.

    Raises:
        NestedError, FieldError: With every finding, paths relative to the entry.
    """
    if isinstance(value, (Layer, Model, Reuse)):
        return value
    if not isinstance(value, dict):
        known = isinstance(value, str) and layer_class(value) is not None
        hint = f"write {{type: {value}}}" if known else ""
        raise FieldError("a layer: {type: Name, ...}", value, hint, code="SF125")
    kinds = [kind for kind in ENTRY_KINDS if kind in value]
    if len(kinds) != 1:
        raise NestedError([_not_an_entry(value, kinds)])
    if kinds == ["reuse"]:
        return validate(Reuse, value, "a reuse entry")
    if kinds == ["op"]:
        return build_op(value)
    if value["type"] == MODEL:
        model, found = _parse_model(value)
        if found:
            raise NestedError(found)
        return model
    return build_layer(value)


def is_use(value: Any) -> bool:
    """Whether an entry is the use of a block."""
    return (
        isinstance(value, dict)
        and "block" in value
        and not any(kind in value for kind in ENTRY_KINDS if kind != "block")
    )


def _without_type(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != "type"}


def _not_an_entry(value: dict[str, Any], kinds: list[str]) -> Diagnostic:
    expected = f"expected an entry with one of {', '.join(ENTRY_KINDS)}"
    if kinds:
        message = f"{expected}, received {' and '.join(kinds)}"
        return Diagnostic("SF125", message, (), "keep one of them")
    hint = "start with `type:`"
    if "class_name" in value:
        hint = (
            "this is Keras's JSON: write `type` for `class_name`, and the config's keys beside it"
        )
    return Diagnostic("SF125", f"{expected}, received {show(value)}", (), hint)


def parse_entries(
    value: Any, inputs: Sequence[str] = ()
) -> tuple[tuple[Any, ...], list[Diagnostic]]:
    """All entries of a layer list, `InvalidEntry` where one could not be read, and the findings.

    Args:
        value: The list; uses of blocks are written out, see `Expanded`.
        inputs: The names of the model's inputs.
    """
    if not isinstance(value, (list, tuple)):
        raise FieldError("a list of layers", value)
    if stands_in_block() or any(map(is_use, value)):
        from specfmt.layers.expansion import Expander  # only models with blocks need it

        expander = Expander(_read_entry, _invalid_entry, naming, inputs)
        return expander.expand(value), expander.problems
    entries: list[Any] = []
    problems: list[Diagnostic] = []
    for index, item in enumerate(value):
        entry, found = _read_entry(item)
        problems.extend(d.under((index,)) for d in found)
        entries.append(entry)
    return tuple(entries), problems


def _read_entry(item: Any) -> tuple[Any, list[Diagnostic]]:
    """One entry, or an `InvalidEntry`, and the findings, with paths relative to it."""
    problems: list[Diagnostic] = []
    entry: Any = None
    try:
        if isinstance(item, dict) and item.get("type") == MODEL:
            entry, problems = _parse_model(item)
        else:
            entry = parse_entry(item)
    except FieldError as error:
        problems.append(Diagnostic(error.code, error.message, (), error.hint))
    except NestedError as error:
        problems.extend(error.diagnostics)
    if problems and isinstance(item, dict) and not stands_in_block():
        problems = [_explained(finding, item) for finding in problems]
    return _invalid_entry(item) if entry is None else entry, problems


def _explained(finding: Diagnostic, item: dict[str, Any]) -> Diagnostic:
    """A finding with a hint, if the entry has outside of blocks what only stands in them."""
    if finding.path == ("when",):
        return replace(finding, hint="`when:` is for the entries of blocks")
    received: Any = item
    for key in finding.path:
        if isinstance(received, list):  # a finding may name a place that the list does not have
            index = int(key)
            received = received[index] if index < len(received) else None
        else:
            received = received.get(key) if isinstance(received, dict) else None
    if finding.code == "SF123" and not finding.hint and is_computed(received):
        return replace(finding, hint="expressions are for the entries of `blocks:`")
    return finding


def naming(entry: Any) -> tuple[str, str | None, str | None]:
    """Type, name and the layer called again, as `automatic_names` takes them."""
    if isinstance(entry, Layer):
        return entry.keras_class or entry.type_name, entry.name, None
    return entry.type_name, entry.name, entry.reuse if isinstance(entry, Reuse) else None


def _invalid_entry(item: Any) -> InvalidEntry:
    known = item if isinstance(item, dict) else {}
    name, kind, reuse = known.get("name"), known.get("type"), known.get("reuse")
    return InvalidEntry.model_construct(
        name=name if isinstance(name, str) else None,
        inputs=_readable_edges(known),
        reuse=reuse if isinstance(reuse, str) and kind is None else None,
        type_name=kind if isinstance(kind, str) else "entry",
    )


def _readable_edges(entry: dict[str, Any]) -> Any:
    """The edges of an entry; None if it has none, or none that can be read."""
    if entry.get("type") == MODEL or entry.get("inputs") is None:
        return None  # the `inputs` of a nested model declare inputs, they are no edges
    try:
        return (OperandsRule() if "op" in entry else EdgesRule()).check(entry["inputs"])
    except ValueError:
        return None


M = TypeVar("M", bound=AnyModel)


def _parse_model(value: dict[str, Any]) -> tuple[Model | None, list[Diagnostic]]:
    if any(kind in value for kind in ENTRY_KINDS[1:]):
        return None, [_not_an_entry(value, [kind for kind in ENTRY_KINDS if kind in value])]
    return parse_model(Model, _without_type(value), MODEL, {"layers": ()})


def parse_model(
    cls: type[M], data: dict[str, Any], label: str, needed: dict[str, Any]
) -> tuple[M | None, list[Diagnostic]]:
    """A model from plain data; a mistake in one part does not hide mistakes in the others.

    Entries that cannot be read become `InvalidEntry`, so that the others are still checked.

    Args:
        cls: The document's or a nested model's class.
        data: Its fields.
        label: What to call it in messages.
        needed: The values of required fields that cannot be read.
    """
    problems: list[Diagnostic] = []
    fields = dict(data)
    for key in _CHECKED_FIRST:
        if key not in cls.model_fields or key not in fields:
            continue
        try:
            if key == "layers":
                given = fields.get("inputs")
                inputs = tuple(given) if isinstance(given, dict) else ()
                entries, found = parse_entries(fields[key], inputs)
                problems.extend(d.under(("layers",)) for d in found)
                fields[key] = entries if isinstance(entries, Expanded) else _ParsedEntries(entries)
            else:
                fields[key] = rules_of(cls)[key].check(fields[key])
        except FieldError as error:
            problems.append(Diagnostic(error.code, error.message, (key,), error.hint))
            fields[key] = needed.get(key)
        except NestedError as error:
            problems.extend(d.under((key,)) for d in error.diagnostics)
            fields[key] = _readable_inputs(fields[key]) if key == "inputs" else needed.get(key)
    try:
        return validate(cls, fields, label), problems
    except NestedError as error:
        problems.extend(error.diagnostics)
    # The remaining fields may still make a model that can be checked further.
    wrong = {d.path[0] for d in problems if d.path}
    kept = {
        key: value
        for key, value in fields.items()
        if key in cls.model_fields and (key not in wrong or key in ("layers", "inputs"))
    }
    try:
        return validate(cls, {**needed, **kept}, label), problems
    except NestedError:
        return None, problems


_CHECKED_FIRST = ("layers", "inputs", "train", "outputs", "input_structure")
"""Fields that are checked on their own, in the order in which their findings are reported."""


def _readable_inputs(value: dict[str, Any]) -> dict[str, InputSpec]:
    """The inputs by name; one with a mistake gets an unknown shape."""
    rule, found = InputsRule(), {}
    for name, item in value.items():
        try:
            found.update(rule.check({name: item}))
        except NestedError:
            found[name] = InputSpec.model_construct(shape=None)  # type: ignore[arg-type]
    return found


class _ParsedEntries(tuple):  # type: ignore[type-arg]
    """Entries that are read already; `EntriesRule` returns them unchanged."""

    __slots__ = ()


class LayerRule(Rule):
    """A layer in a field: ``{type: LSTM, units: 4}``; if ``types`` is not empty, one of these."""

    def __init__(self, *types: str) -> None:
        self.types = types

    def check(self, value: Any) -> Any:
        if isinstance(value, Layer):
            return value
        if not isinstance(value, dict):
            raise FieldError("a layer: {type: Name, ...}", value)
        if value.get("type") == MODEL and not self.types:
            return parse_entry(value)
        found = build_layer(value)
        if self.types and found.type_name not in self.types:
            raise NestedError(
                [
                    Diagnostic(
                        "SF123",
                        f"expected one of {', '.join(self.types)}, received {found.type_name}",
                        ("type",),
                    )
                ]
            )
        return found

    def schema(self) -> dict[str, Any]:
        if self.types:
            return choice_schema("type", {name: f"layer_{name}" for name in self.types})
        return {"$ref": "#/$defs/layer"}
