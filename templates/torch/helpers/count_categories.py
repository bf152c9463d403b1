"""Category numbers into vectors."""

import torch


def count_categories(
    x: torch.Tensor, depth: int, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """How often (or with which total weight) each number occurs along the last axis.

    Numbers outside of 0 to ``depth - 1`` count for nothing.
    """
    x = x.long()
    known = (x >= 0) & (x < depth)
    amounts = known.float() if weights is None else known * weights
    vectors = amounts.new_zeros(*x.shape[:-1], depth)
    return vectors.scatter_add(-1, x.where(known, 0), amounts)
