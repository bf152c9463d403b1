"""The search for blocks: what saves the most becomes one, again and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from specfmt.folding.describe import block_name, description
from specfmt.folding.listing import Item, Listing, Ref, map_refs
from specfmt.folding.names import counted, progressing
from specfmt.folding.repeats import repeated_parts
from specfmt.folding.segments import Segment, Symbols, chains, segments, wide_chains
from specfmt.folding.unify import Made, Part, unify

FEWEST = 12
"""A list with fewer statements stays as it is."""

LEAST_GAIN = 4.0
"""The fewest statements that a block must save."""

TRIED = 10
"""The most parts of chains that are compared entry by entry in each round."""

MOST_BLOCKS = 64
"""The most blocks that are found."""

STEPS = 4_000_000
"""After this many entries have been looked at, no further blocks are searched for."""


def fold(model: Listing, reserved: set[str]) -> dict[str, Listing]:
    """Turn what stands in a list several times into blocks.

    Args:
        model: The list of the model, which is changed.
        reserved: Names that blocks must not have.

    Returns:
        The blocks by name, each after those that it uses.
    """
    return _Folder(model, reserved).run()


class _Folder:
    def __init__(self, model: Listing, reserved: set[str]) -> None:
        self.model = model
        self.reserved = reserved
        self.blocks: dict[str, Listing] = {}
        self.symbols = Symbols()
        self.found: dict[int, list[list[Segment]]] = {}
        self.texts: dict[int, str] = {}
        self.refused: set[tuple[int, ...]] = set()

    def run(self) -> dict[str, Listing]:
        if self.model.weight >= FEWEST:
            steps = 0
            while len(self.blocks) < MOST_BLOCKS and steps < STEPS:
                steps += sum(len(listing.items) for listing in self.lists())
                made = self.best()
                if made is None:
                    break
                self.apply(made)
        return self.blocks

    def lists(self) -> list[Listing]:
        """The list of the model, and those of the blocks so far."""
        return [self.model, *self.blocks.values()]

    # ----------------------------------------------------------------------------- search

    def best(self) -> Made | None:
        """The block that saves the most."""
        rows: list[tuple[Listing, list[Segment]]] = []
        for listing in self.lists():
            if id(listing) not in self.found:
                whole = segments(listing, self.symbols)
                each = [*chains(whole), *wide_chains(listing, whole, self.symbols)]
                self.found[id(listing)] = each
            rows += [(listing, chain) for chain in self.found[id(listing)]]
        sequences = [[segment.symbol for segment in chain] for _, chain in rows]
        weights = [[segment.weight for segment in chain] for _, chain in rows]
        starts: dict[int, list[tuple[int, int]]] = {}
        for number, sequence in enumerate(sequences):
            for place, symbol in enumerate(sequence):
                starts.setdefault(symbol, []).append((number, place))
        best: Made | None = None
        tried: set[tuple[int, ...]] = set()
        fit = 0
        for part in repeated_parts(sequences, weights):
            if fit >= TRIED:
                break
            for variant in _variants(part):
                if variant in tried or variant in self.refused:
                    continue
                tried.add(variant)
                places = list(_occurrences(variant, sequences, starts))
                if len(places) < 2:
                    continue
                windows = [
                    Part(rows[n][0], rows[n][1][p].start, rows[n][1][p + len(variant) - 1].end)
                    for n, p in places
                ]
                weight = sum(weights[places[0][0]][places[0][1] + k] for k in range(len(variant)))
                bound = len(places) * (weight - 1) - weight - 2
                if bound < LEAST_GAIN or (best is not None and bound <= best.gain):
                    continue
                if not windows[0].gives_last():
                    if variant == part:
                        break
                    continue
                fit += variant == part
                made = unify(self.all_like(windows), self.blocks)
                if made is None or made.gain < LEAST_GAIN:
                    self.refused.add(variant)
                elif best is None or made.gain > best.gain:
                    best = made
        return best

    def all_like(self, parts: list[Part]) -> list[Part]:
        """The parts, and those entries in a row that are equal to them, wherever lists are cut."""
        first = parts[0]
        wanted, shape = self.text(first.listing)[first.start : first.end + 1], first.shape()
        found: list[Part] = []
        for listing in self.lists():
            taken = sorted(
                ((p.start, p) for p in parts if p.listing is listing), key=lambda pair: pair[0]
            )
            text = self.text(listing)
            place = text.find(wanted)
            free, known = 0, 0
            while place >= 0:
                end = place + len(wanted)
                while known < len(taken) and taken[known][0] < place:
                    found.append(taken[known][1])
                    free = taken[known][1].end + 1
                    known += 1
                part = Part(listing, place, end - 1)
                following = taken[known][0] if known < len(taken) else end
                fits = place >= free and (following >= end or following == place)
                if fits and following != place and part.shape() == shape:
                    found.append(part)
                    free = end
                place = text.find(wanted, max(place + 1, free))
            found += [part for _, part in taken[known:]]
        return found

    def text(self, listing: Listing) -> str:
        """The kinds of a list's entries, a letter each."""
        found = self.texts.get(id(listing))
        if found is None:
            numbers = [self.symbols.of_item(item) for item in listing.items]
            found = "".join(chr(n + (0x800 if n >= 0xD800 else 0)) for n in numbers)
            self.texts[id(listing)] = found
        return found

    # ------------------------------------------------------------------------------ change

    def apply(self, made: Made) -> None:
        """Replace the parts by uses of the block."""
        listing = made.listing
        name = block_name(listing, made.uses, self.reserved | set(self.blocks))
        listing.block = name
        listing.description = description(listing)
        self.blocks[name] = listing
        by_list: dict[int, list[tuple[Part, Item]]] = {}
        for part, use in zip(made.parts, made.uses, strict=True):
            use.kind = ("block", name)
            by_list.setdefault(id(part.listing), []).append((part, use))
        for other in self.lists():
            if id(other) in by_list:
                _replace(other, by_list[id(other)])
                merge_repeats(other)
                self.found.pop(id(other), None)
                self.texts.pop(id(other), None)
        self.refused.clear()


