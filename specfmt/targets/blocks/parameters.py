"""Expressions of parameters: their values in each use, and their source in generated code."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any

from specfmt.fields.errors import FieldError
from specfmt.fields.expressions import Expression, evaluate_text, parse_text
from specfmt.targets.source import literal

MAX_COMBINED = 6
"""The most parameters that are combined with each other, to keep the search small."""


class Parameters:
    """The parameters of a block and their values in its uses.

    Args:
        values: For each use, parameter -> value.
        varying: The parameters that generated code has; by default those whose values differ.  The
            others are written with their values.
        spelling: Parameter -> its name in generated code, where that is another one.
        offsets: Parameter -> what its variable in generated code has more than the spec's: a loop
            that counts from 2 has 2 more.
    """

    def __init__(
        self,
        values: Sequence[Mapping[str, Any]],
        varying: Collection[str] | None = None,
        spelling: Mapping[str, str] | None = None,
        offsets: Mapping[str, int] | None = None,
    ) -> None:
        self.values = values
        names = list(dict.fromkeys(name for item in values for name in item))
        if varying is None:
            varying = [name for name in names if self._differs(name)]
        self.varying = [name for name in names if name in varying and not keyword.iskeyword(name)]
        self.has_sources = any(isinstance(v, Source) for item in values for v in item.values())
        self.spelling = spelling or {}
        self.offsets = offsets or {}

    def _differs(self, name: str) -> bool:
        first = plain(self.values[0].get(name))
        return any(not same(plain(item.get(name)), first) for item in self.values)

    def depends(self, text: str) -> bool:
        """Whether an expression has a parameter of the code in it."""
        return any(name in self.varying for name in names_in(text))

    def value(self, text: str, use: int) -> Any:
        """The value of a text of the spec in a use.

        Raises:
            FieldError: It has none.
        """
        return evaluate_text(text, self.values[use])

    def fits(self, text: str, wanted: Mapping[int, Any]) -> bool:
        """Whether a text of the spec has these values, each in its use."""
        try:
            return all(same(plain(self.value(text, use)), item) for use, item in wanted.items())
        except FieldError:
            return False

    def is_condition(self, text: str, wanted: Sequence[bool]) -> bool:
        """Whether a text of the spec is true in exactly these uses."""
        try:
            return all(bool(self.value(text, use)) == item for use, item in enumerate(wanted))
        except FieldError:
            return False

    def source(self, text: str) -> ast.expr | None:
        """A text of the spec as an expression of the code; None if it cannot be one."""
        pieces = parse_text(text)
        if len(pieces) == 1:
            (piece,) = pieces
            return (
                self._expression(piece.node) if isinstance(piece, Expression) else constant(piece)
            )
        parts: list[ast.expr] = []
        for piece in pieces:
            if not isinstance(piece, Expression):
                parts.append(ast.Constant(piece))
                continue
            inner = self._expression(piece.node)
            if isinstance(inner, ast.Constant):
                parts.append(ast.Constant(str(inner.value)))
                continue
            if any(
                isinstance(p, ast.Constant) and isinstance(p.value, str) for p in ast.walk(inner)
            ):
                return None  # its quotes would end the f-string
            parts.append(ast.FormattedValue(inner, -1, None))
        return formatted_string(parts)

    def _expression(self, node: ast.expr) -> ast.expr:
        names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
        if not any(name in self.varying for name in names):
            return constant(Expression("", node, ()).value(self.values[0]))
        if isinstance(node, ast.Name):
            name = ast.Name(self.spelling.get(node.id, node.id))
            return plus(name, -self.offsets.get(node.id, 0))
        if isinstance(node, ast.BinOp):
            left, right = self._expression(node.left), self._expression(node.right)
            if isinstance(node.op, (ast.Add, ast.Sub)) and is_integer(right):
                number = right.value  # type: ignore[attr-defined]
                return plus(left, number if isinstance(node.op, ast.Add) else -number)
            return ast.BinOp(left, node.op, right)
        if isinstance(node, ast.UnaryOp):
            return ast.UnaryOp(node.op, self._expression(node.operand))
        if isinstance(node, ast.BoolOp):
            return ast.BoolOp(node.op, [self._expression(item) for item in node.values])
        if isinstance(node, ast.IfExp):
            test = self._expression(node.test)
            if isinstance(test, ast.Constant):
                return self._expression(node.body if test.value else node.orelse)
            return ast.IfExp(test, self._expression(node.body), self._expression(node.orelse))
        if isinstance(node, ast.Call):
            return ast.Call(node.func, [self._expression(item) for item in node.args], [])
        assert isinstance(node, ast.Compare)
        sides = [self._expression(side) for side in node.comparators]
        if any(isinstance(side, ast.Constant) and side.value is None for side in sides):
            ops: list[ast.cmpop] = [
                ast.Is() if isinstance(op, ast.Eq) else ast.IsNot() for op in node.ops
            ]
            return ast.Compare(self._expression(node.left), ops, sides)
        return ast.Compare(self._expression(node.left), node.ops, sides)

    # ------------------------------------------------------------------------- candidates

    def candidates(self, wanted: Mapping[int, Any]) -> Iterator[str]:
        """Parameters, and small combinations of them, that may have these values."""
        yield from (f"$({name})" for name in self.varying)
        if all(isinstance(item, str) for item in wanted.values()):
            yield from self._strings(wanted)
        if all(is_whole_number(item) for item in wanted.values()) and len(set(wanted.values())) > 1:
            yield from self._combinations(wanted)

    def _strings(self, wanted: Mapping[int, Any]) -> Iterator[str]:
        """Texts with the value of a parameter in them."""
        for name in self.varying:
            found = {
                tuple(text.split(str(self.values[use].get(name)) or "\0", 1))
                for use, text in wanted.items()
            }
            if len(found) == 1 and len(parts := found.pop()) == 2:
                yield f"$({name})".join(part.replace("$", "$$") for part in parts)

    def _combinations(self, wanted: Mapping[int, int]) -> Iterator[str]:
        """``4 * p``, ``p // 2``, ``p + 1``, ``p * q``, ``p // q``, ``p + q``, ``p - q``."""
        whole = [
            name
            for name in self.varying
            if all(is_whole_number(self.values[use].get(name)) for use in wanted)
        ][:MAX_COMBINED]
        use, item = next(iter(wanted.items()))
        for name in whole:
            value = self.values[use][name]
            if value and item and not item % value:
                yield f"$({item // value} * {name})"
            if value and item and not value % item:
                yield f"$({name} // {value // item})"
            yield f"$({name} + {item - value})" if item > value else f"$({name} - {value - item})"
        for first, second in permutations(whole, 2):
            for operator in "*+" if first < second else ():
                yield f"$({first} {operator} {second})"
            yield f"$({first} // {second})"
            yield f"$({first} - {second})"

    def flags(self) -> Iterator[str]:
        """Conditions of one parameter: true ones, and those that are not."""
        for name in self.varying:
            if all(isinstance(item.get(name), bool) for item in self.values):
                yield f"$({name})"
                yield f"$(not {name})"

    def comparisons(self) -> Iterator[str]:
        """Conditions that compare a number with a constant, or with another number."""
        numbers = [
            name
            for name in self.varying
            if all(is_whole_number(item.get(name)) for item in self.values)
        ]
        for name in numbers:
            values = sorted({item[name] for item in self.values})
            yield from (f"$({name} > {value})" for value in values[:-1])
            yield from (f"$({name} == {value})" for value in values)
            yield from (f"$({name} < {value})" for value in values[1:])
            yield from (f"$({name} != {value})" for value in values)
        for first, second in permutations(numbers[:MAX_COMBINED], 2):
            if first < second:
                yield f"$({first} != {second})"
                yield f"$({first} == {second})"
        for name in self.varying:
            texts = [item.get(name) for item in self.values]
            if any(text is None for text in texts):
                yield f"$({name} != null)"
                yield f"$({name} == null)"
            for text in dict.fromkeys(t for t in texts if isinstance(t, str)):
                yield f"$({name} == {text!r})"
                yield f"$({name} != {text!r})"


