"""PyTorch lowerings of element-wise operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any, Final

from specfmt.graph.model import Array
from specfmt.graph.operands import as_array
from specfmt.layers import operations as ops
from specfmt.layers.base import is_floating
from specfmt.layers.op import Op, Operand
from specfmt.layers.promotion import operand_dtype, torch_result_type
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.constants import buffer
from specfmt.targets.torch.expr import (
    Binary,
    Call,
    Layout,
    Method,
    Name,
    OutputLayout,
    Tensor,
    Unary,
)
from specfmt.targets.torch.registry import Lowering, TargetError, lower

TORCH_DTYPES: Final = frozenset(
    (
        "float32 float64 float16 bfloat16 int8 int16 int32 int64 uint8 bool complex64 complex128"
    ).split()
)
"""Dtypes in which PyTorch can compute."""


def torch_dtype(dtype: str) -> Name:
    """A dtype as an expression: ``torch.int32``.

    Raises:
        TargetError: PyTorch does not compute in this dtype.
    """
    if dtype not in TORCH_DTYPES:
        raise TargetError(f"PyTorch does not compute in {dtype}", "cast to another dtype", "dtype")
    return Name(f"torch.{dtype}")


def to_dtype(value: Any, dtype: str) -> Any:
    """Cast a tensor expression: ``x.float()`` or ``x.to(torch.int32)``."""
    short = {"float32": "float", "int64": "long", "bool": "bool"}.get(dtype)
    if short is not None:
        return Method(value, short)
    return Method(value, "to", (torch_dtype(dtype),))


def as_operand(item: Any) -> Any:
    """Shape and dtype of a tensor or array, for the layer's rules; numbers stay as they are."""
    if isinstance(item, (Tensor, Array)):
        return Operand(item.shape, item.dtype)
    if isinstance(item, tuple):
        return tuple(as_operand(inner) for inner in item)
    return item


def tensors_of(items: Iterable[Any]) -> list[Tensor]:
    """The tensors among operands."""
    return [item for item in items if isinstance(item, Tensor)]


def joint_layout(tensors: list[Tensor], rank: int) -> Layout:
    """The layout for broadcasting: either if every tensor has ``rank`` axes or is a scalar."""
    flats = {tensor.flat for tensor in tensors}
    if len(flats) > 1 or any(tensor.rank not in (0, rank) for tensor in tensors):
        return "keras"
    return "any"


def weakened(item: Any) -> Any:
    """An operand for PyTorch's type promotion: an array without axes becomes a number."""
    if isinstance(item, Array) and not item.shape:
        return item.value
    return as_operand(item)


class Operands:
    """The operands of an operation as PyTorch expressions.

    Args:
        layer: The operation.
        items: Its operands: tensors, arrays, numbers.
        builder: Its builder.
        elementwise: Whether the operands are broadcast against each other.

    Attributes:
        tensors: The tensors among the operands.
        shape, dtype: Shape (Keras's axis order) and dtype of the result in Keras.
        natural: The dtype of the result in PyTorch without casts.
        is_below_zero: Whether a negative number is combined with uint8 tensors.
        layout: The layout of the operands.
    """

    def __init__(
        self, layer: Any, items: tuple[Any, ...], builder: LayerBuilder, *, elementwise: bool = True
    ) -> None:
        self.items = items = tuple(as_array(item) for item in items)
        self.builder = builder
        self.elementwise = elementwise
        seen = tuple(as_operand(item) for item in items)
        self.tensors = tensors_of(items)
        self.shape = layer.output_shape(*seen)
        self.dtype = layer.result_dtype(*seen)
        self.natural = torch_result_type(*(operand_dtype(weakened(item)) for item in items))
        self.is_below_zero = {tensor.dtype for tensor in self.tensors} == {"uint8"} and any(
            type(item) is int and item < 0 for item in items
        )
        rank = len(self.shape)
        self.layout: Layout = joint_layout(self.tensors, rank) if elementwise else "keras"
        if not all(self._follows(item, rank) for item in items if isinstance(item, Array)):
            self.layout = "keras"
        self.y = builder.tensor(self.shape, self.dtype)
        if self.layout == "any" and rank == 2:
            self.y.flat = self.tensors[0].flat

    def _follows(self, array: Array, rank: int) -> bool:
        """Whether an array can have either layout."""
        flat = next((x.flat for x in self.tensors if x.flat is not None), None)
        if flat is not None:
            return array.shape in ((), (prod(flat),))
        return len(array.shape) < rank or rank < 3 or array.shape[:1] == (1,)

    def expressions(self, dtype: str | None = None) -> list[Any]:
        """The operands as expressions; tensors and arrays are cast to ``dtype`` if it is given."""
        return [self._expression(item, dtype) for item in self.items]

    def _expression(self, item: Any, dtype: str | None) -> Any:
        if isinstance(item, Tensor):
            return item if dtype in (None, item.dtype) else to_dtype(item, dtype or "")
        if type(item) is int and item < 0 and self.is_below_zero and dtype != "int32":
            return item % 256  # Keras converts it to uint8
        if not isinstance(item, Array):
            return item
        if not item.shape:
            return item.value
        if len(item.shape) == len(self.shape) > 2 and item.shape[0] == 1 and self.elementwise:
            item = Array(item.value[0], item.dtype)
        torch_dtype(dtype or item.dtype)
        like = self.y if self.elementwise else None
        return buffer(self.builder, item, like, dtype or item.dtype)

    def promoted(self) -> list[Any]:
        """The operands, cast to Keras's result dtype if PyTorch would choose another one."""
        torch_dtype(self.dtype)
        return self.expressions(self.dtype if self.natural != self.dtype else None)

    def joined(self) -> list[Any]:
        """The operands, all cast to Keras's result dtype: PyTorch's products do not promote."""
        torch_dtype(self.dtype)
        return self.expressions(self.dtype)

    def finish(
        self, builder: LayerBuilder, expr: Any, output_layout: OutputLayout | None = None
    ) -> Tensor:
        """Add the step; returns its output."""
        same = tuple(self.shape) == self.tensors[0].shape
        result: Tensor = builder.step(
            expr, self.y, layout=self.layout, output_layout=output_layout, same_line=same
        )
        return result


