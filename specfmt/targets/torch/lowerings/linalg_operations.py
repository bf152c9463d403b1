"""PyTorch lowerings of linear algebra: functions of `torch.linalg`."""

from __future__ import annotations

from typing import Any

from specfmt.layers import linalg_operations as ops
from specfmt.layers.op import Op
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Binary, Call, Method, Tensor
from specfmt.targets.torch.lowerings.operand_values import result, results
from specfmt.targets.torch.lowerings.operations import as_operand, to_dtype
from specfmt.targets.torch.registry import lower


def one(layer: Op, builder: LayerBuilder, expr: Any, *operands: Tensor) -> Tensor:
    """A step with one output."""
    seen = tuple(as_operand(x) for x in operands)
    shape: Any = layer.output_shape(*seen)
    return result(builder, expr, shape, layer.result_dtype(*seen))


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
    return results(builder, Call("torch.linalg.slogdet", (x,)), (shape, shape), x.dtype)


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
    return results(builder, Call("torch.linalg.eigh", (x,)), shapes, x.dtype)


@lower(ops.Qr)
def qr(layer: ops.Qr, builder: LayerBuilder, x: Tensor) -> Any:
    args = (x,) if layer.mode == "reduced" else (x, layer.mode)
    shapes = layer.output_shape(as_operand(x))
    return results(builder, Call("torch.linalg.qr", args), shapes, x.dtype)


@lower(ops.SVD)
def svd(layer: ops.SVD, builder: LayerBuilder, x: Tensor) -> Any:
    if not layer.compute_uv:
        return one(layer, builder, Call("torch.linalg.svdvals", (x,)), x)
    kwargs = {} if layer.full_matrices else {"full_matrices": False}
    shapes = layer.output_shape(as_operand(x))
    return results(builder, Call("torch.linalg.svd", (x,), kwargs), shapes, x.dtype)


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


@lower(ops.Lstsq)
def lstsq(layer: ops.Lstsq, builder: LayerBuilder, a: Tensor, b: Tensor) -> Tensor:
    """By the pseudoinverse, as Keras does: `torch.linalg.lstsq` needs full rank on a GPU.

    The gradient of `torch.linalg.pinv` disregards singular values that are left out.
    """
    if layer.rcond is None:
        return one(layer, builder, Binary("@", Call("torch.linalg.pinv", (a,)), b), a, b)
    return one(layer, builder, Call(builder.helper("least_squares"), (a, b, layer.rcond)), a, b)


@lower(ops.LuFactor)
def lu_factor(layer: ops.LuFactor, builder: LayerBuilder, x: Tensor) -> Any:
    """The factors in one matrix; the rows are those of the permutation."""
    name = builder.node.name
    parts = [Tensor(x.shape, x.dtype, part, keeps_name=True) for part in ("rows", "lower", "upper")]
    builder.step(Call("torch.linalg.lu", (x,)), *parts, layout="keras")
    rows, lower_part, upper = parts
    both = Binary("+", Method(lower_part, "tril", (-1,)), upper)
    factors = builder.step(both, Tensor(x.shape, x.dtype, name), layout="keras")
    order = to_dtype(Method(rows, "argmax", (-1,)), "int32")
    places = builder.step(order, Tensor(x.shape[:1], "int32", f"{name}_1"), layout="keras")
    return factors, places


@lower(ops.Eig)
def eig(layer: ops.Eig, builder: LayerBuilder, x: Tensor) -> Any:
    shapes = layer.output_shape(as_operand(x))
    kind = "complex128" if x.dtype == "float64" else "complex64"
    return results(builder, Call("torch.linalg.eig", (x,)), shapes, kind)
