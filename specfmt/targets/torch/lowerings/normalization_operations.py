"""PyTorch lowerings of normalizations whose statistics and weights are operands."""

from __future__ import annotations

from typing import Any

from specfmt.layers import normalization_operations as ops
from specfmt.layers.reductions import check_axis
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Binary, Call, Method, Size, Tensor
from specfmt.targets.torch.lowerings.operand_values import EPSILON, held
from specfmt.targets.torch.registry import lower


@lower(ops.BatchNorm)
def batch_normalization(
    layer: ops.BatchNorm,
    builder: LayerBuilder,
    x: Tensor,
    mean: Any,
    variance: Any,
    offset: Any = None,
    scale: Any = None,
) -> Tensor:
    """Written out: `F.batch_norm` has no gradient for the mean and the variance."""
    behind = x.rank - 1 - check_axis(layer.axis, x.rank)

    def along(item: Any) -> Any:
        found = held(builder, item, x.dtype)
        return Method(found, "view", (-1, *(1,) * behind)) if behind else found

    root = Call("torch.rsqrt", (Binary("+", along(variance), layer.epsilon),))
    expr = Binary("*", Binary("-", x, along(mean)), root)
    if scale is not None:
        expr = Binary("*", expr, along(scale))
    if offset is not None:
        expr = Binary("+", expr, along(offset))
    return builder.expr(expr, x, layout="keras")


@lower(ops.LayerNorm)
def layer_normalization(
    layer: ops.LayerNorm, builder: LayerBuilder, x: Tensor, gamma: Any = None, beta: Any = None
) -> Tensor:
    """`F.layer_norm` over the last axes, to which others are moved."""
    places = layer.places(x.shape)
    epsilon = EPSILON if layer.epsilon is None else layer.epsilon
    gamma, beta = held(builder, gamma, x.dtype), held(builder, beta, x.dtype)
    if layer.rms_scaling:
        spread = Method(x, "var", (), {"dim": places, "correction": 0, "keepdim": True})
        expr: Any = Binary("*", x, Call("torch.rsqrt", (Binary("+", spread, epsilon),)))
        if gamma is not None:
            behind = (size if k in places else 1 for k, size in enumerate(x.shape))
            if places != tuple(range(x.rank - len(places), x.rank)):
                gamma = Method(gamma, "reshape", tuple(behind))
            expr = Binary("*", expr, gamma)
        return builder.expr(expr, x, layout="keras")
    last = tuple(range(-len(places), 0))
    moved = places != tuple(range(x.rank - len(places), x.rank))
    sizes = tuple(Size(x, k) if x.shape[k] is None else x.shape[k] for k in places)
    weights = {key: item for key, item in (("weight", gamma), ("bias", beta)) if item is not None}
    source = Method(x, "movedim", (places, last)) if moved else x
    expr = Call("F.layer_norm", (source, sizes), {**weights, "eps": epsilon})
    return builder.expr(
        Method(expr, "movedim", (last, places)) if moved else expr, x, layout="keras"
    )


@lower(ops.RMSNorm)
def rms_normalization(
    layer: ops.RMSNorm, builder: LayerBuilder, x: Tensor, scale: Any = None
) -> Tensor:
    places = layer.places(x.shape)
    epsilon = EPSILON if layer.epsilon is None else layer.epsilon
    square = Method(Method(x, "square"), "mean", (), {"dim": places, "keepdim": True})
    expr: Any = Binary("*", x, Call("torch.rsqrt", (Binary("+", square, epsilon),)))
    if scale is not None:
        expr = Binary("*", expr, held(builder, scale, x.dtype))
    return builder.expr(expr, x, layout="keras")
