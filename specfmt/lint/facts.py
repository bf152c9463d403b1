"""Properties of a graph that several lint rules use."""

from __future__ import annotations

from typing import Any

from specfmt.diagnostics import Path
from specfmt.graph.model import Graph, Node, Value
from specfmt.vocab.base import Term
from specfmt.vocab.index import INDEX


def train_of(graph: Graph) -> Any:
    """The document's ``train:`` section, or None."""
    return getattr(graph.spec, "train", None)


def loss_of(graph: Graph, output: str) -> Term | None:
    """The loss of an output, in whichever form the document gives it."""
    loss: Any = getattr(train_of(graph), "loss", None)
    if isinstance(loss, dict):
        loss = loss.get(output)
    elif isinstance(loss, (list, tuple)):
        index = list(graph.outputs).index(output)
        loss = loss[index] if index < len(loss) else None
    return loss if isinstance(loss, Term) else None


def path_of_loss(graph: Graph, output: str) -> Path:
    """The path of an output's loss in the document."""
    loss: Any = getattr(train_of(graph), "loss", None)
    if isinstance(loss, dict):
        return ("train", "loss", output)
    if isinstance(loss, (list, tuple)):
        return ("train", "loss", list(graph.outputs).index(output))
    return ("train", "loss")


def final_activation(value: Value) -> str:
    """The type of the last activation in the computation of a value; empty if there is none."""
    node = value.node
    while node is not None and node.unit.graph is None and is_identity(node):
        node = next(iter(node.inputs())).node
    if node is None or node.unit.graph is not None:
        return ""
    term = getattr(node.layer, "activation", None)
    if isinstance(term, Term):
        return term.type
    return INDEX["activation"].get(node.layer.activation_function, "")


def is_linear(node: Node) -> bool:
    """Whether a call is an affine map with a kernel and no activation."""
    if node.unit.graph is not None:
        return False
    term = getattr(node.layer, "activation", None)
    return (
        isinstance(term, Term)
        and term.type == "Linear"
        and any("kernel" in weight.name for weight in node.unit.weights)
    )


def is_identity(node: Node) -> bool:
    """Whether a call is the identity at inference."""
    return node.layer.returns_input()


def readers(graph: Graph) -> dict[Value, list[Node]]:
    """Value -> the calls that read it; model outputs are not counted."""
    table: dict[Value, list[Node]] = {}
    for node in graph.nodes:
        for value in dict.fromkeys(node.inputs()):
            table.setdefault(value, []).append(node)
    return table
