"""Samples in the shape that a model reads, with one size left open."""

import math
import sys

import numpy as np


def as_open_samples(
    array: np.ndarray, shape: tuple[int | None, ...], name: str
) -> np.ndarray:
    """Samples of a shape in which one size is open; numbers in another shape are brought to it."""
    known = math.prod(size for size in shape if size is not None)
    if math.prod(array.shape[1:]) % known:
        sys.exit(
            f"{name}: expected samples of shape {shape}, received {array.shape[1:]}"
        )
    return array.reshape(len(array), *(-1 if size is None else size for size in shape))
