"""Topological sorting."""

from __future__ import annotations

from heapq import heapify, heappop, heappush


def in_order(waits: list[set[int]]) -> tuple[list[int], list[list[int]]]:
    """Sort numbers so that each comes after those that it depends on.

    Args:
        waits: For each number, those that it depends on; the sets are emptied.

    Returns:
        All numbers, the smallest first where several are possible, those in cycles at the end;
        and the cycles.
    """
    readers: list[list[int]] = [[] for _ in waits]
    for index, needs in enumerate(waits):
        for need in needs:
            readers[need].append(index)
    ready = [index for index, needs in enumerate(waits) if not needs]
    heapify(ready)
    order = []
    while ready:
        index = heappop(ready)
        order.append(index)
        for reader in readers[index]:
            waits[reader].discard(index)
            if not waits[reader]:
                heappush(ready, reader)
    if len(order) == len(waits):
        return order, []
    done = set(order)
    rest = [index for index in range(len(waits)) if index not in done]
    return [*order, *rest], _cycles({index: waits[index] for index in rest})


def _cycles(waits: dict[int, set[int]]) -> list[list[int]]:
    """The cycles that are found by following one dependency from each number."""
    following = {index: min(needs) for index, needs in waits.items()}
    walks: dict[int, int] = {}  # number -> the walk that visited it first
    found = []
    for start in following:
        walk: dict[int, None] = {}
        index = start
        while index not in walks:
            walks[index] = start
            walk[index] = None
            index = following[index]
        if index in walk:
            met = list(walk)
            found.append(met[met.index(index) :])
    return found
