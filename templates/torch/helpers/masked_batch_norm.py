"""Batch normalization of padded sequences."""

import torch

from .batch_moments import batch_moments
from .batch_norm import BatchNorm


class MaskedBatchNorm(BatchNorm):
    """Batch normalization that leaves masked positions out of a batch's statistics."""

    def forward(
        self, x: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        if not self.training:
            return super().forward(x)
        mean, var = batch_moments(x, mask)
        with torch.no_grad():
            self.running_mean.lerp_(mean.flatten(), self.momentum)
            self.running_var.lerp_(var.flatten(), self.momentum)
        x = (x - mean) * torch.rsqrt(var + self.eps)
        if self.weight is not None and self.bias is not None:
            x = x * self.weight.view_as(mean) + self.bias.view_as(mean)
        return x
