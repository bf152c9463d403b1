"""Bins of combinations of categories."""

from typing import Any

import numpy as np
import torch

from .fingerprint import fingerprint


def crossed_bins(columns: list[Any], bins: int) -> torch.Tensor:
    """Bins of combinations of categories, by TensorFlow's `SparseCross`.

    Each column is a tensor of whole numbers, or a list or array of strings; all have one shape,
    which is that of the result.
    """
    whole = 2**64 - 1
    factor = 0xC6A4A7935BD1E995

    def bin_of(categories: tuple[Any, ...]) -> int:
        code = 956888297470  # TensorFlow's default key
        for category in categories:
            is_text = isinstance(category, str)
            part = fingerprint(category) if is_text else int(category) & whole
            part = part * factor & whole
            code ^= factor ^ ((part ^ part >> 47) * factor & whole)
            code = code * factor & whole
            code = (code ^ code >> 47) * factor & whole
            code ^= code >> 47
        return code % bins

    devices = [column.device for column in columns if torch.is_tensor(column)]
    arrays = [
        column.cpu().numpy() if torch.is_tensor(column) else np.asarray(column, object)
        for column in columns
    ]
    rows = zip(*(array.ravel().tolist() for array in arrays), strict=True)
    numbers = torch.tensor([bin_of(row) for row in rows], dtype=torch.int64)
    return numbers.view(arrays[0].shape).to(devices[0] if devices else "cpu")
