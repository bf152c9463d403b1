"""Torch expressions as data: what a step computes, before names and layout are known.

Shapes and axes are Keras's everywhere (batch first, channels last).  An `Axis` or `PerAxis`
turns into torch numbers when the layout of its step is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

Shape = tuple[int | None, ...]
Layout = Literal["any", "keras", "channels"]
"""The axis order a step needs: Keras's order, channels moved to axis 1, or either."""
OutputLayout = Literal["any", "keras", "channels", "free"]
"""The order a step gives; ``free`` if it can give either, whatever it reads."""


@dataclass(eq=False)
class Tensor:
    """A value in the generated forward pass.

    Attributes:
        shape: In Keras's order.
        dtype: Keras's dtype name.
        name: What to call it if it needs a name.
        flat: The axes (Keras order, without batch) that were flattened into the last one,
            where their order may still be chosen.
        mask: Keras's mask (N, T) that travels along, if any.
        batch_axis: Where the batch stands; torch puts states of layers before it.
        rows: The same value with axis 1 folded into the batch, and the size of that axis.
        keeps_name: Whether it is called ``name`` even where a chain would thread ``x`` through.
    """

    shape: Shape
    dtype: str = "float32"
    name: str = "x"
    flat: tuple[int, ...] | None = None
    mask: Tensor | None = None
    batch_axis: int = 0
    rows: tuple[Tensor, Any] | None = None
    keeps_name: bool = False

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def has_layout(self) -> bool:
        """Whether there are two orders it can stand in."""
        return self.rank >= 3 or self.flat is not None


class Expr:
    """Base of expression nodes; plain Python values stand for themselves."""

    def parts(self) -> Iterable[Any]:
        """The expressions that it is made of, in the order of its text."""
        return ()


@dataclass(frozen=True)
class Name(Expr):
    """Source text that is an identifier or a dotted name: ``torch.float32``."""

    text: str


@dataclass(frozen=True)
class SelfAttr(Expr):
    """A module or parameter of the class: ``self.conv1``."""

    attr: str


@dataclass(frozen=True)
class Call(Expr):
    """``func(args, **kwargs)``; ``func`` is a dotted name or an expression."""

    func: str | Expr
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    def parts(self) -> Iterable[Any]:
        return (self.func, *self.args, *self.kwargs.values())


@dataclass(frozen=True)
class Method(Expr):
    """``obj.name(args, **kwargs)``."""

    obj: Any
    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    def parts(self) -> Iterable[Any]:
        return (self.obj, *self.args, *self.kwargs.values())


@dataclass(frozen=True)
class Attr(Expr):
    """``obj.name``."""

    obj: Any
    name: str

    def parts(self) -> Iterable[Any]:
        return (self.obj,)


@dataclass(frozen=True)
class Binary(Expr):
    """``left op right`` for Python's operators."""

    op: str
    left: Any
    right: Any

    def parts(self) -> Iterable[Any]:
        return (self.left, self.right)


@dataclass(frozen=True)
class Unary(Expr):
    """``op operand``."""

    op: str
    operand: Any

    def parts(self) -> Iterable[Any]:
        return (self.operand,)


@dataclass(frozen=True)
class Subscript(Expr):
    """``obj[items]``, items in torch's order: ints, slices, None, Ellipsis or expressions."""

    obj: Any
    items: tuple[Any, ...]

    def parts(self) -> Iterable[Any]:
        return (self.obj, *self.items)


@dataclass(frozen=True)
class AxisSubscript(Expr):
    """``obj[...]`` with items by Keras axis; other axes are taken whole."""

    obj: Any
    items: dict[int, Any]
    rank: int

    def parts(self) -> Iterable[Any]:
        return (self.obj, *self.items.values())


@dataclass(frozen=True)
class Axis(Expr):
    """A Keras axis of a value of ``rank`` axes; prints torch's number for it."""

    axis: int
    rank: int


@dataclass(frozen=True)
class PerAxis(Expr):
    """A tuple with one item for each Keras axis, printed in torch's order."""

    items: tuple[Any, ...]

    def parts(self) -> Iterable[Any]:
        return self.items


@dataclass(frozen=True)
class Spread(Expr):
    """The items of a `PerAxis` as arguments of their own: ``x.expand(-1, 4, -1)``."""

    items: PerAxis

    def parts(self) -> Iterable[Any]:
        return (self.items,)


@dataclass(frozen=True)
class ByOrder(Expr):
    """One of two expressions, by the order in which the step's values stand."""

    keras: Any
    channels: Any

    def parts(self) -> Iterable[Any]:
        return (self.keras, self.channels)

    def pick(self, channels_first: bool | None) -> Any:
        """The one that fits; it may be None."""
        return self.channels if channels_first else self.keras


