"""What differs between equal structures: parameters, and expressions of them."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Sequence
from typing import Any

from specfmt.layers.blocks import INDEX, REQUIRED, USE_FIELDS

MAX_FACTOR = 64
"""The largest factor between fields that become one parameter."""

FEW = 8
"""A larger factor is written as a quotient of another parameter, if there is one."""

FEW_USES = 2
"""So many uses are too few to say that a quotient is no coincidence."""

MAX_NUMBERS = 40
"""The most fields with different numbers that are compared with each other."""

TAKEN = (*USE_FIELDS, INDEX, "x", "y", "z", "type", "op", "true", "false", "null", "chr")


class UnequalError(Exception):
    """Structures that cannot become one block."""


class Parameters:
    """The parameters of a block, as its uses are compared.

    Args:
        count: The number of uses.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.columns: dict[str, list[Any]] = {}
        self.known: dict[str, str] = {}
        self.taken: set[str] = set(TAKEN)
        self.bases: dict[str, tuple[str, list[int]]] = {}
        self.names: dict[str, str] = {}
        self.fields: dict[str, str] = {}
        self.kinds: dict[str, str] = {}

    def prepare(self, columns: Sequence[tuple[str, str, Sequence[Any]]]) -> None:
        """Find which fields are multiples of others, and names for parameters.

        A parameter has the name of its field; if several of that field vary, each follows the name
        of its layer.

        Args:
            columns: The fields to come, each with a word for its layer and its values in the uses.
        """
        self._find_bases([(key, column) for key, _, column in columns])
        own: dict[str, dict[str, str]] = {}
        for key, word, column in columns:
            text = repr(list(column))
            varies = text not in self.bases and len(set(map(repr, column))) > 1
            if varies and text not in self.names and not isinstance(column[0], (list, dict)):
                self.names[text] = self.kinds[text] = key
                own.setdefault(key, {})[text] = word
        for key, found in own.items():
            for text, word in found.items():
                if len(found) > 1 and word:
                    self.names[text] = f"{word}_{key}"

    def _find_bases(self, columns: Sequence[tuple[str, Sequence[Any]]]) -> None:
        numbers: dict[str, tuple[str, list[int]]] = {}
        for key, column in columns:
            if len(set(map(repr, column))) > 1 and all(type(v) is int and v > 0 for v in column):
                numbers.setdefault(repr(list(column)), (key, list(column)))
        if len(numbers) > MAX_NUMBERS:
            return
        left = dict(sorted(numbers.items(), key=lambda item: sum(item[1][1])))
        while left:
            family = self._family(list(left.values()))
            base = self._base(family)
            for _, column in family:
                del left[repr(column)]
                if column is not base[1]:
                    self.bases[repr(column)] = base

    @staticmethod
    def _family(numbers: list[tuple[str, list[int]]]) -> list[tuple[str, list[int]]]:
        """The first of these columns, and those that are multiples of it."""
        first = numbers[0]
        return [first, *(n for n in numbers[1:] if _factor(n[1], first[1]) is not None)]

    def _base(self, family: list[tuple[str, list[int]]]) -> tuple[str, list[int]]:
        """The column of which the others are small multiples; smaller ones are divided from it."""
        for number, (key, column) in enumerate(family):
            larger = all((_factor(n[1], column) or FEW + 1) <= FEW for n in family[number + 1 :])
            smaller = all(_factor(column, n[1]) is not None for n in family[:number])
            if larger and smaller and (not number or self.count > FEW_USES):
                return key, column
        return family[0]

    def value(self, key: str, column: Sequence[Any]) -> Any:
        """What stands in the block for a field with these values in its uses."""
        first = column[0]
        if all(_same(first, other) for other in column):
            return first
        if all(isinstance(v, dict) for v in column):
            if any(list(v) != list(first) for v in column):
                raise UnequalError
            return {k: self.value(k, [v[k] for v in column]) for k in first}
        if all(isinstance(v, (list, tuple)) and len(v) == len(first) for v in column):
            parts = list(zip(*column, strict=True))
            varying = [part for part in parts if any(not _same(part[0], v) for v in part)]
            if any(isinstance(v, (dict, list)) for part in parts for v in part):
                return [self.value(key, part) for part in parts]
            if len(set(map(repr, varying))) == 1 or all(self._known(part) for part in varying):
                return [self.value(key, part) for part in parts]
        if any(isinstance(v, dict) for v in column):
            raise UnequalError
        return self._known(column) or "$" + self.add(key, column)

    def _known(self, column: Sequence[Any]) -> str | None:
        """An expression of the parameters so far that has these values."""
        found = self.known.get(repr(list(column)))
        if found is not None:
            return found
        base = self.bases.get(repr(list(column)))
        if base is not None:
            key, other = base
            name = self.known.get(repr(other), "")[1:] or self.add(key, other)
            factor = _factor(column, other)
            return f"$({factor} * {name})" if factor else f"$({name} // {_factor(other, column)})"
        return self._chosen(column)

    def _chosen(self, column: Sequence[Any]) -> str | None:
        """An expression that chooses between two values by a parameter with two values."""
        kinds = Counter(map(repr, column))
        if len(kinds) != 2 or min(kinds.values()) < 2 or self.count < 5:
            return None
        if not all(isinstance(v, (int, str)) and "$" not in str(v) for v in column):
            return None
        for name, other in self.columns.items():
            values = {repr(v): v for v in other}
            if len(values) != 2 or not all(isinstance(v, (int, str)) for v in other):
                continue
            chosen: dict[str, Any] = {}
            pairs = list(zip(map(repr, other), column, strict=True))
            if all(_same(chosen.setdefault(key, v), v) for key, v in pairs):
                (key, one), (_, two) = chosen.items()
                test = name if values[key] is True else f"not {name}"
                if not isinstance(values[key], bool):
                    if "$" in str(values[key]):
                        continue
                    test = f"{name} == {_literal(values[key])}"
                return f"$({_literal(one)} if {test} else {_literal(two)})"
        return None

    def add(self, key: str, column: Sequence[Any]) -> str:
        """A new parameter, named after the field."""
        key = self.names.get(repr(list(column)), key)
        key = "depth" if key == "repeat" else key
        base = key if key.isidentifier() and key.isascii() else "value"
        base = base + "_" if keyword.iskeyword(base) or base in TAKEN else base
        name, number = base, 1
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        self.fields[name] = self.kinds.get(repr(list(column)), key)
        self.columns[name] = list(column)
        self.known[repr(list(column))] = f"${name}"
        return name

    def defaults(self) -> dict[str, Any]:
        """Each parameter's default: the value that most uses have, if it is plain."""
        found: dict[str, Any] = {}
        for name, column in self.columns.items():
            counts = Counter(map(repr, column))
            common, times = counts.most_common(1)[0]
            value = next(v for v in column if repr(v) == common)
            plain = "$" not in common and value is not None and value != REQUIRED
            found[name] = value if plain and 2 * times > self.count else REQUIRED
        order = sorted(found, key=lambda n: found[n] != REQUIRED)
        return {name: found[name] for name in order}


def _factor(column: Sequence[Any], other: Sequence[Any]) -> int | None:
    """By which number each of these is more than each of those."""
    factor = int(column[0] // other[0])
    if not 1 < factor <= MAX_FACTOR:
        return None
    return factor if all(v == factor * w for v, w in zip(column, other, strict=True)) else None


def _same(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)


def _literal(value: Any) -> str:
    return repr(value) if not isinstance(value, bool) else str(value).lower()
