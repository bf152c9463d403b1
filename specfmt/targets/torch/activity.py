"""Activity regularizers: penalties on layer outputs that are added to the training loss.

As in Keras (keras/src/layers/layer.py, ``Layer.__call__``), every output of every call is
penalized, and the penalty is divided by the batch size.  The model in a training script stores
the sum of the last forward pass as ``activity_penalty``.

A layer inside a layer is penalized where Keras calls it as a layer: in `Bidirectional`,
`SpectralNormalization` and attention.  `TimeDistributed` runs only its computation, so the regularizer
of the inner layer has no effect, while those inside an inner model have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from specfmt.graph.held import HeldModel
from specfmt.graph.model import Node
from specfmt.layers.attention import HeadsAttention
from specfmt.layers.base import Layer, is_floating, nested_layers
from specfmt.layers.recurrent_cells import RNN
from specfmt.layers.wrappers import Bidirectional, SpectralNormalization, TimeDistributed
from specfmt.targets.torch.class_builder import ClassBuilder
from specfmt.targets.torch.expr import Attr, Binary, Call, Expr, Method, SelfAttr, Tensor
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.steps import Step
from specfmt.targets.user_objects import python_name
from specfmt.vocab.base import CUSTOM, Term

PENALTY = "activity_penalty"
"""The attribute of the generated class that stores the sum."""

HOLDERS: Final = (
    TimeDistributed,
    Bidirectional,
    SpectralNormalization,
    RNN,
    HeldModel,
    HeadsAttention,
)
"""Layers whose lowerings add the penalties of the layers inside."""


def add_penalties(class_builder: ClassBuilder, node: Node, outputs: Sequence[Tensor]) -> None:
    """Add steps for the penalties of one call's outputs.

    Args:
        class_builder: The class.
        node: The call.
        outputs: Its outputs.

    Raises:
        TargetError: PyTorch code cannot express a penalty (SF304).
    """
    layer = node.layer
    if not isinstance(layer, HOLDERS) and is_penalized(nested_layers(layer)):
        raise TargetError(
            f"an activity regularizer inside {layer.type_name} has no PyTorch form",
            "set activity_regularizer on a layer of the model itself",
            code="SF304",
        )
    if not isinstance(layer, HeadsAttention):  # whose lowering also penalizes its projections
        penalize(class_builder, node, layer.output_penalty(), outputs)


def is_penalized(layers: Iterable[Layer]) -> bool:
    """Whether one of the layers has an activity regularizer."""
    return any(layer.output_penalty() is not None for layer in layers)


def penalize(
    class_builder: ClassBuilder, node: Node, term: Term | None, outputs: Sequence[Tensor]
) -> None:
    """Add a regularizer's penalty for each output, if the model is trained.

    Raises:
        TargetError: PyTorch code cannot express it (SF304).
    """
    if term is None or not class_builder.trains:
        return
    for output in outputs:
        expr = _penalty(class_builder, term, output)
        if expr is not None:
            _add(class_builder, node, Tensor((), output.dtype, f"{output.name}_penalty"), expr)


def _add(class_builder: ClassBuilder, node: Node, penalty: Tensor, expr: Expr) -> None:
    class_builder.penalties.append(penalty)
    class_builder.steps.append(Step((penalty,), expr, node=node))


def nested_penalty(class_builder: ClassBuilder, node: Node, attr: str) -> None:
    """Add a step that reads the penalty of the model that was just called.

    Args:
        class_builder: The class that calls it.
        node: The call.
        attr: The attribute of its module.
    """
    penalty = Tensor((), "float32", f"{node.name}_penalty")
    _add(class_builder, node, penalty, Attr(SelfAttr(attr), PENALTY))


def scale_penalties(class_builder: ClassBuilder, node: Node, start: int, factor: object) -> None:
    """Multiply the penalties from number ``start`` on.

    Time steps that are merged into the batch count as samples of it; in Keras each step is a call.
    """
    for index, penalty in enumerate(class_builder.penalties[start:], start):
        scaled = Tensor((), penalty.dtype, penalty.name)
        class_builder.penalties[index] = scaled
        class_builder.steps.append(Step((scaled,), Binary("*", factor, penalty), node=node))


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


def _penalty(class_builder: ClassBuilder, term: Term, x: Tensor) -> Expr | None:
    if term.type == CUSTOM:
        return Binary("/", Call(python_name(term), (x,)), Call("len", (x,)))
    if term.type == "OrthogonalRegularizer":
        if term.spec.mode != "columns" or x.rank != 2:
            raise TargetError(
                f"expected {term.name} over the columns of an output of shape (N, features), "
                f"received {term.spec.mode} of {x.rank} axes, which Keras cannot train",
                "set `mode: columns`, or use L1, L2 or L1L2",
                "activity_regularizer",
                "SF304",
            )
        class_builder.helpers["orthogonal_penalty"] = None
        factor = term.spec.factor
        return Binary("/", Call("orthogonal_penalty", (x, factor, "columns")), Call("len", (x,)))
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
