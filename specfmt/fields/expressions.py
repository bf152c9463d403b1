"""Expressions in blocks: ``$filters``, ``$(4 * filters)``, ``block$(i + 2)``.

They are a small part of Python's expressions: numbers, text in quotes, names, ``+ - * / // %``,
comparisons, ``and``, ``or``, ``not``, ``a if condition else b`` and ``chr(97 + i)``, the letters of
names that are lettered instead of numbered.  They are parsed, never executed: each kind of node is
computed here.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from specfmt.diagnostics import Path
from specfmt.fields.errors import FieldError, did_you_mean, show

MAX_LENGTH = 200
"""The most characters of an expression."""

MAX_NUMBER = 2**63 - 1
"""The largest absolute value of an integer."""

MAX_TEXT = 10_000
"""The most characters of a text with expressions, when they are computed."""

WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
"""Names with a fixed value, as YAML spells them; Python's own spellings are read too."""

LETTER = "chr"
"""The function that gives the letter with a number."""

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Expression:
    """An expression in the text of a spec.

    Attributes:
        text: Its source, without ``$`` and the brackets around it.
        node: Its tree.
        names: The names in it, in order.
        texts: The texts in quotes in it, in order.
    """

    text: str
    node: ast.expr
    names: tuple[str, ...]
    texts: tuple[str, ...] = ()

    def value(self, values: Mapping[str, Any]) -> Any:
        """Its value.

        Args:
            values: The value of each name.

        Raises:
            FieldError: SF217: a name without a value, or a value that an operator does not take.
        """
        return _value(self.node, values)


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Expression:
    """An expression from its source.

    Raises:
        FieldError: SF217: it is none, or none of the allowed kinds.
    """
    if len(text) > MAX_LENGTH:
        raise wrong(f"an expression of at most {MAX_LENGTH} characters", text)
    try:
        with warnings.catch_warnings(action="ignore"):
            node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise wrong(_EXPECTED, text, _HINT) from None
    names, texts = [], []
    for part in ast.walk(node):
        if not _is_allowed(part):
            raise wrong(_EXPECTED, text, _HINT)
        if isinstance(part, ast.Name) and part.id not in (*WORDS, LETTER):
            names.append(part.id)
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            texts.append(part.value)
    return Expression(text.strip(), node, tuple(dict.fromkeys(names)), tuple(texts))


def wrong(expected: str, received: object, hint: str = "") -> FieldError:
    """The finding about an expression."""
    return FieldError(expected, received, hint, "SF217")


_EXPECTED = "an expression of parameters"
_HINT = "expressions have numbers, names, + - * / // %, comparisons, and, or, not, `a if b else c`, chr(number)"


def _is_allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, (int, float)):
            return abs(node.value) <= MAX_NUMBER
        return node.value is None or isinstance(node.value, str)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, (ast.USub, ast.Not))
    if isinstance(node, ast.BinOp):
        return type(node.op) in _BINARY
    if isinstance(node, ast.Compare):
        return all(type(op) in _COMPARISONS for op in node.ops)
    if isinstance(node, ast.Call):
        named = isinstance(node.func, ast.Name) and node.func.id == LETTER
        return named and len(node.args) == 1 and not node.keywords
    kinds = (ast.Name, ast.BoolOp, ast.IfExp, ast.operator, ast.unaryop, ast.boolop)
    return isinstance(node, (*kinds, ast.cmpop, ast.expr_context))


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        if node.id in WORDS:
            return WORDS[node.id]
        if node.id not in values:
            raise wrong("the name of a parameter", node.id, did_you_mean(node.id, values))
        return values[node.id]
    if isinstance(node, ast.UnaryOp):
        inner = _value(node.operand, values)
        return not inner if isinstance(node.op, ast.Not) else _bounded(-_number(inner))
    if isinstance(node, ast.BinOp):
        left, right = (_number(_value(side, values)) for side in (node.left, node.right))
        if isinstance(node.op, (ast.Div, ast.FloorDiv, ast.Mod)) and right == 0:
            raise wrong("a divisor other than 0", right)
        return _bounded(_BINARY[type(node.op)](left, right))
    if isinstance(node, ast.BoolOp):
        found: Any = None
        for item in node.values:
            found = _value(item, values)
            if bool(found) == isinstance(node.op, ast.Or):
                break
        return found
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, values) else node.orelse, values)
    if isinstance(node, ast.Call):
        return _letter(_number(_value(node.args[0], values)))
    assert isinstance(node, ast.Compare)
    left = _value(node.left, values)
    for op, side in zip(node.ops, node.comparators, strict=True):
        right = _value(side, values)
        if not isinstance(op, (ast.Eq, ast.NotEq)):
            left, right = _number(left), _number(right)
        if not _COMPARISONS[type(op)](left, right):
            return False
        left = right
    return True


