"""Lists of categories into vectors of tf-idf."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from .count_categories import count_categories


class TfIdfVectors(nn.Module):
    """How often each category occurs in a list, times a weight that ``adapt`` computes.

    The weight of a category falls with the number of training samples in which it
    occurs; the ``first`` categories, for unknown values, have the mean of the weights.
    """

    def __init__(self, lookup: Any, depth: int, first: int) -> None:
        super().__init__()
        self.lookup, self.depth, self.first = lookup, depth, first
        self.idf_weights = nn.Buffer(torch.zeros(depth))

    def adapt(self, samples: ArrayLike) -> None:
        rows = np.asarray(samples)
        rows = rows.reshape(len(rows), -1)
        self.lookup.adapt(rows)
        whole = rows.dtype.kind in "iu"
        numbers = self.lookup(torch.as_tensor(rows) if whole else rows)
        documents = count_categories(numbers, self.depth).clamp(max=1).sum(0).double()
        weights = torch.log(1 + len(rows) / (1 + documents))[self.first :]
        weights = weights[: len(self.lookup.vocabulary)]
        front = weights.mean().expand(self.first)
        self.idf_weights.zero_()
        self.idf_weights[: self.first + len(weights)] = torch.cat((front, weights))

    def forward(self, x: ArrayLike) -> torch.Tensor:
        return count_categories(self.lookup(x), self.depth) * self.idf_weights
