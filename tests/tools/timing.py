"""Processor time of one call against another's, for tests that compare times."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable


def seconds(function: Callable[[], object], times: int = 1) -> float:
    """The processor time of calls, one after the other.

    As in the command, the garbage collector is off: its own time is not linear, and depends on
    all else that the process holds.
    """
    total = 0.0
    for _ in range(times):
        gc.collect()
        gc.disable()
        try:
            start = time.process_time()
            function()
            total += time.process_time() - start
        finally:
            gc.enable()
    return total


def ratio(
    one: Callable[[], object],
    other: Callable[[], object],
    times: int = 1,
    rounds: int = 3,
    enough: float = 0.0,
) -> float:
    """How many times as long a call takes as ``times`` calls of another: the least of some rounds.

    The first round below ``enough`` is the last: another one could not make the least larger.

    Both are timed in turn, over like lengths of time: a machine that is now faster, now slower
    disturbs both of a round alike, and what disturbs one alone must do so in every round.
    """
    least = float("inf")
    for _ in range(rounds):
        least = min(least, seconds(one) / seconds(other, times))
        if least < enough:
            break
    return least
