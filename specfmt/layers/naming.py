"""Names that nobody wrote: Keras's automatic layer names."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

MAX_DIGITS = 10
"""Longer numbers than Keras will ever count to."""


def is_identifier(name: Any) -> bool:
    """Whether a text can stand in a call as the name of an argument, just as it is written.

    Python reads identifiers in their compatibility form, so another form may be a second spelling
    of the same name.
    """
    return (
        isinstance(name, str)
        and name.isidentifier()
        and not keyword.iskeyword(name)
        and name not in ("self", "__debug__")
        and (name.isascii() or unicodedata.normalize("NFKC", name) == name)
    )


@lru_cache(maxsize=1024)
def to_snake_case(name: str) -> str:
    """``MaxPooling2D`` -> ``max_pooling2d``, by the rule of `keras.src.utils.naming`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def automatic_names(entries: Iterable[tuple[str, str | None, str | None]]) -> list[str]:
    """The name of every entry of one layer list.

    An entry without a name gets its type in snake case, with its ordinal among the entries of
    that type (named or not) from the second on: ``dense``, ``dense_1``.  A further call of a
    layer gets ``<layer>_call_1``, ``_call_2``.

    Args:
        entries: For each entry its type name, its own name or None, and for a further call
            of a layer that layer's name (else None).
    """
    counts: dict[str, int] = {}
    names = []
    for type_name, name, reused in entries:
        key = f"{reused}_call" if reused is not None else to_snake_case(type_name)
        ordinal = counts.get(key, 0)
        counts[key] = ordinal + 1
        if reused is not None:
            names.append(name or f"{key}_{ordinal + 1}")
        else:
            names.append(name or (f"{key}_{ordinal}" if ordinal else key))
    return names


def is_automatic(name: str, type_name: str) -> bool:
    """Whether a name is what Keras gives an operation or layer of this class by itself."""
    base = to_snake_case(type_name)
    number = name.removeprefix(f"{base}_")
    return name == base or (number.isascii() and number.isdigit() and len(number) < MAX_DIGITS)


def inner_name(inner: Any) -> str:
    """The name of a layer that a field of another holds."""
    return inner.name or to_snake_case(inner.type_name)


def inner_names(layers: Iterable[Any]) -> list[str]:
    """The names of layers that a list in a field holds; unnamed ones of one type are counted."""
    counts: dict[str, int] = {}
    names = []
    for item in layers:
        name = item.name
        if name is None:
            own = to_snake_case(item.type_name)
            number = counts.get(own, 0)
            counts[own] = number + 1
            name = f"{own}_{number}" if number else own
        names.append(name)
    return names
