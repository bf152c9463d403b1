"""Whole numbers into their places in a vocabulary."""

from collections.abc import Sequence

import torch
from torch import nn


class IntegerLookup(nn.Module):
    """Whole numbers into their places in a vocabulary, of the same shape.

    The vocabulary's places follow the ``unknown`` ones for other numbers, which begin with
    ``first``; ``mask`` says which number has a place besides.
    """

    def __init__(
        self,
        vocabulary: Sequence[int],
        first: int = 0,
        unknown: int = 1,
        mask: dict[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.first, self.unknown = first, unknown
        places = {key: i for i, key in enumerate(vocabulary, first + unknown)}
        places |= mask or {}
        keys = sorted(places)
        values = [places[key] for key in keys]
        self.keys = nn.Buffer(torch.tensor(keys), persistent=False)
        self.places = nn.Buffer(torch.tensor(values), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.long().contiguous()
        index = torch.searchsorted(self.keys, x).clamp(max=len(self.keys) - 1)
        known = self.keys[index] == x
        if not self.unknown and not known.all():
            raise ValueError(f"not in the vocabulary: {sorted({*x[~known].tolist()})}")
        other = self.first + x % max(self.unknown, 1)
        return torch.where(known, self.places[index], other)