def _variants(part: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """A part, the same turned by a few places, and shortened at its ends."""
    yield part
    for turn in range(1, min(len(part), 6)):
        yield part[turn:] + part[:turn]
    for left in range(min(len(part) - 1, 3)):
        for right in range(min(len(part) - 1 - left, 3)):
            if left or right:
                yield part[left : len(part) - right]


def _occurrences(
    part: Sequence[int],
    sequences: Sequence[Sequence[int]],
    starts: dict[int, list[tuple[int, int]]],
) -> Iterator[tuple[int, int]]:
    """Where a part occurs, without overlaps: the number of the sequence, and the place in it."""
    row, free = -1, 0
    wanted = list(part)
    for number, place in starts.get(part[0], ()):
        if number != row:
            row, free = number, 0
        if place >= free and sequences[number][place : place + len(wanted)] == wanted:
            free = place + len(wanted)
            yield number, place


def _replace(listing: Listing, changes: list[tuple[Part, Item]]) -> None:
    """Put uses in the places of parts."""
    instead: dict[int, Item] = {}
    items: list[Item] = []
    place = 0
    old = listing.items
    for part, use in sorted(changes, key=lambda change: change[0].start):
        instead[id(old[part.end])] = use
        items += [*old[place : part.start], use]
        place = part.end + 1
    listing.items = [*items, *old[place:]]

    def change(ref: Ref) -> Ref:
        found = instead.get(id(ref.source))
        return ref if found is None else Ref(found, ref.port)

    for item in listing.items:
        if any(id(ref.source) in instead for ref in item.refs):
            item.read(map_refs(item.edges, change))
    listing.outputs = [change(ref) for ref in listing.outputs]
    listing.number()


def merge_repeats(listing: Listing) -> None:
    """Write uses that follow each other and are equal as one repeated use."""
    listing.number()
    last = listing.last_reads()
    runs: list[list[Item]] = []
    for item in listing.items:
        if runs and _continues(runs[-1][-1], item, last):
            runs[-1].append(item)
        else:
            runs.append([item])
    items: list[Item] = []
    instead: dict[int, Item] = {}
    for run in runs:
        while run:
            count, name, fields = _longest_run(run, listing.block is not None)
            if count > 1:
                first, end = run[0], run[count - 1]
                use = Item(
                    first.kind, {**fields, "repeat": count}, name, first.automatic,
                    first.edges, last=end.name,
                )  # fmt: skip
                use.first, use.out = first.first, end.out
                instead[id(end)] = use
                items.append(use)
            else:
                items.append(run[0])
            run = run[count:]
    if not instead:
        return
    listing.items = items

    def change(ref: Ref) -> Ref:
        found = instead.get(id(ref.source))
        return ref if found is None else Ref(found, ref.port)

    for item in items:
        if any(id(ref.source) in instead for ref in item.refs):
            item.read(map_refs(item.edges, change))
    listing.outputs = [change(ref) for ref in listing.outputs]
    listing.number()


def _continues(before: Item, item: Item, last: list[int]) -> bool:
    """Whether a use is the repetition of the one before it."""
    return (
        item.is_use
        and before.kind == item.kind
        and _without_rates(before.fields) == _without_rates(item.fields)
        and "repeat" not in item.fields
        and item.refs[:1] == [Ref(before)]
        and len(item.refs) == len(before.refs) == 1
        and last[before.place] == item.place
        and before.automatic == item.automatic
    )


def _without_rates(fields: dict[str, Any]) -> str:
    return repr({key: None if isinstance(value, float) else value for key, value in fields.items()})


def _longest_run(run: list[Item], inside: bool) -> tuple[int, str | None, dict[str, Any]]:
    """How many uses from the first on can be one repeated use, its name, and its parameters."""
    counts = range(len(run), 1, -1) if len(run) < MOST_REPEATS else (len(run),)
    for count in counts:
        name = None if run[0].automatic else counted([i.name or "" for i in run[:count]], inside)
        if name is None and not run[0].automatic:
            continue
        fields = {}
        for key, value in run[0].fields.items():
            column = [item.fields[key] for item in run[:count]]
            fields[key] = value if len(set(map(repr, column))) == 1 else progressing(column)
        if all(value is not None or run[0].fields[key] is None for key, value in fields.items()):
            return count, name, fields
    return 1, None, run[0].fields


MOST_REPEATS = 300
"""In a longer run of uses, parts of it are not tried as repeated uses."""
