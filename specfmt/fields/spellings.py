"""Former names of arguments, and what replaced them.

A class declares them in ``former_arguments``, which subclasses inherit.  Validation reports them
(SF124), ``specfmt fmt --fix`` rewrites them and the import of older files reads them, all by the
function `former_arguments`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import BaseModel

FIX_HINT: Final = "`specfmt fmt --fix` rewrites it"


@dataclass(frozen=True, slots=True)
class Replacement:
    """What replaced a former argument.

    Attributes:
        current: The argument that replaced it; empty if none did.
        values: Former value -> current value, or None if the argument is to be left out.  Other
            values have no equivalent; with an empty mapping the equivalent depends on more than
            the value.  None: every value is kept.
        also: Further current arguments with the same value.
        axis: The index of the value in the list that is the current argument's value.
        keras_2: Whether every release of Keras 2 accepts it, so that files for Keras 2 have it.
        left_out: Why the import leaves out a value that has no equivalent, with a warning;
            if empty, the import refuses such a value.
        message: The finding's message, if it is not about the current argument; ``{key}`` and
            ``{label}`` are replaced by the argument and its class.
        hint: The finding's hint.
    """

    current: str = ""
    values: Mapping[Any, Any] | None = None
    also: tuple[str, ...] = ()
    axis: int | None = None
    keras_2: bool = False
    left_out: str = ""
    message: str = ""
    hint: str = ""

    def accepts(self, value: Any) -> bool:
        """Whether a value has a current equivalent."""
        return value is None or self.values is None or value in tuple(self.values)

    def convert(self, value: Any) -> Any:
        """The current equivalent of an accepted value; None if the argument is to be left out."""
        if not self.values or value is None:
            return value
        return next(new for old, new in self.values.items() if old == value)

    def message_and_hint(self, key: str, label: str) -> tuple[str, str]:
        """The message and the hint of a finding about it."""
        if self.current or self.message:
            message = self.message or "expected `{current}`, received the old spelling `{key}`"
            hint = self.hint or FIX_HINT
        else:
            message = "expected no `{key}`, which {label} no longer takes"
            hint = self.hint or "remove it"
        return message.format(current=self.current, key=key, label=label), hint


FormerArguments = Mapping[str, str | Replacement | None]
"""Former name -> current name, or what replaced it; None: not an argument of this class."""

FormerDefaults = Mapping[int, Mapping[str, Any]]
"""Last major version of Keras -> the defaults until then of arguments that its files may leave
out, as these files would contain them."""

REMOVED: Final = Replacement()
"""An argument that was removed and had no effect, for any value."""


def removed(*harmless: Any, left_out: str = "", hint: str = "") -> Replacement:
    """An argument that was removed; Keras now behaves as it did for the values ``harmless``."""
    return Replacement(values=dict.fromkeys(harmless), left_out=left_out, hint=hint)


@cache
def former_arguments(cls: type[BaseModel]) -> dict[str, Replacement]:
    """The former arguments of a class and its bases whose replacements the class has."""
    fields = {field.alias or name for name, field in cls.model_fields.items()}
    found: dict[str, str | Replacement | None] = {}
    for base in reversed(cls.__mro__):
        found |= vars(base).get("former_arguments", {})
    replacements = {
        key: Replacement(item) if isinstance(item, str) else item
        for key, item in found.items()
        if item is not None
    }
    return {
        key: replacement
        for key, replacement in replacements.items()
        if key not in fields and (not replacement.current or replacement.current in fields)
    }
