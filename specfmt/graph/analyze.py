"""The graph of a spec, or all its mistakes with their places in the text."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from specfmt.diagnostics import Diagnostic, SpecError, merged
from specfmt.graph.build import build
from specfmt.graph.model import Graph
from specfmt.spec.document import ModelSpec
from specfmt.text.reading import Document


def analyze(spec: ModelSpec) -> Graph:
    """The graph of a spec.

    Raises:
        SpecError: The graph has mistakes; all of them are listed.
    """
    with placing(spec), uncollected():
        graph, problems = build(spec)
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            raise SpecError(errors)
        return graph


def placed(document: Document, problems: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics with their places in the text, in order of place."""
    found = [item if item.span else document.place(item) for item in merged(problems)]
    return sorted(found, key=lambda d: (d.span.line, d.span.column) if d.span else (0, 0))


@contextmanager
def placing(spec: ModelSpec) -> Iterator[None]:
    """Add places to the diagnostics that are raised in the block, if the spec was read from a text."""
    try:
        yield
    except SpecError as error:
        if spec.origin is None:
            raise
        raise SpecError(placed(spec.origin, error.diagnostics)) from None


@contextmanager
def uncollected() -> Iterator[None]:
    """Switch off garbage collection: parsing creates many objects, none of which are garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
