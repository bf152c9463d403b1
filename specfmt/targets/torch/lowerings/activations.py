"""PyTorch lowerings of the activation layers."""

from __future__ import annotations

from typing import Any

from specfmt.layers.activations import ELU, LeakyReLU, PReLU, ReLU, Softmax, as_axes
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Binary, Call, Method, Tensor, Unary
from specfmt.targets.torch.expr import axis as axis_of
from specfmt.targets.torch.lowerings.functions import activation
from specfmt.targets.torch.registry import lower
from specfmt.vocab.base import Term

HIDDEN = {"float16": -3e4}
"""Keras's value of hidden scores by dtype; -1e9 for others."""
"""The value of masked elements before a softmax in Keras (`_large_negative_number`)."""


def apply_activation(builder: LayerBuilder, name: str, x: Tensor, **arguments: Any) -> Tensor:
    """Apply an activation by its type name in the vocabulary."""
    return activation(builder, Term("activation", name, arguments), x)


@lower(ReLU)
def relu(layer: ReLU, builder: LayerBuilder, x: Tensor) -> Tensor:
    arguments = {
        "negative_slope": layer.negative_slope,
        "max_value": layer.max_value,
        "threshold": layer.threshold,
    }
    return apply_activation(builder, "Relu", x, **arguments)


@lower(LeakyReLU)
def leaky_relu(layer: LeakyReLU, builder: LayerBuilder, x: Tensor) -> Tensor:
    return apply_activation(builder, "LeakyRelu", x, negative_slope=layer.negative_slope)


@lower(ELU)
def elu(layer: ELU, builder: LayerBuilder, x: Tensor) -> Tensor:
    return apply_activation(builder, "Elu", x, alpha=layer.alpha)


@lower(PReLU)
def prelu(layer: PReLU, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`nn.PReLU` if alpha is one number or one per channel, else a parameter that broadcasts."""
    alpha = builder.weights.alpha
    channels = alpha.shape[-1]
    if alpha.shape == (1,) * len(alpha.shape):
        weight: Any = alpha.reshape(1)
        return builder.apply(_prelu_module(builder, 1, weight), x)
    if x.rank == 2:
        return builder.apply(_prelu_module(builder, channels, builder.aligned(alpha, x)), x)
    if x.rank > 3 and set(alpha.shape[:-1]) == {1}:
        return builder.apply(
            _prelu_module(builder, channels, alpha.reshape(channels)), x, layout="channels"
        )
    slope = builder.parameter(builder.aligned(alpha, x), "alpha")
    return builder.expr(Call("torch.where", (Binary(">", x, 0), x, Binary("*", slope, x))), x)


def _prelu_module(builder: LayerBuilder, count: int, weight: Any) -> Any:
    arguments = () if count == 1 else (count,)
    return builder.module("nn.PReLU", *arguments, params={"weight": weight})


@lower(Softmax)
def softmax(layer: Softmax, builder: LayerBuilder, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """A softmax over one or several axes; the input's own mask is applied too, as in Keras."""
    given, mask = mask, mask or x.mask
    axes = as_axes(layer.axis)
    if mask is None:
        return softmax_over(builder, x, axes)
    layout: Any = "any" if mask.rank == x.rank and x.flat is None else "keras"
    if mask.dtype != "bool":
        mask = builder.expr(Binary(">", mask, 0.5), mask, layout=layout, dtype="bool")
    hidden = Unary("~", mask)
    kept = builder.expr(
        _softmax(Method(x, "masked_fill", (hidden, HIDDEN.get(x.dtype, -1e9))), axes, x),
        x,
        layout=layout,
    )
    y = builder.method(kept, "masked_fill", hidden, 0, layout=layout)
    y.mask = mask if given is not None else x.mask
    return y


def softmax_over(
    builder: LayerBuilder, x: Tensor, axis: int | tuple[int, ...] | None, name: str = "Softmax"
) -> Tensor:
    """A softmax or log-softmax over one axis, several axes, or all axes (None)."""
    axes = tuple(range(x.rank)) if axis is None else as_axes(axis)
    if len(axes) == 1:
        return apply_activation(builder, name, x, axis=axes[0])
    value = _softmax(x, axes, x)
    return builder.expr(value if name == "Softmax" else value.obj, x)


def _softmax(value: Any, axes: tuple[int, ...], x: Tensor) -> Method:
    if len(axes) == 1:
        return Method(value, "softmax", (), {"dim": axis_of(axes[0], x)})
    dims = tuple(axis_of(k, x) for k in axes)
    total = Method(value, "logsumexp", (), {"dim": dims, "keepdim": True})
    return Method(Binary("-", value, total), "exp")
