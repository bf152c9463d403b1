"""Differences in behaviour between Keras 3 and the Keras generation of an imported model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from specfmt.diagnostics import Diagnostic
from specfmt.formats.config.context import KERAS_3
from specfmt.formats.config.reading import Json
from specfmt.formats.source.generation import detect_generation
from specfmt.formats.source.locate import Located
from specfmt.spec.document import ModelSpec

if TYPE_CHECKING:
    from specfmt.formats.keras2.masks import Change
    from specfmt.graph.model import Graph


def behaviour_changes(spec: ModelSpec, source: Located) -> tuple[Json | None, list[Diagnostic]]:
    """Keep the behaviour of an imported model in Keras 3, or warn where it changes.

    Args:
        spec: The imported model.
        source: The file's content that it was imported from.

    Returns:
        The document that behaves in Keras 3 as the source did (None if the spec already does),
        and a warning for each difference that remains.
    """
    if detect_generation(source) >= KERAS_3:
        return None, []
    # Most imports are of Keras 3 and do not need these modules.
    from specfmt.formats.keras2.mask_rules import keep_masks
    from specfmt.graph.build import build

    graph, problems = build(spec)
    if any(problem.severity == "error" for problem in problems):
        return None, []
    before = spec.to_data()
    document, changes = keep_masks(before, graph)
    warnings = [*map(_mask, changes), *_training(graph)]
    return None if document is before else document, warnings


def _mask(change: Change) -> Diagnostic:
    """The warning about a layer or an output that has another mask in Keras 3."""
    if change.is_output:
        message = (
            f"in training Keras 3 weights the loss of the output {change.label} with another mask "
            "than Keras 2 did"
        )
        return Diagnostic("SF438", message, (), "give sample weights where it matters", "warning")
    message = f"Keras 3 gives {change.label} another mask than Keras 2 did"
    hint = "`specfmt explain SF435` lists where masks differ; give the mask as an argument"
    return Diagnostic("SF435", message, (), hint, "warning")


def _training(graph: Graph) -> Iterator[Diagnostic]:
    """Warnings about calls with a fixed ``training``, which Keras 3's `predict` and `fit`
    override."""
    from specfmt.graph.training import draws, fixed_calls, normalizes

    for node, training in fixed_calls(graph):
        if draws(node.unit) or normalizes(node.unit):
            mode, setter = ("true", "predict") if training else ("false", "fit")
            yield Diagnostic(
                "SF436",
                f"Keras 3's `{setter}` overrides the `training: {mode}` of {node.name}, which "
                "Keras 2 kept",
                (),
                "`specfmt explain SF436` shows how to keep it",
                "warning",
            )
