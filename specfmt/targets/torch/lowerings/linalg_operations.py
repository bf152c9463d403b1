"""PyTorch lowerings of linear algebra: functions of `torch.linalg`."""

from __future__ import annotations

from typing import Any

from specfmt.layers import linalg_operations as ops
from specfmt.layers.op import Op
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, Method, Tensor
from specfmt.targets.torch.lowerings.operations import as_operand, to_dtype
from specfmt.targets.torch.registry import lower


def one(layer: Op, builder: LayerBuilder, expr: Any, *operands: Tensor) -> Tensor:
    """A step with one output."""
    seen = tuple(as_operand(x) for x in operands)
    y = builder.tensor(layer.output_shape(*seen), layer.result_dtype(*seen))  # type: ignore[arg-type]
    result: Tensor = builder.step(expr, y, layout="keras")
    return result


def several(builder: LayerBuilder, expr: Any, shapes: Any, dtype: str) -> Any:
    """A step with an output for each shape."""
    name = builder.node.name
    outputs = tuple(
        Tensor(shape, dtype, f"{name}_{i}" if i else name) for i, shape in enumerate(shapes)
    )
    return builder.step(expr, *outputs, layout="keras")


def _function(name: str) -> Any:
    def lowering(layer: Op, builder: LayerBuilder, x: Tensor) -> Tensor:
        return one(layer, builder, Call(f"torch.{name}", (x,)), x)

    return lowering


lower(ops.Det)(_function("linalg.det"))
lower(ops.Logdet)(_function("logdet"))
lower(ops.Inv)(_function("linalg.inv"))


@lower(ops.Slogdet)
def slogdet(layer: ops.Slogdet, builder: LayerBuilder, x: Tensor) -> Any:
    shape = layer.output_shape(as_operand(x))[1]
    return several(builder, Call("torch.linalg.slogdet", (x,)), (shape, shape), x.dtype)


@lower(ops.Cholesky)
def cholesky(layer: ops.Cholesky, builder: LayerBuilder, x: Tensor) -> Tensor:
    upper = {"upper": True} if layer.upper else {}
    return one(layer, builder, Call("torch.linalg.cholesky", (x,), upper), x)


@lower(ops.CholeskyInverse)
def cholesky_inverse(layer: ops.CholeskyInverse, builder: LayerBuilder, x: Tensor) -> Tensor:
    upper = {"upper": True} if layer.upper else {}
    return one(layer, builder, Call("torch.cholesky_inverse", (x,), upper), x)


@lower(ops.Eigh)
def eigh(layer: ops.Eigh, builder: LayerBuilder, x: Tensor) -> Any:
    shapes = layer.output_shape(as_operand(x))
    return several(builder, Call("torch.linalg.eigh", (x,)), shapes, x.dtype)


@lower(ops.Qr)
def qr(layer: ops.Qr, builder: LayerBuilder, x: Tensor) -> Any:
    args = (x,) if layer.mode == "reduced" else (x, layer.mode)
    shapes = layer.output_shape(as_operand(x))
    return several(builder, Call("torch.linalg.qr", args), shapes, x.dtype)


@lower(ops.SVD)
def svd(layer: ops.SVD, builder: LayerBuilder, x: Tensor) -> Any:
    if not layer.compute_uv:
        return one(layer, builder, Call("torch.linalg.svdvals", (x,)), x)
    kwargs = {} if layer.full_matrices else {"full_matrices": False}
    shapes = layer.output_shape(as_operand(x))
    return several(builder, Call("torch.linalg.svd", (x,), kwargs), shapes, x.dtype)


@lower(ops.Pinv)
def pinv(layer: ops.Pinv, builder: LayerBuilder, x: Tensor) -> Tensor:
    rtol = {} if layer.rcond is None else {"rtol": layer.rcond}
    return one(layer, builder, Call("torch.linalg.pinv", (x,), rtol), x)


@lower(ops.MatrixRank)
def matrix_rank(layer: ops.MatrixRank, builder: LayerBuilder, x: Tensor) -> Tensor:
    tol = {} if layer.tol is None else {"tol": layer.tol}
    rank = Call("torch.linalg.matrix_rank", (x,), tol)
    return one(layer, builder, to_dtype(rank, "int32"), x)


def _columns(a: Tensor, b: Tensor) -> tuple[Any, bool]:
    """The right sides as columns, and whether they were vectors."""
    vectors = b.rank == a.rank - 1
    return (Method(b, "unsqueeze", (-1,)) if vectors else b), vectors


@lower(ops.Solve)
def solve(layer: ops.Solve, builder: LayerBuilder, a: Tensor, b: Tensor) -> Tensor:
    right, vectors = _columns(a, b)
    expr: Any = Call("torch.linalg.solve", (a, right))
    return one(layer, builder, Method(expr, "squeeze", (-1,)) if vectors else expr, a, b)


@lower(ops.SolveTriangular)
def solve_triangular(
    layer: ops.SolveTriangular, builder: LayerBuilder, a: Tensor, b: Tensor
) -> Tensor:
    right, vectors = _columns(a, b)
    expr: Any = Call("torch.linalg.solve_triangular", (a, right), {"upper": not layer.lower})
    return one(layer, builder, Method(expr, "squeeze", (-1,)) if vectors else expr, a, b)
