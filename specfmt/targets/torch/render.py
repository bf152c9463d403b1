"""Python source of PyTorch expressions, once variable names and layouts are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from specfmt.targets.source import argument, binary, literal
from specfmt.targets.torch.expr import (
    Attr,
    Axis,
    AxisSubscript,
    Binary,
    ByOrder,
    Call,
    Expr,
    FlattenFrom,
    Formula,
    Method,
    Name,
    Pads,
    PerAxis,
    Relabel,
    SelfAttr,
    Size,
    Spread,
    Subscript,
    Tensor,
    Unary,
    torch_axis,
    torch_order,
)

ATOM = 100
PRECEDENCE = {
    "or": 1, "and": 2, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "|": 5, "^": 6,
    "&": 7, "+": 9, "-": 9, "*": 10, "/": 10, "//": 10, "%": 10, "@": 10, "**": 12,
}  # fmt: skip
UNARY = 11

_SIMPLE = re.compile(r"[A-Za-z_][\w.]*|\d+")
"""Formulas that need no parentheses: names and numbers."""


class Renderer:
    """Writes the expressions of one step as source.

    Args:
        names: Tensor -> source and precedence: a variable, or the expression to inline.
        channels_first: Whether the step's layout is channels-first.
        owner: The variable of the module whose attributes are used.
    """

    def __init__(
        self,
        names: Mapping[Tensor, tuple[str, int]],
        channels_first: bool | None,
        owner: str = "self",
    ) -> None:
        self.names = names
        self.channels_first = bool(channels_first)
        self.owner = owner

    def __call__(self, expr: Any) -> str:
        return self.write(expr)[0]

    def at(self, expr: Any, precedence: int) -> str:
        """The source, in parentheses if its precedence is lower than ``precedence``."""
        text, own = self.write(expr)
        return text if own >= precedence else f"({text})"

    def write(self, expr: Any) -> tuple[str, int]:
        """Source and precedence."""
        if isinstance(expr, Tensor):
            return self.names[expr]
        if not isinstance(expr, Expr):
            return self._plain(expr)
        method = getattr(self, f"_{type(expr).__name__.lower()}")
        result: tuple[str, int] = method(expr)
        return result

    def _plain(self, value: Any) -> tuple[str, int]:
        if isinstance(value, tuple):
            inner = ", ".join(self(item) for item in value)
            return (f"({inner},)" if len(value) == 1 else f"({inner})"), ATOM
        if isinstance(value, list):
            return "[" + ", ".join(self(item) for item in value) + "]", ATOM
        if isinstance(value, dict):
            inner = ", ".join(f"{literal(key)}: {self(item)}" for key, item in value.items())
            return "{" + inner + "}", ATOM
        text = literal(value)
        return text, UNARY if text.startswith("-") else ATOM

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[str]:
        """Source of each argument."""
        plain: list[Any] = []
        for item in args:
            if isinstance(item, Spread):
                items = item.items.items
                plain.extend(torch_order(items, self._moved(len(items))))
            else:
                plain.append(item)
        return [*(self(a) for a in plain), *(argument(k, self(v)) for k, v in kwargs.items())]

    def _name(self, expr: Name) -> tuple[str, int]:
        return expr.text, ATOM

    def _formula(self, expr: Formula) -> tuple[str, int]:
        return expr.text, ATOM if _SIMPLE.fullmatch(expr.text) else 0

    def _selfattr(self, expr: SelfAttr) -> tuple[str, int]:
        return f"{self.owner}.{expr.attr}", ATOM

    def _call(self, expr: Call) -> tuple[str, int]:
        func = expr.func if isinstance(expr.func, str) else self.at(expr.func, ATOM)
        return f"{func}({', '.join(self.arguments(expr.args, expr.kwargs))})", ATOM

    def _method(self, expr: Method) -> tuple[str, int]:
        if expr.name == "unflatten":  # the method has no types
            return self._call(Call("torch.unflatten", (expr.obj, *expr.args), expr.kwargs))
        inner = ", ".join(self.arguments(expr.args, expr.kwargs))
        return f"{self.at(expr.obj, ATOM)}.{expr.name}({inner})", ATOM

    def _attr(self, expr: Attr) -> tuple[str, int]:
        return f"{self.at(expr.obj, ATOM)}.{expr.name}", ATOM

    def _binary(self, expr: Binary) -> tuple[str, int]:
        level = PRECEDENCE[expr.op]
        left = self.at(expr.left, level + (expr.op == "**"))
        right = self.at(expr.right, level + (expr.op != "**"))
        return binary(left, expr.op, right), level

    def _unary(self, expr: Unary) -> tuple[str, int]:
        return f"{expr.op}{self.at(expr.operand, UNARY)}", UNARY

    def _subscript(self, expr: Subscript) -> tuple[str, int]:
        items = ", ".join(self._item(item) for item in expr.items)
        return f"{self.at(expr.obj, ATOM)}[{items}]", ATOM

    def _item(self, item: Any) -> str:
        if item is Ellipsis:
            return "..."
        if isinstance(item, slice):
            start = "" if item.start is None else self(item.start)
            stop = "" if item.stop is None else self(item.stop)
            step = "" if item.step is None else f":{self(item.step)}"
            return f"{start}:{stop}{step}"
        return self(item)

    def _axissubscript(self, expr: AxisSubscript) -> tuple[str, int]:
        items: list[Any] = [slice(None)] * expr.rank
        for axis, item in expr.items.items():
            items[torch_axis(axis, expr.rank, self._moved(expr.rank))] = item
        while items and items[-1] == slice(None):
            items.pop()
        return self._subscript(Subscript(expr.obj, tuple(items)))

    def _moved(self, rank: int) -> bool:
        return self.channels_first and rank >= 3

    def _axis(self, expr: Axis) -> tuple[str, int]:
        if not self._moved(expr.rank):
            # dim=-1 is the usual way to write the feature axis.
            return ("-1", UNARY) if expr.axis == expr.rank - 1 else (str(expr.axis), ATOM)
        return str(torch_axis(expr.axis, expr.rank, True)), ATOM

    def _peraxis(self, expr: PerAxis) -> tuple[str, int]:
        return self._plain(torch_order(expr.items, self._moved(len(expr.items))))

    def _byorder(self, expr: ByOrder) -> tuple[str, int]:
        return self.write(expr.pick(self.channels_first))

    def _relabel(self, expr: Relabel) -> tuple[str, int]:
        return self.write(expr.tensor)

    def _pads(self, expr: Pads) -> tuple[str, int]:
        widths: list[tuple[Any, Any]] = [(0, 0)] * expr.rank
        for axis, width in expr.widths.items():
            widths[torch_axis(axis, expr.rank, self._moved(expr.rank))] = width
        while widths and widths[0] == (0, 0):
            widths.pop(0)
        flat = tuple(side for width in reversed(widths) for side in width)
        return self._plain(flat)

    def _size(self, expr: Size) -> tuple[str, int]:
        axis = torch_axis(expr.axis, expr.tensor.rank, self._moved(expr.tensor.rank))
        return f"{self.at(expr.tensor, ATOM)}.shape[{axis}]", ATOM

    def _flattenfrom(self, expr: FlattenFrom) -> tuple[str, int]:
        return f"{self.at(expr.tensor, ATOM)}.flatten(1)", ATOM
