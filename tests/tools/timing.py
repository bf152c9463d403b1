"""Processor time of one call, for tests that compare times."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable


def best_seconds(function: Callable[[], object], times: int = 1) -> float:
    """The least processor time of several calls.

    As in the command, the garbage collector is off: its own time is not linear, and depends on
    all else that the process holds.
    """
    best = float("inf")
    for _ in range(times):
        gc.collect()
        gc.disable()
        try:
            start = time.process_time()
            function()
            best = min(best, time.process_time() - start)
        finally:
            gc.enable()
    return best
