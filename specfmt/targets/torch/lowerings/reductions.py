"""PyTorch lowerings of reductions.

Axis numbers depend on the layout, so that a reduction between convolutions needs no permute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from specfmt.layers import reductions as ops
from specfmt.layers.base import is_floating
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, Layout, Method, OutputLayout, Tensor, axis
from specfmt.targets.torch.lowerings.operations import as_operand, to_dtype, torch_dtype
from specfmt.targets.torch.registry import lower


def layouts_dropping(x: Tensor, gone: tuple[int, ...]) -> tuple[Layout, OutputLayout | None]:
    """The layouts of the input and output of a step that removes axes.

    If the batch and the channels remain, the output has the input's layout.  A channels-first
    image without its channels has Keras's axis order.

    Args:
        x: The input.
        gone: The removed axes, by Keras's numbers.
    """
    left = x.rank - len(gone)
    if x.flat is not None:
        return "keras", "keras"
    if not gone or left < 2 or (0 not in gone and (left == 2 or x.rank - 1 not in gone)):
        return "any", None
    if 0 in gone or x.rank < 4:
        return "keras", "keras"
    return "channels", "keras"


OWN: Final = object()
"""The default of `Reducer`'s axes: the layer's."""


class Reducer:
    """Writes the step of a reduction.

    Args:
        layer: The operation.
        builder: Its builder.
        x: The tensor to reduce.
        axes: The axes by Keras's numbers; by default the layer's ``axis``.

    Attributes:
        value: The operand as an expression.
        dtype: The dtype of the result.
    """

    def __init__(self, layer: Any, builder: LayerBuilder, x: Tensor, axes: Any = OWN) -> None:
        self.layer, self.builder, self.x = layer, builder, x
        self.axes = ops.reduced_axes(layer.axis if axes is OWN else axes, x.rank)
        self.keepdims = getattr(layer, "keepdims", False)
        self.dtype = layer.result_dtype(as_operand(x))
        self.value: Any = x

    def as_floating(self) -> None:
        """Cast an integer operand to the floating dtype of the result."""
        if ops.is_whole(self.x.dtype):
            self.value = to_dtype(self.x, self.dtype)

    def kwargs(self, *, several: bool = True, always: bool = False) -> dict[str, Any]:
        """``dim`` and ``keepdim``.

        Args:
            several: Whether ``dim`` may be a tuple.
            always: Whether to write ``dim`` even if all axes are reduced.
        """
        kwargs: dict[str, Any] = {}
        if always or self.keepdims or len(self.axes) < self.x.rank:
            dims = tuple(axis(k, self.x) for k in self.axes)
            kwargs["dim"] = dims if several and len(dims) != 1 else dims[0]
        if self.keepdims:
            kwargs["keepdim"] = True
        return kwargs

    def finish(self, expr: Any, dtype: str | None = None) -> Tensor:
        """Add the step; returns its output."""
        layout, output_layout = (
            ("any", None) if self.keepdims else layouts_dropping(self.x, self.axes)
        )
        if self.x.flat is not None:
            layout = "keras" if 0 in self.axes and 1 not in self.axes else "any"
        shape = self.layer.output_shape(as_operand(self.x))
        if shape and isinstance(shape[0], tuple):
            shape = shape[0]  # several outputs, all alike
        y = self.builder.tensor(shape, dtype or self.dtype)
        result: Tensor = self.builder.step(expr, y, layout=layout, output_layout=output_layout)
        return result


def _typed(name: str) -> Callable[..., Tensor]:
    """Sums and means with Keras's dtype (PyTorch sums integers in int64 and averages none)."""

    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        r = Reducer(layer, builder, x)
        kwargs = r.kwargs()
        if r.dtype == "uint32":
            r.dtype = "int64"  # PyTorch does not compute in uint32
        if r.dtype != x.dtype or ops.is_whole(r.dtype):
            kwargs["dtype"] = torch_dtype(r.dtype)
        return r.finish(Method(x, name, (), kwargs))

    return lowering


lower(ops.Sum)(_typed("sum"))
lower(ops.Mean)(_typed("mean"))


def extreme(name: str, bound: str = "") -> Callable[..., Tensor]:
    """The largest or smallest element, bounded by ``initial``."""

    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        r = Reducer(layer, builder, x)
        expr = Method(x, name, (), r.kwargs())
        if bound and layer.initial is not None:
            expr = Method(expr, "clamp", (), {bound: layer.initial})
        return r.finish(expr)

    return lowering


lower(ops.Max)(extreme("amax", "min"))
lower(ops.Min)(extreme("amin", "max"))


