"""A metric: area under a curve."""

from collections.abc import Sequence

import torch

from .confusion_counts import ConfusionCounts
from .ratio import ratio


class AreaUnderCurve:
    """The area under the ROC, precision-recall or precision-recall-gain curve.

    Args:
        thresholds: Where the curve is drawn, from 0 to 1.
        curve: ``ROC``, ``PR`` or ``PRGAIN``.
        method: ``interpolation``, ``minoring`` or ``majoring``.
        labels: One curve for each of so many labels, averaged; one for all by default.
        label_weights: What each label counts.
    """

    def __init__(
        self,
        thresholds: Sequence[float],
        curve: str = "ROC",
        method: str = "interpolation",
        labels: int | None = None,
        label_weights: Sequence[float] | None = None,
    ) -> None:
        self.curve, self.method, self.labels = curve, method, labels
        self.label_weights = (
            None if label_weights is None else torch.tensor(label_weights)
        )
        ends = [-1e-7, *sorted(thresholds), 1 + 1e-7]
        self.counts = [ConfusionCounts(ends) for _ in range(labels or 1)]

    def reset(self) -> None:
        """Forget all batches."""
        for counts in self.counts:
            counts.reset()

    def update(
        self,
        prediction: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> None:
        """Add a batch; ``weight`` has one number for each sample."""
        target = target.view_as(prediction)
        if self.labels is not None:
            for label, counts in enumerate(self.counts):
                counts.update(prediction[:, label], target[:, label], weight)
        elif self.label_weights is None:
            self.counts[0].update(prediction, target, weight)
        else:
            each = self.label_weights.to(prediction).expand_as(prediction)
            if weight is not None:
                each = each * weight.view(-1, 1)
            self.counts[0].update(
                prediction.flatten(), target.flatten(), each.flatten()
            )

    def result(self) -> float:
        """The area, averaged over labels."""
        areas = torch.stack([self._area(counts) for counts in self.counts])
        if self.labels is None or self.label_weights is None:
            return areas.mean().item()
        weights = self.label_weights.double()
        return ((areas * weights).sum() / weights.sum()).item()

    def _area(self, counts: ConfusionCounts) -> torch.Tensor:
        tp, fp, tn, fn = counts.tp, counts.fp, counts.tn, counts.fn
        if self.curve == "PR" and self.method == "interpolation":
            return self._interpolated(tp, fp, fn)
        x, y = ratio(tp, tp + fn), ratio(tp, tp + fp)
        if self.curve == "ROC":
            x, y = ratio(fp, fp + tn), x
        elif self.curve == "PRGAIN":
            scale = ratio(tp + fn, tn + fp)
            x = torch.where(tp == 0, 0.0, 1 - scale * ratio(fn, tp)).clamp(min=0)
            y = torch.where(tp == 0, 1.0, 1 - scale * ratio(fp, tp))
        heights = (y[:-1] + y[1:]) / 2
        if self.method == "minoring":
            heights = torch.minimum(y[:-1], y[1:])
        elif self.method == "majoring":
            heights = torch.maximum(y[:-1], y[1:])
        return ((x[:-1] - x[1:]) * heights).sum()

    @staticmethod
    def _interpolated(
        tp: torch.Tensor, fp: torch.Tensor, fn: torch.Tensor
    ) -> torch.Tensor:
        """Davis and Goadrich's interpolation between points of a precision-recall curve."""
        found = tp[:-1] - tp[1:]
        positive = tp + fp
        slope = ratio(found, (positive[:-1] - positive[1:]).clamp(min=0))
        intercept = tp[1:] - slope * positive[1:]
        both = (positive[:-1] > 0) & (positive[1:] > 0)
        growth = torch.where(both, ratio(positive[:-1], positive[1:]), 1.0)
        area = slope * (found + intercept * growth.log())
        return ratio(area, tp[1:] + fn[1:]).sum()
