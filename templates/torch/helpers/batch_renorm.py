"""Batch renormalization (Ioffe, 2017, arXiv:1702.03275)."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from .batch_moments import batch_moments
from .batch_norm import BatchNorm


class BatchRenorm(BatchNorm):
    """Batch normalization corrected, in training, towards slower moving averages."""

    def __init__(
        self,
        features: int,
        eps: float,
        momentum: float,
        renorm_momentum: float,
        affine: bool = True,
        rmin: float = 0.0,
        rmax: float = math.inf,
        dmax: float = math.inf,
    ) -> None:
        super().__init__(features, eps, momentum, affine)
        self.renorm_momentum = renorm_momentum
        self.rmin, self.rmax, self.dmax = rmin, rmax, dmax
        self.running_std = nn.Buffer(torch.ones(features))
        self.renorm_mean = nn.Buffer(torch.zeros(features))
        self.renorm_std = nn.Buffer(torch.ones(features))

    def forward(
        self, x: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        if not self.training:
            return super().forward(x)
        mean, var = batch_moments(x, mask)
        std = torch.sqrt(var + self.eps)
        with torch.no_grad():
            slow_mean = self.renorm_mean.view_as(mean)
            slow_std = self.renorm_std.view_as(mean).clamp(min=math.sqrt(self.eps))
            r = (std / slow_std).clamp(self.rmin, self.rmax)
            d = ((mean - slow_mean) / slow_std).clamp(-self.dmax, self.dmax)
            self._update(mean.flatten(), std.flatten())
        x = (x - mean) / std * r + d
        if self.weight is not None and self.bias is not None:
            x = x * self.weight.view_as(mean) + self.bias.view_as(mean)
        return x

    def _update(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        self.renorm_mean.lerp_(mean, self.renorm_momentum)
        self.renorm_std.lerp_(std, self.renorm_momentum)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_std.lerp_(std, self.momentum)
        self.running_var.copy_(F.relu(self.running_std.square() - self.eps))
