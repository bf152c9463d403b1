"""PyTorch lowerings of the attention layers."""

from __future__ import annotations

from functools import reduce
from math import prod
from typing import Any

from specfmt.layers.attention import (
    AdditiveAttention,
    Attention,
    GroupQueryAttention,
    HeadsAttention,
    ListAttention,
    MultiHeadAttention,
)
from specfmt.targets.torch.builder import Lower, TargetError, lower
from specfmt.targets.torch.expr import (
    Binary,
    Call,
    Expr,
    Method,
    ModuleDef,
    Name,
    SelfAttr,
    Subscript,
    Tensor,
    Unary,
)
from specfmt.targets.torch.params import ByLayout, WeightExpr

ALL = slice(None)
FAR = 1e9
"""What Keras's Attention takes from the scores of masked positions."""


def boolean(mask: Tensor) -> Any:
    """A mask as booleans."""
    return mask if mask.dtype == "bool" else Method(mask, "bool")


def step(b: Lower, expr: Any, shape: tuple[int | None, ...], dtype: str, name: str) -> Tensor:
    """A computation in Keras's order, under a name of its own."""
    y = b.tensor(shape, dtype)
    y.name = name
    b.step(expr, y, want="keras")
    return y


# -- Attention and AdditiveAttention -------------------------------------------------------


def list_attention(
    layer: ListAttention,
    b: Lower,
    inputs: list[Tensor],
    score: Any,
    *,
    mask: list[Tensor | None] | None = None,
    training: bool | None = None,
    return_attention_scores: bool = False,
    use_causal_mask: bool = False,
) -> Any:
    """Attention over ``[query, value, key]``.

    Args:
        layer: The layer.
        b: The builder.
        inputs: Query, value and perhaps key.
        score: Function that makes the scores' expression from query and key; None for the
            plain dot product.
        mask: Query's and value's masks (default: those that travel along).
        training, return_attention_scores, use_causal_mask: As Keras's.
    """
    query, value, key = inputs[0], inputs[1], inputs[-1]
    masks = [x.mask for x in inputs] if mask is None else mask
    rate: float = getattr(layer, "dropout")  # noqa: B009
    visible = visible_keys(b, query, key, masks[1], causal=use_causal_mask)
    only_causal = use_causal_mask and masks[1] is None
    out = (*query.shape[:-1], value.shape[-1])
    steps = (*query.shape[:-1], key.shape[-2])
    dropping = rate > 0 and training is not False
    if score is None and not return_attention_scores and training is not True:
        kwargs: dict[str, Any] = {}
        if only_causal:
            kwargs["is_causal"] = True
        elif visible is not None:
            kwargs["attn_mask"] = Call("torch.where", (visible, 0.0, -FAR))
        if dropping:
            kwargs["dropout_p"] = Binary("*", rate, Name("self.training"))
        call = Call("F.scaled_dot_product_attention", (query, key, value), {**kwargs, "scale": 1.0})
        y = b.tensor(out)
        b.step(call, y, want="keras", heavy=True)
        return hidden(b, y, masks[0])
    dot = Binary("@", query, Attr_mT(key))
    scores = step(b, dot if score is None else score(query, key), steps, "float32", "scores")
    if visible is not None:
        far = Call("torch.where", (visible, scores, Binary("-", scores, FAR)))
        scores = step(b, far, steps, "float32", "scores")
    weights = step(b, Method(scores, "softmax", (), {"dim": -1}), steps, "float32", "weights")
    if dropping:
        when = True if training else Name("self.training")
        weights = step(b, Call("F.dropout", (weights, rate, when)), steps, "float32", "weights")
    y = b.tensor(out)
    b.step(Binary("@", weights, value), y, want="keras")
    y = hidden(b, y, masks[0])
    return (y, weights) if return_attention_scores else y
