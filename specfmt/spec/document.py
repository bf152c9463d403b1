"""The document: models, inputs, and the entries of a layer list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict

from specfmt.diagnostics import Diagnostic
from specfmt.fields.edges import Edges, EdgesRule, OperandsRule
from specfmt.fields.errors import FieldError, NestedError, show
from specfmt.fields.types import (
    DTYPES,
    AnyMapping,
    Bool,
    Integer,
    Literal,
    Name,
    NameRule,
    Nullable,
    OneOf,
    OptionalName,
    OptionalPolicy,
    OptionalPositiveInt,
    Rule,
    Str,
    Text,
    Tuple,
)
from specfmt.fields.validation import validate
from specfmt.layers.base import Layer, explicit_arguments, to_data
from specfmt.layers.registry import build_layer, build_op, layer_class

VERSION = 1
MAX_AXES = 32
"""Axes of an input; NumPy before 2.0 takes no more either, batch axis aside."""

Style = Literal["sequential", "functional"]


class InputSpec(BaseModel):
    """An input of a model: `keras.Input`.

    ``shape`` is without the batch axis; null is a size not known until run time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    shape: Annotated[tuple[int | None, ...], Tuple(Nullable(Integer(0)), 0, MAX_AXES)]
    dtype: Annotated[str, OneOf(*DTYPES)] = "float32"
    batch_size: OptionalPositiveInt = None
    sparse: Bool = False
    ragged: Bool = False
    optional: Bool = False


class InputsRule(Rule):
    """A mapping from input name to `InputSpec`."""

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
    """A tensor name, or a list or a mapping of them, which may nest."""

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


class Reuse(BaseModel):
    """A further call of a layer or model that stands elsewhere, sharing its weights."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    type_name: ClassVar[str] = "reuse"

    reuse: Name
    name: OptionalName = None
    inputs: Edges = None


class Broken(BaseModel):
    """Stands for an entry that could not be read, so that the others are still checked.

    What it says of its edges is kept where that can be read, and is checked too.
    """

    model_config = ConfigDict(defer_build=True)

    name: str | None = None
    inputs: Any = None
    reuse: str | None = None
    type_name: str = "entry"


class EntriesRule(Rule):
    """The entries of a layer list, checked one by one."""

    def check(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, _Checked):
            return value
        entries, problems = parse_entries(value)
        if problems:
            raise NestedError(problems)
        return entries

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"$ref": "#/$defs/entry"}}


Entries = Annotated[tuple[Any, ...], EntriesRule()]


class Model(BaseModel):
    """A model inside a model: its own inputs, layers and outputs; ``call`` says what it reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    type_name: ClassVar[str] = "Model"

    name: OptionalName = None
    style: Style | None = None
    inputs: Annotated[dict[str, InputSpec] | None, Nullable(InputsRule())] = None
    layers: Entries
    outputs: Annotated[Any, Nullable(NestRule())] = None
    input_structure: Annotated[Any, Nullable(NestRule())] = None
    call: Edges = None
    trainable: Bool = True
    dtype: OptionalPolicy = None

    def to_data(self) -> dict[str, Any]:
        """The entry as plain data."""
        return {"type": "Model", **_model_data(self)}


class TrainRule(Rule):
    """The ``train:`` section; its classes are imported only where there is one."""

    def check(self, value: Any) -> Any:
        from specfmt.spec.train import TrainSpec

        if isinstance(value, TrainSpec):
            return value
        if not isinstance(value, dict):
            raise FieldError("a mapping", value)
        return validate(TrainSpec, value, "train")

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/$defs/train"}


