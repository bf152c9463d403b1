"""Tolerances of the comparison, from the precision of the programs and the sensitivity of the model.

Both programs round in each operation.  The effect on a result is measured: one program runs in
float64, and again with every weight and input perturbed by the relative amount ``MOVE``.  A result
that changes by ``r`` may differ between the programs by about ``r / MOVE`` times the rounding unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from specfmt.parity.report import Difference

MOVE: Final = 2.0**-20
"""The relative perturbation of weights and inputs."""

LAST_DIGIT: Final = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}
"""The relative rounding error of each dtype."""

OPERATIONS: Final = 16
"""Rounding errors of a result per perturbed weight: sums of many products round many times."""


def factor(coarsest: str) -> float:
    """The factor from the response to a perturbation to a bound on rounding differences."""
    return OPERATIONS * LAST_DIGIT[coarsest] / MOVE


def coarser(*names: str) -> str:
    """The dtype with the lowest precision."""
    return max(names, key=LAST_DIGIT.__getitem__)


def bounded(
    rows: list[Difference],
    responses: Callable[[], list[Difference]],
    coarsest: str,
    least: float,
) -> list[Difference]:
    """Differences with bounds from measured responses.

    Args:
        rows: Differences between both programs.
        responses: Measures how far the same results move; called only if needed.
        coarsest: The lowest-precision dtype that a program computes in.
        least: The lower limit of the bounds.
    """
    least = max(least, 4 * OPERATIONS * LAST_DIGIT[coarsest])
    apart = any(row.max_rel > least for row in rows)
    moved = {row.name: row.max_rel for row in responses()} if apart else {}
    return [
        replace(row, bound=max(least, factor(coarsest) * moved.get(row.name, 0.0))) for row in rows
    ]
