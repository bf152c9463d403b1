"""Numbers into bins whose boundaries are computed from training data."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn


class AdaptedBins(nn.Module):
    """Numbers into ``count`` bins, about equally full in the data given to ``adapt``.

    As in Keras, the quantiles are those of about ``1 / epsilon`` of the sorted numbers.
    """

    def __init__(self, count: int, epsilon: float = 0.01) -> None:
        super().__init__()
        self.count, self.epsilon = count, epsilon
        self.boundaries = nn.Buffer(torch.full((count - 1,), torch.inf))

    def adapt(self, numbers: ArrayLike) -> None:
        ordered = np.sort(np.asarray(numbers, dtype="float32"), axis=None)
        step = max(len(ordered) / (1 / self.epsilon), 1)
        points = ordered[int(step - 1) :: int(step)]
        weights = np.full_like(points, step)
        for width in (self.epsilon, 1 / self.count):
            if len(points) * width >= 1:
                total = weights.cumsum()
                share, wanted = total / total[-1], width + np.arange(0, 1, width)
                points = np.interp(wanted, share, points).astype("float32")
                weights = np.diff(np.interp(wanted, share, total), prepend=0)
                weights = weights.astype("float32")
        self.boundaries.fill_(torch.inf)
        self.boundaries[: len(points) - 1] = torch.from_numpy(points[:-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.bucketize(x, self.boundaries, right=True)
