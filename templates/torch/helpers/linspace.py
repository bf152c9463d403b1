"""Numbers at equal distances."""

import torch


def linspace(
    start: torch.Tensor,
    stop: torch.Tensor,
    num: int,
    dim: int = 0,
    endpoint: bool = True,
) -> torch.Tensor:
    """``num`` numbers from ``start`` to ``stop`` along a new axis ``dim``.

    Args:
        start, stop: Two tensors, which are broadcast.
        num: How many numbers.
        dim: The new axis.
        endpoint: Whether the last number is ``stop``; else it is the one after.
    """
    rank = max(start.dim(), stop.dim())
    first, last = (x[(None,) * (rank - x.dim())].unsqueeze(dim) for x in (start, stop))
    steps = torch.arange(num, dtype=start.dtype, device=start.device)
    weights = (steps / max(num - endpoint, 1)).view(-1, *(1,) * (rank - dim))
    return torch.lerp(first, last, weights)
