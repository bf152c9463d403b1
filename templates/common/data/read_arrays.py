"""Arrays of an .npz file, with what is wrong said in a sentence."""

import sys
import zipfile
from pathlib import Path

import numpy as np


def read_arrays(path: Path, *names: str) -> list[np.ndarray]:
    """Arrays of an .npz file by their names, each with the same number of samples."""
    if not path.is_file():
        sys.exit(f"there is no file {path}; --data FILE reads another")
    if not zipfile.is_zipfile(path):
        sys.exit(f"{path}: expected an .npz file, as np.savez writes it")
    arrays = []
    with np.load(path) as data:
        for name in names:
            if name not in data:
                sys.exit(
                    f"{path}: expected an array {name}, received {', '.join(data)}"
                )
            try:
                array = data[name]
            except ValueError as error:  # objects, such as lists of different lengths
                sys.exit(f"{path}: {name}: expected numbers; {error}")
            if array.ndim == 0 or array.dtype.kind not in "biuf":
                shown = f"{array.dtype} of shape {array.shape}"
                sys.exit(
                    f"{path}: {name}: expected an array of numbers, received {shown}"
                )
            arrays.append(array)
    counts = [len(array) for array in arrays]
    if min(counts) == 0 or len(set(counts)) > 1:
        shown = ", ".join(
            f"{count} in {name}" for name, count in zip(names, counts, strict=True)
        )
        sys.exit(
            f"{path}: expected the same number of samples in each array, received {shown}"
        )
    return arrays
