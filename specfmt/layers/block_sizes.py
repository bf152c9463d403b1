"""How much the uses of blocks stand for, found without writing them out.

A few nested repetitions can stand for more layers than there are atoms.  The size of a block is
found once for the same values of its parameters, so that such a document is refused at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from specfmt.fields.errors import FieldError
from specfmt.fields.expressions import evaluate_text, wrong
from specfmt.layers.blocks import INDEX, MAX_LAYERS, Block, parameters_of, uses_name
from specfmt.layers.registry import MODEL

PARTS = 50
"""An entry counts as one more layer for this many values in it."""

LETTERS = 5_000
"""An entry counts as one more layer for this many characters in its texts."""

MAX_PARTS = 10_000
"""The most values in the value of a parameter."""

MAX_NESTING = 50
"""The most lists and mappings inside each other in the value of a parameter."""

MODEL_LAYERS = (MODEL, "layers")
"""The type of a nested model, and the field with its own entries."""


def compute(value: Any, values: Mapping[str, Any]) -> Any:
    """Nested data with its expressions computed; the entries of nested models stay as they are.

    Raises:
        FieldError: SF217, an expression is wrong or cannot be computed.
    """
    if isinstance(value, str):
        return evaluate_text(value, values) if "$" in value else value
    if isinstance(value, dict):
        own = own_entries(value)
        return {key: item if item is own else compute(item, values) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [compute(item, values) for item in value]
    return value


def compute_parameter(value: Any, values: Mapping[str, Any]) -> Any:
    """The value of a parameter, which has a limited size.

    Raises:
        FieldError: As for `compute`.
    """
    found = compute(value, values)
    if isinstance(found, (dict, list)):
        _measure(found, MAX_PARTS, MAX_NESTING)
    return found


def _measure(value: Any, left: int, depth: int) -> int:
    """How many more values there may be after these."""
    left -= 1
    if left < 0 or depth < 0:
        raise wrong(f"a value with at most {MAX_PARTS:,} parts", value)
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            left = _measure(item, left, depth - 1)
    return left


def own_entries(value: Mapping[str, Any]) -> list[Any] | None:
    """The entries of a nested model; None of other data."""
    kind, field = MODEL_LAYERS
    found = value.get(field) if value.get("type") == kind else None
    return found if isinstance(found, list) else None


def uses_in(entries: Any) -> Iterator[dict[str, Any]]:
    """The uses of blocks among entries, those in nested models included."""
    if isinstance(entries, dict):
        if "block" in entries and isinstance(entries["block"], str):
            yield entries
        else:
            for item in entries.values():
                yield from uses_in(item)
    elif isinstance(entries, (list, tuple)):
        for item in entries:
            yield from uses_in(item)


class Sizes:
    """The sizes of uses in layers, for the blocks of one document, of which none uses itself.

    Args:
        blocks: The blocks without mistakes.
    """

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        self.blocks = blocks
        self._found: dict[tuple[str, str], int] = {}
        self._smallest: dict[str, int] = {}
        self._parts: dict[str, tuple[int, list[dict[str, Any]]]] = {}

    def of_use(self, use: dict[str, Any], values: Mapping[str, Any]) -> int:
        """The layers that a use stands for, at most one more than `MAX_LAYERS`."""
        block = self.blocks.get(use["block"])
        if block is None:
            return 1
        try:
            if compute(use.get("when", True), values) is False:
                return 1
            count = compute(use.get("repeat"), values)
        except FieldError:
            return 1
        if not isinstance(count, int) or isinstance(count, bool):
            return self._once(use, block, {**values, INDEX: 0})
        if not any(_uses_index(item) for item in parameters_of(use).values()):
            return min(count * self._once(use, block, values), MAX_LAYERS + 1)
        if count * self._least(use["block"]) > MAX_LAYERS:
            return MAX_LAYERS + 1
        total = 0
        for number in range(count):
            total += self._once(use, block, {**values, INDEX: number})
            if total > MAX_LAYERS:
                break
        return min(total, MAX_LAYERS + 1)

    def _once(self, use: dict[str, Any], block: Block, values: Mapping[str, Any]) -> int:
        arguments: dict[str, Any] = {"name": ""}
        for key, default in block.parameters.items():
            try:
                arguments[key] = compute_parameter(use.get(key, default), values)
            except FieldError:
                continue
        case = (use["block"], repr(arguments))
        if case not in self._found:
            total, uses = self._parts_of(use["block"], block.layers)
            for inner in uses:
                total += self.of_use(inner, arguments)
                if total > MAX_LAYERS:
                    break
            self._found[case] = min(total, MAX_LAYERS + 1)
        return self._found[case]

    def _least(self, kind: str) -> int:
        """The least that a block stands for, whatever the values of its parameters."""
        if kind not in self._smallest and kind in self.blocks:
            total, uses = self._parts_of(kind, self.blocks[kind].layers)
            for use in uses:
                count = use.get("repeat")
                often = "when" not in use and type(count) is int and 0 < count <= MAX_LAYERS
                inner = 1 if "when" in use else self._least(use["block"])
                total += (count if often and count else 1) * inner
            self._smallest[kind] = min(total, MAX_LAYERS + 1)
        return self._smallest.get(kind, 1)

    def _parts_of(self, kind: str, entries: Sequence[Any]) -> tuple[int, list[dict[str, Any]]]:
        """What a block counts without the uses in it, and these."""
        if kind not in self._parts:
            own = sum(1 + _parts(entry) // PARTS + _letters(entry) // LETTERS for entry in entries)
            self._parts[kind] = own, list(uses_in(entries))
        return self._parts[kind]


def _uses_index(value: Any) -> bool:
    if isinstance(value, (dict, list)):
        return any(map(_uses_index, value.values() if isinstance(value, dict) else value))
    try:
        return uses_name(value, INDEX)
    except FieldError:
        return False


def _parts(value: Any) -> int:
    if isinstance(value, (dict, list)):
        return 1 + sum(map(_parts, value.values() if isinstance(value, dict) else value))
    return 1


def _letters(value: Any) -> int:
    if isinstance(value, (dict, list)):
        return sum(map(_letters, value.values() if isinstance(value, dict) else value))
    return len(value) if isinstance(value, str) else 0
