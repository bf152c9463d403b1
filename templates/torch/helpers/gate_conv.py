"""Gates that each read the input through a dropout mask of their own."""

import torch
import torch.nn.functional as F
from torch import nn


def gate_conv(
    conv: nn.Conv1d | nn.Conv2d | nn.Conv3d,
    x: torch.Tensor,
    keep: torch.Tensor | None,
) -> torch.Tensor:
    """``conv(x)``; ``keep`` scales ``x`` for each gate's block of output channels."""
    if keep is None:
        gates: torch.Tensor = conv(x)
        return gates
    function = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[x.ndim]
    return function(
        torch.cat([x * k for k in keep], dim=1),
        conv.weight,
        conv.bias,
        conv.stride,
        conv.padding,
        conv.dilation,
        groups=len(keep),
    )
