"""Brackets, optional parentheses and sequences: what all expressions and statements are made of."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from specfmt.targets.pyformat.doc import (
    EXPAND,
    HARD,
    SOFT,
    SPACE,
    BestFitParenthesize,
    Doc,
    FitsExpanded,
    Group,
    IfBreaks,
    Indent,
    LineSuffix,
    join,
    soft_indent,
)
from specfmt.targets.pyformat.parentheses import Needs, Parentheses, Parenthesize
from specfmt.targets.pyformat.tokens import Comment, Tokens, visible_width

# Where a break may stand: nowhere (no brackets around), in brackets, or, for a positive level, only
# where the group of optional parentheses with that id is expanded.
NOWHERE = 0
IN_BRACKETS = -1


@dataclass(slots=True)
class Entry:
    """One element of a bracketed sequence: its first and last token and how to lay it out."""

    first: int
    last: int
    build: Callable[[], Doc]


class Layout(ABC):
    """Lays out one logical line: what its expressions and statements share.

    Args:
        tokens: the tokens of the line.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.parentheses = Parentheses(tokens)
        self.level = NOWHERE
        self.comments_left = len(tokens.inner)
        self._groups = 0

    def new_group(self) -> int:
        self._groups += 1
        return self._groups

    def at(self, level: int, build: Callable[[], Doc]) -> Doc:
        """Builds a document with another kind of break allowed."""
        saved, self.level = self.level, level
        try:
            return build()
        finally:
            self.level = saved

    # Building blocks

    def expression(self, node: ast.expr) -> Doc:
        """An expression with the parentheses that the source has around it."""
        if self.tokens.parenthesized(node):
            return self.always(node)
        return self.bare(node)

    def always(self, node: ast.expr) -> Doc:
        """An expression in parentheses."""
        return self.bracketed("(", lambda: self.bare(node), ")")

    @abstractmethod
    def bare(self, node: ast.expr, fluent: bool | None = None) -> Doc:
        """An expression without parentheses; `fluent` is the layout of the chain it belongs to."""

    def bracketed(self, left: str, build: Callable[[], Doc], right: str, hug: bool = False) -> Doc:
        """Brackets whose content moves to lines of its own when it does not fit."""
        content = self.at(IN_BRACKETS, build)
        indented = content if hug else Group(soft_indent(content))
        if self.level > 0:
            indented = FitsExpanded(indented, if_fits=self.level)
        return [left, indented, right]

    def optional(self, build: Callable[[], Doc]) -> Doc:
        """Parentheses around content, added only when the content does not fit otherwise."""
        group = self.new_group()
        return self._optional(self.at(group, build), group)

    def if_expands(self, build: Callable[[], Doc]) -> Doc:
        """Parentheses around content, added as soon as the content breaks."""
        return self._optional(self.at(IN_BRACKETS, build), self.new_group())

    def _optional(self, content: Doc, group: int) -> Doc:
        opened: Doc = [IfBreaks("("), Indent([SOFT, content], if_breaks=group), SOFT, IfBreaks(")")]
        return Group(opened, group)

    def maybe(self, node: ast.expr, parent: ast.AST, parenthesize: Parenthesize) -> Doc:
        """An expression at a place where parentheses may be added or removed."""
        if parenthesize is Parenthesize.OPTIONAL and self.tokens.parenthesized(node):
            return self.always(node)
        needs = self.parentheses.needs(node, parent)
        if needs is Needs.ALWAYS:
            return self.always(node)

        def build() -> Doc:
            return self.bare(node)

        if self.level != NOWHERE:
            return self.if_expands(build) if parenthesize is Parenthesize.NESTED else build()
        if needs is Needs.NEVER:
            return build()
        if needs is Needs.BEST_FIT:
            if parenthesize is Parenthesize.OPTIONAL:
                return build()
            if parenthesize is Parenthesize.IF_BREAKS:
                group = self.new_group()
                return BestFitParenthesize(self.at(group, build), group)
        return self.optional(build) if self.parentheses.can_omit(node) else self.if_expands(build)

    def _break(self, flat: str = " ") -> Doc:
        """A line break where the level allows one."""
        line: Doc = SPACE if flat else SOFT
        if self.level == NOWHERE:
            return flat
        if self.level == IN_BRACKETS:
            return line
        return [IfBreaks(line, self.level), IfBreaks(flat, self.level, flat=True)]

    def _group(self, content: Doc) -> Doc:
        if self.level == NOWHERE:
            return content
        return Group(content, unless_flat=None if self.level == IN_BRACKETS else self.level)

    # Sequences

    def comment(self, text: str) -> Doc:
        """A comment at the end of a line."""
        return [LineSuffix(f"  {text}", visible_width(text)), EXPAND]

    def entries(self, nodes: list[ast.expr]) -> list[Entry]:
        """The elements of a display."""
        return [self._entry(node) for node in nodes]

    def _entry(self, node: ast.expr) -> Entry:
        return Entry(*self.tokens.outer(node), lambda: self.expression(node))

    def has_comma(self, last: int, end: int | None = None) -> bool:
        """Whether a comma follows a token, closing parentheses aside, before the token `end`."""
        strings = self.tokens.strings
        stop = len(strings) if end is None else end + 1
        index = last + 1
        while index < stop and strings[index] == ")":
            index += 1
        return index < stop and strings[index] == ","

    def sequence(
        self, entries: list[Entry], end: int | None = None, always_comma: bool = False
    ) -> Doc:
        """Elements with commas, one a line when the group expands, a comma after the last one.

        Args:
            entries: the elements.
            end: the last token of the sequence, its bracket included; None for that of the line.
            always_comma: also put the comma after a single element.
        """
        magic = self.has_comma(entries[-1].last, end)
        leading, trailing, after = self._attach(entries)
        parts: list[Doc] = []
        for index, entry in enumerate(entries):
            content: list[Doc] = [[text, HARD] for text in leading.get(index, [])]
            content.append(entry.build())
            content.extend(self.comment(text) for text in trailing.get(index, []))
            parts.append(content)
        joined: list[Doc] = [join(parts, [",", SPACE])]
        if magic or always_comma or len(entries) > 1:
            joined.append(IfBreaks(","))
        if magic:
            joined.append(EXPAND)
        joined.extend([HARD, text] for text in after)
        return joined

    def _attach(
        self, entries: list[Entry]
    ) -> tuple[dict[int, list[str]], dict[int, list[str]], list[str]]:
        """The comments before, beside and after the elements of a sequence."""
        leading: dict[int, list[str]] = {}
        trailing: dict[int, list[str]] = {}
        after: list[str] = []
        if not self.tokens.inner:
            return leading, trailing, after
        for comment in self.tokens.inner:
            index = self._element(comment, entries)
            if index is None:
                continue
            self.comments_left -= 1
            if not comment.own_line:
                trailing.setdefault(index, []).append(comment.text)
            elif index + 1 < len(entries):
                leading.setdefault(index + 1, []).append(comment.text)
            else:
                after.append(comment.text)
        return leading, trailing, after

    def _element(self, comment: Comment, entries: list[Entry]) -> int | None:
        """The element that a comment follows, -1 if it precedes the first, None if elsewhere."""
        opened = entries[0].first - 1
        if comment.bracket != opened:
            return None
        if comment.after == opened:
            return -1 if comment.own_line else None
        for index, entry in enumerate(entries):
            comma = self.tokens.strings[entry.last + 1] == ","
            if comment.after == entry.last + comma:
                return index
        return None
