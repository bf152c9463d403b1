"""Stops training when a value no longer gets better."""

import copy
from typing import Any

from torch import nn


class EarlyStopping:
    """Watches one value of every epoch, by the rules of Keras's EarlyStopping.

    ``sign`` is 1 where larger values are better, -1 where smaller ones are.
    """

    def __init__(
        self,
        sign: int,
        patience: int = 0,
        min_delta: float = 0.0,
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        self.sign, self.patience, self.min_delta = sign, patience, min_delta
        self.baseline, self.start = baseline, start_from_epoch
        self.restore = restore_best_weights
        self.best: float | None = None
        self.best_state: dict[str, Any] | None = None
        self.wait = 0

    def better(self, value: float, reference: float | None) -> bool:
        return (
            reference is None
            or self.sign * value - abs(self.min_delta) > self.sign * reference
        )

    def should_stop(self, epoch: int, value: float, model: nn.Module) -> bool:
        """Whether to stop after this epoch (from 1) with this value."""
        if epoch <= self.start:
            return False
        improved = self.better(value, self.best)
        if self.restore and (improved or self.best_state is None):
            self.best_state = copy.deepcopy(model.state_dict())
        self.wait += 1
        if improved:
            self.best = value
            if self.better(value, self.baseline):
                self.wait = 0
            return False
        return self.wait >= self.patience and epoch > 1

    def finish(self, model: nn.Module) -> None:
        """Go back to the best weights, if that was asked for."""
        if self.best_state is not None:
            model.load_state_dict(self.best_state)
