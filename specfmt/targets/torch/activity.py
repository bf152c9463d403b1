"""Activity regularizers: penalties on layer outputs that are added to the training loss.

As in Keras (keras/src/layers/layer.py, ``Layer.__call__``), every output of every call is
penalized, and the penalty is divided by the batch size.  The model in a training script stores
the sum of the last forward pass as ``activity_penalty``.
"""

from __future__ import annotations

from collections.abc import Sequence

from specfmt.graph.model import Node
from specfmt.layers.base import is_floating, nested_layers
from specfmt.targets.torch.class_builder import ClassBuilder
from specfmt.targets.torch.expr import Attr, Binary, Call, Expr, Method, Tensor
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.steps import Step
from specfmt.targets.user_objects import python_name
from specfmt.vocab.base import CUSTOM, Term

PENALTY = "activity_penalty"
"""The attribute of the generated class that stores the sum."""


def add_penalties(
    class_builder: ClassBuilder, node: Node, outputs: Sequence[Tensor]
) -> list[Tensor]:
    """Add steps for the penalties of one call's outputs.

    Args:
        class_builder: The class.
        node: The call.
        outputs: Its outputs.

    Returns:
        The penalties, as scalar tensors.

    Raises:
        TargetError: PyTorch code cannot express a penalty (SF304).
    """
    term = node.layer.output_penalty()
    inner = any(part.output_penalty() is not None for part in nested_layers(node.layer))
    if inner or (term is not None and node.layer.penalizes_parts):
        raise TargetError(
            f"an activity regularizer inside {node.layer.type_name} has no PyTorch form",
            "set activity_regularizer on a layer of the model itself",
            code="SF304",
        )
    if term is None:
        return []
    found = []
    for output in outputs:
        expr = _penalty(term, output)
        if expr is not None:
            found.append(Tensor((), output.dtype, f"{output.name}_penalty"))
            class_builder.steps.append(Step((found[-1],), expr, node=node))
    return found


def nested_penalty(class_builder: ClassBuilder, node: Node) -> Tensor:
    """Add a step that reads the penalty of the nested model that was just called."""
    call = class_builder.steps[-1].expr
    assert isinstance(call, Call)
    penalty = Tensor((), "float32", f"{node.name}_penalty")
    class_builder.steps.append(Step((penalty,), Attr(call.func, PENALTY), node=node))
    return penalty


def sum_of(class_builder: ClassBuilder, penalties: Sequence[Tensor]) -> Tensor | None:
    """The sum of all penalties, computed right after the last one; None if there are none."""
    if len(penalties) < 2:
        return penalties[0] if penalties else None
    total: Expr | Tensor = penalties[0]
    for penalty in penalties[1:]:
        total = Binary("+", total, penalty)
    result = Tensor((), penalties[0].dtype, PENALTY)
    last = next(i for i, step in enumerate(class_builder.steps) if penalties[-1] in step.outputs)
    class_builder.steps.insert(last + 1, Step((result,), total))
    return result


def _penalty(term: Term, x: Tensor) -> Expr | None:
    if term.type == CUSTOM:
        return Binary("/", Call(python_name(term), (x,)), Call("len", (x,)))
    if term.type == "OrthogonalRegularizer":
        raise TargetError(
            f"{term.name} as activity regularizer has no PyTorch form",
            "use L1, L2 or L1L2",
            "activity_regularizer",
            "SF304",
        )
    # Keras casts the factor to the output's dtype; for integers this truncates it.
    exact = float if is_floating(x.dtype) else int
    parts = [
        Binary("*", factor, Method(Method(x, function), "sum"))
        for key, function in (("l1", "abs"), ("l2", "square"))
        if (factor := exact(getattr(term.spec, key, 0.0)))
    ]
    if not parts:
        return None
    total = parts[0] if len(parts) == 1 else Binary("+", *parts)
    return Binary("/", total, Call("len", (x,)))
