"""Activations as PyTorch expressions, registered by the vocabulary's type name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Binary, Call, Layout, Method, Tensor, Unary, axis
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.user_objects import to_be_written
from specfmt.targets.user_objects import python_name
from specfmt.vocab.activations import SLOPE
from specfmt.vocab.base import CUSTOM, Term

Function = Callable[[Any, LayerBuilder, Tensor], Tensor]

ACTIVATIONS: dict[str, Function] = {}


def activation_lowering(type_name: str) -> Callable[[Function], Function]:
    """Decorator that registers the PyTorch lowering of an activation."""

    def register(function: Function) -> Function:
        ACTIVATIONS[type_name] = function
        return function

    return register


def activation(builder: LayerBuilder, term: Term, x: Tensor) -> Tensor:
    """Apply an activation; a final softmax or sigmoid is left out if training is on logits.

    Args:
        builder: The layer's builder.
        term: The activation.
        x: The tensor that it is applied to.

    Raises:
        TargetError: specfmt does not define the activation, or PyTorch cannot express it.
    """
    if builder.without_activation and term.type in ("Softmax", "Sigmoid"):
        return x
    if term.type == CUSTOM:
        builder.class_builder.user_functions.update(to_be_written([term]))
        return builder.call(python_name(term), x)
    if term.type not in ACTIVATIONS:
        raise TargetError(
            f"the activation {term.name} has no PyTorch form",
            "use an activation of Keras 3, or generate the Keras target",
            "activation",
        )
    return ACTIVATIONS[term.type](term.spec, builder, x)


def _stock(function: str, module: str, **renamed: str) -> Function:
    """A lowering to a PyTorch function and module; ``torch_argument=field`` passes on a field."""

    def lowering(spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        kwargs = {theirs: getattr(spec, ours) for theirs, ours in renamed.items()}
        return builder.call(
            function, x, module=Call(module, (), kwargs) if module else None, **kwargs
        )

    return lowering


def _shrink(function: str, module: str) -> Function:
    """A lowering with ``threshold``, whose default is 0.5 in Keras and PyTorch."""

    def lowering(spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        kwargs = {} if spec.threshold == 0.5 else {"lambd": spec.threshold}
        return builder.call(function, x, module=Call(module, (), kwargs), **kwargs)

    return lowering


@activation_lowering("Linear")
def _linear(_spec: Any, _builder: LayerBuilder, x: Tensor) -> Tensor:
    return x


ACTIVATIONS |= {
    # The default slopes of Keras and PyTorch differ, so the slope is always written.
    "LeakyRelu": _stock("F.leaky_relu", "nn.LeakyReLU", negative_slope="negative_slope"),
    "Relu6": _stock("F.relu6", "nn.ReLU6"),
    "Selu": _stock("F.selu", "nn.SELU"),
    "Sigmoid": _stock("torch.sigmoid", "nn.Sigmoid"),
    "LogSigmoid": _stock("F.logsigmoid", "nn.LogSigmoid"),
    "Tanh": _stock("torch.tanh", "nn.Tanh"),
    "HardTanh": _stock("F.hardtanh", "nn.Hardtanh"),
    "TanhShrink": _stock("F.tanhshrink", "nn.Tanhshrink"),
    "Silu": _stock("F.silu", "nn.SiLU"),
    "HardSilu": _stock("F.hardswish", "nn.Hardswish"),
    "Mish": _stock("F.mish", "nn.Mish"),
    "Softplus": _stock("F.softplus", "nn.Softplus"),
    "Softsign": _stock("F.softsign", "nn.Softsign"),
    "SoftShrink": _shrink("F.softshrink", "nn.Softshrink"),
    "HardShrink": _shrink("F.hardshrink", "nn.Hardshrink"),
    "Threshold": _stock(
        "F.threshold", "nn.Threshold", threshold="threshold", value="default_value"
    ),
    "Exponential": _stock("torch.exp", ""),
}


@activation_lowering("Relu")
def _relu(spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    return relu(builder, x, spec.negative_slope, spec.max_value, spec.threshold)


def relu(
    builder: LayerBuilder,
    x: Tensor,
    negative_slope: float,
    max_value: float | None,
    threshold: float,
) -> Tensor:
    """Keras's relu with all its arguments (keras/src/activations/activations.py, ReLU)."""
    if not negative_slope:
        if not threshold:
            if max_value is None:
                return builder.call("F.relu", x, module=Call("nn.ReLU"))
            if max_value == 6:
                return builder.call("F.relu6", x, module=Call("nn.ReLU6"))
            return builder.method(
                x, "clamp", 0.0, max_value, module=Call("nn.Hardtanh", (0.0, max_value))
            )
        if max_value is None:
            module = Call("nn.Threshold", (threshold, 0.0))
            return builder.call("F.threshold", x, threshold, 0.0, module=module)
        passed = Call("F.threshold", (x, threshold, 0.0))
        return builder.expr(Method(passed, "clamp", (0.0, max_value)), x)
    if max_value is None and not threshold:
        kwargs: dict[str, Any] = {"negative_slope": negative_slope}
        return builder.call("F.leaky_relu", x, module=Call("nn.LeakyReLU", (), kwargs), **kwargs)
    above: Any = Call("F.threshold", (x, threshold, 0.0)) if threshold else x
    if max_value is not None:
        above = Method(above, "clamp", (0.0, max_value))
    below = Call("F.relu", (Binary("-", threshold, x) if threshold else Unary("-", x),))
    return builder.expr(Binary("-", above, Binary("*", negative_slope, below)), x)


