"""Masks that Keras 3 joins in another way than the generation from which a model was imported."""

from __future__ import annotations

from specfmt.formats.context import KERAS_3
from specfmt.formats.generation import detect_generation
from specfmt.formats.locate import Located
from specfmt.spec.diagnostics import Diagnostic
from specfmt.spec.document import ModelSpec


def former_masks(spec: ModelSpec, source: Located) -> list[Diagnostic]:
    """A warning for every layer of an imported model that Keras 3 gives another mask.

    Args:
        spec: The imported model.
        source: Where it came from.
    """
    if detect_generation(source) >= KERAS_3:
        return []
    # Most imports are of Keras 3: they need not wait for these modules.
    from specfmt.formats.write_keras2_masks import changed_masks
    from specfmt.graph.build import build

    graph, problems = build(spec)
    if any(problem.severity == "error" for problem in problems):
        return []
    return [
        Diagnostic(
            "SF435",
            f"Keras 3 gives {'the output ' * change.is_output}{change.label} another mask than "
            "Keras 2 did",
            (),
            "`specfmt explain SF435` says where masks differ; give the mask as an argument",
            "warning",
        )
        for change in changed_masks(graph)
    ]
