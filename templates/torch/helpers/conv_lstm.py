"""An LSTM over sequences of images."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from .gate_conv import gate_conv
from .scan_steps import scan_steps


class ConvLSTM(nn.Module):
    """LSTM whose products are convolutions; its gates are input, forget, cell, output.

    Args:
        input_conv: From the channels of a step to four times those of the state.
        state_conv: From the state to four times its channels; it keeps the size.
        time_dim: Where time stands: 2 for (N, C, T, ...), 1 for (N, T, C, ...).
        activation, gate_activation: Of the cell and of the gates.
        dropout, recurrent_dropout: Rates for a step's input and for the state. In
            training each gate draws a mask, which stays the same over time.
    """

    def __init__(
        self,
        input_conv: nn.Conv1d | nn.Conv2d | nn.Conv3d,
        state_conv: nn.Conv1d | nn.Conv2d | nn.Conv3d,
        time_dim: int = 2,
        activation: Callable[[torch.Tensor], torch.Tensor] = torch.tanh,
        gate_activation: Callable[[torch.Tensor], torch.Tensor] = torch.sigmoid,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.input_conv = input_conv
        self.state_conv = state_conv
        self.time_dim = time_dim
        self.activation = activation
        self.gate_activation = gate_activation
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout

    def forward(
        self,
        x: torch.Tensor,
        state: tuple[torch.Tensor, torch.Tensor] | None = None,
        mask: torch.Tensor | None = None,
        zero_masked: bool = False,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Map a sequence to the outputs of all steps and the last states (h, c).

        The mask is (N, T), or has all axes of x to tell places apart.
        """
        x = x.movedim(self.time_dim, 1)
        if mask is not None and mask.ndim == x.ndim:
            mask = mask.movedim(self.time_dim, 1)
        keep_x = keep_h = None
        if self.training and self.dropout:
            keep_x = F.dropout(x.new_ones(4, x.shape[0], *x.shape[2:]), self.dropout)
            keep_x = keep_x.repeat_interleave(x.shape[1], dim=1)
        # The input's convolution does not wait for the state: all steps at once.
        gates = gate_conv(self.input_conv, x.flatten(0, 1), keep_x)
        gates = torch.unflatten(gates, 0, x.shape[:2])
        if state is None:
            zeros = torch.zeros_like(gates[:, 0].chunk(4, 1)[0])
            state = (zeros, zeros)
        if self.training and self.recurrent_dropout:
            keep_h = F.dropout(x.new_ones(4, *state[0].shape), self.recurrent_dropout)

        def step(
            gates: torch.Tensor, h: torch.Tensor, c: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            gates = gates + gate_conv(self.state_conv, h, keep_h)
            i, f, g, o = gates.chunk(4, 1)
            c = self.gate_activation(f) * c
            c = c + self.gate_activation(i) * self.activation(g)
            return self.gate_activation(o) * self.activation(c), c

        out, last = scan_steps(step, gates, state, mask, zero_masked)
        return out.movedim(1, self.time_dim), last
