"""A simple recurrent layer with options that `nn.RNN` lacks."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from .scan_steps import scan_steps


class FlexibleRNN(nn.Module):
    """``h = activation(W x + U h + b)`` with any activation, masks and dropout."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        activation: Callable[[torch.Tensor], torch.Tensor],
        bias: bool = True,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.activation = activation
        self.recurrent_dropout = recurrent_dropout
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        if bias:
            self.bias = nn.Parameter(torch.empty(hidden_size))
        else:
            self.register_parameter("bias", None)

    def forward(
        self,
        x: torch.Tensor,
        state: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        zero_masked: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Map x (N, T, features) to outputs (N, T, units) and the last state."""
        if state is None:
            state = x.new_zeros(x.shape[0], self.hidden_size)
        rate = self.recurrent_dropout if self.training else 0.0
        keep = F.dropout(torch.ones_like(state), rate)

        def step(z: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor]:
            return (self.activation(z + F.linear(h * keep, self.weight_hh)),)

        z = F.linear(x, self.weight_ih, self.bias)
        out, (last,) = scan_steps(step, z, (state,), mask, zero_masked)
        return out, last
