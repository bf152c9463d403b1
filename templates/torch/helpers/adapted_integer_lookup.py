"""Whole numbers into their places in a vocabulary that is computed from training data."""

from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import ArrayLike

from .integer_lookup import IntegerLookup
from .most_frequent import most_frequent


class AdaptedIntegerLookup(IntegerLookup):
    """A lookup in the ``limit`` most frequent numbers of the data given to ``adapt``.

    The vocabulary is a part of the `state_dict`; ``special`` numbers do not enter it.
    """

    def __init__(
        self,
        limit: int | None = None,
        first: int = 0,
        unknown: int = 1,
        mask: dict[int, int] | None = None,
        special: Collection[int] = (-1,),
    ) -> None:
        super().__init__((), first, unknown, mask)
        self.limit, self.mask = limit, mask or {}
        self.special = {*special, *self.mask}
        self.vocabulary: list[int] = []

    def adapt(self, numbers: ArrayLike) -> None:
        found = np.asarray(numbers).ravel().tolist()
        self.set_extra_state(most_frequent(found, self.limit, self.special))

    def get_extra_state(self) -> list[int]:
        return self.vocabulary

    def set_extra_state(self, state: list[int]) -> None:
        self.vocabulary = list(state)
        table = IntegerLookup(self.vocabulary, self.first, self.unknown, self.mask)
        table.to(self.keys.device)
        self.keys, self.places = table.keys, table.places

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.vocabulary:
            raise RuntimeError("the vocabulary is empty: call adapt(), or load a state")
        return super().forward(x)
