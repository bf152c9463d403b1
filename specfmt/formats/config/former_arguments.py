"""Conversion of arguments of Keras 0 to 2 to their current names, as declared on the classes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from specfmt.diagnostics import Path
from specfmt.fields.spellings import Replacement, former_arguments
from specfmt.fields.validation import keys_of
from specfmt.formats.config.context import Context
from specfmt.formats.config.reading import Json, fail, show


def current_arguments(cls: type[BaseModel], config: Json, path: Path, context: Context) -> Json:
    """A config with the current argument names and values.

    Arguments whose meaning depends on more than their value are unchanged (see `Replacement.values`).

    Raises:
        SpecError: SF420 for a value without an equivalent in Keras 3.
    """
    replacements = former_arguments(cls)
    result: Json = {}
    sizes: dict[str, dict[int, Any]] = {}
    for key, value in config.items():
        replacement = replacements.get(key)
        if replacement is None or replacement.values == {}:
            result[key] = value
        elif not replacement.accepts(value):
            _without_equivalent(key, value, replacement, cls.__name__, (*path, key), context)
        elif replacement.axis is not None:
            sizes.setdefault(replacement.current, {})[replacement.axis] = value
        elif replacement.current:
            for name in (replacement.current, *replacement.also):
                result[name] = replacement.convert(value)
    for name, by_axis in sizes.items():
        result.setdefault(name, [by_axis[axis] for axis in sorted(by_axis)])
    return result


def _without_equivalent(
    key: str, value: Any, replacement: Replacement, label: str, path: Path, context: Context
) -> None:
    if replacement.left_out:
        message = f"left out {key}: {show(value)} of {label}, {replacement.left_out}"
        context.warn("SF432", message, path, replacement.hint)
        return
    values = (each if isinstance(each, str) else show(each) for each in replacement.values or ())
    expected = " or ".join(values)
    fail(
        "SF420",
        f"expected {key} to be {expected}, received {show(value)}",
        path,
        "rebuild this part of the model in Keras 3",
    )


def with_former_defaults(cls: Any, config: Json, generation: int) -> None:
    """Add, in place, arguments that a source leaves to defaults that have changed since."""
    keys = keys_of(cls)
    for last, defaults in cls.former_defaults.items():
        for key, value in defaults.items():
            if generation <= last and key in keys:
                config.setdefault(key, value)


def keras_2_names(cls: type[BaseModel]) -> dict[str, str]:
    """Current argument name -> the name that all releases of Keras 2 use."""
    replacements = former_arguments(cls).items()
    return {replacement.current: key for key, replacement in replacements if replacement.keras_2}