class ModelSpec(BaseModel):
    """A whole document: one model and how it is trained.

    Attributes:
        origin: The text it was read from, if there is one: findings get their places from it.
        html: What shows it in a notebook; the public API, which knows more of a model, sets it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    origin: ClassVar[Any] = None
    html: ClassVar[Callable[[ModelSpec], str] | None] = None

    specfmt: Annotated[int, Integer(VERSION, VERSION)]
    name: Name = "model"
    description: Str = ""
    style: Style | None = None
    inputs: Annotated[dict[str, InputSpec] | None, Nullable(InputsRule())] = None
    layers: Entries
    outputs: Annotated[Any, Nullable(NestRule())] = None
    input_structure: Annotated[Any, Nullable(NestRule())] = None
    train: Annotated[Any, Nullable(TrainRule())] = None
    trainable: Bool = True
    dtype: OptionalPolicy = None

    def to_data(self) -> dict[str, Any]:
        """The document as plain data, defaults left out."""
        return _model_data(self)

    def _repr_html_(self) -> str | None:
        show = type(self).html
        return None if show is None else show(self)


def _model_data(model: Model | ModelSpec) -> dict[str, Any]:
    given = explicit_arguments(model)
    data = {name: given[name] for name in type(model).model_fields if name in given}
    if model.inputs is not None:
        data["inputs"] = {name: to_data(item) for name, item in model.inputs.items()}
    data["layers"] = [entry_data(entry) for entry in model.layers]
    return {
        key: value if key in ("inputs", "layers") else to_data(value) for key, value in data.items()
    }


def entry_data(entry: Any) -> dict[str, Any]:
    """One entry as plain data, defaults left out."""
    if isinstance(entry, Model):
        return entry.to_data()
    data: dict[str, Any] = to_data(entry)
    return data


ENTRY_KINDS = ("type", "reuse", "op")


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
        return validate(Reuse, value, "a reuse")
    if kinds == ["op"]:
        return build_op(value)
    if value["type"] == "Model":
        return validate(Model, _without_type(value), "Model")
    return build_layer(value)


def _without_type(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != "type"}


def _not_an_entry(value: dict[str, Any], kinds: list[str]) -> Diagnostic:
    expected = "expected an entry with one of type, reuse, op"
    if kinds:
        message = f"{expected}, received {' and '.join(kinds)}"
        return Diagnostic("SF125", message, (), "keep one of them")
    if "block" in value:
        message = f"{expected}, received block"
        return Diagnostic("SF125", message, (), "blocks are not part of version 1")
    hint = "start with `type:`"
    if "class_name" in value:
        hint = (
            "this is Keras's JSON: write `type` for `class_name`, and the config's keys beside it"
        )
    return Diagnostic("SF125", f"{expected}, received {show(value)}", (), hint)


def parse_entries(value: Any) -> tuple[tuple[Any, ...], list[Diagnostic]]:
    """All entries of a layer list, `Broken` where one could not be read, and the findings."""
    if not isinstance(value, (list, tuple)):
        raise FieldError("a list of layers", value)
    entries: list[Any] = []
    problems: list[Diagnostic] = []
    for index, item in enumerate(value):
        entry: Any = None
        try:
            if isinstance(item, dict) and item.get("type") == "Model":
                entry, found = _parse_model(item)
                problems.extend(d.under((index,)) for d in found)
            else:
                entry = parse_entry(item)
        except FieldError as error:
            problems.append(Diagnostic(error.code, error.message, (index,), error.hint))
        except NestedError as error:
            problems.extend(d.under((index,)) for d in error.diagnostics)
        entries.append(_broken(item) if entry is None else entry)
    return tuple(entries), problems


def _broken(item: Any) -> Broken:
    known = item if isinstance(item, dict) else {}
    name, kind, reuse = known.get("name"), known.get("type"), known.get("reuse")
    return Broken.model_construct(
        name=name if isinstance(name, str) else None,
        inputs=_readable_edges(known),
        reuse=reuse if isinstance(reuse, str) and kind is None else None,
        type_name=kind if isinstance(kind, str) else "entry",
    )


def _readable_edges(entry: dict[str, Any]) -> Any:
    """What an entry says that it reads; None where it does not, or not as edges are written."""
    if entry.get("type") == "Model" or entry.get("inputs") is None:
        return None  # the inputs of a model are its own
    try:
        return (OperandsRule() if "op" in entry else EdgesRule()).check(entry["inputs"])
    except ValueError:
        return None


def parse_document(data: Any) -> tuple[ModelSpec | None, list[Diagnostic]]:
    """A document from plain data.

    Returns:
        The spec, with `Broken` entries where some could not be read, or None where nothing
        could; and every finding.
    """
    if not isinstance(data, dict):
        message = FieldError("a mapping with specfmt, inputs, layers", data).message
        return None, [Diagnostic("SF125", message)]
    if "specfmt" not in data and {"class_name", "config"} <= set(data):
        message = "expected a spec with specfmt, inputs, layers, received Keras's architecture JSON"
        return None, [Diagnostic("SF125", message, (), "`specfmt import` turns it into a spec")]
    return _parse(ModelSpec, data, "the document", {"specfmt": VERSION, "layers": ()})


def _parse_model(value: dict[str, Any]) -> tuple[Model | None, list[Diagnostic]]:
    if any(kind in value for kind in ENTRY_KINDS[1:]):
        return None, [_not_an_entry(value, [kind for kind in ENTRY_KINDS if kind in value])]
    return _parse(Model, _without_type(value), "Model", {"layers": ()})


M = TypeVar("M", "ModelSpec", "Model")


def _parse(
    cls: type[M], data: dict[str, Any], label: str, needed: dict[str, Any]
) -> tuple[M | None, list[Diagnostic]]:
    """A model from plain data; what is wrong in it does not hide what is wrong with the rest.

    Args:
        cls: The document's or a nested model's class.
        data: Its fields.
        label: What to call it in messages.
        needed: What stands for required fields that cannot be read.
    """
    problems: list[Diagnostic] = []
    fields = dict(data)
    for key in _READERS:
        if key not in cls.model_fields or key not in fields:
            continue
        if fields[key] is None and key != "layers":
            continue
        try:
            fields[key] = _read(key, fields[key], problems)
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
    # What is left may still make a model that can be checked further.
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


_READERS = ("layers", "inputs", "train", "outputs", "input_structure")


def _read(key: str, value: Any, problems: list[Diagnostic]) -> Any:
    if key == "layers":
        entries, found = parse_entries(value)
        problems.extend(d.under(("layers",)) for d in found)
        return _Checked(entries)
    if key == "inputs":
        return InputsRule().check(value)
    if key == "train":
        return TrainRule().check(value)
    return NestRule().check(value)


def _readable_inputs(value: dict[str, Any]) -> dict[str, InputSpec]:
    """The inputs by name, of unknown shape where one is wrong."""
    rule, found = InputsRule(), {}
    for name, item in value.items():
        try:
            found.update(rule.check({name: item}))
        except NestedError:
            found[name] = InputSpec.model_construct(shape=None)  # type: ignore[arg-type]
    return found


class _Checked(tuple):  # type: ignore[type-arg]
    """Entries that were read already; `EntriesRule` takes them as they are."""

    __slots__ = ()
