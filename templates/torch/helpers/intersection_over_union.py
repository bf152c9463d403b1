"""A metric: intersection over union."""

from collections.abc import Sequence

import torch


class IntersectionOverUnion:
    """Intersection over union of predicted and true class numbers, averaged over classes.

    Args:
        num_classes: How many classes there are; other numbers do not count.
        class_ids: The classes to average over; all by default.
        ignore_class: Targets of this class do not count.
    """

    def __init__(
        self,
        num_classes: int,
        class_ids: Sequence[int] | None = None,
        ignore_class: int | None = None,
    ) -> None:
        self.num_classes = num_classes
        self.class_ids = list(class_ids or range(num_classes))
        self.ignore_class = ignore_class
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.counts = torch.zeros(self.num_classes, self.num_classes)

    def update(
        self,
        prediction: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> None:
        """Add a batch of class numbers; weights count as whole numbers."""
        prediction, target = prediction.flatten().long(), target.flatten().long()
        if weight is None:
            weight = torch.ones_like(target)
        weight = weight.flatten().long().expand_as(target)
        size = self.num_classes
        known = (
            (target >= 0) & (target < size) & (prediction >= 0) & (prediction < size)
        )
        if self.ignore_class is not None:
            known &= target != self.ignore_class
        index = (target * size + prediction)[known]
        counts = torch.bincount(index, weight[known], minlength=size * size)
        self.counts = self.counts + counts.cpu().view(size, size)

    def result(self) -> float:
        """The average over those classes that occur."""
        overlap = self.counts.diagonal()
        union = self.counts.sum(0) + self.counts.sum(1) - overlap
        overlap, union = overlap[self.class_ids], union[self.class_ids]
        occurs = union > 0
        total = (overlap / (union + 1e-7))[occurs].sum()
        return (total / (occurs.sum() + 1e-7)).item()
