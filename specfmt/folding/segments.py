"""Segments of a list of entries: runs of entries that compute one value from another.

A list is cut where exactly one value is alive, and so are the branches inside a segment.  What lies
between two cuts is a segment, which has a symbol: the hash of its structure without the values of
fields and without names.  Segments that follow each other make a chain, and equal parts of chains
are what can become a block.  Where too much is alive for such cuts, the list is also cut where two
or three values are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from specfmt.folding.listing import Item, Listing, Ref, map_refs
from specfmt.layers.registry import MODEL

WORK = 40
"""The most steps per entry in the search for segments; a graph that needs more is cut less."""

MAX_INPUTS = 3
"""The most inputs of a block."""

LARGE = 24
"""The fewest segments beside each other for which cuts with more values alive are worth it."""


@dataclass(eq=False)
class Segment:
    """The entries ``start`` to ``end`` of a list.

    Attributes:
        symbol: A number that is equal for equal structure.
        weight: The number of its statements.
        parts: The segments that it consists of; empty for one entry.
        follows: Whether it reads only what the segment before it gives, and is its only reader.
    """

    start: int
    end: int
    symbol: int
    weight: int
    parts: list[Segment] = field(default_factory=list)
    follows: bool = False
    low: int = 0
    high: int = 0


class Symbols:
    """Numbers for structures."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def number(self, structure: Any) -> int:
        """The number of a structure, which can be hashed."""
        return self.numbers.setdefault(structure, len(self.numbers) + 1)

    def of_item(self, item: Item) -> int:
        """The structure of one entry without its edges."""
        if not item.symbol:
            item.symbol = self.number(("kind", *_structure(item)))
        return item.symbol


def _structure(item: Item) -> tuple[Any, ...]:
    kind = (str(item.kind[0]), str(item.kind[1]))
    if item.fixed:
        return (*kind, id(item))
    if item.kind == ("type", MODEL):
        return (*kind, _skeleton(item.fields))
    nested = {k: v for k, v in item.fields.items() if is_structural(k, v, item.is_use)}
    shape = json.dumps(nested, sort_keys=True, default=str) if nested else ""
    return (*kind, shape, "when" in item.fields)


def is_structural(key: str, value: Any, in_use: bool) -> bool:
    """Whether a field's value is part of the structure: it is nested, or turns layers on and off."""
    if isinstance(value, dict):
        return True
    if isinstance(value, (list, tuple)):
        return any(is_structural(key, item, False) for item in value)
    return in_use and isinstance(value, bool)


