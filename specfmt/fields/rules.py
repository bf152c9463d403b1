"""Rules: which values a field accepts, for validation and for the JSON Schema.

A `Rule` checks one value and has a JSON Schema that accepts the same values.  To Pydantic rules
are plain functions, which makes classes cheap to create.  Checks that need more than the value
(ranks, other fields) are made on the graph.
"""

from __future__ import annotations

import re
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

from specfmt.fields.errors import (
    FieldError,
    NestedError,
    did_you_mean,
    error_to_diagnostic,
    show,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_INTEGER = 2**53 - 1
"""The largest integer that JSON parsers represent exactly, far above the size of any tensor."""


class Rule(ABC):
    """A check and its JSON Schema; used as ``Annotated[python_type, rule]``."""

    @abstractmethod
    def check(self, value: Any) -> Any:
        """Return the value in its canonical form, or raise `FieldError`."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The JSON Schema (2020-12) that accepts exactly what `check` accepts."""

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> Any:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, core: object, handler: object) -> dict[str, Any]:
        return self.schema()


def as_integer(value: object) -> int | None:
    """``value`` as an integer, as JSON Schema defines it: 3 and 3.0, not True; else None."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    return None


def unquoted(value: object) -> str:
    """A hint if ``value`` is a string that would be a number without its quotes; else empty."""
    plain = isinstance(value, str) and re.fullmatch(r"[-+]?\d{1,20}(\.\d{1,20})?", value)
    return "remove the quotes" if plain else ""


class Integer(Rule):
    """An integer from ``minimum`` to ``maximum``; 3.0 counts as 3, as in JSON Schema."""

    def __init__(self, minimum: int | None = None, maximum: int | None = None) -> None:
        self.minimum, self.maximum = minimum, maximum

    def expected(self) -> str:
        if self.minimum == 1 and self.maximum is None:
            return "a positive integer"
        if self.minimum is not None and self.minimum == self.maximum:
            return str(self.minimum)
        if self.minimum is None and self.maximum is None:
            return "an integer"
        if self.maximum is None:
            return f"an integer of at least {self.minimum}"
        if self.minimum is None:
            return f"an integer of at most {self.maximum}"
        return f"an integer from {self.minimum} to {self.maximum}"

    def check(self, value: Any) -> int:
        number = as_integer(value)
        if (
            number is None
            or (self.minimum is not None and number < self.minimum)
            or (self.maximum is not None and number > self.maximum)
        ):
            raise FieldError(self.expected(), value, unquoted(value))
        if abs(number) > LARGEST_INTEGER:
            raise FieldError(self.expected(), value, f"the largest is {LARGEST_INTEGER}")
        return number

    def schema(self) -> dict[str, Any]:
        low = -LARGEST_INTEGER if self.minimum is None else self.minimum
        high = LARGEST_INTEGER if self.maximum is None else self.maximum
        return {"type": "integer", "minimum": low, "maximum": high}


class Number(Rule):
    """A finite number in a range; ``above``/``below`` exclude the end, ``minimum``/``maximum``
    include it."""

    def __init__(
        self,
        *,
        minimum: float | None = None,
        maximum: float | None = None,
        above: float | None = None,
        below: float | None = None,
    ) -> None:
        self.minimum, self.maximum, self.above, self.below = minimum, maximum, above, below

    def expected(self) -> str:
        low = high = ""
        if self.minimum is not None and self.maximum is not None:
            return f"a number from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            low = f"of at least {self.minimum:g}"
        elif self.above is not None:
            low = f"above {self.above:g}"
        if self.maximum is not None:
            high = f"{'of ' * (not low)}at most {self.maximum:g}"
        elif self.below is not None:
            high = f"below {self.below:g}"
        bounds = " and ".join(filter(None, (low, high)))
        return f"a number {bounds}" if bounds else "a number"

    def check(self, value: Any) -> float:
        largest = sys.float_info.max
        if type(value) not in (int, float) or not -largest <= value <= largest:
            raise FieldError(self.expected(), value, unquoted(value))
        if (
            (self.minimum is not None and value < self.minimum)
            or (self.maximum is not None and value > self.maximum)
            or (self.above is not None and value <= self.above)
            or (self.below is not None and value >= self.below)
        ):
            raise FieldError(self.expected(), value)
        return float(value)

    def schema(self) -> dict[str, Any]:
        low = {"exclusiveMinimum": self.above}
        if self.above is None:
            low = {"minimum": -sys.float_info.max if self.minimum is None else self.minimum}
        high = {"exclusiveMaximum": self.below}
        if self.below is None:
            high = {"maximum": sys.float_info.max if self.maximum is None else self.maximum}
        return {"type": "number", **low, **high}


class Boolean(Rule):
    """true or false; numbers and strings are not accepted."""

    def check(self, value: Any) -> bool:
        if value is not True and value is not False:
            hint = "YAML 1.2 knows only true and false" if isinstance(value, str) else ""
            raise FieldError("true or false", value, hint)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Text(Rule):
    """A string; ``pattern`` is its regular expression, ``what`` its description in messages."""

    def __init__(self, what: str = "a string", pattern: str | None = None) -> None:
        self.what, self.pattern = what, pattern

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise FieldError(self.what, value)
        if self.pattern is not None and re.search(self.pattern, value) is None:
            raise FieldError(self.what, value)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string"} | ({"pattern": self.pattern} if self.pattern else {})


class OneOf(Rule):
    """One of a fixed set of strings."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise FieldError(
                "one of " + ", ".join(self.choices), value, did_you_mean(value, self.choices)
            )
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices)}


