"""The imports of generated code that are neither of Keras nor of PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from specfmt.fields.foreign import KERAS_ROOTS, UNSAFE_IN_KERAS
from specfmt.fields.model import SpecModel
from specfmt.vocab.base import CUSTOM, Term


def foreign_classes(value: Any) -> list[str]:
    """The classes and functions outside of Keras that code generated from a spec imports.

    Returns:
        Their dotted paths without repetitions, in the order of the document.
    """
    return list(dict.fromkeys(filter(_has_module, _foreign(value))))


def _has_module(dotted: str) -> bool:
    """Whether the path has a module to import; else generated code has a stub to complete."""
    module, _, name = dotted.rpartition(".")
    return module not in ("", "builtins", "__main__") and name != "Lambda"


def _foreign(value: Any) -> Iterator[str]:
    if isinstance(value, Term):
        if value.type == CUSTOM and not _is_part_of_keras(value.spec.class_):
            yield ".".join(filter(None, value.spec.place))
        yield from _foreign(value.args)
    elif isinstance(value, SpecModel):
        for dotted in (getattr(value, "class_", None), getattr(value, "torch", None)):
            if isinstance(dotted, str) and not _is_part_of_keras(dotted):
                yield dotted
        for name in type(value).model_fields:
            yield from _foreign(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _foreign(item)
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        for item in value:
            yield from _foreign(item)


def _is_part_of_keras(dotted: str) -> bool:
    """Whether Keras itself creates the object, from nothing but its arguments."""
    name = dotted.rpartition(".")[2]
    known = dotted.startswith(tuple(f"{root}." for root in KERAS_ROOTS))
    return known and name[:1].isupper() and name not in UNSAFE_IN_KERAS
