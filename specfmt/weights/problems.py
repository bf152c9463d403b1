"""Findings about weight files, in one wording."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.formats.config.reading import cut_words

Shape = tuple[int, ...]

UNKNOWN_WEIGHTS = "give their shapes in `weights:`; `specfmt import` of the same file writes them"


def problem(code: str, message: str, file: Path, hint: str = "") -> Diagnostic:
    """A finding about a weight file, whose own names are cut to a readable length."""
    return Diagnostic(code, cut_words(message), hint=hint, file=str(file))


def fail(code: str, message: str, file: Path, hint: str = "") -> NoReturn:
    """Raise a `SpecError` with one finding."""
    raise SpecError([problem(code, message, file, hint)])


def unreadable(file: Path, what: str, reason: object) -> NoReturn:
    """The file is damaged, or not what it seems."""
    fail(
        "SF500",
        f"expected {what}, received a file that cannot be read: {reason}",
        file,
        "the file is cut off or damaged; save it again",
    )


def missing(what: str, shape: Shape, where: str, file: Path) -> Diagnostic:
    """A weight that the model has and the file has not."""
    message = f"expected {what} {shape} at {where}, it is missing"
    return problem("SF501", message, file, "is this file from the same model as the spec?")


def left_over(names: Iterable[str], file: Path) -> list[Diagnostic]:
    """Weights that the file has and the model has not."""
    return [
        problem(
            "SF502",
            f"expected only weights of the model, received {name}",
            file,
            "is this file from the same model as the spec?",
        )
        for name in names
    ]


def misshapen(what: str, shape: Shape, received: Shape, where: str, file: Path) -> Diagnostic:
    """A weight of another shape."""
    message = f"expected {what} {shape}, received {received} at {where}"
    return problem("SF503", message, file, "make the spec's sizes those of the trained model")


def raise_all(problems: list[Diagnostic]) -> None:
    """Raise a `SpecError` with every finding, if there are any."""
    if problems:
        raise SpecError(problems)
