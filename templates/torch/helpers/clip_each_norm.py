"""Gradient clipping, weight by weight."""

from collections.abc import Iterable

import torch
from torch import nn


def clip_each_norm(parameters: Iterable[torch.Tensor], max_norm: float) -> None:
    """Scale down the gradient of every weight whose norm is above ``max_norm``."""
    for parameter in parameters:
        nn.utils.clip_grad_norm_(parameter, max_norm)
