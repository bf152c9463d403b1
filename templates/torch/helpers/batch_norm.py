"""Batch normalization with Keras's moving average of the variance."""

import torch
import torch.nn.functional as F
from torch import nn


class BatchNorm(nn.Module):
    """Batch normalization of axis 1, averaging the biased variance as Keras does."""

    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(
        self, features: int, eps: float, momentum: float, affine: bool = True
    ) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(features)) if affine else None
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))

    def forward(
        self, x: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        mean, var = self.running_mean, self.running_var
        if not self.training:
            return F.batch_norm(x, mean, var, self.weight, self.bias, eps=self.eps)
        with torch.no_grad():
            axes = [axis for axis in range(x.ndim) if axis != 1]
            batch_var, batch_mean = torch.var_mean(x, axes, correction=0)
            mean.lerp_(batch_mean, self.momentum)
            var.lerp_(batch_var, self.momentum)
        return F.batch_norm(
            x, None, None, self.weight, self.bias, training=True, eps=self.eps
        )
