"""Strings into their numbers in a vocabulary that is computed from training data."""

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike

from .most_frequent import most_frequent
from .string_lookup import StringLookup


class AdaptedStringLookup(StringLookup):
    """A lookup in the ``limit`` most frequent strings of the data given to ``adapt``.

    The vocabulary is a part of the `state_dict`; ``special`` strings do not enter it.
    """

    def __init__(
        self,
        limit: int | None = None,
        first: int = 0,
        unknown: int = 1,
        mask: dict[str, int] | None = None,
        special: Collection[str] = ("[UNK]",),
    ) -> None:
        super().__init__((), first, unknown, mask)
        self.limit, self.mask = limit, mask or {}
        self.special = {*special, *self.mask}
        self.vocabulary: list[str] = []

    def adapt(self, strings: ArrayLike) -> None:
        found = np.asarray(strings).ravel().tolist()
        self.set_extra_state(most_frequent(found, self.limit, self.special))

    def get_extra_state(self) -> list[str]:
        return self.vocabulary

    def set_extra_state(self, state: list[str]) -> None:
        self.vocabulary = list(state)
        places = enumerate(self.vocabulary, self.first + self.unknown)
        self.numbers = {text: place for place, text in places} | self.mask
