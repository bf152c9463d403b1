"""A metric of predictions and targets in another form."""

from collections.abc import Callable
from typing import Any

import torch


class Converted:
    """A metric that gets predictions and targets through a conversion first."""

    def __init__(
        self,
        metric: Any,
        convert: Callable[
            [torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]
        ],
    ) -> None:
        self.metric, self.convert = metric, convert
        self.reset, self.result = metric.reset, metric.result

    def update(
        self,
        prediction: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> None:
        """Add a batch."""
        self.metric.update(*self.convert(prediction, target), weight)
