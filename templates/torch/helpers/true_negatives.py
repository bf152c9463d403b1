"""A metric: true negatives."""

from typing import Any

from .confusion_counts import ConfusionCounts
from .plain_number import plain_number


class TrueNegatives(ConfusionCounts):
    """How many samples there are with a negative target that are predicted negative."""

    def result(self) -> Any:
        """The number at each threshold."""
        return plain_number(self.tn)
