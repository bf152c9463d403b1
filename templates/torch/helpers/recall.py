"""A metric: recall."""

from typing import Any

from .confusion_counts import ConfusionCounts
from .plain_number import plain_number
from .ratio import ratio


class Recall(ConfusionCounts):
    """True positives by actual positives."""

    def result(self) -> Any:
        """The recall at each threshold."""
        return plain_number(ratio(self.tp, self.tp + self.fn))
