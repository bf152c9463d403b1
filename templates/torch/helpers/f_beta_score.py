"""A metric: F-beta score."""

from typing import Any

import torch

from .plain_number import plain_number


class FBetaScore:
    """The weighted harmonic mean of precision and recall, for each class or averaged.

    Args:
        average: ``micro``, ``macro`` or ``weighted``; a list of all classes by default.
        beta: How much more recall counts than precision.
        threshold: Above it a class is predicted; by default the largest one is.
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
    ) -> None:
        self.average, self.beta, self.threshold = average, beta, threshold
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.tp = self.fp = self.fn = torch.zeros((), dtype=torch.float64)

    def update(
        self,
        prediction: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> None:
        """Add a batch of predictions (N, C) and one-hot targets."""
        if self.threshold is None:
            largest = prediction == prediction.amax(dim=-1, keepdim=True)
            chosen = largest & (prediction.abs() > 1e-9)
        else:
            chosen = prediction > self.threshold
        chosen, target = chosen.cpu().double(), target.cpu().double()
        scale = 1.0 if weight is None else weight.cpu().double().view(-1, 1)
        dim = None if self.average == "micro" else 0
        self.tp = self.tp + (scale * chosen * target).sum(dim)
        self.fp = self.fp + (scale * chosen * (1 - target)).sum(dim)
        self.fn = self.fn + (scale * (1 - chosen) * target).sum(dim)

    def result(self) -> Any:
        """The score of each class, or the average."""
        precision = self.tp / (self.tp + self.fp + 1e-7)
        recall = self.tp / (self.tp + self.fn + 1e-7)
        square = self.beta**2
        score = precision * recall / (square * precision + recall + 1e-7)
        score = (1 + square) * score
        if self.average == "weighted":
            actual = self.tp + self.fn
            score = (score * actual / (actual.sum() + 1e-7)).sum()
        elif self.average is not None:
            score = score.mean()
        return plain_number(score)
