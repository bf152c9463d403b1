"""Samples in the shape that a model reads."""

import math
import sys

import numpy as np


def as_samples(array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Samples of a shape; as many numbers in another shape are brought to it."""
    if math.prod(array.shape[1:]) != math.prod(shape):
        sys.exit(
            f"{name}: expected samples of shape {shape}, received {array.shape[1:]}"
        )
    return array.reshape(len(array), *shape)
