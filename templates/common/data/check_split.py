"""Splits that leave nothing."""

import sys


def check_split(count: int, kept: int, part: str) -> None:
    """Refuses to split so few samples that training or the other part gets none."""
    if not 0 < kept < count:
        sys.exit(f"{count} samples are too few to split into training and {part}")