def _register(make: Callable[[str], Lowering], names: Mapping[type[Op], str]) -> None:
    """Register the same lowering for several classes, each with its PyTorch name."""
    for cls, name in names.items():
        lower(cls)(make(name))


def _infix(operator: str, *, floating: bool = False) -> Callable[..., Tensor]:
    """A Python operator; the operands are cast first if PyTorch's type promotion differs."""

    def lowering(layer: Any, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
        operands = Operands(layer, (x1, x2), builder)
        if operator == "%" and operands.is_below_zero:
            left, right = operands.expressions("int32")  # as in Keras
        elif floating and operands.natural in ("int", "int32", "int64", "bool"):
            left, right = operands.expressions()  # true division of integers is float32
        elif operator == "-" and any(x.dtype == "bool" for x in operands.tensors):
            left, right = operands.expressions(operands.dtype)  # PyTorch does not subtract bool
        else:
            left, right = operands.promoted()
        return operands.finish(builder, Binary(operator, left, right))

    return lowering


_register(
    _infix,
    {
        ops.Add: "+",
        ops.Subtract: "-",
        ops.Multiply: "*",
        ops.Mod: "%",
        ops.Power: "**",
    },
)


@lower(ops.FloorDivide)
def floor_divide(layer: Any, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    """``x1 // x2`` without gradient: it is zero, but PyTorch does not define it."""
    operands = Operands(layer, (x1, x2), builder)
    fixed = [
        Method(value, "detach")
        if isinstance(item, Tensor)
        and is_floating(item.dtype)
        and item not in builder.class_builder.model_inputs
        else value
        for item, value in zip(operands.items, operands.promoted(), strict=True)
    ]
    return operands.finish(builder, Binary("//", *fixed))


for _divide in (ops.Divide, ops.TrueDivide):
    lower(_divide)(_infix("/", floating=True))


def _comparison(operator: str) -> Callable[..., Tensor]:
    def lowering(layer: Any, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
        operands = Operands(layer, (x1, x2), builder)
        left, right = operands.expressions("int32" if operands.is_below_zero else None)
        return operands.finish(builder, Binary(operator, left, right))

    return lowering


_register(
    _comparison,
    {
        ops.Equal: "==",
        ops.NotEqual: "!=",
        ops.Greater: ">",
        ops.GreaterEqual: ">=",
        ops.Less: "<",
        ops.LessEqual: "<=",
    },
)


def _logical(operator: str) -> Callable[..., Tensor]:
    def lowering(layer: Any, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
        operands = Operands(layer, (x1, x2), builder)
        left, right = (
            bool(item) if not isinstance(item, (Tensor, Array)) else value
            for item, value in zip(operands.items, operands.expressions("bool"), strict=True)
        )
        return operands.finish(builder, Binary(operator, left, right))

    return lowering


_register(_logical, {ops.LogicalAnd: "&", ops.LogicalOr: "|", ops.LogicalXor: "^"})


def _extreme(function: str, bound: str) -> Callable[..., Tensor]:
    """`torch.maximum`, or `clamp` if one operand is a number."""

    def lowering(layer: Any, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
        operands = Operands(layer, (x1, x2), builder)
        left, right = operands.promoted()
        if isinstance(x1, (int, float)):
            x1, x2, left, right = x2, x1, right, left
        if isinstance(x2, (int, float)):
            return operands.finish(builder, Method(left, "clamp", (), {bound: right}))
        return operands.finish(builder, Call(function, (left, right)))

    return lowering


lower(ops.Maximum)(_extreme("torch.maximum", "min"))
lower(ops.Minimum)(_extreme("torch.minimum", "max"))


def pairwise(function: str) -> Callable[..., Tensor]:
    """A PyTorch function of two tensors; a number is expanded to a tensor of the same shape."""

    def lowering(layer: Any, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
        operands = Operands(layer, (x1, x2), builder)
        like = operands.tensors[0]
        typed = {} if like.dtype == operands.dtype else {"dtype": torch_dtype(operands.dtype)}
        left, right = (
            Call("torch.full_like", (like, item), typed)
            if isinstance(item, (int, float))
            else value
            for item, value in zip(
                operands.items, operands.expressions(operands.dtype), strict=True
            )
        )
        return operands.finish(builder, Call(function, (left, right)))

    return lowering


@lower(ops.Arctan2)
def arctan2(layer: Any, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    return pairwise("torch.atan2")(layer, builder, x1, x2)


@lower(ops.Where)
def where(layer: Any, builder: LayerBuilder, condition: Any, x1: Any, x2: Any) -> Tensor:
    operands = Operands(layer, (condition, x1, x2), builder)
    test, left, right = operands.expressions()
    natural = torch_result_type(*(operand_dtype(weakened(as_array(item))) for item in (x1, x2)))
    if natural != operands.dtype:
        _, left, right = operands.expressions(operands.dtype)
    if isinstance(condition, Tensor) and condition.dtype != "bool":
        test = Method(condition, "bool")
    return operands.finish(builder, Call("torch.where", (test, left, right)))


def named(function: str, *, floating: bool = False) -> Callable[..., Tensor]:
    """A PyTorch function of one tensor.

    Args:
        function: ``torch.sqrt``.
        floating: Whether the function itself converts integers to float32.
    """

    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        operands = Operands(layer, (x,), builder)
        value: Any = x if operands.dtype == x.dtype or floating else to_dtype(x, operands.dtype)
        if x.dtype == operands.dtype == "bool":
            return x  # PyTorch has no absolute value or sign of bool
        return operands.finish(builder, Call(function, (value,)))

    return lowering


_FLOATING: Final[dict[type[Op], str]] = {
    ops.Sqrt: "sqrt", ops.Exp: "exp", ops.Expm1: "expm1", ops.Log: "log", ops.Log1p: "log1p",
    ops.Log2: "log2", ops.Log10: "log10", ops.Sin: "sin", ops.Cos: "cos", ops.Tan: "tan",
    ops.Sinh: "sinh", ops.Cosh: "cosh", ops.Tanh: "tanh", ops.Arcsin: "asin", ops.Arccos: "acos",
    ops.Arctan: "atan", ops.Rsqrt: "rsqrt", ops.Reciprocal: "reciprocal", ops.Erf: "erf",
}  # fmt: skip
_KEEPING: Final[dict[type[Op], str]] = {
    ops.Absolute: "abs", ops.Square: "square", ops.Sign: "sign", ops.Floor: "floor",
    ops.Ceil: "ceil",
}  # fmt: skip

for _class, _function in _FLOATING.items():
    lower(_class)(named(f"torch.{_function}", floating=True))
for _class, _function in _KEEPING.items():
    lower(_class)(named(f"torch.{_function}"))


@lower(ops.Negative)
def negative(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    return builder.expr(Unary("-", x), x)


@lower(ops.LogicalNot)
def logical_not(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    return builder.expr(Unary("~", x if x.dtype == "bool" else Method(x, "bool")), x, dtype="bool")


@lower(ops.Round)
def round_(layer: ops.Round, builder: LayerBuilder, x: Tensor) -> Tensor:
    if not x.dtype.startswith(("float", "bfloat")):
        return x
    kwargs = {"decimals": layer.decimals} if layer.decimals else {}
    return builder.expr(Call("torch.round", (x,), kwargs), x)


@lower(ops.Clip)
def clip(layer: ops.Clip, builder: LayerBuilder, x: Tensor) -> Tensor:
    operands = Operands(layer, (x,), builder)
    value = x if x.dtype == operands.dtype else to_dtype(x, operands.dtype)
    return operands.finish(builder, Method(value, "clamp", (layer.x_min, layer.x_max)))


@lower(ops.Cast)
def cast(layer: ops.Cast, builder: LayerBuilder, x: Tensor) -> Tensor:
    dtype = str(layer.dtype)
    torch_dtype(dtype)
    return x if x.dtype == dtype else builder.expr(to_dtype(x, dtype), x, dtype=dtype)


@lower(ops.ConvertToTensor)
def convert_to_tensor(layer: ops.ConvertToTensor, builder: LayerBuilder, x: Tensor) -> Tensor:
    dtype = layer.result_dtype(as_operand(x))
    torch_dtype(dtype)
    return x if x.dtype == dtype else builder.expr(to_dtype(x, dtype), x, dtype=dtype)


def _like(function: str) -> Callable[..., Tensor]:
    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        dtype = layer.result_dtype(as_operand(x))
        kwargs = {} if dtype == x.dtype else {"dtype": torch_dtype(dtype)}
        return builder.expr(Call(function, (x,), kwargs), x, dtype=dtype)

    return lowering


lower(ops.ZerosLike)(_like("torch.zeros_like"))
lower(ops.OnesLike)(_like("torch.ones_like"))
