"""Group normalization that takes groups of one value."""

import torch
from torch import nn


class AnyGroupNorm(nn.GroupNorm):
    """`nn.GroupNorm`, which refuses one value per group in a batch of one; Keras gives the bias."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return torch.group_norm(
            input, self.num_groups, self.weight, self.bias, self.eps
        )
