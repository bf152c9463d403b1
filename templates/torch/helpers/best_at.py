"""A metric: the best of one rate where another is high enough."""

from .confusion_counts import ConfusionCounts
from .ratio import ratio


class BestAt(ConfusionCounts):
    """The best ``rate`` over all thresholds at which ``other`` is at least ``minimum``.

    Rates are ``precision``, ``recall`` (sensitivity) and ``specificity``.
    """

    def __init__(
        self,
        rate: str,
        other: str,
        minimum: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
    ) -> None:
        steps = num_thresholds - 1
        thresholds = [i / steps for i in range(num_thresholds)] if steps else [0.5]
        super().__init__(thresholds, class_id=class_id)
        self.rate, self.other, self.minimum = rate, other, minimum

    def result(self) -> float:
        """The best rate; 0 if none is allowed."""
        rates = {
            "precision": ratio(self.tp, self.tp + self.fp),
            "recall": ratio(self.tp, self.tp + self.fn),
            "specificity": ratio(self.tn, self.tn + self.fp),
        }
        allowed = rates[self.rate][rates[self.other] >= self.minimum]
        return max(allowed.tolist(), default=0.0)
