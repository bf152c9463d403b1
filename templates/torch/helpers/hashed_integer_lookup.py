"""Whole numbers into their places in a vocabulary, unknown ones by a hash."""

from collections.abc import Callable, Sequence

import torch

from .hashed_integers import hashed_integers
from .integer_lookup import IntegerLookup


class HashedIntegerLookup(IntegerLookup):
    """A lookup that spreads unknown numbers by the hash of their digits."""

    def __init__(
        self,
        vocabulary: Sequence[int],
        hasher: Callable[[str], int],
        first: int = 0,
        unknown: int = 2,
        mask: dict[int, int] | None = None,
    ) -> None:
        super().__init__(vocabulary, first, unknown, mask)
        self.hasher = hasher

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        other = self.first + hashed_integers(x, self.hasher, self.unknown)
        return super().forward(x).where(torch.isin(x.long(), self.keys), other)
