"""PyTorch lowerings of the merging layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specfmt.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
)
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import (
    AxisSubscript,
    Binary,
    Call,
    Layout,
    Method,
    Subscripts,
    Tensor,
    Unary,
    axis,
)
from specfmt.targets.torch.registry import TargetError, lower

LETTERS = "abcdefghijklmopqrstuvwxyz"
EPSILON = 1e-7
"""`keras.config.epsilon()`."""


def common_layout(tensors: list[Tensor]) -> Layout:
    """Either layout, unless flattened features are combined with features in another order."""
    flats = {tensor.flat for tensor in tensors}
    return "any" if len(flats) == 1 or flats == {None} else "keras"


def expanded(x: Tensor, rank: int) -> Any:
    """``x`` with axes of size 1 inserted after the batch, up to ``rank`` axes."""
    new = rank - x.rank
    return AxisSubscript(x, dict.fromkeys(range(1, new + 1)), rank) if new else x


def result(
    builder: LayerBuilder,
    layer: Any,
    tensors: list[Tensor],
    expr: Any,
    layout: Layout | None = None,
) -> Tensor:
    """Add the step of a merging layer; its mask is combined from its inputs' masks."""
    shape = layer.output_shape([tensor.shape for tensor in tensors])
    layout = layout or common_layout(tensors)
    y = builder.tensor(shape, tensors[0].dtype)
    y.flat = tensors[0].flat if layout == "any" and len(shape) == 2 else None
    builder.step(expr, y, layout=layout)
    y.mask = joined_mask(builder, tensors)
    return y


def mask_tensor(builder: LayerBuilder, shape: Any, expr: Any) -> Tensor:
    """A new tensor for a mask; masks have Keras's axis order."""
    mask = Tensor(tuple(shape), "bool", f"{builder.node.name}_mask")
    builder.step(expr, mask, layout="keras")
    return mask


def joined_mask(builder: LayerBuilder, tensors: list[Tensor]) -> Tensor | None:
    """The logical or of all masks; None if an input has no mask."""
    masks = [tensor.mask for tensor in tensors if tensor.mask is not None]
    if len(masks) < len(tensors):
        return None
    first, *others = dict.fromkeys(masks)
    expr: Any = first
    for mask in others:
        expr = Binary("|", expr, mask)
    return mask_tensor(builder, first.shape, expr) if others else first


def masked_inputs(builder: LayerBuilder, tensors: list[Tensor]) -> list[Tensor | None]:
    """The masks that are applied to values: those of inputs that are not expanded.

    Raises:
        TargetError: Keras cannot broadcast a mask to its input.
    """
    rank = max(tensor.rank for tensor in tensors)
    masks = [tensor.mask if tensor.rank == rank else None for tensor in tensors]
    if any(mask is not None and mask.rank != rank - 1 for mask in masks):
        raise TargetError("Keras cannot broadcast a mask to inputs of this rank")
    return masks


def column(mask: Tensor) -> Method:
    """A mask with an additional feature axis."""
    return Method(mask, "unsqueeze", (-1,))


def folded(operator: str) -> Callable[..., Tensor]:
    """A lowering that combines all inputs with a Python operator."""

    def lowering(layer: Any, builder: LayerBuilder, tensors: list[Tensor]) -> Tensor:
        rank = max(tensor.rank for tensor in tensors)
        expr: Any = expanded(tensors[0], rank)
        for tensor in tensors[1:]:
            expr = Binary(operator, expr, expanded(tensor, rank))
        if len(tensors) == 1:
            return tensors[0]
        return result(builder, layer, tensors, expr)

    return lowering


lower(Add)(folded("+"))
lower(Subtract)(folded("-"))


@lower(Multiply)
def multiply(layer: Multiply, builder: LayerBuilder, tensors: list[Tensor]) -> Tensor:
    """Masked steps are multiplied as 1; where all inputs are masked, the result is 0."""
    rank = max(tensor.rank for tensor in tensors)
    masks = masked_inputs(builder, tensors)
    if not any(masks):
        y: Tensor = folded("*")(layer, builder, tensors)
        return y
    expr: Any = None
    for tensor, mask in zip(tensors, masks, strict=True):
        factor = expanded(tensor, rank)
        if mask is not None:
            factor = Method(factor, "masked_fill", (Unary("~", column(mask)), 1))
        expr = factor if expr is None else Binary("*", expr, factor)
    y = result(builder, layer, tensors, expr, "keras")
    if all(masks) and y.mask is not None:
        zeroed = builder.method(y, "masked_fill", Unary("~", column(y.mask)), 0, layout="keras")
        zeroed.mask = y.mask
        return zeroed
    return y


@lower(Average)
def average(layer: Average, builder: LayerBuilder, tensors: list[Tensor]) -> Tensor:
    rank = max(tensor.rank for tensor in tensors)
    expr: Any = expanded(tensors[0], rank)
    for tensor in tensors[1:]:
        expr = Binary("+", expr, expanded(tensor, rank))
    if len(tensors) == 1:
        return tensors[0]
    return result(builder, layer, tensors, Binary("/", expr, len(tensors)))


