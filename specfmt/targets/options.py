"""Options of targets and their validation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.fields.errors import did_you_mean, show

BUILT_IN: Final = {"keras": "Keras", "torch": "Torch"}
"""Built-in targets: folder name -> class name."""

Part = Literal["model", "train"]
"""The model alone, or a script that trains it."""
Style = Literal["auto", "sequential", "functional", "subclass"]
"""The style of model code; auto: the simplest style that can express the model."""
Flavor = Literal["tf.keras", "keras"]
"""The package that Keras code imports."""
Axes = Literal["torch", "keras"]
"""PyTorch code: images are channels-first (torch) or channels-last (keras)."""
Fidelity = Literal["idiomatic", "exact"]
"""PyTorch code: PyTorch's own optimizers and layers, or ones that train exactly as in Keras."""


@dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """Options that every target takes.

    A target derives its own class and adds a field with a `Literal` type and a default for each
    further option.

    Attributes:
        part: What to generate: the ``model`` alone, or a script that builds the model and can
            ``train``, evaluate and predict.
        source: The spec's file name, for the header; empty if there is none.
        script: The file name of the generated script, for its usage line.
    """

    part: Part = "model"
    source: str = ""
    script: str = ""


OptionsType = TypeVar("OptionsType", bound=TargetOptions)


class OptionError(SpecError, ValueError):
    """Options are unknown or have values that are not allowed; ``diagnostics`` lists all (SF313)."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        super().__init__(diagnostics)
        lines = ("; ".join(filter(None, (d.message, d.hint))) for d in self.diagnostics)
        self.args = ("\n".join(lines),)


def not_offered(what: str, value: object, choices: Iterable[str], hint: str = "") -> Diagnostic:
    """The finding that a value is not among the choices.

    Args:
        what: What was expected.
        value: What was received.
        choices: The allowed values; the hint suggests the closest one.
        hint: The hint where no choice is close.
    """
    message = f"expected {what}, received {show(value)}"
    return Diagnostic("SF313", message, (), did_you_mean(value, choices) or hint)


def require_choice(what: str, value: object, choices: Iterable[str]) -> None:
    """Refuse a value that is not among the choices.

    Raises:
        OptionError: The value is not allowed.
    """
    choices = tuple(choices)
    if value not in choices:
        raise OptionError([not_offered(_one_of(what, choices), value, choices)])


def require_once(named: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two mappings of options.

    Raises:
        OptionError: An option is in both.
    """
    twice = [
        Diagnostic("SF313", f"expected {name} once, received {named[name]} and {value}")
        for name, value in further.items()
        if name in named
    ]
    if twice:
        raise OptionError(twice)
    return {**named, **further}


def _one_of(what: str, choices: tuple[str, ...]) -> str:
    listed = " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
    return f"{what} to be {'one of ' * (len(choices) > 2)}{listed}"


def choices_of(cls: type[TargetOptions]) -> dict[str, tuple[str, ...]]:
    """Field of an options class -> its allowed values; empty if any text is allowed."""
    types = get_type_hints(cls)
    return {
        field.name: get_args(types[field.name]) if get_origin(types[field.name]) is Literal else ()
        for field in fields(cls)
    }


def read_options(cls: type[OptionsType], given: Mapping[str, Any], target: str) -> OptionsType:
    """Validate options; those that are None get their defaults.

    Args:
        cls: The target's options class.
        given: Option -> value.
        target: The target's name, for messages.

    Raises:
        OptionError: Options are unknown or have values that are not allowed; all findings.
    """
    given = {name: value for name, value in given.items() if value is not None}
    offered = choices_of(cls)
    own = [name for name, choices in offered.items() if choices]
    problems = []
    for name, value in given.items():
        choices = offered.get(name)
        if choices is None:
            hint = f"{target} takes {', '.join(own)}"
            problems.append(not_offered(f"an option of {target}", name, own, hint))
        elif choices and value not in choices:
            problems.append(not_offered(_one_of(name, choices), value, choices))
        elif not choices and not isinstance(value, str):
            problems.append(not_offered(f"{name} to be text", value, ()))
    if problems:
        raise OptionError(problems)
    return cls(**given)
