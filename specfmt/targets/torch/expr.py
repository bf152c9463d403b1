"""PyTorch expressions as data, before variable names and layouts are chosen.

Shapes and axes are in Keras's order everywhere (batch first, channels last).  `Axis` and `PerAxis`
are converted to PyTorch's axis numbers once the layout of their step is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final, Literal

STRING: Final = "string"
"""Keras's dtype of texts; PyTorch has no string tensors, so texts are lists or NumPy arrays."""

Shape = tuple[int | None, ...]
Layout = Literal["any", "keras", "channels"]
"""The layout that a step reads: Keras's axis order, channels moved to axis 1, or either."""
OutputLayout = Literal["any", "keras", "channels", "free"]
"""The layout of a step's outputs; ``free`` if it can be either, independent of the inputs'."""


@dataclass(eq=False)
class Tensor:
    """A value in the generated forward pass.

    Attributes:
        shape: Its shape in Keras's axis order; None for an unknown size.
        dtype: Keras's dtype name.
        name: The preferred name of its variable.
        flat: The sizes (Keras's axis order, without batch) that were flattened into the last
            axis, if the order of the features is still open.
        mask: Keras's mask (N, T) of this value, if any.
        batch_axis: The batch axis; states of recurrent modules have a layer axis before it.
        rows: The same value with axis 1 merged into the batch, and the size of that axis.
        keeps_name: Whether its variable is ``name`` even in a chain of ``x = ...`` statements.
        sizes: The shape with names of unknown sizes, if they are known (`Value.sizes`).
        hidden: Whether no comment shows its shape, because it has several.
    """

    shape: Shape
    dtype: str = "float32"
    name: str = "x"
    flat: tuple[int, ...] | None = None
    mask: Tensor | None = None
    batch_axis: int = 0
    rows: tuple[Tensor, Any] | None = None
    keeps_name: bool = False
    sizes: tuple[Any, ...] | None = None
    hidden: bool = False

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def has_layout(self) -> bool:
        """Whether it can have either layout."""
        return self.rank >= 3 or self.flat is not None


class Expr:
    """Base class of expressions; plain Python values are expressions too."""

    def parts(self) -> Iterable[Any]:
        """Its subexpressions, in the order of the source text."""
        return ()


@dataclass(frozen=True)
class Name(Expr):
    """An identifier or dotted name: ``torch.float32``."""

    text: str


@dataclass(frozen=True)
class Formula(Expr):
    """An expression of a block's parameters, as source: ``4 * filters``."""

    text: str

    def __str__(self) -> str:
        return self.text


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
    """``obj[items]``, by PyTorch axis: integers, slices, None, Ellipsis or expressions."""

    obj: Any
    items: tuple[Any, ...]

    def parts(self) -> Iterable[Any]:
        return (self.obj, *self.items)


@dataclass(frozen=True)
class AxisSubscript(Expr):
    """``obj[...]`` with items by Keras axis; ``:`` for the other axes."""

    obj: Any
    items: dict[int, Any]
    rank: int

    def parts(self) -> Iterable[Any]:
        return (self.obj, *self.items.values())


@dataclass(frozen=True)
class Axis(Expr):
    """An axis of a value with ``rank`` axes, by Keras's number; written as PyTorch's number."""

    axis: int
    rank: int


@dataclass(frozen=True)
class PerAxis(Expr):
    """A tuple with one item per Keras axis; written in PyTorch's axis order."""

    items: tuple[Any, ...]

    def parts(self) -> Iterable[Any]:
        return self.items


@dataclass(frozen=True)
class Spread(Expr):
    """The items of a `PerAxis` as separate arguments: ``x.expand(-1, 4, -1)``."""

    items: PerAxis

    def parts(self) -> Iterable[Any]:
        return (self.items,)


@dataclass(frozen=True)
class ByOrder(Expr):
    """One of two expressions, depending on the layout of the step."""

    keras: Any
    channels: Any

    def parts(self) -> Iterable[Any]:
        return (self.keras, self.channels)

    def pick(self, channels_first: bool | None) -> Any:
        """The expression for a layout; it may be None."""
        return self.channels if channels_first else self.keras


@dataclass(frozen=True)
class Relabel(Expr):
    """The same tensor with its axes reinterpreted, so that nothing is computed.

    Moving the last axis to the front in Keras's order gives the channels-first tensor, and vice
    versa; the step's ``layout`` and ``output_layout`` differ.  ``either`` means that both
    directions are correct (two axes are swapped) and the layout pass may choose.
    """

    tensor: Tensor
    either: bool = False

    def parts(self) -> Iterable[Any]:
        return (self.tensor,)


