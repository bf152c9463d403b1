"""Python source as logical lines of tokens, and where the nodes of a syntax tree lie among them."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass, field

from specfmt.targets.pyformat.doc import text_width

_OPEN = {"(": ")", "[": "]", "{": "}"}
_CLOSE = frozenset(_OPEN.values())
_SKIPPED = frozenset({tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.ENCODING})
_PRAGMA = re.compile(
    r"#\s*(?:[nN][oO][qQ][aA]|nosec|(?:isort|type|pyright|pyrefly|pylint|flake8|ruff|ty):)"
)


class UnsupportedError(Exception):
    """A construct that has no layout rule here: its line stays as it was written."""


@dataclass(slots=True)
class Comment:
    """A comment inside brackets: `after` is the token before it, `bracket` the one it is in."""

    text: str
    own_line: bool
    after: int
    bracket: int


@dataclass(slots=True)
class Unit:
    """A logical line, or a comment on a line of its own.

    Attributes:
        blank: empty lines before it.
        indent: columns before it.
        tokens: its tokens without comments and line breaks; none for a comment.
        inner: comments inside its brackets.
        comment: the comment at its end, or the comment that it is; "" if there is none.
    """

    blank: int
    indent: int
    tokens: list[tokenize.TokenInfo] = field(default_factory=list)
    inner: list[Comment] = field(default_factory=list)
    comment: str = ""

    @property
    def keyword(self) -> str:
        """The first word, `async` aside; "" for a comment."""
        if not self.tokens:
            return ""
        first = self.tokens[0].string
        return self.tokens[1].string if first == "async" and len(self.tokens) > 1 else first

    @property
    def is_header(self) -> bool:
        """Whether a block follows on the next lines."""
        return bool(self.tokens) and self.tokens[-1].string == ":"


def visible_width(comment: str) -> int:
    """Columns that a comment claims of its line: pragmas such as `# noqa` claim none."""
    for match in re.finditer("#", comment):
        if _PRAGMA.match(comment, match.start()):
            comment = comment[: match.start()].rstrip()
            break
    return text_width(comment) + 2 if comment else 0


def units(source: str) -> list[Unit]:
    """Splits a file into logical lines and comment lines.

    Raises:
        tokenize.TokenError, SyntaxError: if the source is not Python.
    """
    found: list[Unit] = []
    blank = 0
    current: Unit | None = None
    brackets: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = token.type
        if kind in _SKIPPED:
            continue
        if kind == tokenize.NEWLINE:
            if current is not None:
                found.append(current)
            current, blank = None, 0
        elif kind == tokenize.NL:
            if current is None and not token.line.strip():
                blank += 1
        elif kind == tokenize.COMMENT:
            if current is None:
                found.append(Unit(blank, token.start[1], comment=token.string.rstrip()))
                blank = 0
            elif brackets:
                own_line = not token.line[: token.start[1]].strip()
                last = len(current.tokens) - 1
                current.inner.append(Comment(token.string.rstrip(), own_line, last, brackets[-1]))
            else:
                current.comment = token.string.rstrip()
        else:
            if current is None:
                current = Unit(blank, token.start[1])
            if token.string in _OPEN and kind == tokenize.OP:
                brackets.append(len(current.tokens))
            elif token.string in _CLOSE and kind == tokenize.OP:
                brackets.pop()
            current.tokens.append(token)
    return found


class Tokens:
    """The tokens of one logical line, addressed by the nodes of its syntax tree.

    Args:
        unit: the logical line.
        lines: the lines of its file, as they were given to `units`.
        shift: rows and first-row columns to add to the positions of nodes.
    """

    def __init__(self, unit: Unit, lines: list[str], shift: tuple[int, int]) -> None:
        self.strings = [token.string for token in unit.tokens]
        self.inner = unit.inner
        self._tokens = unit.tokens
        self._lines = lines
        self._rows, self._columns = shift
        self._first_row = unit.tokens[0].start[0]
        self._start: dict[tuple[int, int], int] = {}
        self._end: dict[tuple[int, int], int] = {}
        self.match: dict[int, int] = {}
        self.owned: set[int] = set()
        opened: list[int] = []
        for index, token in enumerate(unit.tokens):
            self._start[self._in_bytes(token.start)] = index
            self._end[self._in_bytes(token.end)] = index
            if token.type == tokenize.OP and token.string in _OPEN:
                opened.append(index)
            elif token.type == tokenize.OP and token.string in _CLOSE:
                start = opened.pop()
                self.match[start], self.match[index] = index, start

    def _in_bytes(self, position: tuple[int, int]) -> tuple[int, int]:
        row, column = position
        line = self._lines[row - 1]
        return position if line.isascii() else (row, len(line[:column].encode()))

    def _locate(self, row: int, column: int) -> tuple[int, int]:
        row += self._rows
        return row, column + self._columns * (row == self._first_row)

    def own(self, node: ast.AST) -> None:
        """Records the parentheses that belong to calls, so that none counts as an operand's."""
        if isinstance(node, ast.JoinedStr):
            return  # before Python 3.12 what is inside has no positions
        if isinstance(node, ast.Call):
            self.owned.add(self.match[self.end(node)])
        elif isinstance(node, ast.ClassDef) and self.strings[2:3] == ["("]:
            self.owned.add(2)
        for child in ast.iter_child_nodes(node):
            self.own(child)

    def start(self, node: ast.expr | ast.keyword | ast.arg | ast.alias) -> int:
        """The first token of a node, without parentheses around it."""
        return self._start[self._locate(node.lineno, node.col_offset)]

    def end(self, node: ast.expr | ast.keyword | ast.arg | ast.alias) -> int:
        """The last token of a node, without parentheses around it."""
        if node.end_lineno is None or node.end_col_offset is None:
            raise UnsupportedError
        return self._end[self._locate(node.end_lineno, node.end_col_offset)]

    def parenthesized(self, node: ast.expr) -> bool:
        """Whether a node stands in parentheses that are not part of it."""
        before = self.start(node) - 1
        return (
            before >= 0
            and self.strings[before] == "("
            and before not in self.owned
            and self.match[before] == self.end(node) + 1
        )

    def outer(self, node: ast.expr | ast.keyword | ast.arg | ast.alias) -> tuple[int, int]:
        """The first and last token of a node with the parentheses around it."""
        first, last = self.start(node), self.end(node)
        if isinstance(node, ast.expr):
            while (
                first
                and self.strings[first - 1] == "("
                and self.match[first - 1] == last + 1
                and first - 1 not in self.owned
            ):
                first, last = first - 1, last + 1
        return first, last

    def text(self, first: int, last: int) -> str:
        """The source from one token to another."""
        return self.between(self._tokens[first], self._tokens[last], self._lines)

    @staticmethod
    def between(first: tokenize.TokenInfo, last: tokenize.TokenInfo, lines: list[str]) -> str:
        """The source from one token to another, of a file given as its lines."""
        (row, column), (end_row, end_column) = first.start, last.end
        if row == end_row:
            return lines[row - 1][column:end_column]
        rows = [lines[row - 1][column:], *lines[row : end_row - 1]]
        return "".join([*rows, lines[end_row - 1][:end_column]])

    def string_parts(self, first: int, last: int) -> list[str]:
        """The literals of an implicitly concatenated string."""
        parts: list[str] = []
        depth, opened = 0, first
        for index in range(first, last + 1):
            # From Python 3.12 on, an f-string is several tokens between a start and an end.
            name = tokenize.tok_name[self._tokens[index].type]
            if name.endswith("STRING_START"):
                opened = opened if depth else index
                depth += 1
            elif name.endswith("STRING_END"):
                depth -= 1
                if not depth:
                    parts.append(self.text(opened, index))
            elif name == "STRING" and not depth:
                parts.append(self.strings[index])
        return parts
