"""Recurrent layers over masked sequences."""

from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .masked_steps import masked_steps


def masked_rnn(
    rnn: nn.RNNBase,
    x: torch.Tensor,
    mask: torch.Tensor,
    state: Any = None,
    zero_masked: bool = False,
) -> tuple[torch.Tensor, Any]:
    """Run ``rnn`` over the steps (N, T) that ``mask`` keeps, in any positions.

    A masked step keeps the state and repeats the output before it: zeros if there is
    none, or always with ``zero_masked``. States are given and returned as by ``rnn``.
    """
    if torch.compiler.is_exporting() or torch._C._is_tracing():
        return masked_steps(rnn, x, mask, state, zero_masked)  # no packing in a trace
    count = mask.sum(1)
    order = mask.int().argsort(dim=1, descending=True, stable=True)  # kept steps first
    packed = pack_padded_sequence(
        x.gather(1, order.unsqueeze(-1).expand_as(x)),
        count.clamp(min=1).cpu(),
        batch_first=True,
        enforce_sorted=False,
    )
    packed, last = rnn(packed, state)
    out, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])

    seen = mask.cumsum(1)  # how many kept steps there are up to each step
    index = (seen - 1).clamp(min=0).unsqueeze(-1).expand(-1, -1, out.shape[-1])
    shown = mask if zero_masked else seen > 0
    out = out.gather(1, index).masked_fill(~shown.unsqueeze(-1), 0)

    some = (count > 0).unsqueeze(-1)  # a sequence without any step keeps its state
    if isinstance(last, tuple):
        h, c = state if state is not None else map(torch.zeros_like, last)
        return out, (torch.where(some, last[0], h), torch.where(some, last[1], c))
    h = state if state is not None else torch.zeros_like(last)
    return out, torch.where(some, last, h)
