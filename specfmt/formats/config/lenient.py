"""Conversion of values that Keras accepts: 1 for true, "0.5" for 0.5, null for a default.

Keras checks few of its arguments, so files contain what a program passed: numbers for booleans, text
for numbers, NumPy arrays, and tuples serialized as objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.fields.errors import FieldError, NestedError
from specfmt.fields.rules import Rule
from specfmt.fields.validation import required_keys, rules_of
from specfmt.formats.config.reading import Json, as_map

MISSING: Final[Any] = object()
"""Marks an argument to leave out: it is null but its default is not."""

_NUMBER: Final = re.compile(
    r"[+-]?(?:\d{1,300}(?:\.\d{0,300})?|\.\d{1,300})(?:[eE][+-]?\d{1,4})?\Z"
)
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")
_BOXES: Final = frozenset(
    ["__tuple__", "__numpy__", "__tensor__", "__ellipsis__", "__bytes__", "__slice__", "__set__"]
)


def unboxed(value: Any, path: Path = ()) -> Any:
    """A value without the objects into which Keras serializes tuples, arrays and similar values.

    Raises:
        SpecError: SF403 for such an object without a value.
    """
    if isinstance(value, (list, tuple)):
        return [unboxed(item, (*path, i)) for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    class_name = value.get("class_name")
    if not isinstance(class_name, str) or class_name not in _BOXES:
        return value
    config = value.get("config")
    if class_name in ("__numpy__", "__tensor__"):
        inner = as_map(config, (*path, "config"), "an array").get("value")
    elif isinstance(config, dict):
        inner = config.get("value", config)
    else:
        inner = config if config is not None else value.get("items")
    return unboxed(inner, (*path, "config"))


def fitted(rule: Rule, value: Any) -> Any:
    """A value converted to what a field's rule accepts, or `MISSING` for a null to leave out.

    Raises:
        FieldError, NestedError: The value cannot be converted.
    """
    try:
        rule.check(value)
    except (FieldError, NestedError):
        if value is None:
            return MISSING
        for candidate in _candidates(value):
            try:
                rule.check(candidate)
            except (FieldError, NestedError):
                continue
            return candidate
        raise
    return value


def _candidates(value: Any) -> Iterator[Any]:
    """Other values that a value may mean."""
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in _TRUE:
            yield True
        if text.lower() in _FALSE:
            yield False
        if text.lower() in ("none", "null"):
            yield None
        if _NUMBER.match(text):
            number = float(text)
            if number.is_integer() and abs(number) < 2**53:
                yield int(number)
            yield number
        if text.lower() != value:
            yield text.lower()
    elif isinstance(value, bool):
        yield int(value)
    elif isinstance(value, (int, float)):
        if value in (0, 1):
            yield bool(value)
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            yield int(value)
    elif isinstance(value, (list, tuple)):
        if len(value) == 1:
            yield value[0]
            yield from _candidates(value[0])
        if all(isinstance(item, (str, int, float, bool)) for item in value):
            whole = [next((c for c in _candidates(v) if type(c) is int), v) for v in value]
            yield whole
            yield [next((c for c in _candidates(v) if type(c) is float), v) for v in value]


def fit_arguments(cls: Any, given: Json) -> tuple[Json, list[str]]:
    """Convert arguments to the values that the fields of a class accept.

    Args:
        cls: The class of a layer or a vocabulary object.
        given: Its arguments by the keys of a spec.

    Returns:
        The converted arguments, including keys that the class does not have, and the keys of
        arguments that cannot be converted.
    """
    rules = rules_of(cls)
    kept: Json = {}
    wrong = []
    for key, value in given.items():
        if key in rules:
            try:
                value = fitted(rules[key], value)
            except (FieldError, NestedError):
                wrong.append(key)
            if value is MISSING and key in required_keys(cls):
                wrong.append(key)
        if value is not MISSING:
            kept[key] = value
    return kept, wrong
