"""A number in a table."""

import math
import sys


def read_number(place: str, row: dict[str, str], column: str) -> float:
    """The number in a cell."""
    try:
        number = float(row[column])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        sys.exit(
            f"{place}, column {column}: expected a number, received {row[column]!r}"
        )
    return number
