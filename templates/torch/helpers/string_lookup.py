"""Strings into their numbers in a vocabulary."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn


class StringLookup(nn.Module):
    """Strings (a list or NumPy array of them) into their numbers, of the same shape.

    The vocabulary's numbers follow the ``unknown`` ones for other strings, which begin
    with ``first``; ``mask`` says which string has a number besides.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        first: int = 0,
        unknown: int = 1,
        mask: dict[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.first, self.unknown = first, unknown
        self.numbers = {text: i for i, text in enumerate(vocabulary, first + unknown)}
        self.numbers |= mask or {}
        self.place = nn.Buffer(torch.empty(0), persistent=False)

    def number(self, text: str) -> int:
        """The number of a string; a `KeyError` if there is none for unknown ones."""
        return (
            self.numbers.get(text, self.first) if self.unknown else self.numbers[text]
        )

    def forward(self, strings: ArrayLike) -> torch.Tensor:
        strings = np.asarray(strings, dtype=object)
        numbers = [self.number(text) for text in strings.flat]
        found = torch.tensor(numbers, dtype=torch.int64, device=self.place.device)
        return found.view(strings.shape)
