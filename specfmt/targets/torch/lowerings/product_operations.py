"""PyTorch lowerings of indexing operations and of products of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from string import ascii_letters
from typing import Any

from specfmt.graph.model import Array
from specfmt.layers import product_operations as ops
from specfmt.layers.reductions import check_axis
from specfmt.targets.source import string
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.constants import WRITTEN_OUT, buffer
from specfmt.targets.torch.expr import (
    Attr,
    AxisSubscript,
    Binary,
    Call,
    Layout,
    Method,
    Name,
    OutputLayout,
    Subscript,
    Subscripts,
    Tensor,
    axis,
)
from specfmt.targets.torch.lowerings.operations import Operands, as_operand, to_dtype
from specfmt.targets.torch.lowerings.reductions import layouts_dropping
from specfmt.targets.torch.registry import TargetError, lower


@lower(ops.GetItem)
def getitem(layer: ops.GetItem, builder: LayerBuilder, x: Tensor) -> Tensor:
    """Indexing; PyTorch has no negative steps, so those axes are flipped afterwards."""
    items = layer.items(x.shape)
    flips: list[int] = []
    sizes = iter(enumerate(x.shape))
    ready: list[Any] = []
    for item in items:
        if item is None:
            ready.append(None)
            continue
        k, size = next(sizes)
        if isinstance(item, slice) and (item.step or 1) < 0:
            item = _forwards(item, size)
            flips.append(k)
        ready.append(item)
    shape = layer.output_shape(as_operand(x))
    y = builder.tensor(shape, x.dtype)
    layout: Layout
    output_layout: OutputLayout | None = None
    expr: Any
    if None in ready:
        layout = "keras"
        expr = Subscript(x, _trimmed(ready))
    else:
        gone = tuple(k for k, item in enumerate(ready) if isinstance(item, int))
        layout, output_layout = layouts_dropping(x, gone)
        cut = {k: item for k, item in enumerate(ready) if item != slice(None)}
        expr = AxisSubscript(x, cut, x.rank) if cut else x
    if x.flat is not None:
        layout = output_layout = "keras"
    if flips:
        if None in ready or len(shape) != x.rank:
            # The numbers of the flipped axes have changed: use those in the result.
            layout, output_layout = "keras", None
            if None not in ready:
                cut = {k: item for k, item in enumerate(ready) if item != slice(None)}
                expr = AxisSubscript(x, cut, x.rank)
            expr = Method(expr, "flip", _places(ready, flips))
        else:
            expr = Method(expr, "flip", tuple(axis(k, x) for k in flips))
    if isinstance(expr, Tensor):
        return x
    result: Tensor = builder.step(expr, y, layout=layout, output_layout=output_layout)
    return result


def _places(items: list[Any], axes: list[int]) -> tuple[int, ...]:
    """Where axes of a tensor are in the result of a subscript."""
    numbers = iter(range(len(items)))
    kept = [(item, None if item is None else next(numbers)) for item in items]
    left = [k for item, k in kept if not isinstance(item, int)]
    return tuple(left.index(k) for k in axes)


def _trimmed(items: list[Any]) -> tuple[Any, ...]:
    """The items without trailing ``:``."""
    while items and items[-1] == slice(None):
        items = items[:-1]
    return tuple(items)


def _forwards(item: slice, size: int | None) -> slice:
    """The slice with the same elements in ascending order.

    Raises:
        TargetError: The elements depend on an unknown size.
    """
    if item.start is None and item.stop is None and item.step == -1:
        return slice(None)
    if size is None:
        raise TargetError(
            "expected an axis of known size for a negative step, received an unknown size",
            "set the size of the axis, or use the operation flip",
            "key",
        )
    places = range(*item.indices(size))
    if not places:
        return slice(0, 0)
    step = -item.step
    return slice(places[-1], places[0] + 1, step if step > 1 else None)


@lower(ops.Take)
def take(layer: ops.Take, builder: LayerBuilder, x: Tensor | Array, indices: Any) -> Tensor:
    """Indexing along one axis; negative indices count from the end in both frameworks."""
    shape = layer.output_shape(as_operand(x), as_operand(indices))
    y = builder.tensor(shape, x.dtype)
    if isinstance(indices, Tensor) and indices.dtype not in ("int32", "int64"):
        indices = builder.expr(to_dtype(indices, "int64"), indices, dtype="int64")
    item: Any = _lists(indices)
    if isinstance(indices, Array):
        small = prod(indices.shape) <= WRITTEN_OUT
        item = _lists(indices.value) if small else buffer(builder, indices, None, "int64")
    if layer.axis is None:
        whole = buffer(builder, x, None, x.dtype) if isinstance(x, Array) else x
        flat = Method(whole, "flatten") if len(x.shape) > 1 else whole
        step: Tensor = builder.step(Subscript(flat, (item,)), y, layout="keras")
        return step
    if isinstance(x, Array):
        k = check_axis(layer.axis, len(x.shape))
        table = buffer(builder, x, None, x.dtype)
        taken: Tensor = builder.step(
            AxisSubscript(table, {k: item}, len(x.shape)), y, layout="keras"
        )
        return taken
    k = check_axis(layer.axis, x.rank)
    layout: Layout = "any"
    output_layout: OutputLayout | None = None
    if isinstance(item, int):
        layout, output_layout = layouts_dropping(x, (k,))
    elif not isinstance(item, list) or any(isinstance(i, list) for i in item) or x.flat:
        layout = "keras"
    result: Tensor = builder.step(
        AxisSubscript(x, {k: item}, x.rank), y, layout=layout, output_layout=output_layout
    )
    return result


def _lists(item: Any) -> Any:
    return [_lists(inner) for inner in item] if isinstance(item, (tuple, list)) else item


def _are_indices(builder: LayerBuilder, x: Tensor, count: int) -> bool:
    """Whether ``x`` is surely indices below ``count``: those of a largest or smallest element."""
    node = next(iter(builder.node.inputs())).node
    if node is None or getattr(node.unit.spec, "function", "") not in ("argmax", "argmin"):
        return False
    axis_, source = getattr(node.layer, "axis", None), next(iter(node.inputs())).shape
    size = None if axis_ is None or source is None else source[axis_]
    return size is not None and size <= count


@lower(ops.OneHot)
def one_hot(layer: ops.OneHot, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`F.one_hot` if all indices are surely classes, else a comparison with every class.

    For an index out of range Keras returns zeros, while `F.one_hot` raises an error.
    """
    dtype = layer.result_dtype(as_operand(x))
    y = builder.tensor(layer.output_shape(as_operand(x)), dtype)
    if _are_indices(builder, x, layer.num_classes):
        ids: Any = x if x.dtype == "int64" else to_dtype(x, "int64")
        expr: Any = Call("F.one_hot", (ids, layer.num_classes))
        natural = "int64"
    else:
        classes = Call("torch.arange", (layer.num_classes,), {"device": Attr(x, "device")})
        expr = Binary("==", Method(x, "unsqueeze", (-1,)), classes)
        natural = "bool"
    if layer.axis != -1:
        expr = Method(expr, "movedim", (-1, layer.axis))
    if dtype != natural:
        expr = to_dtype(expr, dtype)
    result: Tensor = builder.step(expr, y, layout="keras")
    return result


