"""What Keras 3 does in another way than the generation from which a model was imported."""

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


def former_meanings(spec: ModelSpec, source: Located) -> tuple[Json | None, list[Diagnostic]]:
    """What keeps the meaning of an imported model, and a warning for what cannot be kept.

    Args:
        spec: The imported model.
        source: Where it came from.

    Returns:
        The document that means in Keras 3 what the source did (None: the spec's own does), and
        warnings about everything that Keras 3 treats in another way all the same.
    """
    if detect_generation(source) >= KERAS_3:
        return None, []
    # Most imports are of Keras 3: they need not wait for these modules.
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
    """A layer, or an output, that Keras 3 gives another mask."""
    if change.is_output:
        message = (
            f"in training Keras 3 weighs the loss of the output {change.label} with another mask "
            "than Keras 2 did"
        )
        return Diagnostic("SF438", message, (), "give sample weights where it matters", "warning")
    message = f"Keras 3 gives {change.label} another mask than Keras 2 did"
    hint = "`specfmt explain SF435` says where masks differ; give the mask as an argument"
    return Diagnostic("SF435", message, (), hint, "warning")


def _training(graph: Graph) -> Iterator[Diagnostic]:
    """Calls in a fixed mode, which Keras 3 keeps only until `predict` or `fit` sets another."""
    from specfmt.graph.training import draws, fixed_calls, normalizes

    for node, training in fixed_calls(graph):
        if draws(node.unit) or normalizes(node.unit):
            mode, setter = ("true", "predict") if training else ("false", "fit")
            yield Diagnostic(
                "SF436",
                f"Keras 3's `{setter}` overrules the `training: {mode}` of {node.name}, which "
                "Keras 2 kept",
                (),
                "`specfmt explain SF436` says how to keep it",
                "warning",
            )
