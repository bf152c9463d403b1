"""Whole numbers into places in a computed vocabulary, unknown ones by a hash."""

from collections.abc import Callable, Collection

import torch

from .adapted_integer_lookup import AdaptedIntegerLookup
from .hashed_integers import hashed_integers


class AdaptedHashedIntegerLookup(AdaptedIntegerLookup):
    """An adapted lookup that spreads unknown numbers by the hash of their digits."""

    def __init__(
        self,
        hasher: Callable[[str], int],
        limit: int | None = None,
        first: int = 0,
        unknown: int = 2,
        mask: dict[int, int] | None = None,
        special: Collection[int] = (-1,),
    ) -> None:
        super().__init__(limit, first, unknown, mask, special)
        self.hasher = hasher

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        other = self.first + hashed_integers(x, self.hasher, self.unknown)
        return super().forward(x).where(torch.isin(x.long(), self.keys), other)
