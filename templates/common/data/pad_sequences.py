"""Texts as rows of one length, as `keras.utils.pad_sequences` makes them."""

import numpy as np


def pad_sequences(sequences: np.ndarray, length: int) -> np.ndarray:
    """Sequences as rows of one length: cut, or filled with zeros, at the front."""
    padded = np.zeros((len(sequences), length), dtype="int64")
    for row, sequence in zip(padded, sequences, strict=True):
        kept = sequence[-length:]
        row[length - len(kept) :] = kept
    return padded
