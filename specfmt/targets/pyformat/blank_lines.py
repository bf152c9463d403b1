"""Empty lines between statements, as ruff leaves them."""

from __future__ import annotations

import tokenize
from dataclasses import dataclass

from specfmt.targets.pyformat.tokens import Unit

_CONTINUATIONS = frozenset({"elif", "else", "except", "finally", "case"})
_DEFINITIONS = frozenset({"def", "class", "@"})
_IMPORTS = frozenset({"import", "from"})


@dataclass(slots=True)
class _Block:
    """An open block: the keyword that opened it, its first statement and its last one so far."""

    indent: int
    opener: str
    first: Unit | None = None
    previous: Unit | None = None


def space(units: list[Unit]) -> None:
    """Sets the empty lines before every unit of a file.

    A unit keeps its own count where the style allows a choice; two lines at most stand at the top
    level and one inside a block.
    """
    blocks = [_Block(0, "")]
    header: Unit | None = None
    start = 0
    for position, unit in enumerate(units):
        if not unit.tokens:
            continue
        # Comments right above a statement, at its indentation, belong to it.
        first = position
        while first > start and units[first - 1].indent == unit.indent:
            first -= 1
        for other in units[start:first]:
            other.blank = min(other.blank, 1 if other.indent else 2)
        _space_group(units[first : position + 1], blocks, header)
        start = position + 1
        header = unit if unit.is_header else None
        blocks[-1].first = blocks[-1].first or unit
        blocks[-1].previous = unit
    for other in units[start:]:
        other.blank = min(other.blank, 1 if other.indent else 2)
    if units:
        units[0].blank = 0


def _space_group(group: list[Unit], blocks: list[_Block], header: Unit | None) -> None:
    """Spaces a statement and the comments above it."""
    unit, commented = group[-1], len(group) > 1
    most = 1 if unit.indent else 2
    is_definition = unit.keyword in _DEFINITIONS
    for each in group[1:]:
        each.blank = min(each.blank, most)
    if commented and is_definition and unit.blank:
        unit.blank = most
    lead = group[0]
    if header is not None:
        opener = header.keyword
        blocks.append(_Block(unit.indent, opener))
        if opener == "def":
            lead.blank = 0 if is_docstring(unit) else min(lead.blank, 1)
        else:
            lead.blank = int(is_definition and not commented and opener != "class")
        return
    after_definition = _is_definition(blocks[-1].previous)
    while len(blocks) > 1 and blocks[-1].indent > unit.indent:
        blocks.pop()
        after_definition = after_definition or _is_definition(blocks[-1].previous)
    block = blocks[-1]
    previous = block.previous
    if previous is None:
        return
    if unit.keyword in _CONTINUATIONS and unit.is_header:
        lead.blank = min(lead.blank, most)
    elif previous.keyword == "@":
        lead.blank = min(lead.blank, 1) if commented else 0
    elif is_definition or after_definition:
        stub = previous.keyword == "def" and not previous.is_header and unit.keyword in "def@"
        lead.blank = 0 if stub and not lead.blank else most
    elif previous.keyword in _IMPORTS and (unit.keyword not in _IMPORTS or commented):
        lead.blank = min(max(lead.blank, 1), most)
    elif previous is block.first and block.opener in ("", "class") and is_docstring(previous):
        lead.blank = 1
    else:
        lead.blank = min(lead.blank, most)


def _is_definition(unit: Unit | None) -> bool:
    return unit is not None and unit.keyword in ("def", "class")


def is_docstring(unit: Unit) -> bool:
    """Whether a statement is a string and nothing else."""
    return len(unit.tokens) == 1 and unit.tokens[0].type == tokenize.STRING
