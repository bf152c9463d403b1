"""Recurrent layers over masked sequences, one step after the other."""

from typing import Any

import torch
from torch import nn

from .scan_steps import scan_steps


def masked_steps(
    rnn: nn.RNNBase,
    x: torch.Tensor,
    mask: torch.Tensor,
    state: Any = None,
    zero_masked: bool = False,
) -> tuple[torch.Tensor, Any]:
    """Compute what ``masked_rnn`` does, by operations that a trace can follow."""
    cells: dict[str, Any] = {
        "LSTM": torch.lstm_cell,
        "GRU": torch.gru_cell,
        "RNN_TANH": torch.rnn_tanh_cell,
        "RNN_RELU": torch.rnn_relu_cell,
    }
    cell, is_lstm = cells[rnn.mode], rnn.mode == "LSTM"
    if state is None:
        zeros = x.new_zeros(len(rnn.all_weights), x.shape[0], rnn.hidden_size)
        state = (zeros, zeros) if is_lstm else zeros
    states = state if is_lstm else (state,)
    outputs, ends = [], []
    for direction, weights in enumerate(rnn.all_weights):

        def step(
            x_t: torch.Tensor, *held: torch.Tensor, weights: Any = weights
        ) -> tuple[torch.Tensor, ...]:
            new = cell(x_t, held if is_lstm else held[0], *weights)
            return new if is_lstm else (new,)

        turn = (1,) if direction else ()  # the second direction begins at the end
        first = tuple(one[direction] for one in states)
        out, last = scan_steps(step, x.flip(turn), first, mask.flip(turn), zero_masked)
        outputs.append(out.flip(turn))
        ends.append(last)
    final = tuple(torch.stack(parts) for parts in zip(*ends, strict=True))
    return torch.cat(outputs, dim=-1), final if is_lstm else final[0]
