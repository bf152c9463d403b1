"""An LSTM with options that `nn.LSTM` lacks."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from .gate_linear import gate_linear
from .scan_steps import scan_steps


class FlexibleLSTM(nn.Module):
    """LSTM with any activations, masks, and dropout that stays the same over time.

    The gates stand in the order of `nn.LSTM`: input, forget, cell, output.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        activation: Callable[[torch.Tensor], torch.Tensor],
        gate_activation: Callable[[torch.Tensor], torch.Tensor],
        bias: bool = True,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.activation = activation
        self.gate_activation = gate_activation
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        if bias:
            self.bias = nn.Parameter(torch.empty(4 * hidden_size))
        else:
            self.register_parameter("bias", None)

    def forward(
        self,
        x: torch.Tensor,
        state: tuple[torch.Tensor, torch.Tensor] | None = None,
        mask: torch.Tensor | None = None,
        zero_masked: bool = False,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Map x (N, T, features) to outputs (N, T, units) and last states (h, c)."""
        if state is None:
            zeros = x.new_zeros(x.shape[0], self.hidden_size)
            state = (zeros, zeros)
        keep_x = keep_h = None
        if self.training and self.dropout:
            keep_x = F.dropout(x.new_ones(4, x.shape[0], 1, x.shape[-1]), self.dropout)
        if self.training and self.recurrent_dropout:
            keep_h = F.dropout(x.new_ones(4, *state[0].shape), self.recurrent_dropout)

        def step(
            gates: torch.Tensor, h: torch.Tensor, c: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            i, f, g, o = (gates + gate_linear(h, self.weight_hh, keep_h)).chunk(4, -1)
            c = self.gate_activation(f) * c
            c = c + self.gate_activation(i) * self.activation(g)
            return self.gate_activation(o) * self.activation(c), c

        gates = gate_linear(x, self.weight_ih, keep_x)
        if self.bias is not None:
            gates = gates + self.bias
        return scan_steps(step, gates, state, mask, zero_masked)