@dataclass(frozen=True)
class Relabel(Expr):
    """The same memory under other axes: nothing to compute.

    Moving the last axis to the front in Keras's order gives what stands channels-first
    already, and the other way round; the step's ``layout`` and ``output_layout`` differ.  ``either``
    says that both ways are right (two axes swapped), so that the layout pass may choose.
    """

    tensor: Tensor
    either: bool = False

    def parts(self) -> Iterable[Any]:
        return (self.tensor,)


@dataclass(frozen=True)
class Rearrange(Expr):
    """Keras's Permute: ``dims`` counts axes from 1; one `permute` between any two orders."""

    tensor: Tensor
    dims: tuple[int, ...]

    def parts(self) -> Iterable[Any]:
        return (self.tensor,)


@dataclass(frozen=True)
class Subscripts(Expr):
    """The subscripts of `torch.einsum`: a letter for each Keras axis, in torch's order."""

    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Pads(Expr):
    """(before, after) by Keras axis of a value of ``rank`` axes, printed as `F.pad` takes it."""

    widths: dict[int, tuple[Any, Any]]
    rank: int

    def parts(self) -> Iterable[Any]:
        return self.widths.values()


@dataclass(frozen=True)
class Size(Expr):
    """The run-time size of a Keras axis: ``x.shape[2]``."""

    tensor: Tensor
    axis: int

    def parts(self) -> Iterable[Any]:
        return (self.tensor,)


@dataclass(frozen=True)
class FlattenFrom(Expr):
    """``x.flatten(1)``; the features' order follows the layout."""

    tensor: Tensor

    def parts(self) -> Iterable[Any]:
        return (self.tensor,)


@dataclass(frozen=True)
class Chain(Expr):
    """Several stock modules, one after the other."""

    modules: tuple[Call, ...]


Stock = Call | Chain | ByOrder
"""A stock module, a chain of them, or one for each order (None where there is none)."""


def tensors_in(expr: Any) -> list[Tensor]:
    """Every tensor that an expression reads, as often as its text would name it."""
    found: list[Tensor] = []
    _gather(expr, found)
    return found


def _gather(item: Any, found: list[Tensor]) -> None:
    if isinstance(item, Tensor):
        found.append(item)
    elif item is None or isinstance(item, (str, int, float)):  # most parts
        return
    elif isinstance(item, Expr):
        for part in item.parts():
            _gather(part, found)
    elif isinstance(item, (tuple, list)):
        for part in item:
            _gather(part, found)
    elif isinstance(item, slice):
        _gather((item.start, item.stop, item.step), found)


def substitute(expr: Any, table: Mapping[Tensor, Tensor]) -> Any:
    """The same expression over other tensors."""
    if isinstance(expr, Tensor):
        return table.get(expr, expr)
    if isinstance(expr, (tuple, list)):
        return type(expr)(substitute(item, table) for item in expr)
    if isinstance(expr, dict):
        return {key: substitute(item, table) for key, item in expr.items()}
    if isinstance(expr, slice):
        return slice(*substitute((expr.start, expr.stop, expr.step), table))
    if isinstance(expr, Expr) and is_dataclass(expr):
        return type(expr)(*(substitute(getattr(expr, f.name), table) for f in fields(expr)))
    return expr


def torch_axis(axis: int, rank: int, channels_first: bool) -> int:
    """Where a Keras axis stands in torch: the last axis moves to 1 under channels-first."""
    axis %= rank
    if not channels_first or axis == 0:
        return axis
    return 1 if axis == rank - 1 else axis + 1


def torch_order(items: tuple[Any, ...], channels_first: bool) -> tuple[Any, ...]:
    """Items by Keras axis, in torch's order."""
    if not channels_first or len(items) < 3:
        return items
    return (items[0], items[-1], *items[1:-1])


def axis(k: int, x: Tensor) -> Axis:
    """A Keras axis of ``x``, to be printed as torch's."""
    return Axis(k % x.rank, x.rank)


def one_order(shape: Shape) -> bool:
    """Whether the elements stand in the same order channels-last and channels-first."""
    return len(shape) < 3 or shape[-1] == 1 or all(size == 1 for size in shape[1:-1])


SIZE_NAMES = {2: "", 3: "T", 4: "HW", 5: "DHW"}


def shape_text(tensor: Tensor, channels_first: bool) -> str:
    """A tensor's shape as torch sees it: ``(N, 16, 32, 32)``; unknown sizes by a letter."""
    letters = SIZE_NAMES.get(tensor.rank, "")
    sizes: list[str] = []
    for axis, size in enumerate(tensor.shape):
        if axis == tensor.batch_axis:
            sizes.append("N" if size is None else str(size))
        elif size is None:
            sizes.append(letters[axis - 1] if axis <= len(letters) else "?")
        else:
            sizes.append(str(size))
    ordered = torch_order(tuple(sizes), channels_first)
    return f"({', '.join(ordered)}{',' if len(ordered) == 1 else ''})"
