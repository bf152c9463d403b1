"""A metric: R2 score."""

from typing import Any

import torch

from .plain_number import plain_number


class R2Score:
    """How much of the targets' variance the predictions explain.

    Args:
        average: ``uniform_average`` or ``variance_weighted_average`` over outputs; a list
            of all outputs if None.
        num_regressors: For the adjusted score, the number of inputs.
    """

    def __init__(
        self, average: str | None = "uniform_average", num_regressors: int = 0
    ) -> None:
        self.average, self.num_regressors = average, num_regressors
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.total = self.squares = self.residual = self.count = torch.zeros(())
        self.samples = 0

    def update(
        self,
        prediction: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> None:
        """Add a batch of predictions and targets (N, C)."""
        target = target.view_as(prediction).cpu().double()
        prediction = prediction.cpu().double()
        scale = torch.ones(len(target), 1, dtype=torch.float64)
        if weight is not None:
            scale = weight.cpu().double().view(-1, 1)
        self.total = self.total + (scale * target).sum(0)
        self.squares = self.squares + (scale * target.square()).sum(0)
        self.residual = self.residual + (scale * (target - prediction).square()).sum(0)
        self.count = self.count + scale.expand_as(target).sum(0)
        self.samples += target.numel()

    def result(self) -> Any:
        """The score of each output, or the average."""
        variation = self.squares - self.total.square() / self.count
        score = 1 - self.residual / variation
        score = torch.where(score.isinf(), 0.0, score)
        if self.average == "uniform_average":
            score = score.mean()
        elif self.average == "variance_weighted_average":
            score = (variation * score).sum() / variation.sum()
        free = self.samples - self.num_regressors - 1
        if self.num_regressors and free > 0:
            score = 1 - (1 - score) * (self.samples - 1) / free
        return plain_number(score)
