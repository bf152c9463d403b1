"""Parts of sequences that occur several times, by what folding them would save."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

MOST = 1000
"""The most parts that are returned."""


def repeated_parts(
    sequences: Sequence[Sequence[int]], weights: Sequence[Sequence[int]]
) -> Iterator[tuple[int, ...]]:
    """The parts that occur at least twice, those that would save most first.

    A part that repeats within itself stands for its period: of ``ababab`` only ``ab`` is given.
    The time is linear in the length of all sequences.

    Args:
        sequences: Symbols, positive numbers.
        weights: What each symbol weighs.
    """
    text: list[int] = []
    weight: list[int] = []
    for number, (symbols, each) in enumerate(zip(sequences, weights, strict=True)):
        text += [*symbols, -number - 1]
        weight += [*each, 0]
    total = [0, *accumulate(weight)]
    ends, lengths, counts = _automaton(text)
    found = []
    for end, length, count in zip(ends, lengths, counts, strict=True):
        if count < 2 or length == 0:
            continue
        begin = end - length + 1
        saved = (count - 1) * (total[end + 1] - total[begin] - 1)
        if saved > 0:
            found.append((-saved, begin, length))
    found.sort()
    seen: set[tuple[int, ...]] = set()
    budget = 20 * len(text) + 2000
    for _, begin, length in found:
        budget -= length
        if budget < 0 or len(seen) >= MOST:
            return
        part = tuple(text[begin : begin + length])
        period = _period(part)
        for each in dict.fromkeys((part if 2 * period > length else part[:period], part[:period])):
            if each not in seen:
                seen.add(each)
                yield each


def _automaton(text: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """The states of the suffix automaton: the end of the first occurrence, the length of the longest
    string, and the number of occurrences."""
    links, lengths, ends, counts = [-1], [0], [-1], [0]
    steps: list[dict[int, int]] = [{}]
    last = 0
    for place, symbol in enumerate(text):
        state = len(links)
        links.append(0)
        lengths.append(lengths[last] + 1)
        ends.append(place)
        counts.append(1)
        steps.append({})
        before = last
        while before != -1 and symbol not in steps[before]:
            steps[before][symbol] = state
            before = links[before]
        if before != -1:
            after = steps[before][symbol]
            if lengths[before] + 1 == lengths[after]:
                links[state] = after
            else:
                copy = len(links)
                links.append(links[after])
                lengths.append(lengths[before] + 1)
                ends.append(ends[after])
                counts.append(0)
                steps.append(dict(steps[after]))
                while before != -1 and steps[before].get(symbol) == after:
                    steps[before][symbol] = copy
                    before = links[before]
                links[after] = links[state] = copy
        last = state
    for state in sorted(range(1, len(links)), key=lambda s: -lengths[s]):
        counts[links[state]] += counts[state]
    counts[0] = 0
    return ends, lengths, counts


def _period(part: Sequence[int]) -> int:
    """The shortest period of a sequence: its length less that of what it begins and ends with."""
    border = [0] * len(part)
    for place in range(1, len(part)):
        known = border[place - 1]
        while known and part[known] != part[place]:
            known = border[known - 1]
        border[place] = known + (part[known] == part[place])
    return len(part) - border[-1]
