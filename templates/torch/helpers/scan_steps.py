"""The loop over time of recurrent layers."""

from collections.abc import Callable

import torch


def scan_steps(
    step: Callable[..., tuple[torch.Tensor, ...]],
    x: torch.Tensor,
    state: tuple[torch.Tensor, ...],
    mask: torch.Tensor | None = None,
    zero_masked: bool = False,
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Go through ``x`` (N, T, ...) by ``state = step(x[:, t], *state)``.

    The first state is the output. A step that the mask (N, T) or (N, T, ...) drops keeps
    the state and repeats the output before it: zeros if there is none, or always with
    ``zero_masked``.
    """
    outputs = []
    out = torch.zeros_like(state[0])
    if mask is not None:
        mask = mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim))
    for t, x_t in enumerate(x.unbind(1)):
        new = step(x_t, *state)
        if mask is None:
            out, state = new[0], new
        else:
            keep = mask[:, t]
            out = torch.where(
                keep, new[0], torch.zeros_like(out) if zero_masked else out
            )
            state = tuple(
                torch.where(keep, a, b) for a, b in zip(new, state, strict=True)
            )
        outputs.append(out)
    return torch.stack(outputs, dim=1), state