def _letter(number: Any) -> str:
    if not isinstance(number, int) or not chr(number % 128).isalpha() or number > 127:
        raise wrong("the number of a letter, such as 97 for a", number)
    return chr(number)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong("a number in an expression", value)
    return value


def _bounded(value: Any) -> Any:
    if abs(value) > MAX_NUMBER:
        raise wrong(f"a number of at most {MAX_NUMBER}", value)
    return value


# ------------------------------------------------------------------------ texts with expressions

_PART = re.compile(r"\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\()")


@lru_cache(maxsize=4096)
def parse_text(text: str) -> tuple[str | Expression, ...]:
    """A text in pieces: plain text, and the expressions in it; ``$$`` is a plain ``$``.

    Raises:
        FieldError: SF217: an expression is none, or a bracket is not closed.
    """
    pieces: list[str | Expression] = []
    plain, place = "", 0
    while (found := _PART.search(text, place)) is not None:
        plain += text[place : found.start()]
        place = found.end()
        if found[1]:
            plain += "$"
            continue
        if plain:
            pieces.append(plain)
            plain = ""
        if found[2]:
            pieces.append(parse_expression(found[2]))
            continue
        end = _closing(text, place)
        pieces.append(parse_expression(text[place:end]))
        place = end + 1
    plain += text[place:]
    if plain or not pieces:
        pieces.append(plain)
    return tuple(pieces)


def _closing(text: str, place: int) -> int:
    """The place of the bracket that closes the one before ``place``; quoted text is skipped."""
    depth, quote, escaped = 1, "", False
    for index in range(place, min(len(text), place + MAX_LENGTH + 1)):
        letter = text[index]
        if quote:
            quote = "" if letter == quote and not escaped else quote
            escaped = letter == "\\" and not escaped
        elif letter in "'\"":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
            if not depth:
                return index
    raise wrong("a closing bracket after $(", text)


def expressions_in(value: Any) -> Iterator[Expression]:
    """Every expression in nested data, keys of mappings excluded.

    Raises:
        FieldError: As for `parse_text`.
    """
    for _, found in placed_expressions(value):
        if isinstance(found, FieldError):
            raise found
        yield found


def placed_expressions(
    value: Any, path: Path = ()
) -> Iterator[tuple[Path, Expression | FieldError]]:
    """Every expression in nested data, keys of mappings excluded, with its path, or its mistake."""
    if isinstance(value, str):
        if "$" in value:
            try:
                found = [piece for piece in parse_text(value) if isinstance(piece, Expression)]
            except FieldError as error:
                yield path, error
            else:
                yield from ((path, piece) for piece in found)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from placed_expressions(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from placed_expressions(item, (*path, index))


def is_computed(value: Any) -> bool:
    """Whether nested data has a text with ``$``, keys of mappings excluded."""
    if isinstance(value, dict):
        return any(map(is_computed, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(is_computed, value))
    return isinstance(value, str) and "$" in value


def evaluate_text(text: str, values: Mapping[str, Any]) -> Any:
    """A text with its expressions computed.

    A text that is one expression becomes the expression's value; in other texts integers and
    texts are inserted.

    Raises:
        FieldError: As for `Expression.value` and `parse_text`.
    """
    pieces = parse_text(text)
    if len(pieces) == 1:
        (piece,) = pieces
        return piece if isinstance(piece, str) else piece.value(values)
    parts = []
    for piece in pieces:
        part = piece if isinstance(piece, str) else piece.value(values)
        if isinstance(part, bool) or not isinstance(part, (int, str)):
            raise wrong(f"an integer or a text in {show(text)}", part)
        parts.append(str(part))
    whole = "".join(parts)
    if len(whole) > MAX_TEXT:
        raise wrong(f"a text of at most {MAX_TEXT:,} characters", whole)
    return whole