@dataclass(frozen=True, eq=False)
class Source:
    """A value that is no plain data: an expression of the generated code."""

    tree: ast.expr

    @cached_property
    def text(self) -> str:
        """Its source."""
        return source_of(self.tree)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Source) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def code_value(source: str) -> Any:
    """The value that an expression of the generated code has: plain data, or its `Source`."""
    return tree_value(ast.parse(source, mode="eval").body)


def tree_value(tree: ast.expr) -> Any:
    """As `code_value`, from the expression's tree."""
    try:
        return plain(ast.literal_eval(tree))
    except (ValueError, TypeError, SyntaxError):
        return Source(tree)


def value_text(value: Any) -> str:
    """The source of plain data or of a `Source`."""
    return value.text if isinstance(value, Source) else literal(plain(value))


def names_in(text: str) -> Iterable[str]:
    """The names in the expressions of a text.

    A text that was made of others may have become too long for an expression: it has none.
    """
    try:
        pieces = parse_text(text)
    except FieldError:
        return []
    return [name for p in pieces if isinstance(p, Expression) for name in p.names]


def plain(value: Any) -> Any:
    """A value as generated code has it: tuples for lists."""
    if isinstance(value, (list, tuple)):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def same(first: Any, second: Any) -> bool:
    """Whether two plain values are equal and of the same type: 1 is neither True nor 1.0."""
    if type(first) is not type(second):
        return False
    if isinstance(first, tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    return bool(first == second)


def is_whole_number(value: Any) -> bool:
    """Whether a value is an integer."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_integer(node: ast.expr) -> bool:
    """Whether an expression is an integer."""
    return isinstance(node, ast.Constant) and is_whole_number(node.value)


def constant(value: Any) -> ast.expr:
    """Plain data, or a `Source`, as an expression."""
    return ast.parse(value_text(value), mode="eval").body


def plus(node: ast.expr, number: int) -> ast.expr:
    """The sum of an expression and a number: ``n - 1`` and 2 make ``n + 1``."""
    if isinstance(node, ast.BinOp) and is_integer(node.right):
        own = node.right.value  # type: ignore[attr-defined]
        if isinstance(node.op, ast.Add):
            return plus(node.left, number + own)
        if isinstance(node.op, ast.Sub):
            return plus(node.left, number - own)
    if is_integer(node):
        return constant(node.value + number)  # type: ignore[attr-defined]
    if not number:
        return node
    operator = ast.Add() if number > 0 else ast.Sub()
    return ast.BinOp(node, operator, ast.Constant(abs(number)))


def formatted_string(parts: Sequence[ast.expr]) -> ast.expr:
    """An f-string, or a plain string if nothing is inserted; plain neighbours become one."""
    joined: list[ast.expr] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            joined[-1] = ast.Constant(str(last.value) + str(part.value))
        else:
            joined.append(part)
    if len(joined) == 1 and isinstance(joined[0], ast.Constant):
        return joined[0]
    return ast.JoinedStr(joined)


def source_of(node: ast.AST) -> str:
    """The source of a tree."""
    return ast.unparse(ast.fix_missing_locations(node) if isinstance(node, ast.stmt) else node)
