"""Splits the long lines of generated Python as `ruff format` does, without needing a formatter.

Emitters and templates write every statement on one line, however long; `wrap` lays the whole file
out at the end. `call` and `explode` write a call with one argument a line, which `wrap` keeps.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from itertools import pairwise

from specfmt.targets.pyformat.blank_lines import is_docstring, space
from specfmt.targets.pyformat.doc import text_width
from specfmt.targets.pyformat.printer import render
from specfmt.targets.pyformat.statements import Statements
from specfmt.targets.pyformat.tokens import (
    Tokens,
    Unit,
    UnsupportedError,
    units,
    visible_width,
)

_CLOSING = frozenset(")]}")
_SIMPLE_KEYWORDS = frozenset({"try", "else", "finally"})
_DIRECTIVES = ("fmt:", "yapf:")
# The trailing commas of a first layout can change the second one, as they do in ruff.
_ADDED_COMMA = re.compile(r",\n *[)\]}]")
_ROUNDS = 5


def wrap(source: str, width: int = 88) -> str:
    """Lays out a whole Python file.

    Lines that fit stay as they are. A longer statement, and one that already spans lines, is laid
    out by ruff's rules; a comment that alone makes its line too long moves above the statement.
    Multi-line strings are never touched, and a construct without a rule stays as it was written.

    Args:
        source: the text of the file, quotes and spaces inside lines already normalized.
        width: columns that a line may take.

    Returns:
        The text, ending in one line break. Wrapping it again changes nothing.

    Raises:
        SyntaxError, tokenize.TokenError: if the source is not Python.
    """
    source = source.replace("\r\n", "\n")
    lines = _lines(source)
    texts: list[str] = []
    placed: list[Unit] = []
    for unit in units(source):
        comment, text = _lay_out(unit, lines, width)
        if comment:
            placed.append(Unit(unit.blank, unit.indent, comment=comment))
            texts.append(" " * unit.indent + comment)
        placed.append(replace(unit, blank=0) if comment else unit)
        texts.append(text)
    space(placed)
    spaced = zip(placed, texts, strict=True)
    return "".join("\n" * unit.blank + text + "\n" for unit, text in spaced)


def explode(head: str, args: list[str], tail: str = "", indent: int = 0) -> str:
    """Writes a call with one argument a line and a trailing comma, which keeps it so.

    Args:
        head: what stands before the opening parenthesis, such as `x = layers.Dense`.
        args: the arguments as source, keywords included; a generator needs its parentheses here.
        tail: what follows the closing parenthesis, such as `(x)`.
        indent: columns before the statement.

    Returns:
        The statement, its first line indented too, without a final line break.
    """
    if not args:
        return f"{' ' * indent}{head}(){tail}"
    inner = "".join(f"{' ' * (indent + 4)}{arg},\n" for arg in args)
    return f"{' ' * indent}{head}(\n{inner}{' ' * indent}){tail}"


def call(head: str, args: list[str], tail: str = "", indent: int = 0, width: int = 88) -> str:
    """Writes a call on one line if it fits, else with one argument a line.

    Args:
        head: what stands before the opening parenthesis.
        args: the arguments as source, keywords included.
        tail: what follows the closing parenthesis.
        indent: columns before the statement.
        width: columns that a line may take.

    Returns:
        The statement, its first line indented too, without a final line break.
    """
    line = f"{' ' * indent}{head}({', '.join(args)}){tail}"
    if "\n" not in line and text_width(line) <= width:
        return line
    return explode(head, args, tail, indent)


def _lay_out(unit: Unit, lines: list[str], width: int) -> tuple[str, str]:
    """The comment to move above a logical line, "" for none, and the line."""
    pad = " " * unit.indent
    if not unit.tokens:
        return "", pad + unit.comment
    written = pad + _written(unit, lines)
    suffix = f"  {unit.comment}" if unit.comment else ""
    reserved = visible_width(unit.comment)
    if any(directive in unit.comment for directive in _DIRECTIVES):
        return "", written + suffix
    if not _needs_layout(unit, written, reserved, width):
        return "", written + suffix
    alone = _formatted(unit, lines, "", width) or written
    if not unit.comment:
        return "", alone
    if "\n" not in alone and text_width(alone) <= width:
        # A pragma must stay on its line; any other comment reads as well above it.
        movable = reserved == text_width(suffix)
        if text_width(alone) + reserved <= width:
            return "", alone + suffix
        if movable:
            return unit.comment, alone
    return "", _formatted(unit, lines, unit.comment, width) or written + suffix


def _lines(source: str) -> list[str]:
    return [f"{line}\n" for line in source.split("\n")]


def _written(unit: Unit, lines: list[str]) -> str:
    """A logical line as it stands in the source, without indentation and final comment."""
    return Tokens.between(unit.tokens[0], unit.tokens[-1], lines)


def _needs_layout(unit: Unit, written: str, reserved: int, width: int) -> bool:
    """Whether a logical line is too long, spans lines or has a comma that would make it."""
    if is_docstring(unit):
        return False
    if "\n" in written or text_width(written) + reserved > width:
        return True
    strings = [token.string for token in unit.tokens]
    return any(left == "," and right in _CLOSING for left, right in pairwise(strings))


def _formatted(unit: Unit, lines: list[str], comment: str, width: int) -> str | None:
    """A logical line laid out, None where there is no rule for it."""
    text = _formatted_once(unit, lines, comment, width)
    for _ in range(_ROUNDS):
        if text is None or not _ADDED_COMMA.search(text):
            break
        (unit,) = units(text + "\n")
        again = _formatted_once(unit, _lines(text), unit.comment, width)
        if again in (None, text):
            break
        text = again
    return text


def _formatted_once(unit: Unit, lines: list[str], comment: str, width: int) -> str | None:
    code = _written(unit, lines)
    try:
        node, ending, rows = _parse(unit, code)
        tokens = Tokens(unit, lines, (unit.tokens[0].start[0] - 1 - rows, unit.indent))
        tokens.own(node)
        text = render(Statements(tokens, comment).line(node, ending), unit.indent, width)
        # Layout must never change what the code means, whatever it was given.
        laid_out = text.strip().removesuffix(comment)
        if _meaning(_parse(unit, laid_out)[0]) != _meaning(node):
            return None
    except (UnsupportedError, SyntaxError, KeyError):
        return None
    return text


def _meaning(node: ast.stmt | ast.expr | ast.ExceptHandler) -> str:
    """The node as text; the parentheses of `del (a, b)` do not count."""
    if isinstance(node, ast.Delete) and isinstance(node.targets[0], ast.Tuple):
        return ast.dump(ast.Delete(node.targets[0].elts))
    return ast.dump(node)


def _parse(unit: Unit, code: str) -> tuple[ast.stmt | ast.expr | ast.ExceptHandler, str, int]:
    """The node of a logical line, what follows the node on it, and the rows parsed before it."""
    keyword = unit.keyword
    if any(token.string == ";" for token in unit.tokens) or keyword in _SIMPLE_KEYWORDS:
        raise UnsupportedError
    if keyword == "@":
        (definition,) = ast.parse(f"{code}\ndef f(): pass").body
        assert isinstance(definition, ast.FunctionDef)
        return definition.decorator_list[0], "", 0
    if not unit.is_header:
        (statement,) = ast.parse(code).body
        body = getattr(statement, "body", None)
        if not isinstance(body, list):
            return statement, "", 0
        if [ast.dump(each) for each in body] != [ast.dump(ast.Expr(ast.Constant(...)))]:
            raise UnsupportedError
        return statement, ": ...", 0
    if keyword == "elif":
        (statement,) = ast.parse(f"if x:\n pass\n{code} pass").body
        assert isinstance(statement, ast.If)
        return statement.orelse[0], ":", 2
    if keyword == "except":
        (statement,) = ast.parse(f"try:\n pass\n{code} pass").body
        assert isinstance(statement, (ast.Try, ast.TryStar))
        return statement.handlers[0], ":", 2
    body = "\n case _: pass" if keyword == "match" else " pass"
    (statement,) = ast.parse(code + body).body
    return statement, ":", 0
