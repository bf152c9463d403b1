"""The weights of a user-defined layer, as its entry lists them."""

from __future__ import annotations

from typing import Annotated, Any

from specfmt.diagnostics import Diagnostic
from specfmt.fields.errors import FieldError, NestedError
from specfmt.fields.model import SpecModel
from specfmt.fields.rules import Integer, Nullable, OneOf, Rule, Text, Tuple
from specfmt.fields.types import DTYPES, Bool
from specfmt.fields.validation import validate

SHAPE = Tuple(Integer(0), 0, 32)
NAME = Text("the name of a weight: kernel, dense/kernel", r"^[^\s/]+(/[^\s/]+)*$(?!\n)")


class CustomWeight(SpecModel):
    """One weight: its shape, whether it is trained, and its dtype, by default float32."""

    shape: Annotated[tuple[int, ...], SHAPE]
    trainable: Bool = True
    dtype: Annotated[str | None, Nullable(OneOf(*DTYPES))] = None


class WeightsRule(Rule):
    """A mapping from a weight's name to its shape, or to ``{shape, trainable, dtype}``."""

    def check(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise FieldError("a mapping from the name of a weight to its shape", value)
        found: dict[str, Any] = {}
        problems: list[Diagnostic] = []
        for name, item in value.items():
            try:
                found[NAME.check(name)] = _weight(item)
            except FieldError as error:
                problems.append(Diagnostic(error.code, error.message, (name,), error.hint))
            except NestedError as error:
                problems.extend(d.under((name,)) for d in error.diagnostics)
        if problems:
            raise NestedError(problems)
        return found

    def schema(self) -> dict[str, Any]:
        fields = {
            "shape": SHAPE.schema(),
            "trainable": {"type": "boolean"},
            "dtype": Nullable(OneOf(*DTYPES)).schema(),
        }
        whole = {
            "type": "object",
            "properties": fields,
            "required": ["shape"],
            "additionalProperties": False,
        }
        return {
            "type": "object",
            "propertyNames": NAME.schema(),
            "additionalProperties": {"anyOf": [SHAPE.schema(), whole]},
        }


def _weight(item: Any) -> CustomWeight | tuple[int, ...]:
    """A weight in its shortest form: its shape where the other fields have their defaults."""
    if isinstance(item, dict):
        item = validate(CustomWeight, item, "a weight")
    if isinstance(item, CustomWeight):
        plain = item.trainable and item.dtype is None
        return item.shape if plain else item
    if not isinstance(item, (list, tuple)):
        raise FieldError("a shape, or {shape: [...], trainable: false}", item)
    return tuple(SHAPE.check(item))


def as_weight(item: CustomWeight | tuple[int, ...]) -> CustomWeight:
    """The long form of a weight that `WeightsRule` returned."""
    return CustomWeight.model_construct(shape=item) if isinstance(item, tuple) else item