class Tuple(Rule):
    """A list of items under one rule, between ``minimum`` and ``maximum`` of them."""

    def __init__(self, item: Rule, minimum: int = 0, maximum: int | None = None) -> None:
        self.item, self.minimum, self.maximum = item, minimum, maximum

    def check(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise FieldError("a list", value, self._in_brackets(value))
        if len(value) < self.minimum or (self.maximum is not None and len(value) > self.maximum):
            many = (
                f"exactly {self.minimum}"
                if self.minimum == self.maximum
                else f"{self.minimum} to {self.maximum}"
                if self.maximum is not None
                else f"at least {self.minimum}"
            )
            noun = "item" if many.endswith(" 1") else "items"
            raise FieldError(f"a list of {many} {noun}", value)
        items, problems = [], []
        for index, item in enumerate(value):
            try:
                items.append(self.rule(index).check(item))
            except FieldError as error:
                problems.append(error_to_diagnostic(error, (index,)))
            except NestedError as error:
                problems.extend(d.under((index,)) for d in error.diagnostics)
        if problems:
            raise NestedError(problems)
        return tuple(items)

    def rule(self, index: int) -> Rule:
        """The rule of an item."""
        return self.item

    def _in_brackets(self, value: Any) -> str:
        """A hint if the value would be accepted as the only item of a list; else empty."""
        try:
            self.item.check(value)
        except (FieldError, NestedError):
            return ""
        return f"write [{show(value)}]"

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "array", "items": self.item.schema()}
        if self.minimum:
            schema["minItems"] = self.minimum
        if self.maximum is not None:
            schema["maxItems"] = self.maximum
        return schema


class Pair(Tuple):
    """A list of two items, each under its own rule."""

    def __init__(self, first: Rule, second: Rule) -> None:
        super().__init__(first, 2, 2)
        self.rules = (first, second)

    def rule(self, index: int) -> Rule:
        return self.rules[index]

    def schema(self) -> dict[str, Any]:
        schema = super().schema()
        del schema["items"]
        return schema | {"prefixItems": [rule.schema() for rule in self.rules]}


