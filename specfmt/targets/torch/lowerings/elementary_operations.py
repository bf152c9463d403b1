"""PyTorch lowerings of further element-wise operations."""

from __future__ import annotations

from typing import Any, Final

from specfmt.layers import elementary_operations as ops
from specfmt.layers.op import Op
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Binary, Call, Method, Tensor
from specfmt.targets.torch.lowerings.operations import (
    Operands,
    as_operand,
    named,
    pairwise,
    to_dtype,
    torch_dtype,
)
from specfmt.targets.torch.registry import Lowering, lower

_FLOATING: Final[dict[type[Op], str]] = {
    ops.Arcsinh: "asinh", ops.Arccosh: "acosh", ops.Arctanh: "atanh", ops.Exp2: "exp2",
    ops.Erfinv: "erfinv",
}  # fmt: skip
_TESTS: Final[dict[type[Op], str]] = {
    ops.Isnan: "isnan", ops.Isinf: "isinf", ops.Isfinite: "isfinite",
}  # fmt: skip


def test_of(function: str) -> Lowering:
    """A function whose result is boolean for every dtype, bool too."""

    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        return builder.expr(Call(function, (x,)), x, dtype="bool")

    return lowering


for _class, _function in _FLOATING.items():
    lower(_class)(named(f"torch.{_function}", floating=True))
for _class, _function in _TESTS.items():
    lower(_class)(test_of(f"torch.{_function}"))


@lower(ops.Cbrt)
def cbrt(layer: ops.Cbrt, builder: LayerBuilder, x: Tensor) -> Tensor:
    """PyTorch has no cube root: the power 1/3 of the absolute value, with the sign."""
    operands = Operands(layer, (x,), builder)
    (value,) = operands.promoted()
    root = Binary("**", Method(value, "abs"), Binary("/", 1, 3))
    return operands.finish(builder, Call("torch.copysign", (root, value)))


@lower(ops.Trunc)
def trunc(layer: ops.Trunc, builder: LayerBuilder, x: Tensor) -> Tensor:
    return (
        x
        if not x.dtype.startswith(("float", "bfloat"))
        else builder.expr(Call("torch.trunc", (x,)), x)
    )


@lower(ops.NanToNum)
def nan_to_num(layer: ops.NanToNum, builder: LayerBuilder, x: Tensor) -> Tensor:
    fields = ("nan", "posinf", "neginf")
    kwargs = {key: getattr(layer, key) for key in fields if getattr(layer, key) not in (None, 0.0)}
    return builder.expr(Call("torch.nan_to_num", (x,), kwargs), x)


@lower(ops.FullLike)
def full_like(layer: ops.FullLike, builder: LayerBuilder, x: Tensor, fill_value: Any) -> Tensor:
    dtype = layer.result_dtype(as_operand(x), as_operand(fill_value))
    typed = {} if dtype == x.dtype else {"dtype": torch_dtype(dtype)}
    if not isinstance(fill_value, Tensor):
        return builder.expr(Call("torch.full_like", (x, fill_value), typed), x, dtype=dtype)
    zeros = Call("torch.zeros_like", (x,), typed)
    filled = Binary("+", zeros, to_dtype(fill_value, dtype))
    return builder.expr(filled, x, dtype=dtype, layout="keras" if fill_value.rank else "any")


lower(ops.Logaddexp)(pairwise("torch.logaddexp"))
lower(ops.Hypot)(pairwise("torch.hypot"))


@lower(ops.DivideNoNan)
def divide_no_nan(layer: ops.DivideNoNan, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    """The quotient, or 0 where the divisor is 0; dividing by 1 there keeps the gradient finite."""
    operands = Operands(layer, (x1, x2), builder)
    left, right = operands.expressions(operands.dtype)
    if isinstance(x2, (int, float)):
        return operands.finish(builder, Binary("/", left, right) if x2 else Binary("*", left, 0.0))
    safe = Call("torch.where", (Binary("==", right, 0), 1.0, right))
    quotient = Call("torch.where", (Binary("==", right, 0), 0.0, Binary("/", left, safe)))
    return operands.finish(builder, quotient)


def _bitwise(operator: str) -> Any:
    def lowering(layer: Any, builder: LayerBuilder, x: Any, y: Any) -> Tensor:
        operands = Operands(layer, (x, y), builder)
        left, right = operands.promoted()
        return operands.finish(builder, Binary(operator, left, right))

    return lowering


lower(ops.BitwiseAnd)(_bitwise("&"))
lower(ops.BitwiseOr)(_bitwise("|"))
lower(ops.BitwiseXor)(_bitwise("^"))


@lower(ops.StopGradient)
def stop_gradient(layer: ops.StopGradient, builder: LayerBuilder, variable: Tensor) -> Tensor:
    return builder.expr(Method(variable, "detach"), variable)


@lower(ops.Copy)
def copy(layer: ops.Copy, builder: LayerBuilder, x: Tensor) -> Tensor:
    return x
