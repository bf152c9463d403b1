"""A common interface to the weight files of both frameworks: weights that are read on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from specfmt.graph.model import Unit
from specfmt.weights.arrays import Array


@dataclass(frozen=True, slots=True)
class Stored:
    """A weight in a file, to be read on demand.

    Attributes:
        shape: Its shape.
        dtype: The dtype of the array that `read` returns.
        read: Reads it; each call reads its data again, so that nothing is kept in memory.
        place: Its place in the file, for messages.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], Array]
    place: str


KerasWeights = Mapping[tuple[Unit, str], Stored]
"""(layer, weight name) -> the weight in the file."""


TorchWeights = Mapping[str, Stored]
"""`state_dict` key -> the tensor in the file."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A torch tensor to write.

    Attributes:
        key: Its `state_dict` key.
        shape: Its shape.
        dtype: Its dtype.
        value: Computes its elements, in row-major order and any shape.
    """

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    value: Callable[[], Array]
