"""A metric: the mean of a function over all samples."""

from collections.abc import Callable

import torch


class Mean:
    """The mean over all samples of a function of predictions and targets."""

    def __init__(
        self, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    ) -> None:
        self.function = function
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.total, self.count = 0.0, 0.0

    def update(
        self,
        prediction: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> None:
        """Add a batch; ``weight`` has one number for each sample."""
        values = self.function(prediction, target).double()
        values = values.reshape(len(values), -1).mean(dim=1)
        if weight is None:
            weight = torch.ones_like(values)
        weight = weight.view_as(values)
        self.total += (values * weight).sum().item()
        self.count += weight.sum().item()

    def result(self) -> float:
        """The mean so far; 0 if there is nothing yet."""
        return self.total / self.count if self.count else 0.0
