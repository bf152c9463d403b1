"""specfmt: from declarative neural-network specs to Keras and PyTorch code.

The public API.  Heavy parts are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specfmt.spec.diagnostics import Diagnostic, Span, SpecError

if TYPE_CHECKING:
    from pathlib import Path

    from specfmt.graph.model import Graph
    from specfmt.spec.document import ModelSpec

__version__ = "0.1.0"

__all__ = [
    "Diagnostic",
    "Span",
    "SpecError",
    "analyze",
    "check",
    "dump",
    "generate",
    "json_schema",
    "load",
    "loads",
]


def load(path: str | Path) -> ModelSpec:
    """Read a spec file (YAML or JSON).

    Raises:
        SpecError: The file has mistakes; all of them are listed.
        OSError: The file cannot be read.
    """
    from specfmt.api import load as function

    return function(path)


def loads(text: str | bytes, *, file: str = "<string>") -> ModelSpec:
    """Read a spec from text.

    Raises:
        SpecError: The text has mistakes; all of them are listed.
    """
    from specfmt.api import loads as function

    return function(text, file=file)


def dump(spec: ModelSpec) -> str:
    """A spec as canonical YAML."""
    from specfmt.api import dump as function

    return function(spec)


def check(text: str | bytes, *, file: str = "<string>") -> list[Diagnostic]:
    """Everything that is wrong with a spec text, errors and warnings, in order of place."""
    from specfmt.api import check as function

    return function(text, file=file)


def analyze(spec: ModelSpec) -> Graph:
    """The graph of a spec: order, shapes, dtypes, masks, weights, counts.

    Raises:
        SpecError: The graph has mistakes; all of them are listed.
    """
    from specfmt.api import analyze as function

    return function(spec)


def generate(spec: ModelSpec, target: str = "keras", **options: Any) -> str:
    """Generated code for a target, ``keras`` or ``torch``.

    Args:
        spec: The model.
        target: ``keras`` or ``torch``.
        **options: ``style`` (auto, sequential, functional, subclass), ``part`` (model, train),
            ``flavor`` (tf.keras, keras), ``axes`` (torch, keras), ``fidelity`` (idiomatic,
            exact), ``source`` (the spec's file name for the header).

    Raises:
        SpecError: The spec has mistakes, or the target cannot express it.
    """
    from specfmt.api import generate as function

    return function(spec, target, **options)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the spec language."""
    from specfmt.api import json_schema as function

    return function()
