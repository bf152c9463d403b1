"""Samples of which some are strings, which tensors cannot hold."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset


class Samples(Dataset[tuple[Any, ...]]):
    """Arrays and tensors of the same length; a batch is what its indices select of each."""

    def __init__(self, *columns: np.ndarray | torch.Tensor) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, index: int | slice) -> tuple[Any, ...]:
        return tuple(column[index] for column in self.columns)

    def __getitems__(self, indices: Sequence[int]) -> tuple[Any, ...]:
        return tuple(column[indices] for column in self.columns)
