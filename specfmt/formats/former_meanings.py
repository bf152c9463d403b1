"""What Keras 3 does in another way than the generation from which a model was imported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from specfmt.formats.context import KERAS_3
from specfmt.formats.generation import detect_generation
from specfmt.formats.locate import Located
from specfmt.spec.diagnostics import Diagnostic
from specfmt.spec.document import ModelSpec

if TYPE_CHECKING:
    from specfmt.graph.model import Graph


def former_meanings(spec: ModelSpec, source: Located) -> list[Diagnostic]:
    """A warning for everything in an imported model that Keras 3 treats in another way.

    Args:
        spec: The imported model.
        source: Where it came from.
    """
    if detect_generation(source) >= KERAS_3:
        return []
    # Most imports are of Keras 3: they need not wait for this module.
    from specfmt.graph.build import build

    graph, problems = build(spec)
    if any(problem.severity == "error" for problem in problems):
        return []
    return [*_masks(graph), *_training(graph)]


def _masks(graph: Graph) -> Iterator[Diagnostic]:
    """Layers that Keras 3 gives another mask."""
    from specfmt.formats.write_keras2_masks import changed_masks

    for change in changed_masks(graph):
        yield Diagnostic(
            "SF435",
            f"Keras 3 gives {'the output ' * change.is_output}{change.label} another mask than "
            "Keras 2 did",
            (),
            "`specfmt explain SF435` says where masks differ; give the mask as an argument",
            "warning",
        )


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
