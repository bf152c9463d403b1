"""What a target may be told, and the error of an argument that is none of those offered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.fields.errors import did_you_mean, show

BUILT_IN: Final = {"keras": "Keras", "torch": "Torch"}
"""Targets that are a folder here: the name of the folder and of its class."""

Part = Literal["model", "train"]
"""The model alone, or a script that trains it."""
Style = Literal["auto", "sequential", "functional", "subclass"]
"""The form of the model; auto: the simplest one that can express it."""
Flavor = Literal["tf.keras", "keras"]
"""Which package Keras code imports."""
Axes = Literal["torch", "keras"]
"""PyTorch code: images with channels first (torch) or last (keras)."""
Fidelity = Literal["idiomatic", "exact"]
"""PyTorch code: stock optimizers and layers, or those that train as Keras does."""


@dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """What every target may be told.

    A target's own class adds fields: a `Literal` with a default for each choice.

    Attributes:
        part: What is written; ``train`` is a Python script that trains, evaluates and predicts.
        source: The name of the spec's file, for the header; empty if there is none.
        script: The name of the file that the script will be, for its usage line.
    """

    part: Part = "model"
    source: str = ""
    script: str = ""


OptionsType = TypeVar("OptionsType", bound=TargetOptions)


class OptionError(SpecError, ValueError):
    """Arguments have values that are not offered; ``diagnostics`` lists all of them (SF313)."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        super().__init__(diagnostics)
        lines = ("; ".join(filter(None, (d.message, d.hint))) for d in self.diagnostics)
        self.args = ("\n".join(lines),)


def not_offered(what: str, value: object, choices: Iterable[str], hint: str = "") -> Diagnostic:
    """The finding that a value is none of the choices.

    Args:
        what: What was expected.
        value: What was received.
        choices: What is offered; the closest one is the hint.
        hint: What to do where none is close.
    """
    message = f"expected {what}, received {show(value)}"
    return Diagnostic("SF313", message, (), did_you_mean(value, choices) or hint)


def require_choice(what: str, value: object, choices: Iterable[str]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        OptionError: It is none.
    """
    choices = tuple(choices)
    if value not in choices:
        raise OptionError([not_offered(_one_of(what, choices), value, choices)])


def require_once(named: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any]:
    """Options of both kinds together.

    Raises:
        OptionError: One stands in both.
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
    """Each field of an options class, with what it may be; nothing if that is any text."""
    types = get_type_hints(cls)
    return {
        field.name: get_args(types[field.name]) if get_origin(types[field.name]) is Literal else ()
        for field in fields(cls)
    }


def read_options(cls: type[OptionsType], given: Mapping[str, Any], target: str) -> OptionsType:
    """The options that a target was given; those that are None are left at their defaults.

    Raises:
        OptionError: The target has no such option, or it is none of what is offered; all of them.
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
