"""The document: one model, and how it is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from specfmt.diagnostics import Diagnostic
from specfmt.fields.errors import FieldError, NestedError, error_to_diagnostic
from specfmt.fields.rules import Integer, Nullable, Rule
from specfmt.fields.types import Bool, Name, NameRule, OptionalPolicy, Str
from specfmt.fields.validation import validate
from specfmt.layers.block_scope import Context, Library, reading
from specfmt.layers.blocks import Block
from specfmt.layers.entries import (
    AnyModel,
    Entries,
    InputSpec,
    InputsRule,
    NestRule,
    Style,
    parse_model,
)

VERSION = 1


class TrainRule(Rule):
    """The ``train:`` section.

    Its classes are imported only where there is one.
    """

    def check(self, value: Any) -> Any:
        from specfmt.spec.train import TrainSpec

        if isinstance(value, TrainSpec):
            return value
        if not isinstance(value, dict):
            raise FieldError("a mapping", value)
        return validate(TrainSpec, value, "train")

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/$defs/train"}


class BlocksRule(Rule):
    """A mapping from name to block.

    What checks blocks is imported only where there are some.
    """

    def check(self, value: Any) -> dict[str, Block]:
        from specfmt.layers.block_checks import CheckedBlocks, check_blocks

        if isinstance(value, CheckedBlocks):
            return value
        found = check_blocks(value)
        if found.problems:
            raise NestedError(found.problems)
        return found

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "propertyNames": NameRule().schema(),
            "additionalProperties": {"$ref": "#/$defs/block"},
        }


class ModelSpec(AnyModel):
    """A whole document: one model and how it is trained.

    Attributes:
        origin: The text that it was read from, if any; it gives findings their positions.
        html: The function that renders it in a notebook, which the public API sets.
    """

    origin: ClassVar[Any] = None
    html: ClassVar[Callable[[ModelSpec], str] | None] = None

    specfmt: Annotated[int, Integer(VERSION, VERSION)]
    name: Name = "model"
    description: Str = ""
    style: Style | None = None
    inputs: Annotated[dict[str, InputSpec] | None, Nullable(InputsRule())] = None
    blocks: Annotated[dict[str, Block] | None, Nullable(BlocksRule())] = None
    layers: Entries
    outputs: Annotated[Any, Nullable(NestRule())] = None
    input_structure: Annotated[Any, Nullable(NestRule())] = None
    train: Annotated[Any, Nullable(TrainRule())] = None
    trainable: Bool = True
    dtype: OptionalPolicy = None

    def _repr_html_(self) -> str | None:
        show = type(self).html
        return None if show is None else show(self)


def parse_document(data: Any) -> tuple[ModelSpec | None, list[Diagnostic]]:
    """A document from plain data.

    Returns:
        The spec, with an `InvalidEntry` for each entry that could not be read, or None if nothing
        could be; and every finding.
    """
    if not isinstance(data, dict):
        message = FieldError("a mapping with specfmt, inputs, layers", data).message
        return None, [Diagnostic("SF125", message)]
    if "specfmt" not in data and {"class_name", "config"} <= set(data):
        message = "expected a spec with specfmt, inputs, layers, received Keras's architecture JSON"
        return None, [Diagnostic("SF125", message, (), "`specfmt import` turns it into a spec")]
    needed = {"specfmt": VERSION, "layers": ()}
    if data.get("blocks") is None:
        return parse_model(ModelSpec, data, "the document", needed)
    from specfmt.layers.block_checks import check_blocks

    try:
        blocks = check_blocks(data["blocks"])
    except FieldError as error:
        found = [error_to_diagnostic(error, ("blocks",))]
        library = Library({})
        data = {key: value for key, value in data.items() if key != "blocks"}
    else:
        found = [d.under(("blocks",)) for d in blocks.problems]
        known = frozenset((d.code, d.path[1:]) for d in found)
        library = Library(blocks.sound, blocks.names, known)
        data = {**data, "blocks": blocks}
    with reading(Context(library)):
        spec, problems = parse_model(ModelSpec, data, "the document", needed)
    return spec, [*found, *problems]
