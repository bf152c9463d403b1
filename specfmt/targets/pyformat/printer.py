"""Prints documents: decides which line breaks are taken."""

from __future__ import annotations

from typing import Final, TypeAlias

from specfmt.targets.pyformat.doc import (
    HARD,
    BestFitParenthesize,
    BestFitting,
    CloseParenthesis,
    Doc,
    FitsExpanded,
    Group,
    IfBreaks,
    Indent,
    Line,
    LineSuffix,
    propagate,
    text_width,
)

_FIRST_LINE, _ALL_LINES, _ALL_LINES_OVERFLOW = range(3)
_CLOSE: Final = CloseParenthesis()

# A document, its indentation in columns, whether it is flat, and which lines a measurement reads.
_Frame: TypeAlias = "tuple[Doc | CloseParenthesis, int, bool, int]"


def render(doc: Doc, indent: int, width: int) -> str:
    """Prints a document.

    Args:
        doc: what to print; its groups are changed in place.
        indent: columns before the first line and under every further one.
        width: columns that a line should not exceed.

    Returns:
        The text, its first line indented, without a final line break.
    """
    propagate(doc)
    return _Printer(width).print(doc, indent)


class _Printer:
    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.out: list[str] = []
        self.width = 0
        self.pending = 0
        self.line_empty = True
        # Whether the rest of this line is known to fit, so that flat groups need no measurement.
        self.measured = False
        self.flat_groups: dict[int, bool] = {}
        self.suffixes: list[str] = []
        self.stack: list[_Frame] = []

    def print(self, root: Doc, root_indent: int) -> str:
        self.pending = root_indent
        stack = self.stack
        stack.append((root, root_indent, False, _FIRST_LINE))
        while stack:
            doc, indent, flat, measure = stack.pop()
            if isinstance(doc, str):
                self._text(doc)
            elif isinstance(doc, list):
                stack.extend([(part, indent, flat, measure) for part in reversed(doc)])
            elif isinstance(doc, Line):
                if flat and doc.flat is not None:
                    if doc.flat:
                        self._text(doc.flat)
                else:
                    self._newline(indent)
            elif isinstance(doc, Group):
                self._group(doc, indent, flat, measure)
            elif isinstance(doc, Indent):
                deeper = doc.if_breaks is None or not self.flat_groups[doc.if_breaks]
                stack.append((doc.content, indent + 4 * deeper, flat, measure))
            elif isinstance(doc, IfBreaks):
                if doc.flat == (flat if doc.id is None else self.flat_groups[doc.id]):
                    stack.append((doc.content, indent, flat, measure))
            elif isinstance(doc, FitsExpanded):
                if doc.if_fits is None or self.flat_groups[doc.if_fits]:
                    self.measured = False
                stack.append((doc.content, indent, flat, measure))
            elif isinstance(doc, BestFitting):
                self._best_fitting(doc, indent, flat, measure)
            elif isinstance(doc, BestFitParenthesize):
                self._best_fit_parenthesize(doc, indent, flat, measure)
            elif isinstance(doc, LineSuffix):
                self.width += doc.reserved
                self.suffixes.append(doc.text)
        self.out.extend(self.suffixes)
        return "".join(self.out)

    def _text(self, text: str) -> None:
        if self.pending:
            self.out.append(" " * self.pending)
            self.width += self.pending
            self.pending = 0
        self.out.append(text)
        self.line_empty = False
        if "\n" in text:
            self.measured = False
            self.width = text_width(text.rpartition("\n")[2])
        else:
            self.width += text_width(text)

    def _newline(self, indent: int) -> None:
        self.out.extend(self.suffixes)
        self.suffixes.clear()
        if not self.line_empty:
            self.out.append("\n")
            self.width = 0
            self.line_empty = True
            self.measured = False
        self.pending = indent

    def _group(self, doc: Group, indent: int, flat: bool, measure: int) -> None:
        stack = self.stack
        if doc.unless_flat is not None and self.flat_groups[doc.unless_flat]:
            stack.append((doc.content, indent, flat, measure))
            return
        if doc.expand:
            group_flat = False
        else:
            group_flat = self._fits_flat(doc.content, doc.id, indent, flat, measure)
        if doc.id is not None:
            self.flat_groups[doc.id] = group_flat
        stack.append((doc.content, indent, group_flat, measure))

    def _fits_flat(self, doc: Doc, id: int | None, indent: int, flat: bool, measure: int) -> bool:
        if flat and self.measured:
            return True
        self.measured = True
        if id is not None:
            self.flat_groups[id] = True
        return self._fits([(doc, indent, True, measure)])

    def _best_fitting(self, doc: BestFitting, indent: int, flat: bool, measure: int) -> None:
        if flat and self.measured:
            self.stack.append((doc.variants[0], indent, True, measure))
            return
        self.measured = True
        variant_measure = _ALL_LINES if doc.all_lines else _FIRST_LINE
        for variant in doc.variants[:-1]:
            if self._fits([(variant, indent, True, variant_measure)]):
                self.stack.append((variant, indent, True, measure))
                return
        self.stack.append((doc.variants[-1], indent, False, measure))

    def _best_fit_parenthesize(
        self, doc: BestFitParenthesize, indent: int, flat: bool, measure: int
    ) -> None:
        parenthesized = False
        if not self._fits_flat(doc.content, doc.id, indent, flat, measure):
            self.flat_groups[doc.id] = False
            # Parentheses that do not make the content fit are left out.
            parenthesized = self._fits(
                [
                    (_CLOSE, indent, flat, _ALL_LINES),
                    (Indent([HARD, doc.content]), indent, flat, _ALL_LINES),
                    ("(", indent, flat, _ALL_LINES),
                ]
            )
        self.flat_groups[doc.id] = not parenthesized
        if parenthesized:
            content: Doc = ["(", Indent([HARD, doc.content]), HARD, ")"]
            self.stack.append((content, indent, False, measure))
        else:
            self.stack.append((doc.content, indent, True, measure))

    def _fits(self, local: list[_Frame]) -> bool:
        """Whether the frames and what follows them fit, up to the first line break taken."""
        stack, limit, flat_groups = self.stack, self.limit, self.flat_groups
        position = len(stack)
        width, pending = self.width, self.pending
        while True:
            if local:
                doc, indent, flat, measure = local.pop()
            elif position:
                position -= 1
                doc, indent, flat, measure = stack[position]
            else:
                return True
            if isinstance(doc, (str, Line, CloseParenthesis)):
                if isinstance(doc, Line):
                    if not flat and measure != _FIRST_LINE:
                        width, pending = 0, indent
                        continue
                    if not flat or doc.flat is None:
                        return True
                    if not doc.flat:
                        continue
                    text = doc.flat
                elif isinstance(doc, CloseParenthesis):
                    if flat:
                        continue
                    width, pending, text = 0, indent, ")"
                else:
                    text = doc
                width += pending
                pending = 0
                if "\n" in text:
                    head, _, rest = text.partition("\n")
                    if measure == _FIRST_LINE:
                        return width + text_width(head) <= limit
                    width = text_width(rest.rpartition("\n")[2])
                else:
                    width += text_width(text)
                if width > limit and measure != _ALL_LINES_OVERFLOW:
                    return False
            elif isinstance(doc, list):
                local.extend([(part, indent, flat, measure) for part in reversed(doc)])
            elif isinstance(doc, Group):
                if doc.unless_flat is not None and flat_groups[doc.unless_flat]:
                    local.append((doc.content, indent, flat, measure))
                    continue
                group_flat = flat and not doc.expand
                if doc.id is not None:
                    flat_groups[doc.id] = group_flat
                local.append((doc.content, indent, group_flat, measure))
            elif isinstance(doc, Indent):
                deeper = doc.if_breaks is None or not flat_groups[doc.if_breaks]
                local.append((doc.content, indent + 4 * deeper, flat, measure))
            elif isinstance(doc, IfBreaks):
                if doc.flat == (flat if doc.id is None else flat_groups[doc.id]):
                    local.append((doc.content, indent, flat, measure))
            elif isinstance(doc, FitsExpanded):
                if flat:
                    if doc.if_fits is None or flat_groups[doc.if_fits]:
                        flat, measure = False, _ALL_LINES_OVERFLOW
                    elif doc.expands:
                        return False
                local.append((doc.content, indent, flat, measure))
            elif isinstance(doc, BestFitting):
                if flat:
                    variant_measure = _ALL_LINES if doc.all_lines else _FIRST_LINE
                    local.append((doc.variants[0], indent, True, variant_measure))
                else:
                    local.append((doc.variants[-1], indent, False, measure))
            elif isinstance(doc, BestFitParenthesize):
                flat_groups[doc.id] = flat
                local.append((doc.content, indent, flat, measure))
            elif isinstance(doc, LineSuffix):
                width += doc.reserved
                if doc.reserved and width > limit:
                    return False
