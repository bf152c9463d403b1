"""Recurrent layers whose every step adds to the loss."""

from typing import Any

import torch
from torch import nn


def watched_steps(
    rnn: nn.Module,
    x: torch.Tensor,
    state: Any = None,
    mask: torch.Tensor | None = None,
    zero_masked: bool = False,
) -> tuple[torch.Tensor, Any, tuple[torch.Tensor, ...]]:
    """Run ``rnn`` one step after the other.

    The results are its outputs (N, T, units), its last states, and for each kind of
    state those that all steps compute (N, T, units), also the steps that the mask drops.
    """
    outputs: list[torch.Tensor] = []
    computed: list[tuple[torch.Tensor, ...]] = []
    for t in range(x.shape[1]):
        out, new = rnn(x[:, t : t + 1], state)
        parts = new if isinstance(new, tuple) else (new,)
        computed.append(tuple(part.flatten(0, -2) for part in parts))
        if mask is not None:
            keep = mask[:, t : t + 1]
            shown = zero_masked or not outputs
            out = out.where(keep.unsqueeze(-1), 0 * out if shown else outputs[-1])
            if isinstance(new, tuple):
                old = state or [0 * part for part in new]
                new = tuple(a.where(keep, b) for a, b in zip(new, old, strict=True))
            else:
                new = new.where(keep, 0 * new if state is None else state)
        state = new
        outputs.append(out)
    steps = zip(*computed, strict=True)
    return torch.cat(outputs, 1), state, tuple(torch.stack(s, 1) for s in steps)
