"""A metric: precision."""

from typing import Any

from .confusion_counts import ConfusionCounts
from .plain_number import plain_number
from .ratio import ratio


class Precision(ConfusionCounts):
    """True positives by predicted positives."""

    def result(self) -> Any:
        """The precision at each threshold."""
        return plain_number(ratio(self.tp, self.tp + self.fp))
