"""A block from equal parts of lists, and the uses that replace them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specfmt.folding.listing import Item, Listing, Ref, map_refs
from specfmt.folding.names import Naming, find_naming, like
from specfmt.folding.segments import MAX_INPUTS
from specfmt.folding.values import Parameters, UnequalError
from specfmt.layers.blocks import INPUT
from specfmt.layers.registry import layer_class
from specfmt.vocab.naming import to_snake_case

NUMBER = re.compile(r"\$\(i \+ (\d+)\)|(0|[1-9][0-9]{0,8})")
"""A name that is a number, counted up if it is that of a repeated use."""

TYPE_WORDS = frozenset({"conv", "conv2d", "bn", "dense", "relu", "layer", "conv1d", "norm"})
"""Words for types in the names of layers."""

MAX_PARAMETERS = 8
"""The most parameters of a block."""


@dataclass(eq=False)
class Part:
    """Entries in a row in a list.

    Attributes:
        listing: The list.
        start, end: The places of the first and the last one.
    """

    listing: Listing
    start: int
    end: int

    @property
    def items(self) -> list[Item]:
        """Its entries."""
        return self.listing.items[self.start : self.end + 1]

    def reads(self) -> list[Ref]:
        """What it reads from outside, in the order of reading."""
        found = dict.fromkeys(ref for item in self.items for ref in item.refs)
        return [ref for ref in found if not self._is_inside(ref)]

    def gives_last(self) -> bool:
        """Whether only its last entry is read outside."""
        last = self.listing.last_reads()
        return all(last[place] <= self.end for place in range(self.start, self.end))

    def shape(self) -> list[Any]:
        """Its edges, with places in it instead of references."""
        numbers = {ref: index for index, ref in enumerate(self.reads())}

        def change(ref: Ref) -> Any:
            if ref in numbers:
                return ("x", numbers[ref])
            assert isinstance(ref.source, Item)
            return (ref.source.place - self.start, ref.port)

        return [map_refs(item.edges, change) for item in self.items]

    def _is_inside(self, ref: Ref) -> bool:
        return isinstance(ref.source, Item) and self.start <= ref.source.place <= self.end


@dataclass(eq=False)
class Made:
    """A block, and what replaces the parts that it was made of.

    Attributes:
        listing: The block.
        parts: The parts.
        uses: For each part the use of the block, whose kind is filled in with the block's name.
        outputs: The places of the entries that the block gives, from the start of the part.
        gain: The number of statements that it saves.
    """

    listing: Listing
    parts: list[Part]
    uses: list[Item]
    outputs: list[int]
    gain: float


def unify(parts: Sequence[Part], blocks: Mapping[str, Listing]) -> Made | None:
    """The block that the parts are uses of; None if there is none.

    Args:
        parts: Parts with equal structure.
        blocks: The blocks so far.
    """
    try:
        return _Unifier(parts, blocks).made()
    except UnequalError:
        return None


class _Unifier:
    def __init__(self, parts: Sequence[Part], blocks: Mapping[str, Listing]) -> None:
        self.blocks = blocks
        self.parts = list(parts)
        self.rows = [part.items for part in parts]
        self.size = len(self.rows[0])
        self.parameters = Parameters(len(parts))
        self.first: tuple[str, list[int]] | None = None

    def made(self) -> Made:
        inputs = self._inputs()
        outputs = self._outputs()
        naming = self._naming()
        items = self._items(inputs, naming)
        listing = Listing(
            None,
            (INPUT,) if len(inputs[0]) == 1 else tuple("xyz"[: len(inputs[0])]),
            items,
            [Ref(items[place]) for place in outputs],
            naming.uses is not None,
        )
        defaults = self.parameters.defaults()
        if len(defaults) > MAX_PARAMETERS:
            raise UnequalError
        listing.parameters = defaults
        listing.fields = dict(self.parameters.fields)
        uses = []
        given = 0
        for number, reads in enumerate(inputs):
            values = {
                name: self.parameters.columns[name][number]
                for name, default in defaults.items()
                if repr(self.parameters.columns[name][number]) != repr(default)
            }
            given += len(values)
            name = None if naming.uses is None else naming.uses[number]
            edges: Any = reads[0] if len(reads) == 1 else list(reads)
            use = Item(("block", ""), values, name, naming.uses is None, edges)
            use.out = self.rows[number][-1].out
            use.first = min(item.first for item in self.rows[number])
            uses.append(use)
        weight = listing.weight
        count = len(self.parts)
        gain = count * (weight - 1) - (weight + 2)
        texts = sum(not self._is_numbered(place) for place in naming.open)
        cost = 0.5 * len(defaults) + 0.1 * given + count * texts * (0.1 + 0.2 * texts)
        return Made(listing, self.parts, uses, outputs, gain - cost)

    def _inputs(self) -> list[list[Ref]]:
        found = [part.reads() for part in self.parts]
        if not 1 <= len(found[0]) <= MAX_INPUTS or len({len(reads) for reads in found}) > 1:
            raise UnequalError
        return found

    def _outputs(self) -> list[int]:
        """The places of the entries whose output is read outside: that of the last one."""
        if not all(part.gives_last() for part in self.parts):
            raise UnequalError
        return [self.size - 1]

    # ------------------------------------------------------------------------------ names

    def _naming(self) -> Naming:
        columns: list[list[str | None]] = []
        for place in range(self.size):
            column = [None if row[place].automatic else row[place].name for row in self.rows]
            if any(row[place].is_use and "repeat" in row[place].fields for row in self.rows):
                column = self._counted(place, column)
            columns.append(column)
        inside = [part.listing.block is not None for part in self.parts]
        found = find_naming(columns, inside)
        if found is None:
            # Names of which some are automatic are given by the uses.
            columns = [[row[place].name for row in self.rows] for place in range(self.size)]
            found = find_naming(columns, inside)
            if found is None:
                raise UnequalError
        if found.uses is not None:
            self._check_names(found.uses)
        if found.open:
            uses = [place for place in found.open if self.rows[0][place].is_use]
            if any(inside) or not all(self._is_numbered(place) for place in uses):
                raise UnequalError
        return found

    def _is_numbered(self, place: int) -> bool:
        """Whether the names of an entry are numbers in all parts."""
        found = [NUMBER.fullmatch(str(row[place].name)) for row in self.rows]
        return all(found) and len({match[1] is None for match in found if match}) == 1

    def _numbered(self, place: int) -> str:
        """The name of an entry as a number that is counted from a parameter."""
        found = [NUMBER.fullmatch(str(row[place].name)) for row in self.rows]
        column = [int(match[1] or match[2]) for match in found if match]
        if self.first is None:
            self.first = self.parameters.add("first", column), column
        name, base = self.first
        steps = {number - start for number, start in zip(column, base, strict=True)}
        if len(steps) > 1:
            name, steps = self.parameters.add("first", column), {0}
        (step,) = steps
        count = "" if not step else f" {'+' if step > 0 else '-'} {abs(step)}"
        if found[0] and found[0][1] is not None:
            return f"$(i + {name}{count})"
        return f"$({name}{count})" if count else f"${name}"

    def _check_names(self, uses: list[str]) -> None:
        """No use has the name of another entry of its list."""
        named = {(id(part.listing), use) for part, use in zip(self.parts, uses, strict=True)}
        if len(named) < len(uses):
            raise UnequalError
        for part, row, use in zip(self.parts, self.rows, uses, strict=True):
            inside = sum(item.name == use for item in row)
            if part.listing.count_of(use) > inside or use in part.listing.inputs:
                raise UnequalError
            if use in part.listing.layer_names and use != row[-1].out:
                raise UnequalError  # the name would mean another tensor

    def _counted(self, place: int, column: list[str | None]) -> list[str | None]:
        """The names of a use that is repeated in some of the parts: with the index in all."""
        patterns = [
            row[place].name
            for row in self.rows
            if "repeat" in row[place].fields and row[place].name
        ]
        if not patterns:
            return column
        result: list[str | None] = []
        for row, name in zip(self.rows, column, strict=True):
            if "repeat" not in row[place].fields and name is not None:
                name = like(name, str(patterns[0]))
                if name is None:
                    raise UnequalError
            result.append(name)
        return result

    # ------------------------------------------------------------------------------ items

    def _items(self, inputs: list[list[Ref]], naming: Naming) -> list[Item]:
        first = self.rows[0]
        columns = [self._columns(place) for place in range(self.size)]
        self.parameters.prepare(
            [
                (*self._called(key, first[place], naming.inner[place]), column)
                for place, each in enumerate(columns)
                for key, column in each.items()
            ]
        )
        numbers = {ref: Ref(number) for number, ref in enumerate(inputs[0])}
        made: list[Item] = []
        for place, item in enumerate(first):
            fields = {
                key: self.parameters.value(key, column) for key, column in columns[place].items()
            }
            name = naming.inner[place]
            texts = [str(row[place].name) for row in self.rows]
            if place in naming.open and self._is_numbered(place):
                name = self._numbered(place)
            elif place in naming.open:
                known = self.parameters.known.get(repr(texts))
                name = known or "$" + self.parameters.add(_snake(item.kind[1]), texts)

            def change(ref: Ref) -> Ref:
                if ref in numbers:
                    return numbers[ref]
                assert isinstance(ref.source, Item)
                return Ref(made[ref.source.place - self.parts[0].start], ref.port)

            edges = map_refs(item.edges, change)
            made.append(Item(item.kind, fields, name, name is None, edges))
        self._check_edges()
        return made

    def _called(self, key: str, item: Item, name: str | None) -> tuple[str, str]:
        """The field that a parameter is for, and a word for its layer."""
        if not item.is_use:
            return key, layer_word(name)
        field = self.blocks[item.kind[1]].fields.get(key, key)
        return field, key.removesuffix(field).rstrip("_") or layer_word(name)

    def _check_edges(self) -> None:
        """All parts have the same edges inside."""
        expected = self.parts[0].shape()
        if any(part.shape() != expected for part in self.parts[1:]):
            raise UnequalError

    def _columns(self, place: int) -> dict[str, list[Any]]:
        """The values of every field of an entry in all parts."""
        row = [items[place] for items in self.rows]
        kinds = {item.kind for item in row}
        if len(kinds) > 1 or any(item.fixed for item in row):
            raise UnequalError
        keys = list(dict.fromkeys(key for item in row for key in item.fields))
        found = {}
        for key in keys:
            column = []
            for part, item in zip(self.parts, row, strict=True):
                value = item.fields[key] if key in item.fields else self._default(item, key)
                plain = part.listing.block is None and not item.is_use
                column.append(escaped(value) if plain else value)
            found[key] = column
        return found

    def _default(self, item: Item, key: str) -> Any:
        """The value of a field that an entry leaves out."""
        if key == "repeat":
            return 1
        if item.is_use:
            return self.blocks[item.kind[1]].parameters[key]
        cls = layer_class(item.kind[1]) if item.kind[0] == "type" else None
        field_ = None if cls is None else cls.model_fields.get(key)
        value = None if field_ is None else field_.get_default(call_default_factory=True)
        if isinstance(value, tuple) and all(isinstance(v, (int, float)) for v in value):
            return list(value) if len(set(value)) > 1 else value[0]
        if field_ is None or field_.is_required() or not isinstance(value, (bool, int, float, str)):
            raise UnequalError
        return value


def escaped(value: Any) -> Any:
    """A value of a flat list, as it is written where expressions are computed."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: escaped(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [escaped(item) for item in value]
    return value


def _snake(kind: Any) -> str:
    return to_snake_case(str(kind))


def layer_word(name: str | None) -> str:
    """What a parameter is called after a layer of this name: its last word but for that of a type."""
    words = [word for word in (name or "").lower().split("_") if word not in TYPE_WORDS]
    text = words[-1] if words else ""
    return text if text.isidentifier() and text.isascii() else ""
