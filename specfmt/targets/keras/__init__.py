"""The Keras target."""

from __future__ import annotations

from specfmt.graph.infer import show_shape
from specfmt.graph.model import Graph
from specfmt.targets.keras.emit import FunctionContext, functional_lines, sequential_lines
from specfmt.targets.source import comment
from specfmt.targets.templates import fill
from specfmt.targets.wrap import wrap


def generate_model(
    graph: Graph, *, style: str = "auto", flavor: str = "tf.keras", source: str = ""
) -> str:
    """A stand-alone file with the model.

    Args:
        graph: A graph without errors.
        style: ``auto``, ``sequential``, ``functional`` or ``subclass``.
        flavor: ``tf.keras`` (``from tensorflow import keras``) or ``keras``.
        source: The spec file's name, for the header.
    """
    sequential = style == "sequential" or (style == "auto" and graph.is_sequential)
    lines = sequential_lines(graph) if sequential else functional_lines(graph)
    function = FunctionContext("build_model", model_doc(graph), lines)
    text = fill(
        "keras/model.py.j2",
        doc=comment(graph.name),
        source=f" from {comment(source)}" if source else "",
        flavor=flavor,
        functions=[function],
    )
    return wrap(text)


def model_doc(graph: Graph) -> str:
    """``image (N, 32, 32, 3) -> label (N, 10); 20,090 parameters``."""

    def side(values: dict[str, object]) -> str:
        return ", ".join(f"{comment(n)} {show_shape(v.shape or ())}" for n, v in values.items())  # type: ignore[attr-defined]

    total, trainable = graph.count(), graph.count(trainable=True)
    counts = f"{total:,} parameters" + ("" if total == trainable else f", {trainable:,} trainable")
    return f"{side(dict(graph.inputs))} -> {side(dict(graph.outputs))}; {counts}."
