"""Texts as lists of word numbers, with what is wrong said in a sentence."""

import sys
import zipfile
from pathlib import Path

import numpy as np


def read_texts(path: Path, *names: str) -> list[np.ndarray]:
    """Arrays of an .npz file by their names; texts are lists of word numbers."""
    if not zipfile.is_zipfile(path):
        sys.exit(f"{path}: expected an .npz file, as np.savez writes it")
    with np.load(path, allow_pickle=True) as data:
        for name in names:
            if name not in data:
                sys.exit(
                    f"{path}: expected an array {name}, received {', '.join(data)}"
                )
        arrays = [data[name] for name in names]
    counts = [len(array) for array in arrays]
    if min(counts) == 0 or len(set(counts)) > 1:
        shown = ", ".join(
            f"{count} in {name}" for name, count in zip(names, counts, strict=True)
        )
        sys.exit(
            f"{path}: expected the same number of samples in each array, received {shown}"
        )
    return arrays
