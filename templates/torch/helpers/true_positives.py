"""A metric: true positives."""

from typing import Any

from .confusion_counts import ConfusionCounts
from .plain_number import plain_number


class TruePositives(ConfusionCounts):
    """How many samples there are with a positive target that are predicted positive."""

    def result(self) -> Any:
        """The number at each threshold."""
        return plain_number(self.tp)
