"""Automatic layer names, as Keras makes them for layers without a name."""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Iterable
from typing import Any

from specfmt.vocab.naming import to_snake_case

MAX_DIGITS = 10
"""The most digits that the number in an automatic name can have."""


def is_identifier(name: Any) -> bool:
    """Whether a text can be used unchanged as a keyword argument's name in Python.

    Python normalizes identifiers (NFKC), so a text in another form would name the same argument
    as its normal form.
    """
    return (
        isinstance(name, str)
        and name.isidentifier()
        and not keyword.iskeyword(name)
        and name not in ("self", "__debug__")
        and (name.isascii() or unicodedata.normalize("NFKC", name) == name)
    )


def automatic_names(entries: Iterable[tuple[str, str | None, str | None]]) -> list[str]:
    """The name of every entry of one layer list.

    An entry without a name gets its type in snake case, with its ordinal among the entries of
    that type (named or not) from the second on: ``dense``, ``dense_1``.  A repeated call of a
    layer gets ``<layer>_call_1``, ``_call_2``.

    Args:
        entries: For each entry its type name, its own name or None, and for a repeated call
            of a layer that layer's name (else None).
    """
    namer = Namer()
    return [namer.name(*entry) for entry in entries]


class Namer:
    """Gives the entries of a list their names, one after the other; see `automatic_names`."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def name(self, type_name: str, name: str | None, reused: str | None, base: str = "") -> str:
        """The name of the next entry; ``base`` stands for the type in snake case."""
        key = f"{reused}_call" if reused is not None else base or to_snake_case(type_name)
        ordinal = self.counts.get(key, 0)
        self.counts[key] = ordinal + 1
        if reused is not None:
            return name or f"{key}_{ordinal + 1}"
        return name or (f"{key}_{ordinal}" if ordinal else key)

    def peek(self, type_name: str) -> str:
        """The name that the next entry of this type gets if it has none."""
        key = to_snake_case(type_name)
        ordinal = self.counts.get(key, 0)
        return f"{key}_{ordinal}" if ordinal else key


class Counter:
    """The names that Keras gives to layers without one: those with another name do not count."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def next(self, type_name: str) -> str:
        """The name that the next layer of this type would get."""
        base = to_snake_case(type_name)
        number = self.counts.get(base, 0)
        return f"{base}_{number}" if number else base

    def count(self, type_name: str, name: str) -> bool:
        """Count a layer; whether its name is the one that it would get."""
        same = name == self.next(type_name)
        if same:
            base = to_snake_case(type_name)
            self.counts[base] = self.counts.get(base, 0) + 1
        return same


def is_automatic(name: str, type_name: str) -> bool:
    """Whether Keras would give this name automatically to an operation or layer of this class."""
    base = to_snake_case(type_name)
    number = name.removeprefix(f"{base}_")
    return name == base or (number.isascii() and number.isdigit() and len(number) < MAX_DIGITS)


def keras_type(layer: Any) -> str:
    """The name of a layer's class in Keras: of a user-defined layer that of its own class."""
    name: str = getattr(layer, "class_name", layer.type_name)
    return name


def inner_name(inner: Any) -> str:
    """The name of a layer that is the value of another layer's field."""
    return inner.name or to_snake_case(keras_type(inner))


def inner_names(layers: Iterable[Any]) -> list[str]:
    """The names of the layers in a list field; unnamed ones are numbered within their type."""
    counts: dict[str, int] = {}
    names = []
    for item in layers:
        name = item.name
        if name is None:
            own = to_snake_case(keras_type(item))
            number = counts.get(own, 0)
            counts[own] = number + 1
            name = f"{own}_{number}" if number else own
        names.append(name)
    return names