@activation_lowering("Elu")
def _elu(spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    return _alpha(spec, builder, x, "F.elu", "nn.ELU")


@activation_lowering("Celu")
def _celu(spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    return _alpha(spec, builder, x, "F.celu", "nn.CELU")


def _alpha(spec: Any, builder: LayerBuilder, x: Tensor, function: str, module: str) -> Tensor:
    kwargs: dict[str, Any] = {} if spec.alpha == 1 else {"alpha": spec.alpha}
    return builder.call(function, x, module=Call(module, (), kwargs), **kwargs)


@activation_lowering("HardSigmoid")
def _hard_sigmoid(spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    if spec.slope == SLOPE:
        return builder.call("F.hardsigmoid", x, module=Call("nn.Hardsigmoid"))
    line = Binary("+", Binary("*", spec.slope, x), 0.5)
    return builder.expr(Method(line, "clamp", (0.0, 1.0)), x)


@activation_lowering("SparseSigmoid")
def _sparse_sigmoid(_spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    line = Binary("/", Binary("+", x, 1.0), 2.0)
    return builder.expr(Method(line, "clamp", (0.0, 1.0)), x)


@activation_lowering("Gelu")
def _gelu(spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    kwargs: dict[str, Any] = {"approximate": "tanh"} if spec.approximate else {}
    return builder.call("F.gelu", x, module=Call("nn.GELU", (), kwargs), **kwargs)


@activation_lowering("Squareplus")
def _squareplus(spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    root = Call("torch.sqrt", (Binary("+", Binary("**", x, 2), spec.b),))
    return builder.expr(Binary("/", Binary("+", x, root), 2), x)


@activation_lowering("SparsePlus")
def _sparse_plus(_spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    curve = Binary("/", Binary("**", Call("F.relu", (Binary("+", x, 1),)), 2), 4)
    return builder.expr(Call("torch.where", (Binary("<", x, 1), curve, x)), x)


@activation_lowering("Softmax")
def _softmax(spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    dim = axis(spec.axis, x)
    return builder.method(x, "softmax", dim=dim, module=Call("nn.Softmax", (), {"dim": dim}))


@activation_lowering("LogSoftmax")
def _log_softmax(spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    dim = axis(spec.axis, x)
    return builder.method(x, "log_softmax", dim=dim, module=Call("nn.LogSoftmax", (), {"dim": dim}))


@activation_lowering("Sparsemax")
def _sparsemax(spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    return builder.call(builder.helper("sparsemax"), x, dim=axis(spec.axis, x))


@activation_lowering("Glu")
def _glu(spec: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    k = spec.axis % x.rank
    size = x.shape[k]
    if size is not None and size % 2:
        raise TargetError(
            f"expected an even size of axis {k} for glu, received {size}", field="activation"
        )
    out = tuple(n // 2 if i == k and n is not None else n for i, n in enumerate(x.shape))
    dim = axis(k, x)
    # Which features are in which half depends on their order, so it must be Keras's.
    layout: Layout = "any" if x.flat is None else "keras"
    return builder.call(
        "F.glu", x, dim=dim, shape=out, layout=layout, module=Call("nn.GLU", (), {"dim": dim})
    )
