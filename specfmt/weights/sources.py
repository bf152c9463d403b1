"""Weight files of both frameworks behind one small interface: where a weight is, and how to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from specfmt.graph.model import Unit
from specfmt.weights.arrays import Array


@dataclass(frozen=True, slots=True)
class Stored:
    """A weight in a file, not read yet.

    Attributes:
        shape: Its shape.
        dtype: The kind of numbers that `read` gives.
        read: Reads it; each call reads anew, so that nothing stays in memory.
        place: Where it stands in the file, for messages.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], Array]
    place: str


KerasWeights = Mapping[tuple[Unit, str], Stored]
"""(layer, weight name) -> where it is."""


TorchWeights = Mapping[str, Stored]
"""`state_dict` key -> where it is."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A torch tensor to be written.

    Attributes:
        key: Its `state_dict` key.
        shape: Its shape.
        dtype: The kind of its numbers.
        value: Computes its elements: row-major, in any shape.
    """

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    value: Callable[[], Array]
