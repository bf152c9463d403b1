"""Errors about values that break a rule, and suggestions for misspelt names."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from specfmt.diagnostics import Diagnostic, Path, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def show(value: object, limit: int = 60) -> str:
    """A received value as in YAML, cut to ``limit`` characters."""
    if value is None:
        text = "null"
    elif value is True or value is False:
        text = str(value).lower()
    elif isinstance(value, str):
        mark = "'" if '"' in value[:limit] else '"'
        text = value if len(value) <= limit else f"{value[:limit]}..."
        return printable(f"{mark}{text}{mark}")
    elif isinstance(value, dict):
        text = "a mapping" if len(value) > 3 else _show_mapping(value)
    elif isinstance(value, (list, tuple)) and len(value) <= 6:
        text = "[" + ", ".join(show(item, 20) for item in value) + "]"
    elif isinstance(value, (list, tuple)):
        text = f"a list of {len(value)}"
    else:
        text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _show_mapping(value: Mapping[Any, Any]) -> str:
    return "{" + ", ".join(f"{key}: {show(item, 20)}" for key, item in value.items()) + "}"


class FieldError(ValueError):
    """A value breaks its rule.

    Args:
        expected: What the rule accepts, as the end of "expected ...".
        received: The value.
        hint: How to fix it.
        code: The diagnostic's code.
    """

    def __init__(
        self, expected: str, received: object, hint: str = "", code: str = "SF123"
    ) -> None:
        self.code = code
        self.hint = hint
        self.message = printable(f"expected {expected}, received {show(received)}")
        super().__init__(self.message)


class NestedError(ValueError):
    """Findings inside a nested value; paths are relative to that value."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(printable("; ".join(d.message for d in self.diagnostics)))


def close_matches(word: object, choices: Iterable[str]) -> tuple[str, ...]:
    """The choice that a misspelt name probably means, if there is exactly one; else empty."""
    if not isinstance(word, str) or len(word) > 80:
        return ()
    return _close_matches(word, tuple(choices))


@lru_cache(maxsize=256)
def _close_matches(word: str, choices: tuple[str, ...]) -> tuple[str, ...]:
    """The nearest choice that a few typing errors turn the word into, or that it abbreviates.

    No suggestion is better than a wrong one: words that only share an ending are not close
    ("TextVectorization", "BatchNormalization"), and of several equally near none is returned.
    """
    import difflib

    table: dict[str, str] = {}
    for choice in choices:  # of `Accuracy` and `accuracy` the one in the case of the word
        if choice.lower() not in table or choice.islower() == word.islower():
            table[choice.lower()] = choice
    folded = word.lower()
    likely = difflib.get_close_matches(folded, table, n=5, cutoff=0.6)
    distances = {choice: _edit_distance(folded, choice) for choice in likely}
    fewest = min(distances.values(), default=len(folded))
    nearest = [choice for choice in likely if distances[choice] == fewest]
    for found in (
        nearest if fewest < 2 else [],
        [choice for choice in likely if _abbreviates(folded, choice)],
        nearest if fewest <= len(folded) // 4 else [],
        [choice for choice in table if choice.startswith(folded) and len(folded) > 2],
    ):
        if found:
            return (table[found[0]],) if len(found) == 1 else ()
    return ()


def _abbreviates(word: str, other: str) -> bool:
    """Whether another word contains all letters of a word in this order, as Average does Avg."""
    letters = iter(other)
    return len(other) > len(word) and other[0] == word[0] and all(c in letters for c in word)


def _edit_distance(word: str, other: str) -> int:
    """The number of letters that were added, left out, replaced or swapped with their neighbour.

    This is the optimal string alignment distance (L. Boytsov, "Indexing methods for approximate
    dictionary searching", 2011).
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == wanted:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]


def did_you_mean(word: object, choices: Iterable[str]) -> str:
    """A hint with the closest choice; empty if there is none."""
    close = close_matches(word, choices)
    return f"did you mean {close[0]}?" if close else ""


def error_to_diagnostic(error: FieldError, path: Path) -> Diagnostic:
    """The finding at ``path`` about a value that breaks its rule."""
    return Diagnostic(error.code, error.message, path, error.hint)
