"""Diagnostics about weight files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.formats.config.reading import cut_words

Shape = tuple[int, ...]

UNKNOWN_WEIGHTS = "give their shapes in `weights:`; `specfmt import` of the same file writes them"


def problem(code: str, message: str, file: Path, hint: str = "") -> Diagnostic:
    """A diagnostic about a weight file; long names from the file are shortened."""
    return Diagnostic(code, cut_words(message), hint=hint, file=str(file))


def fail(code: str, message: str, file: Path, hint: str = "") -> NoReturn:
    """Raise a `SpecError` with one diagnostic."""
    raise SpecError([problem(code, message, file, hint)])


def unreadable(file: Path, what: str, reason: object) -> NoReturn:
    """Raise SF500: the file is damaged or has another format."""
    fail(
        "SF500",
        f"expected {what}, received a file that cannot be read: {reason}",
        file,
        "the file is truncated or damaged; save it again",
    )


def missing(what: str, shape: Shape, where: str, file: Path) -> Diagnostic:
    """SF501: a weight of the model is not in the file."""
    message = f"expected {what} {shape} at {where}, which the file does not have"
    return problem("SF501", message, file, "is this file from the same model as the spec?")


def unused(names: Iterable[str], file: Path) -> list[Diagnostic]:
    """SF502: weights in the file that the model does not have."""
    return [
        problem(
            "SF502",
            f"expected only weights of the model, received {name}",
            file,
            "is this file from the same model as the spec?",
        )
        for name in names
    ]


def wrong_shape(what: str, shape: Shape, received: Shape, where: str, file: Path) -> Diagnostic:
    """SF503: a weight in the file has another shape."""
    message = f"expected {what} {shape}, received {received} at {where}"
    return problem(
        "SF503", message, file, "change the sizes in the spec to those of the trained model"
    )


def raise_all(problems: list[Diagnostic]) -> None:
    """Raise a `SpecError` with all diagnostics, if there are any."""
    if problems:
        raise SpecError(problems)
