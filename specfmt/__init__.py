"""specfmt: from declarative neural-network specs to Keras and PyTorch code.

The public API.  Heavy parts are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specfmt.diagnostics import Diagnostic, Span, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from specfmt.graph.model import Graph
    from specfmt.parity.report import Report
    from specfmt.spec.document import ModelSpec

__version__ = "0.1.0"

__all__ = [
    "Diagnostic",
    "Span",
    "SpecError",
    "analyze",
    "check",
    "convert_weights",
    "dump",
    "from_keras_json",
    "generate",
    "json_schema",
    "load",
    "loads",
    "to_keras_json",
    "verify",
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


def check(
    text: str | bytes, *, file: str = "<string>", targets: Iterable[str] = ()
) -> list[Diagnostic]:
    """Everything that is wrong with a spec text, errors and warnings, in order of place.

    Args:
        text: The spec.
        file: Its name in the findings.
        targets: ``keras``, ``torch``: what they refuse is found too.
    """
    from specfmt.api import check as function

    return function(text, file=file, targets=targets)


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


def convert_weights(spec: ModelSpec, source: str | Path, dest: str | Path, **options: Any) -> int:
    """Carry trained weights across: Keras files to PyTorch files and back.

    Args:
        spec: The model.
        source: ``.keras``, ``.weights.h5``, ``.h5``, ``.safetensors`` or ``.pt``; its content says
            which.
        dest: ``.safetensors``, ``.pt`` or ``.weights.h5``; its name says which.
        **options: ``axes`` and ``fidelity`` as given to `generate`; ``progress``, a function
            called with each weight's name, its bytes and the bytes of all.

    Returns:
        The number of tensors written.

    Raises:
        SpecError: The file does not hold this model's weights, or is damaged; all findings.
        OSError: A file cannot be read or written.
    """
    from specfmt.api import convert_weights as function

    return function(spec, source, dest, **options)


def verify(spec: ModelSpec, **options: Any) -> Report:
    """Build both generated programs in processes of their own and compare what they compute.

    That is: parameter counts, output shapes, outputs, gradients, and one step of plain SGD, at
    inference and in training mode.

    Args:
        spec: The model.
        **options: ``weights`` (a file; else random ones), ``targets``, ``seed``, ``batches``,
            ``layerwise`` (compare every layer), ``tolerance``, ``fidelity``, ``gradients``,
            ``progress``, ``workers`` (processes that several comparisons share), ``allow`` (classes
            of the spec that may be imported and called: dotted paths, or the start of them).

    Raises:
        SpecError: The spec has mistakes, or a program cannot be run.
    """
    from specfmt.fields.foreign import allowing
    from specfmt.parity.run import verify as function

    with allowing(options.pop("allow", ())):
        return function(spec, **options)


def from_keras_json(text: str | bytes) -> ModelSpec:
    """The spec of a Keras architecture JSON, of any generation from 0.2 to 3.15.

    Raises:
        SpecError: It is damaged, or has no meaning in Keras 3.
    """
    from specfmt.api import from_keras_json as function

    return function(text)


def to_keras_json(spec: ModelSpec, format: str = "keras3") -> str:
    """A spec as Keras architecture JSON.

    Args:
        spec: The model.
        format: ``keras3``: what Keras 3.15's `to_json` writes.  ``keras2``: what Keras 2 (tf_keras)
            loads; it says nothing of training.

    Raises:
        SpecError: The spec has mistakes, or the format cannot express it.
    """
    from specfmt.api import to_keras_json as function

    return function(spec, format)
