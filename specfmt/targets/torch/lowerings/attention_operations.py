"""PyTorch lowerings of attention and general contractions as operations."""

from __future__ import annotations

from math import sqrt
from typing import Any

from specfmt.graph.operands import as_array
from specfmt.layers import attention_operations as ops
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.constants import buffer
from specfmt.targets.torch.expr import Call, Method, Tensor
from specfmt.targets.torch.lowerings.operations import Operands, as_operand, to_dtype
from specfmt.targets.torch.lowerings.product_operations import contracted
from specfmt.targets.torch.registry import lower


@lower(ops.Tensordot)
def tensordot(layer: ops.Tensordot, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    operands = Operands(layer, (x1, x2), builder, elementwise=False)
    left, right = operands.joined()
    first, second = layer.pairs(*(item.shape for item in operands.items))
    if isinstance(layer.axes, int):
        return operands.finish(
            builder, Call("torch.tensordot", (left, right), {"dims": layer.axes})
        )
    ranks = [len(item.shape) for item in operands.items]
    return operands.finish(builder, contracted((left, right), ranks, (first, second)))


@lower(ops.DotProductAttention)
def dot_product_attention(
    layer: ops.DotProductAttention,
    builder: LayerBuilder,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Any = None,
    mask: Any = None,
    scale: Any = None,
) -> Tensor:
    """`F.scaled_dot_product_attention`, which takes the heads axis before the time axis."""
    dtype = layer.result_dtype(*(as_operand(item) for item in (query, key, value)))
    read = [
        Method(item if item.dtype == dtype else to_dtype(item, dtype), "transpose", (1, 2))
        for item in (query, key, value)
    ]
    kwargs: dict[str, Any] = {}
    bias, mask = as_array(bias), as_array(mask)
    if bias is not None:
        kwargs["attn_mask"] = _read(builder, bias, dtype)
    if mask is not None:
        kept = _read(builder, mask, "bool")
        if bias is None:
            kwargs["attn_mask"] = kept
        else:
            bias_where = Call("torch.where", (kept, kwargs["attn_mask"], -1e30))
            kwargs["attn_mask"] = bias_where
    if layer.is_causal and "attn_mask" not in kwargs:
        kwargs["is_causal"] = True
    elif layer.is_causal:
        lower_ = Call(builder.helper("causal_bias"), (kwargs["attn_mask"], query, key))
        kwargs["attn_mask"] = lower_
    features = key.shape[-1]
    if scale is not None and (features is None or scale != 1 / sqrt(features)):
        kwargs["scale"] = scale
    if query.shape[2] != key.shape[2]:
        kwargs["enable_gqa"] = True
    attended = Call("F.scaled_dot_product_attention", tuple(read), kwargs)
    y = builder.tensor(query.shape, dtype)
    result: Tensor = builder.step(Method(attended, "transpose", (1, 2)), y, layout="keras")
    return result


def _read(builder: LayerBuilder, item: Any, dtype: str) -> Any:
    if isinstance(item, Tensor):
        return item if item.dtype == dtype else to_dtype(item, dtype)
    return buffer(builder, item, None, dtype)
