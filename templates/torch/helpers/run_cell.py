"""The loop over time around a cell."""

import torch
from torch import nn

from .scan_steps import scan_steps


def run_cell(
    cell: nn.Module,
    x: torch.Tensor,
    sizes: tuple[int, ...],
    states: tuple[torch.Tensor, ...] = (),
    mask: torch.Tensor | None = None,
    zero_masked: bool = False,
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Go through ``x`` (N, T, features) by ``output, states = cell(x[:, t], states)``.

    ``sizes`` are the features of the output and of each state; without ``states`` these
    start as zeros.  A step that the mask (N, T) drops keeps the states and repeats the
    output before it: zeros if there is none, or always with ``zero_masked``.
    """

    def step(
        x_t: torch.Tensor, _: torch.Tensor, *held: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        output, new = cell(x_t, list(held))
        return (output, *new)

    zeros = [x.new_zeros(x.shape[0], size) for size in sizes]
    first = (zeros[0], *(states or zeros[1:]))
    out, (_, *last) = scan_steps(step, x, first, mask, zero_masked)
    return out, tuple(last)
