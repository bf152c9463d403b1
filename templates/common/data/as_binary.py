"""Answers yes and no as targets."""

import sys

import numpy as np


def as_binary(labels: np.ndarray, name: str) -> np.ndarray:
    """Labels 0 and 1, or probabilities between them."""
    if not (labels.min() >= 0 and labels.max() <= 1):
        low, high = labels.min(), labels.max()
        sys.exit(f"{name}: expected labels from 0 to 1, received {low:g} to {high:g}")
    return labels.astype("float32")
