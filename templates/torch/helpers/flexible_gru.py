"""A GRU with options that `nn.GRU` lacks."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from .gate_linear import gate_linear
from .scan_steps import scan_steps


class FlexibleGRU(nn.Module):
    """GRU with any activations, masks, and dropout that stays the same over time.

    The gates stand in the order of `nn.GRU`: reset, update, new. With ``reset_after``
    the reset gate acts on the state's product, as in `nn.GRU`; without, on the state.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        activation: Callable[[torch.Tensor], torch.Tensor],
        gate_activation: Callable[[torch.Tensor], torch.Tensor],
        reset_after: bool = True,
        bias: bool = True,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.activation = activation
        self.gate_activation = gate_activation
        self.reset_after = reset_after
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        if bias:
            self.bias_ih = nn.Parameter(torch.empty(3 * hidden_size))
        else:
            self.register_parameter("bias_ih", None)
        if bias and reset_after:
            self.bias_hh = nn.Parameter(torch.empty(3 * hidden_size))
        else:
            self.register_parameter("bias_hh", None)

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
        keep_x = keep_h = None
        if self.training and self.dropout:
            keep_x = F.dropout(x.new_ones(3, x.shape[0], 1, x.shape[-1]), self.dropout)
        if self.training and self.recurrent_dropout:
            keep_h = F.dropout(x.new_ones(3, *state.shape), self.recurrent_dropout)

        def step(gates: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor]:
            x_r, x_z, x_n = gates.chunk(3, -1)
            product = gate_linear(h, self.weight_hh, keep_h)
            if self.bias_hh is not None:
                product = product + self.bias_hh
            h_r, h_z, h_n = product.chunk(3, -1)
            r = self.gate_activation(x_r + h_r)
            z = self.gate_activation(x_z + h_z)
            if self.reset_after:
                h_n = r * h_n
            else:
                kept = h if keep_h is None else h * keep_h[2]
                h_n = F.linear(r * kept, self.weight_hh.chunk(3)[2])
            return (z * h + (1 - z) * self.activation(x_n + h_n),)

        gates = gate_linear(x, self.weight_ih, keep_x)
        if self.bias_ih is not None:
            gates = gates + self.bias_ih
        out, (last,) = scan_steps(step, gates, (state,), mask, zero_masked)
        return out, last