def _skeleton(value: Any, key: str = "") -> Any:
    """Nested data without its values, but for what says which kind of thing it is."""
    if isinstance(value, dict):
        return tuple((k, _skeleton(v, k)) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(_skeleton(item, key) for item in value)
    if key in ("type", "op", "reuse", "class", "call") or key == "inputs":
        return value
    return None


def _edge_shape(item: Item, where: Any) -> Any:
    """The edges with references replaced by what ``where`` says, as something that can be hashed."""
    shape = map_refs(item.edges, where)
    return shape if isinstance(shape, (tuple, type(None))) else json.dumps(shape, default=list)


def segments(listing: Listing, symbols: Symbols) -> list[Segment]:
    """The segments of a list."""
    listing.number()
    items = listing.items
    last = listing.last_reads()
    meets = _meetings(items)
    stack: list[Segment] = []
    work = WORK * len(items)
    for place, item in enumerate(items):
        single = _single(item, place, last[place], symbols)
        stack.append(single)
        meet = meets[place]
        if meet is None or work <= 0:
            continue
        first = len(stack) - 1
        low, high = single.low, -1
        while first > 0 and stack[first - 1].start > meet:
            first -= 1
            low = min(low, stack[first].low)
            high = max(high, stack[first].high)
            work -= 1
        if (
            first < len(stack) - 1
            and stack[first].start == meet + 1
            and low >= meet
            and high <= place
        ):
            parts = stack[first:]
            stack[first:] = [_composed(parts, items, last, symbols)]
    _link(stack, items, last)
    return stack


def _meetings(items: list[Item]) -> list[int | None]:
    """For each entry with several inputs the place that all ways to it go through; -1 is the input.

    It is the entry's immediate dominator, found by walking up the tree of dominators.
    """
    above: list[int | None] = []
    depth: list[int] = []
    found: list[int | None] = []
    budget = WORK * len(items)

    def up(place: int) -> int | None:
        return above[place] if place >= 0 else None

    for item in items:
        places = [
            r.source.place if isinstance(r.source, Item) else -1 - r.source for r in item.refs
        ]
        meet: int | None = places[0] if places else None
        for other in places[1:]:
            while meet is not None and meet != other:
                budget -= 1
                deep, deep_other = (depth[p] if p >= 0 else 0 for p in (meet, other))
                if budget < 0 or (meet < 0 and other < 0):
                    meet = None
                elif deep >= deep_other and meet >= 0:
                    meet = up(meet)
                else:
                    step = up(other)
                    if step is None:
                        meet = None
                    else:
                        other = step
        above.append(meet)
        depth.append(1 + (depth[meet] if meet is not None and meet >= 0 else 0))
        found.append(meet if len(places) > 1 else None)
    return found


def _single(item: Item, place: int, last: int, symbols: Symbols) -> Segment:
    numbers: dict[Any, int] = {}

    def where(ref: Ref) -> tuple[Any, ...]:
        return ("x", numbers.setdefault(ref, len(numbers)))

    shape = _edge_shape(item, where)
    places = [r.source.place if isinstance(r.source, Item) else -1 - r.source for r in item.refs]
    symbol = symbols.number(("one", symbols.of_item(item), shape))
    return Segment(place, place, symbol, item.weight, low=min(places, default=place), high=last)


def _composed(
    parts: list[Segment], items: list[Item], last: list[int], symbols: Symbols
) -> Segment:
    """One segment of several that have one input in common."""
    _link(parts, items, last)
    start, end = parts[0].start, parts[-1].end
    ends = {part.end: number for number, part in enumerate(parts)}
    shape = []
    for part in parts:
        outside = []
        for ref in items[part.start].refs if part.parts else items[part.end].refs:
            place = ref.source.place if isinstance(ref.source, Item) else -1
            outside.append((ends.get(place, -1) if place >= start else -1, ref.port))
        shape.append((part.symbol, tuple(outside)))
    symbol = symbols.number(("many", tuple(shape)))
    weight = sum(part.weight for part in parts)
    low = min(part.low for part in parts)
    return Segment(start, end, symbol, weight, parts, low=low, high=last[end])


def _link(row: list[Segment], items: list[Item], last: list[int]) -> None:
    for before, segment in pairwise(row):
        sources = {ref for item in items[segment.start : segment.start + 1] for ref in item.refs}
        segment.follows = (
            segment.low == before.end
            and sources == {Ref(items[before.end])}
            and last[before.end] <= segment.end
        )


def rows(found: list[Segment]) -> Iterator[list[Segment]]:
    """Every list of segments beside each other, at all depths."""
    stack = [found]
    while stack:
        row = stack.pop()
        yield row
        stack.extend(segment.parts for segment in row if segment.parts)


def chains(found: list[Segment]) -> Iterator[list[Segment]]:
    """The chains: segments of which each reads only what the one before it gives."""
    for row in rows(found):
        chain: list[Segment] = []
        for segment in row:
            if chain and not segment.follows:
                yield chain
                chain = []
            chain.append(segment)
        if chain:
            yield chain


def wide_chains(
    listing: Listing, found: list[Segment], symbols: Symbols
) -> Iterator[list[Segment]]:
    """Chains of what lies between places where two or three values are alive, in large segments."""
    last = listing.last_reads()
    items = listing.items
    for row in rows(found):
        loose = sum(not segment.follows for segment in row)
        if loose < LARGE:
            continue
        for most in (2, 3):
            yield from _wide(row, items, last, most, symbols)


def _wide(
    row: list[Segment], items: list[Item], last: list[int], most: int, symbols: Symbols
) -> Iterator[list[Segment]]:
    alive: set[int] = set()
    ended: dict[int, int] = {}
    count = 0
    chain: list[Segment] = []
    begin = 0
    slots: dict[Ref, int] = {}
    for number, segment in enumerate(row):
        alive.add(segment.end)
        ended[last[segment.end]] = ended.get(last[segment.end], 0) + 1
        count += 1 - sum(ended.pop(p, 0) for p in range(segment.start, segment.end + 1))
        if count > most or number + 1 == len(row):
            continue
        alive = {place for place in alive if last[place] > segment.end}
        parts = row[begin : number + 1]
        made = _wide_segment(parts, items, slots, symbols)
        if made is None:
            if chain:
                yield chain
            chain = []
        else:
            chain.append(made)
        slots = {Ref(items[place]): index for index, place in enumerate(sorted(alive))}
        begin = number + 1
    if chain:
        yield chain


def _wide_segment(
    parts: list[Segment], items: list[Item], slots: dict[Ref, int], symbols: Symbols
) -> Segment | None:
    start, end = parts[0].start, parts[-1].end
    shape = []
    for place in range(start, end + 1):
        item = items[place]

        def where(ref: Ref) -> tuple[Any, ...]:
            if isinstance(ref.source, Item) and ref.source.place >= start:
                return (ref.source.place - start, ref.port)
            return ("x", slots.get(ref, -1))

        shape.append((symbols.of_item(item), _edge_shape(item, where)))
    symbol = symbols.number(("wide", tuple(shape)))
    segment = Segment(start, end, symbol, sum(part.weight for part in parts))
    segment.follows = True
    return segment
