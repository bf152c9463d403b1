"""PyTorch lowerings of the activation layers."""

from __future__ import annotations

from typing import Any

from specfmt.layers.activations import ELU, LeakyReLU, PReLU, ReLU, Softmax, as_axes
from specfmt.targets.torch.builder import Lower
from specfmt.targets.torch.expr import Binary, Call, Method, Tensor, Unary
from specfmt.targets.torch.expr import axis as axis_of
from specfmt.targets.torch.lowerings.functions import activation
from specfmt.targets.torch.registry import lower
from specfmt.vocab.base import Term

HIDDEN = -1e9
"""What Keras puts in place of masked elements before a softmax (`_large_negative_number`)."""


def apply_word(b: Lower, name: str, x: Tensor, **arguments: Any) -> Tensor:
    """An activation of the vocabulary, by its type name."""
    return activation(b, Term("activation", name, arguments), x)


@lower(ReLU)
def relu(layer: ReLU, b: Lower, x: Tensor) -> Tensor:
    arguments = {
        "negative_slope": layer.negative_slope,
        "max_value": layer.max_value,
        "threshold": layer.threshold,
    }
    return apply_word(b, "Relu", x, **arguments)


@lower(LeakyReLU)
def leaky_relu(layer: LeakyReLU, b: Lower, x: Tensor) -> Tensor:
    return apply_word(b, "LeakyRelu", x, negative_slope=layer.negative_slope)


@lower(ELU)
def elu(layer: ELU, b: Lower, x: Tensor) -> Tensor:
    return apply_word(b, "Elu", x, alpha=layer.alpha)


@lower(PReLU)
def prelu(layer: PReLU, b: Lower, x: Tensor) -> Tensor:
    """`nn.PReLU` where alpha is one number or one a channel, else a parameter that broadcasts."""
    alpha = b.weights.alpha
    channels = alpha.shape[-1]
    if alpha.shape == (1,) * len(alpha.shape):
        weight: Any = alpha.reshape(1)
        return b.apply(_prelu_module(b, 1, weight), x)
    if x.rank == 2:
        return b.apply(_prelu_module(b, channels, b.aligned(alpha, x)), x)
    if x.rank > 3 and set(alpha.shape[:-1]) == {1}:
        return b.apply(_prelu_module(b, channels, alpha.reshape(channels)), x, want="channels")
    slope = b.parameter(b.aligned(alpha, x), "alpha")
    return b.expr(Call("torch.where", (Binary(">", x, 0), x, Binary("*", slope, x))), x)


def _prelu_module(b: Lower, count: int, weight: Any) -> Any:
    arguments = () if count == 1 else (count,)
    return b.module("nn.PReLU", *arguments, params={"weight": weight})


@lower(Softmax)
def softmax(layer: Softmax, b: Lower, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """A softmax over one axis or several; Keras reads the mask that travels along as well."""
    given, mask = mask, mask or x.mask
    axes = as_axes(layer.axis)
    if mask is None:
        return softmax_over(b, x, axes)
    want: Any = "any" if mask.rank == x.rank and x.flat is None else "keras"
    if mask.dtype != "bool":
        mask = b.expr(Binary(">", mask, 0.5), mask, want=want, dtype="bool")
    hidden = Unary("~", mask)
    kept = b.expr(_softmax(Method(x, "masked_fill", (hidden, HIDDEN)), axes, x), x, want=want)
    y = b.method(kept, "masked_fill", hidden, 0, want=want)
    y.mask = mask if given is not None else x.mask
    return y


def softmax_over(
    b: Lower, x: Tensor, axis: int | tuple[int, ...] | None, word: str = "Softmax"
) -> Tensor:
    """A softmax (or ``LogSoftmax``) over one axis, several, or (None) all."""
    axes = tuple(range(x.rank)) if axis is None else as_axes(axis)
    if len(axes) == 1:
        return apply_word(b, word, x, axis=axes[0])
    value = _softmax(x, axes, x)
    return b.expr(value if word == "Softmax" else value.obj, x)


def _softmax(value: Any, axes: tuple[int, ...], x: Tensor) -> Method:
    if len(axes) == 1:
        return Method(value, "softmax", (), {"dim": axis_of(axes[0], x)})
    dims = tuple(axis_of(k, x) for k in axes)
    total = Method(value, "logsumexp", (), {"dim": dims, "keepdim": True})
    return Method(Binary("-", value, total), "exp")
