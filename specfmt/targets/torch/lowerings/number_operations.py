"""PyTorch lowerings of the rare element-wise operations."""

from __future__ import annotations

from typing import Any, Final

from specfmt.layers import number_operations as ops
from specfmt.layers.op import Op
from specfmt.layers.operations import broadcast
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.reductions import is_whole
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Attr, Binary, Call, Method, Tensor, Unary
from specfmt.targets.torch.lowerings.elementary_operations import test_of
from specfmt.targets.torch.lowerings.operand_values import held, result
from specfmt.targets.torch.lowerings.operations import (
    Operands,
    as_operand,
    named,
    pairwise,
    to_dtype,
    torch_dtype,
)
from specfmt.targets.torch.registry import lower

_UNARY: Final[dict[type[Op], str]] = {
    ops.Fabs: "abs", ops.Sinc: "sinc", ops.Erfc: "erfc", ops.Deg2rad: "deg2rad",
    ops.Rad2deg: "rad2deg", ops.I0: "i0", ops.Angle: "angle",
}  # fmt: skip
_TESTS: Final[dict[type[Op], str]] = {
    ops.Signbit: "signbit",
    ops.Isneginf: "isneginf",
    ops.Isposinf: "isposinf",
    ops.Isreal: "isreal",
}
_PAIRWISE: Final[dict[type[Op], str]] = {
    ops.Gcd: "gcd", ops.Lcm: "lcm", ops.Fmax: "fmax", ops.Fmin: "fmin", ops.Fmod: "fmod",
    ops.Logaddexp2: "logaddexp2", ops.BitwiseLeftShift: "bitwise_left_shift",
    ops.BitwiseRightShift: "bitwise_right_shift", ops.LeftShift: "bitwise_left_shift",
    ops.RightShift: "bitwise_right_shift",
}  # fmt: skip


for _class, _function in _UNARY.items():
    lower(_class)(named(f"torch.{_function}"))
for _class, _function in _TESTS.items():
    lower(_class)(test_of(f"torch.{_function}"))
for _class, _function in _PAIRWISE.items():
    lower(_class)(pairwise(f"torch.{_function}"))


@lower(ops.BitwiseInvert)
@lower(ops.BitwiseNot)
def invert(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    return builder.expr(Unary("~", x), x)


@lower(ops.Real)
def real(layer: ops.Real, builder: LayerBuilder, x: Tensor) -> Tensor:
    if not x.dtype.startswith("complex"):
        return x
    return builder.expr(Attr(x, "real"), x)


@lower(ops.Imag)
def imag(layer: ops.Imag, builder: LayerBuilder, x: Tensor) -> Tensor:
    if not x.dtype.startswith("complex"):
        return builder.expr(Call("torch.zeros_like", (x,)), x)
    return builder.expr(Attr(x, "imag"), x)


@lower(ops.Conjugate)
def conj(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    if not x.dtype.startswith("complex"):
        return x
    return builder.expr(Call("torch.conj_physical", (x,)), x)


@lower(ops.Heaviside)
def heaviside(layer: ops.Heaviside, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    """A `torch.where`: of its own function PyTorch knows no gradient."""
    operands = Operands(layer, (x1, x2), builder)
    left, _ = operands.expressions()
    _, at_zero = operands.expressions(operands.dtype)
    step = to_dtype(Binary(">", left, 0), operands.dtype)
    return operands.finish(builder, Call("torch.where", (Binary("==", left, 0), at_zero, step)))


@lower(ops.Ldexp)
def ldexp(layer: ops.Ldexp, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    """`torch.ldexp` of a tensor, in the dtype of the result."""
    operands = Operands(layer, (x1, x2), builder)
    left, right = operands.expressions(operands.dtype)
    return operands.finish(builder, Binary("*", left, Binary("**", 2.0, right)))


@lower(ops.Isclose)
def isclose(layer: ops.Isclose, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    """A comparison: for `torch.isclose` infinity is close to itself, for TensorFlow not."""
    operands = Operands(layer, (x1, x2), builder)
    dtype = result_type(*(operand_dtype(as_operand(item)) for item in operands.items))
    if is_whole(dtype):
        left, right = operands.expressions()
        return operands.finish(builder, Binary("==", left, right))
    left, right = operands.expressions(dtype)
    size: Any = abs(right) if isinstance(right, (int, float)) else Method(right, "abs")
    bound = Binary("+", layer.atol, Binary("*", layer.rtol, size))
    close: Any = Binary("<=", Method(Binary("-", left, right), "abs"), bound)
    if layer.equal_nan and all(isinstance(item, Tensor) for item in operands.items):
        both = Binary("&", Method(left, "isnan"), Method(right, "isnan"))
        close = Binary("|", close, both)
    return operands.finish(builder, close)


@lower(ops.Polar)
def polar(layer: ops.Polar, builder: LayerBuilder, abs_: Tensor, angle: Tensor) -> Tensor:
    """Written out: `torch.polar` has another gradient for negative absolute values."""
    dtype = result_type(abs_.dtype, angle.dtype, "float")
    size, turn = held(builder, abs_, dtype), held(builder, angle, dtype)
    parts = (Binary("*", size, Method(turn, name)) for name in ("cos", "sin"))
    expr = Call("torch.complex", tuple(parts))
    kind = "complex128" if dtype == "float64" else "complex64"
    return result(builder, expr, broadcast(abs_.shape, angle.shape), kind)


@lower(ops.ViewAsReal)
def view_as_real(layer: ops.ViewAsReal, builder: LayerBuilder, x: Tensor) -> Tensor:
    shape = layer.output_shape(as_operand(x))
    if not x.dtype.startswith("complex"):
        pair = [x, Call("torch.zeros_like", (x,))]
        return result(builder, Call("torch.stack", (pair,), {"dim": -1}), shape, x.dtype)
    kind = "float64" if x.dtype == "complex128" else "float32"
    return result(builder, Call("torch.view_as_real", (x,)), shape, kind)


@lower(ops.View)
def view(layer: ops.View, builder: LayerBuilder, x: Tensor) -> Tensor:
    seen = as_operand(x)
    dtype = layer.result_dtype(seen)
    if dtype == x.dtype:
        return x
    expr = Method(Method(x, "contiguous"), "view", (torch_dtype(dtype),))
    return result(builder, expr, layer.output_shape(seen), dtype)
