"""A metric: the square root of a mean."""

import math

from .mean import Mean


class RootMean(Mean):
    """The square root of the mean over all samples."""

    def result(self) -> float:
        """The root of the mean so far."""
        return math.sqrt(super().result())