class Either(Rule):
    """A value that one of several rules accepts; the first that does converts it.

    If none does, an error inside the value is reported rather than that it fits no rule.
    """

    def __init__(self, *rules: Rule, expected: str) -> None:
        self.rules, self.expected = rules, expected

    def check(self, value: Any) -> Any:
        hint = ""
        inner: FieldError | NestedError | None = None
        for rule in self.rules:
            try:
                return rule.check(value)
            except NestedError as error:
                inner = error
            except FieldError as error:
                hint = hint or error.hint
                if error.code != "SF123":
                    inner = inner or error
        raise inner or FieldError(self.expected, value, hint)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [rule.schema() for rule in self.rules]}


class Nullable(Rule):
    """null, or a value that another rule accepts; the messages are those of the other rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def check(self, value: Any) -> Any:
        return None if value is None else self.rule.check(value)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.rule.schema(), {"type": "null"}]}


class AnyMapping(Rule):
    """Any mapping.

    It is kept unchanged.
    """

    def check(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise FieldError("a mapping", value)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "object"}


class SizeRule(Rule):
    """An integer for all axes, or a list of integers for ``rank`` axes.

    The canonical form is an int if all axes are equal, else a tuple; `expand` returns the tuple.
    """

    def __init__(self, rank: int, minimum: int = 1) -> None:
        self.rank = rank
        self.item = Integer(minimum)

    def check(self, value: Any) -> int | tuple[int, ...]:
        if not isinstance(value, (list, tuple)):
            try:
                return self.item.check(value)
            except FieldError:
                raise FieldError(self.expected(), value) from None
        if len(value) != self.rank:
            raise FieldError(self.expected(), value)
        try:
            sizes = tuple(self.item.check(item) for item in value)
        except FieldError:
            raise FieldError(self.expected(), value) from None
        return sizes[0] if len(set(sizes)) == 1 else sizes

    def expected(self) -> str:
        one = self.item.expected()
        return f"{one} or a list of {self.rank} of them" if self.rank > 1 else f"{one} or [n]"

    def schema(self) -> dict[str, Any]:
        one = self.item.schema()
        many = {"type": "array", "items": one, "minItems": self.rank, "maxItems": self.rank}
        return {"anyOf": [one, many]}


class SidesRule(Rule):
    """A size at each side of ``rank`` axes: an integer, or for each axis one or [before, after].

    The canonical form is an int if all sides are equal, else a tuple with an int or a pair for
    each axis; `expand_sides` returns the pairs.
    """

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.item = SizeRule(2, 0)

    def check(self, value: Any) -> int | tuple[int | tuple[int, ...], ...]:
        if as_integer(value) is not None:
            value = [value] * self.rank
        if not isinstance(value, (list, tuple)) or len(value) != self.rank:
            raise FieldError(self.expected(), value)
        try:
            axes = tuple(self.item.check(item) for item in value)
        except FieldError:
            raise FieldError(self.expected(), value) from None
        first = axes[0]
        return first if isinstance(first, int) and len(set(axes)) == 1 else axes

    def expected(self) -> str:
        return f"an integer of at least 0, or a list of {self.rank}: an integer or [before, after]"

    def schema(self) -> dict[str, Any]:
        one = self.item.item.schema()
        many = {
            "type": "array",
            "items": self.item.schema(),
            "minItems": self.rank,
            "maxItems": self.rank,
        }
        return {"anyOf": [one, many]}


def choice_schema(tag: str, definitions: Mapping[str, str]) -> dict[str, Any]:
    """The JSON Schema of an object whose ``tag`` selects the definition that it follows.

    Editors support this form best: they complete the tags, offer the fields of the given one,
    and list all tags in their message.
    """
    return {
        "type": "object",
        "properties": {tag: {"type": "string", "enum": list(definitions)}},
        "required": [tag],
        "allOf": [branch_schema(tag, value, name) for value, name in definitions.items()],
    }


def branch_schema(tag: str, value: str, definition: str) -> dict[str, Any]:
    """The condition that an object follows ``definition`` if its ``tag`` is ``value``."""
    return {
        "if": {"properties": {tag: {"const": value}}, "required": [tag]},
        "then": {"$ref": f"#/$defs/{definition}"},
    }
