"""The names of the uses of a block, and of the entries inside it, from the names of the layers.

A name inside a block follows that of its use and ``_``, or is made of it with ``$name``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from specfmt.fields.errors import FieldError
from specfmt.fields.expressions import parse_text
from specfmt.layers.blocks import is_whole

Column = Sequence[str | None]
"""The names of one entry in all uses; None where it is automatic."""


@dataclass
class Naming:
    """How the entries of a block are named.

    Attributes:
        uses: The name of each use; None if the uses have none.
        inner: For each entry its name inside the block; None for an automatic one, and for one
            that needs a parameter.
        open: The entries whose names need a parameter.
    """

    uses: list[str] | None
    inner: list[str | None]
    open: list[int]


def find_naming(columns: Sequence[Column], inside: Sequence[bool]) -> Naming | None:
    """The naming that says the most of these names.

    Args:
        columns: For each entry its names in the uses.
        inside: For each use whether it stands in a block itself.

    Returns:
        None if only some of an entry's names are automatic, or none says any.
    """
    named = []
    for number, column in enumerate(columns):
        missing = sum(name is None for name in column)
        if missing not in (0, len(column)):
            return None
        if not missing:
            named.append(number)
    inner: list[str | None] = [None] * len(columns)
    if not named:
        return Naming(None, inner, [])
    texts = {
        number: [
            _entire(str(name)) if among else str(name)
            for name, among in zip(columns[number], inside, strict=True)
        ]
        for number in named
    }
    best: tuple[tuple[int, int, int], list[str], dict[int, str]] | None = None
    for number in _distinct(texts):
        for uses in _candidates(texts[number]):
            made = {
                n: text for n, column in texts.items() if (text := _inner(column, uses)) is not None
            }
            plain = sum("$" not in text for text in made.values())
            score = (len(made), plain, len(uses[0]))
            if best is None or score > best[0]:
                best = (score, uses, made)
        if best is not None and best[0][0] == len(named):
            break
    if best is None:
        return None
    _, uses, made = best
    for number, text in made.items():
        inner[number] = text
    uses = [_own(use) if among else use for use, among in zip(uses, inside, strict=True)]
    return Naming(uses, inner, [n for n in named if n not in made])


AROUND = "$(name)"
"""The name of the use around an entry."""


def _entire(name: str) -> str:
    """A name inside a block with that of the use around it."""
    return re.sub(r"\$name\b", AROUND, name) if is_whole(name) else f"{AROUND}_{name}"


def _own(name: str) -> str:
    """What is written for an entire name inside a block; see `_entire`."""
    if name.startswith(f"{AROUND}_"):
        return name.removeprefix(f"{AROUND}_")
    return re.sub(r"\$\(name\)(?!\w)", "$name", name)


def _distinct(texts: dict[int, list[str]]) -> list[int]:
    """Up to four entries to take names from: the first, and those with the shortest names."""
    numbers = sorted(texts, key=lambda n: len(texts[n][0]))
    return list(dict.fromkeys([next(iter(texts)), *numbers[:3]]))


def _candidates(column: list[str]) -> list[list[str]]:
    """Names of the uses that one entry's names suggest, the longest first."""
    prefix = os.path.commonprefix(column)
    suffix = os.path.commonprefix([name[::-1] for name in column])[::-1]
    starts = [0, *(m.end() for m in re.finditer("_", prefix) if m.end() <= len(prefix))]
    ends = [0, *(len(suffix) - m.start() for m in re.finditer("_", suffix))]
    letters = re.search(r"[a-z]$", suffix)
    if letters and not ends[1:]:
        ends.append(1)
    found = []
    for start in starts[:6]:
        for end in sorted(set(ends))[:6]:
            uses = [name[start : len(name) - end] for name in column]
            if any(not name or name[0] == "_" or name[-1] == "_" for name in uses):
                continue
            if not all(map(_is_text, uses)):
                continue
            found.append(uses)
    return found


def _is_text(name: str) -> bool:
    try:
        parse_text(name)
    except FieldError:
        return False
    return True


def _inner(column: list[str], uses: list[str]) -> str | None:
    """What an entry's names are, in terms of those of the uses; None if they differ in that."""
    first, use = column[0], uses[0]
    start = first.find(use)
    while start >= 0:
        before, after = first[:start], first[start + len(use) :]
        if all(n == before + u + after for n, u in zip(column, uses, strict=True)):
            if "$" in before or "$" in after:
                return None
            if not before and after[:1] == "_" and len(after) > 1:
                return after[1:]
            own = "$name" if not re.match(r"\w", after) else "$(name)"
            return f"{before}{own}{after}"
        start = first.find(use, start + 1)
    return None


def counted(names: Sequence[str], inside: bool = False) -> str | None:
    """The name of a repeated use, with the index in it, that gives these names; None if none does.

    Args:
        names: The names of the repetitions.
        inside: Whether they stand in a block, where a name that is one expression is whole.
    """
    first = names[0]
    match = re.fullmatch(r"(.*?)(\d+)", first, re.S)
    if (
        match is not None
        and not (inside and not match[1])
        and (match[2] == "0" or match[2][0] != "0")
    ):
        start = int(match[2])
        if list(names) == [f"{match[1]}{start + k}" for k in range(len(names))]:
            return f"{match[1]}${f'(i + {start})' if start else 'i'}"
    if "$" not in first[-1:] and first[-1:].isalpha() and first[-1:].islower() and first.isascii():
        start = ord(first[-1])
        if list(names) == [first[:-1] + chr(start + k) for k in range(len(names))]:
            return f"{first[:-1]}$(chr(i + {start}))"
    return None


def progressing(values: Sequence[Any]) -> str | None:
    """An expression of the index that gives these numbers exactly, which grow by equal steps.

    It has the form ``0.2 * (i + 3) / 16``, in which programs compute rates that grow from layer to
    layer.
    """
    first, step = values[0], values[1] - values[0]
    if not step or not all(isinstance(v, float) and abs(v) < MAX_RATE for v in values):
        return None
    start = round(first / step)
    for parts in range(1, MAX_PARTS):
        whole = round(step * parts, 2)
        if whole and abs(whole - step * parts) < EXACT:
            found = [whole * (number + start) / parts for number in range(len(values))]
            if found == list(values):
                count = f"(i + {start})" if start else "i"
                return f"$({whole} * {count} / {parts})" if start >= 0 else None
    return None


MAX_RATE = 1e6
"""The largest of numbers that grow by equal steps."""

MAX_PARTS = 400
"""The most parts into which a rate is divided."""

EXACT = 1e-9

_COUNTED = re.compile(r"(.*)\$(?:\(i \+ (\d+)\)|i|\(chr\(i \+ (\d+)\)\))", re.S)


def like(name: str, pattern: str) -> str | None:
    """The name of a use that stands once, written as that of a repeated use is; see `counted`."""
    match = _COUNTED.fullmatch(pattern)
    if match is None or _COUNTED.fullmatch(name):
        return None
    made = counted([name])
    kind = match[3] is not None
    if made is None or ("chr(" in made) is not kind:
        return None
    return made
