"""Class numbers as targets."""

import sys

import numpy as np


def as_classes(labels: np.ndarray, count: int, name: str) -> np.ndarray:
    """Class numbers, which are whole and start at 0."""
    odd = labels[labels != np.round(labels)]
    if odd.size:
        sys.exit(f"{name}: expected whole class numbers, received {odd[0]}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= count:
        sys.exit(
            f"{name}: expected classes from 0 to {count - 1}, received {low} to {high}"
        )
    return labels.astype("int64")
