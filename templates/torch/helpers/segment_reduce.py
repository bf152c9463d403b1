"""Reductions of rows that belong together."""

import torch


def segment_reduce(
    data: torch.Tensor,
    ids: torch.Tensor,
    reduce: str,
    empty: float,
    size: int | None = None,
) -> torch.Tensor:
    """The rows of ``data`` with the same id, reduced to one.

    Args:
        data: (N, ...).
        ids: The id of each row (N,), from 0 on.
        reduce: ``sum``, ``prod``, ``amax`` or ``amin``.
        empty: The result for an id that no row has.
        size: The number of ids; the largest one plus 1 if None.
    """
    if size is None:
        size = int(ids.max()) + 1
    start = data.new_full((size, *data.shape[1:]), empty)
    places = ids.view(-1, *(1,) * (data.dim() - 1)).expand_as(data)
    return start.scatter_reduce(0, places, data, reduce, include_self=False)
