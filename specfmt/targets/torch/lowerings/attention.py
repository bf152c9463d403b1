"""PyTorch lowerings of `Attention` and `AdditiveAttention`, which take a list of inputs."""

from __future__ import annotations

from typing import Any

from specfmt.layers.attention import AdditiveAttention, Attention
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Attr, Binary, Call, Expr, Method, Name, Tensor, Unary
from specfmt.targets.torch.lowerings.attention_heads import boolean, step
from specfmt.targets.torch.registry import lower

FAR = 1e9
"""Keras's `Attention` subtracts this from the scores of masked positions."""


def visible_keys(
    builder: LayerBuilder, query: Tensor, key: Tensor, mask: Tensor | None, *, causal: bool
) -> Any:
    """Which keys each query may attend to, broadcast to (..., T, S); None for all."""
    allowed = None if mask is None else boolean(mask)
    if mask is not None and (causal or mask.rank == 2):
        allowed = Method(allowed, "unsqueeze", (-2,))
    if not causal:
        return allowed
    triangle = Call(builder.helper("causal_mask"), (query, key))
    return triangle if allowed is None else Binary("&", allowed, triangle)


def list_attention(
    builder: LayerBuilder,
    inputs: list[Tensor],
    dot: Any,
    scores: Any,
    rate: float,
    mask: list[Tensor | None] | None = None,
    return_attention_scores: bool = False,
    use_causal_mask: bool = False,
) -> Any:
    """Attention over ``[query, value, key]``.

    Args:
        builder: The layer's builder.
        inputs: Query (..., T, features), value (..., S, features) and perhaps key.
        dot: The (scaled) query for dot-product attention; None for other scores.
        scores: The scores (..., T, S), as an expression.
        rate: The dropout rate of the attention weights.
        mask: The masks of query and value; by default the tensors' own.
        return_attention_scores, use_causal_mask: As in Keras.

    Returns:
        The output (..., T, features), with the attention weights if they are requested.
    """
    query, value, key = inputs[0], inputs[1], inputs[-1]
    masks = [x.mask for x in inputs] if mask is None else mask
    visible = visible_keys(builder, query, key, masks[1], causal=use_causal_mask)
    y = builder.tensor((*query.shape[:-1], value.shape[-1]))
    # With a mask, the fused kernels compute wrong gradients for a query without any key.
    if dot is not None and masks[1] is None and not return_attention_scores:
        kwargs: dict[str, Any] = {"is_causal": True} if use_causal_mask else {}
        if rate:
            kwargs["dropout_p"] = Binary("*", rate, Name("self.training"))
        kwargs["scale"] = 1.0
        builder.step(
            Call("F.scaled_dot_product_attention", (dot, key, value), kwargs), y, layout="keras"
        )
        return hidden(builder, y, masks[0])
    shape = (*query.shape[:-1], key.shape[-2])
    found = step(builder, scores, shape, query.dtype, "scores")
    if visible is not None:
        far = Call("torch.where", (visible, found, Binary("-", found, FAR)))
        found = step(builder, far, shape, query.dtype, "scores")
    weights = step(
        builder, Method(found, "softmax", (), {"dim": -1}), shape, query.dtype, "weights"
    )
    if rate:
        call = Call("F.dropout", (weights, rate, Name("self.training")))
        weights = step(builder, call, shape, query.dtype, "weights")
    builder.step(Binary("@", weights, value), y, layout="keras")
    y = hidden(builder, y, masks[0])
    return (y, weights) if return_attention_scores else y


def hidden(builder: LayerBuilder, x: Tensor, mask: Tensor | None) -> Tensor:
    """Zeros where the query is masked."""
    if mask is None:
        return x
    y = builder.tensor(x.shape)
    covered = Unary("~", Method(boolean(mask), "unsqueeze", (-1,)))
    builder.step(Method(x, "masked_fill", (covered, 0.0)), y, layout="keras")
    y.mask = mask
    return y


@lower(Attention)
def attention(layer: Attention, builder: LayerBuilder, inputs: list[Tensor], **call: Any) -> Any:
    """`F.scaled_dot_product_attention`, or its formula if there is a mask or scores are returned."""
    query, key = inputs[0], inputs[-1]
    scale = builder.parameter(builder.weights.scale, "scale") if layer.use_scale else None
    if layer.score_mode == "dot":
        dot: Any = query if scale is None else Binary("*", query, scale)
        scores: Any = Binary("@", dot, Attr(key, "mT"))
        return list_attention(builder, inputs, dot, scores, layer.dropout, **call)
    total: Any = pairs(query, key)
    if scale is not None:
        total = Binary("*", scale, total)
    sums = Method(Call("torch.tanh", (total,)), "sum", (), {"dim": -1})
    weight = builder.parameter(builder.weights.concat_score_weight, "score_weight")
    return list_attention(builder, inputs, None, Binary("*", weight, sums), layer.dropout, **call)


def pairs(query: Tensor, key: Tensor) -> Expr:
    """The sum of every query with every key: (..., T, S, features)."""
    return Binary("+", Method(query, "unsqueeze", (-2,)), Method(key, "unsqueeze", (-3,)))


@lower(AdditiveAttention)
def additive_attention(
    layer: AdditiveAttention, builder: LayerBuilder, inputs: list[Tensor], **call: Any
) -> Any:
    """Scores by a (scaled) sum of ``tanh(query + key)``."""
    bent = Call("torch.tanh", (pairs(inputs[0], inputs[-1]),))
    if layer.use_scale:
        scores: Any = Binary("@", bent, builder.parameter(builder.weights.scale, "scale"))
    else:
        scores = Method(bent, "sum", (), {"dim": -1})
    return list_attention(builder, inputs, None, scores, layer.dropout, **call)