@dataclass(frozen=True)
class Rearrange(Expr):
    """Keras's `Permute`, with ``dims`` counted from 1; one `permute` for any pair of layouts."""

    tensor: Tensor
    dims: tuple[int, ...]

    def parts(self) -> Iterable[Any]:
        return (self.tensor,)


@dataclass(frozen=True)
class Subscripts(Expr):
    """The subscripts of `torch.einsum`: one letter per Keras axis; written in PyTorch's order."""

    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Pads(Expr):
    """Padding (before, after) by Keras axis; written in the form that `F.pad` takes."""

    widths: dict[int, tuple[Any, Any]]
    rank: int

    def parts(self) -> Iterable[Any]:
        return self.widths.values()


@dataclass(frozen=True)
class Size(Expr):
    """The size of a Keras axis at run time: ``x.shape[2]``."""

    tensor: Tensor
    axis: int

    def parts(self) -> Iterable[Any]:
        return (self.tensor,)


@dataclass(frozen=True)
class FlattenFrom(Expr):
    """``x.flatten(1)``; the order of the features depends on the layout."""

    tensor: Tensor

    def parts(self) -> Iterable[Any]:
        return (self.tensor,)


@dataclass(frozen=True)
class Chain(Expr):
    """Several stock modules in sequence."""

    modules: tuple[Call, ...]


Stock = Call | Chain | ByOrder
"""A `torch.nn` module, a chain of them, or one for each layout (None where there is none)."""


def tensors_in(expr: Any) -> list[Tensor]:
    """Every tensor that an expression reads, once for each occurrence in its source text."""
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
    elif isinstance(item, dict):
        for part in item.values():
            _gather(part, found)
    elif isinstance(item, slice):
        _gather((item.start, item.stop, item.step), found)


def substitute(expr: Any, table: Mapping[Tensor, Tensor]) -> Any:
    """The expression with tensors replaced."""
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


def rebuilt(expr: Any, change: Callable[[Any], Any]) -> Any:
    """The expression with ``change`` applied to each of its parts."""
    if isinstance(expr, (tuple, list)):
        return type(expr)(change(item) for item in expr)
    if isinstance(expr, dict):
        return {key: change(item) for key, item in expr.items()}
    if isinstance(expr, Expr) and is_dataclass(expr):
        return type(expr)(*(change(getattr(expr, f.name)) for f in fields(expr)))
    return expr


def torch_axis(axis: int, rank: int, channels_first: bool) -> int:
    """PyTorch's number of a Keras axis: channels-first moves the last axis to 1."""
    axis %= rank
    if not channels_first or axis == 0:
        return axis
    return 1 if axis == rank - 1 else axis + 1


def torch_order(items: tuple[Any, ...], channels_first: bool) -> tuple[Any, ...]:
    """Reorder items from Keras's to PyTorch's axis order."""
    if not channels_first or len(items) < 3:
        return items
    return (items[0], items[-1], *items[1:-1])


def axis(k: int, x: Tensor) -> Axis:
    """A Keras axis of ``x`` as an expression for PyTorch's number."""
    return Axis(k % x.rank, x.rank)


def one_order(shape: Shape) -> bool:
    """Whether both layouts have the elements in the same order in memory."""
    return len(shape) < 3 or shape[-1] == 1 or all(size == 1 for size in shape[1:-1])


SIZE_NAMES = {2: "", 3: "T", 4: "HW", 5: "DHW"}
"""Letters for unknown sizes by rank, where the sizes of the model's inputs do not give their names."""


def shape_text(tensor: Tensor, channels_first: bool) -> str:
    """A tensor's shape in PyTorch's axis order: ``(N, 16, T//2)``."""
    letters = SIZE_NAMES.get(tensor.rank, "") if tensor.sizes is None else ""
    sizes: list[str] = []
    for axis, size in enumerate(tensor.sizes or tensor.shape):
        if size is not None:
            sizes.append(str(size))
        elif axis == tensor.batch_axis:
            sizes.append("N")
        else:
            sizes.append(letters[axis - 1] if axis <= len(letters) else "?")
    ordered = torch_order(tuple(sizes), channels_first)
    return f"({', '.join(ordered)}{',' if len(ordered) == 1 else ''})"
