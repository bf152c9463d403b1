"""Custom layers: nothing is known of them, so nothing can be computed."""

from __future__ import annotations

from typing import Any

from specfmt.graph.model import Array, Node
from specfmt.layers.custom import Custom
from specfmt.targets.torch.builder import Lower, TargetError, lower
from specfmt.vocab.base import CUSTOM, terms_in


@lower(Custom)
def custom(layer: Custom, b: Lower, *args: Any, **kwargs: Any) -> Any:
    raise TargetError(
        f"{layer.class_} is a layer of its own, whose computation specfmt does not know",
        "register a definition under the entry point group specfmt.layers, "
        "or generate the Keras target",
        "class",
        code="SF303",
    )


def refuse_unknown(node: Node) -> None:
    """Refuse a call whose layer uses words of the user's own, or whose operands are arrays.

    Raises:
        TargetError: With what PyTorch code cannot say.
    """
    if node.unit.graph is not None:
        return
    for term in terms_in(node.layer):
        if term.type == CUSTOM:
            raise TargetError(
                f"{term.spec.class_} is a word of its own, whose computation specfmt does not know",
                "use a word of Keras, or generate the Keras target",
                code="SF304",
            )
    if any(isinstance(item, Array) for item in node.args.values()):
        raise TargetError(
            "a constant array among the operands of an operation",
            "write it as a list of numbers, or generate the Keras target",
            "inputs",
            code="SF304",
        )