def extreme(function: str) -> Callable[..., Tensor]:
    """A lowering to `torch.maximum` or `torch.minimum`; masked steps take the other input."""

    def lowering(layer: Any, builder: LayerBuilder, tensors: list[Tensor]) -> Tensor:
        if len(tensors) == 1:
            return tensors[0]
        rank = max(tensor.rank for tensor in tensors)
        masks = masked_inputs(builder, tensors)
        layout: Layout | None = "keras" if any(masks) else None
        best: Any = expanded(tensors[0], rank)
        shape = layer.output_shape([tensor.shape for tensor in tensors])
        known = masks[0]
        for count, (tensor, mask) in enumerate(zip(tensors[1:], masks[1:], strict=True), 1):
            other: Any = expanded(tensor, rank)
            if mask is not None or known is not None:
                # Each side is read twice, so it is assigned to a variable.
                best, other = (
                    _named(builder, best, tensors[:count]),
                    _named(builder, other, [tensor]),
                )
                if mask is not None:
                    other = _named(
                        builder, Call("torch.where", (column(mask), other, best)), [other, best]
                    )
                if known is not None:
                    best = Call("torch.where", (column(known), best, other))
            known = (
                mask_tensor(builder, shape[:-1], Binary("|", known, mask))
                if mask is not None and known is not None
                else None
            )
            best = Call(function, (best, other))
        return result(builder, layer, tensors, best, layout)

    return lowering


def _named(builder: LayerBuilder, expr: Any, tensors: list[Tensor]) -> Tensor:
    """Assign an expression over ``tensors`` to a variable, so that it can be read twice."""
    if isinstance(expr, Tensor):
        return expr
    from specfmt.layers.merging import Merge

    shape = Merge().output_shape([tensor.shape for tensor in tensors])
    value: Tensor = builder.step(expr, builder.tensor(shape, tensors[0].dtype), layout="keras")
    return value


lower(Maximum)(extreme("torch.maximum"))
lower(Minimum)(extreme("torch.minimum"))


@lower(Concatenate)
def concatenate(layer: Concatenate, builder: LayerBuilder, tensors: list[Tensor]) -> Tensor:
    """`torch.cat`; flattened features are brought to Keras's order first."""
    if len(tensors) == 1:
        return tensors[0]
    x = tensors[0]
    k = layer.axis % x.rank
    flat = any(tensor.flat is not None for tensor in tensors)
    shape = layer.output_shape([tensor.shape for tensor in tensors])
    y = builder.tensor(shape, x.dtype)
    layout: Layout = "any"
    if flat:
        same = k == 0 and len({tensor.flat for tensor in tensors}) == 1
        layout, y.flat = ("any", x.flat) if same else ("keras", None)
    builder.step(Call("torch.cat", (list(tensors),), {"dim": axis(k, x)}), y, layout=layout)
    if any(tensor.mask is not None for tensor in tensors):
        y.mask = concatenated_mask(builder, tensors, k)
    return y


def concatenated_mask(builder: LayerBuilder, tensors: list[Tensor], k: int) -> Tensor:
    """The mask of tensors, at least one of which has one, joined along axis ``k``.

    Raises:
        TargetError: Keras cannot broadcast a mask to its input.
    """
    rank = tensors[0].rank
    if any(tensor.mask is not None and tensor.mask.rank != rank - 1 for tensor in tensors):
        raise TargetError("Keras cannot broadcast a mask to inputs of this rank")
    if k == rank - 1:
        return joined_mask(builder, tensors) or mask_tensor(
            builder,
            tensors[0].shape[:-1],
            Call("torch.ones_like", (next(t.mask for t in tensors if t.mask is not None),)),
        )
    parts = []
    for tensor in tensors:
        first = tensor
        if tensor.mask is None:
            every = AxisSubscript(first, {rank - 1: 0}, rank)
            kwargs = {"dtype": _torch("bool")}
            parts.append(
                mask_tensor(builder, tensor.shape[:-1], Call("torch.ones_like", (every,), kwargs))
            )
        else:
            parts.append(tensor.mask)
    shape = list(parts[0].shape)
    sizes = [part.shape[k] for part in parts]
    shape[k] = None if None in sizes else sum(size or 0 for size in sizes)
    return mask_tensor(builder, shape, Call("torch.cat", (parts,), {"dim": k}))


def _torch(dtype: str) -> Any:
    from specfmt.targets.torch.expr import Name

    return Name(f"torch.{dtype}")


@lower(Dot)
def dot(layer: Dot, builder: LayerBuilder, tensors: list[Tensor]) -> Tensor:
    """One `torch.einsum`, whose letters depend on the layouts, so that nothing is permuted."""
    x, y = tensors
    i, j = layer.axis_pair([x.shape, y.shape])
    layout = common_layout(tensors)
    if layer.normalize:
        x, y = (
            builder.call("F.normalize", value, dim=axis(k, value), eps=EPSILON, layout=layout)
            for value, k in ((x, i), (y, j))
        )
    shape = layer.output_shape([x.shape, y.shape])
    out = builder.tensor(shape, x.dtype)
    if x.rank == y.rank == 2:
        expr: Any = Method(Binary("*", x, y), "sum", (), {"dim": -1, "keepdim": True})
    else:
        first = ["n", *LETTERS[: x.rank - 1]]
        second = ["n", *LETTERS[x.rank - 1 : x.rank + y.rank - 2]]
        first[i] = second[j] = "z"
        kept = [letter for letter in (*first[1:], *second[1:]) if letter != "z"]
        names = Subscripts(("".join(first), "".join(second)), "".join(("n", *kept)))
        expr = Call("torch.einsum", (names, x, y))
    builder.step(expr, out, layout=layout, output_layout="free")
    return out
