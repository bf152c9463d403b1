"""Updates at indices."""

import torch


def scatter_rows(
    x: torch.Tensor, indices: torch.Tensor, updates: torch.Tensor, reduce: str
) -> torch.Tensor:
    """A tensor whose parts at ``indices`` (..., depth) are combined with updates.

    Args:
        x: The tensor.
        indices: Places along the first ``depth`` axes.
        updates: (..., *x.shape[depth:]).
        reduce: ``amax``, ``amin`` or ``prod``.
    """
    depth = indices.shape[-1]
    rows = x.flatten(0, depth - 1)
    place = indices[..., 0]
    for axis in range(1, depth):
        place = place * x.shape[axis] + indices[..., axis]
    source = updates.reshape(-1, *rows.shape[1:])
    places = place.reshape(-1, *(1,) * (rows.dim() - 1)).expand_as(source)
    return rows.scatter_reduce(0, places, source, reduce).view(x.shape)