@lower(ops.Prod)
def prod(layer: ops.Prod, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`Tensor.prod`, which takes one axis at a time."""
    r = Reducer(layer, builder, x)
    if r.dtype == "uint32":
        r.dtype = "int64"
    typed = {"dtype": torch_dtype(r.dtype)} if r.dtype != x.dtype or ops.is_whole(r.dtype) else {}
    if len(r.axes) == x.rank and not layer.keepdims:
        return r.finish(Method(x, "prod", (), typed))
    expr: Any = x
    for k in sorted(r.axes):
        expr = Method(expr, "prod", (), {"dim": axis(k, x), "keepdim": True, **typed})
    if not layer.keepdims:
        if len(r.axes) == 1:
            expr = Method(x, "prod", (), {"dim": axis(r.axes[0], x), **typed})
        else:
            expr = Method(expr, "squeeze", (tuple(axis(k, x) for k in r.axes),))
    return r.finish(expr)


def _spread(name: str) -> Callable[..., Tensor]:
    """The biased standard deviation or variance, as in Keras."""

    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        r = Reducer(layer, builder, x)
        r.as_floating()
        return r.finish(Method(r.value, name, (), {**r.kwargs(), "correction": 0}))

    return lowering


lower(ops.Std)(_spread("std"))
lower(ops.Var)(_spread("var"))


def _logical(name: str) -> Callable[..., Tensor]:
    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        r = Reducer(layer, builder, x)
        value = to_dtype(x, "bool") if x.dtype == "uint8" else x
        return r.finish(Method(value, name, (), r.kwargs()))

    return lowering


lower(ops.Any)(_logical("any"))
lower(ops.All)(_logical("all"))


def _place(name: str) -> Callable[..., Tensor]:
    """Indices, int64 in PyTorch; over all elements, they count in Keras's axis order."""

    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        r = Reducer(layer, builder, x)
        value = to_dtype(x, "int32") if x.dtype == "bool" else x
        if layer.axis is not None:
            return r.finish(Method(value, name, (), r.kwargs(several=False)), "int64")
        expr: Any = Method(value, name)
        shape = layer.output_shape(as_operand(x))
        if layer.keepdims:
            expr = Method(expr, "reshape", shape)
        y = builder.tensor(shape, "int64")
        result: Tensor = builder.step(expr, y, layout="keras")
        return result

    return lowering


lower(ops.Argmax)(_place("argmax"))
lower(ops.Argmin)(_place("argmin"))


@lower(ops.Logsumexp)
def logsumexp(layer: ops.Logsumexp, builder: LayerBuilder, x: Tensor) -> Tensor:
    r = Reducer(layer, builder, x)
    r.as_floating()
    return r.finish(Method(r.value, "logsumexp", (), r.kwargs(always=True)))


@lower(ops.Norm)
def norm(layer: ops.Norm, builder: LayerBuilder, x: Tensor) -> Tensor:
    """A vector norm along one axis (by default over all elements), a matrix norm along two."""
    r = Reducer(layer, builder, x)
    r.as_floating()
    order: Any = layer.ord
    if len(r.axes) == 2 and order is not None and order != "fro":
        kwargs = r.kwargs(always=True)
        return r.finish(Call("torch.linalg.matrix_norm", (r.value, order), kwargs))
    args = () if order in (None, "fro", 2) else (order,)
    return r.finish(Call("torch.linalg.vector_norm", (r.value, *args), r.kwargs()))


def running(name: str) -> Callable[..., Tensor]:
    """Cumulative sums and products."""

    def lowering(layer: ops.Cumsum, builder: LayerBuilder, x: Tensor) -> Tensor:
        dtype = layer.result_dtype(as_operand(x))
        typed = {"dtype": torch_dtype(dtype)} if dtype != x.dtype or ops.is_whole(dtype) else {}
        value: Any = x
        if ops.is_whole(dtype) and is_floating(x.dtype):  # else the sum would need a gradient
            value = to_dtype(x, dtype)
        if layer.axis is None:
            flat = Method(value, "flatten") if x.rank > 1 else value
            out = layer.output_shape(as_operand(x))
            expr = Method(flat, name, (), {"dim": 0, **typed})
            return builder.expr(expr, x, shape=out, layout="keras", dtype=dtype)
        kwargs = {"dim": axis(ops.check_axis(layer.axis, x.rank), x), **typed}
        layout: Layout = "any" if x.flat is None else "keras"
        y = builder.expr(Method(value, name, (), kwargs), x, layout=layout, dtype=dtype)
        y.flat = None
        return y

    return lowering


lower(ops.Cumsum)(running("cumsum"))
