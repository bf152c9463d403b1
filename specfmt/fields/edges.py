"""Edges: the tensors that an entry is called on.

    inputs: a                                    one tensor
    inputs: [a, b]                               several, in call order
    inputs: {query: a, value: [b, "c:1"]}        by call argument; a value may be a constant

A tensor has the name of its layer, call or model input; ``name:1`` is a second output.
"""

from __future__ import annotations

from typing import Annotated, Any

from specfmt.fields.errors import FieldError
from specfmt.fields.rules import Nullable, Rule, Text, Tuple

REFERENCE = Text("the name of a tensor", r"\S")


class EdgesRule(Rule):
    """A tensor name, a list of them, or a mapping from call argument to names or constants."""

    _list = Tuple(REFERENCE, 1)

    def check(self, value: Any) -> Any:
        if isinstance(value, str):
            return REFERENCE.check(value)
        if isinstance(value, (list, tuple)):
            return self._list.check(value)
        if isinstance(value, dict) and value:
            return {
                str(key): tuple(item) if isinstance(item, list) else item
                for key, item in value.items()
            }
        raise FieldError("a tensor name, a list of names, or {argument: name}", value)

    def schema(self) -> dict[str, Any]:
        return {
            "anyOf": [
                REFERENCE.schema(),
                self._list.schema(),
                {"type": "object", "minProperties": 1},
            ]
        }


Edges = Annotated[Any, Nullable(EdgesRule())]


class OperandsRule(Rule):
    """The positional arguments of an operation: one, or a list that may be nested."""

    def check(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(self.check(item) for item in value)
        if isinstance(value, dict) and set(value) != {"const"}:
            raise FieldError("a tensor name, a number, a list, or {const: text}", value)
        return value

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/$defs/operands"}


Operands = Annotated[Any, OperandsRule()]
