"""How far two right programs may be apart: from the digits they compute with and how the model
carries small changes on.

Both programs round at each of their operations.  What that does to a result is measured, not
guessed: one of them runs in float64, and again with every weight and input moved by a known part
of itself.  A result that moves ``r`` under moves of ``MOVE`` may differ by about ``r / MOVE``
times the last digit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from specfmt.parity.report import Difference

MOVE: Final = 2.0**-20
"""How far weights and inputs are perturbed to measure the model's response."""

LAST_DIGIT: Final = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}
"""What rounding changes a number by, relative to it."""

OPERATIONS: Final = 16
"""Roundings of a result for each move of a weight: sums of many products round many times."""


def factor(coarsest: str) -> float:
    """By what the response to a move is multiplied to bound differences from rounding."""
    return OPERATIONS * LAST_DIGIT[coarsest] / MOVE


def coarser(*names: str) -> str:
    """The type of the fewest digits."""
    return max(names, key=LAST_DIGIT.__getitem__)


def bounded(
    rows: list[Difference],
    responses: Callable[[], list[Difference]],
    coarsest: str,
    least: float,
) -> list[Difference]:
    """Differences with bounds from measured responses.

    Args:
        rows: Differences of both programs.
        responses: Measures how far the same results moved, where it matters.
        coarsest: The type of the fewest digits that a program computes in.
        least: A bound that holds whatever was measured.
    """
    least = max(least, 4 * OPERATIONS * LAST_DIGIT[coarsest])
    apart = any(row.max_rel > least for row in rows)
    moved = {row.name: row.max_rel for row in responses()} if apart else {}
    return [
        replace(row, bound=max(least, factor(coarsest) * moved.get(row.name, 0.0))) for row in rows
    ]