@lower(ops.Matmul)
def matmul(layer: ops.Matmul, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    operands = Operands(layer, (x1, x2), builder, elementwise=False)
    left, right = operands.joined()
    operands.layout = "keras"
    y = operands.finish(builder, Binary("@", left, right))
    y.flat = None
    return y


def contracted(
    operands: tuple[Any, Any], ranks: Sequence[int], pairs: tuple[Sequence[int], Sequence[int]]
) -> Call:
    """The sum of products over pairs of axes, by `torch.einsum`.

    `torch.tensordot` would do the same but has no type hints.

    Args:
        operands: The factors, in Keras's axis order.
        ranks: Their numbers of axes.
        pairs: The axes of the first operand, and the corresponding axes of the second.

    Raises:
        TargetError: There are more axes than letters.
    """
    if sum(ranks) > len(ascii_letters):
        raise TargetError(f"expected at most {len(ascii_letters)} axes, received {sum(ranks)}")
    letters = iter(ascii_letters)
    first = [next(letters) for _ in range(ranks[0])]
    shared = {right: first[left] for left, right in zip(*pairs, strict=True)}
    second = [shared.get(axis) or next(letters) for axis in range(ranks[1])]
    kept = [letter for letter in (*first, *second) if letter not in shared.values()]
    terms = f"{''.join(first)},{''.join(second)}->{''.join(kept)}"
    return Call("torch.einsum", (Name(string(terms)), *operands))


@lower(ops.Dot)
def dot(layer: ops.Dot, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    """NumPy's dot: a matrix product, or a sum over the last axis and the second-to-last."""
    operands = Operands(layer, (x1, x2), builder, elementwise=False)
    left, right = operands.joined()
    operands.layout = "keras"
    ranks = [len(item.shape) if isinstance(item, (Tensor, Array)) else 0 for item in operands.items]
    if 0 in ranks:
        expr: Any = Binary("*", left, right)
    elif max(ranks) <= 2 or ranks[1] == 1:
        expr = Binary("@", left, right)
    else:
        expr = contracted((left, right), ranks, ([ranks[0] - 1], [ranks[1] - 2]))
    y = operands.finish(builder, expr)
    y.flat = None
    return y


@lower(ops.Einsum)
def einsum(layer: ops.Einsum, builder: LayerBuilder, *operands: Any) -> Tensor:
    """`torch.einsum`; its letters depend on the layouts unless there is an ellipsis."""
    held = Operands(layer, operands, builder, elementwise=False)
    terms, output = layer.terms(len(operands))
    names: Any = Subscripts(tuple(terms), output)
    output_layout: OutputLayout | None
    held.layout, output_layout = "any", "free"
    if "..." in layer.subscripts:
        names, held.layout, output_layout = f"{','.join(terms)}->{output}", "keras", None
    elif any(x.flat is not None for x in held.tensors):
        held.layout = "keras"
    y = held.finish(builder, Call("torch.einsum", (names, *held.joined())), output_layout)
    y.flat = None
    return y
