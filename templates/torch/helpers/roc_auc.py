"""A metric: area under the ROC curve."""

from .confusion_counts import ConfusionCounts
from .ratio import ratio


class RocAuc(ConfusionCounts):
    """The area under the ROC curve, drawn through ``num_thresholds`` points."""

    def __init__(self, num_thresholds: int = 200) -> None:
        inner = [i / (num_thresholds - 1) for i in range(1, num_thresholds - 1)]
        super().__init__([-1e-7, *inner, 1 + 1e-7])

    def result(self) -> float:
        """The area by the trapezoidal rule."""
        recall = ratio(self.tp, self.tp + self.fn)
        fall_out = ratio(self.fp, self.fp + self.tn)
        heights = (recall[:-1] + recall[1:]) / 2
        return ((fall_out[:-1] - fall_out[1:]) * heights).sum().item()
