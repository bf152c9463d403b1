"""What metrics of a confusion matrix share."""

from collections.abc import Sequence

import torch


class ConfusionCounts:
    """True and false positives and negatives at each threshold, added up over batches.

    Args:
        thresholds: A prediction above a threshold is positive.
        top_k: Only the k largest predictions of each sample can be positive.
        class_id: The one class that counts; all by default.
    """

    def __init__(
        self,
        thresholds: Sequence[float] = (0.5,),
        top_k: int | None = None,
        class_id: int | None = None,
    ) -> None:
        self.thresholds, order = torch.tensor(thresholds).sort()
        self.order = order.argsort()
        self.top_k = top_k
        self.class_id = class_id
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        zeros = torch.zeros(len(self.thresholds), dtype=torch.float64)
        self.tp, self.fp, self.tn, self.fn = zeros, zeros, zeros, zeros

    def update(
        self,
        prediction: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> None:
        """Add a batch; ``weight`` has one number for each sample."""
        target = target.view_as(prediction)
        if weight is None:
            weight = torch.ones(len(prediction), device=prediction.device)
        weight = weight.view(-1, *(1,) * (prediction.ndim - 1)).expand_as(prediction)
        if self.top_k is not None:
            kept = prediction.topk(self.top_k, dim=-1).indices
            rest = torch.ones_like(prediction, dtype=torch.bool).scatter(-1, kept, 0)
            prediction = prediction.masked_fill(rest, -1e10)
        if self.class_id is not None:
            prediction, target = (
                prediction[..., self.class_id],
                target[..., self.class_id],
            )
            weight = weight[..., self.class_id]
        below = torch.bucketize(prediction.cpu().flatten(), self.thresholds)
        true = target.cpu().flatten().bool()
        weight = weight.cpu().flatten().double()
        tp = self._above(below, torch.where(true, weight, 0.0))
        fp = self._above(below, torch.where(true, 0.0, weight))
        self.tp = self.tp + tp
        self.fp = self.fp + fp
        self.fn = self.fn + weight[true].sum() - tp
        self.tn = self.tn + weight[~true].sum() - fp

    def _above(self, below: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """The weight above each threshold, in the order in which they were given."""
        counts = torch.bincount(below, weight, minlength=len(self.thresholds) + 1)
        return counts.flip(0).cumsum(0).flip(0)[1:][self.order]
