"""Former names of arguments: what a class says of them, and what is made of one.

A layer, word or section lists them in ``former_arguments``, with what became of each; subclasses
inherit the list.  The reader reports them (SF124), ``specfmt fmt --fix`` rewrites them and the
import of older files reads them, all by `former_arguments`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import BaseModel

FIX_HINT: Final = "`specfmt fmt --fix` rewrites it"


@dataclass(frozen=True, slots=True)
class Former:
    """What became of an argument.

    Attributes:
        today: The argument that took its place; empty where none did.
        values: Its values and today's, None where the argument is better left out.  Another
            value has no equivalent; an empty mapping says that its meaning depends on more
            than the value.  None: any value means what it means today.
        also: Further arguments of today with the same value.
        axis: The place in a list under ``today`` to which the value belongs.
        keras_2: Whether every release of Keras 2 takes it, so that files for Keras 2 say it.
        left_out: Why the import leaves a value without an equivalent out, with a warning;
            empty: it refuses such a value.
        message: What the reader says, where that is not about ``today``; ``{key}`` and
            ``{label}`` stand for the argument and its class.
        hint: What to do about it.
    """

    today: str = ""
    values: Mapping[Any, Any] | None = None
    also: tuple[str, ...] = ()
    axis: int | None = None
    keras_2: bool = False
    left_out: str = ""
    message: str = ""
    hint: str = ""

    def accepts(self, value: Any) -> bool:
        """Whether a value has an equivalent today."""
        return value is None or self.values is None or value in tuple(self.values)

    def convert(self, value: Any) -> Any:
        """Today's form of a value that is accepted; None where there is nothing to say."""
        if not self.values or value is None:
            return value
        return next(new for old, new in self.values.items() if old == value)

    def told(self, key: str, label: str) -> tuple[str, str]:
        """What the reader says of it, and the hint."""
        if self.today or self.message:
            message = self.message or "expected `{today}`, received the old spelling `{key}`"
            hint = self.hint or FIX_HINT
        else:
            message = "expected no `{key}`, which today's {label} does not take"
            hint = self.hint or "remove it"
        return message.format(today=self.today, key=key, label=label), hint


FormerArguments = Mapping[str, str | Former | None]
"""Former name -> today's name, or what became of it; None: not an argument of this class."""

FormerDefaults = Mapping[int, Mapping[str, Any]]
"""Last major version of Keras -> the defaults up to then of arguments that its files may leave
out, said as they would say them."""

GONE: Final = Former()
"""An argument without meaning today, whatever its value."""


def gone(*harmless: Any, left_out: str = "", hint: str = "") -> Former:
    """An argument that today's Keras does not have: it acts as at these values."""
    return Former(values=dict.fromkeys(harmless), left_out=left_out, hint=hint)


@cache
def former_arguments(cls: type[BaseModel]) -> dict[str, Former]:
    """The former arguments of a class, its bases' included, as far as it has today's."""
    fields = {field.alias or name for name, field in cls.model_fields.items()}
    found: dict[str, str | Former | None] = {}
    for base in reversed(cls.__mro__):
        found |= vars(base).get("former_arguments", {})
    formers = {
        key: Former(item) if isinstance(item, str) else item
        for key, item in found.items()
        if item is not None
    }
    return {
        key: former
        for key, former in formers.items()
        if key not in fields and (not former.today or former.today in fields)
    }
