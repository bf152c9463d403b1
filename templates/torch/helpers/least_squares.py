"""Least squares with small singular values left out."""

import torch


def least_squares(a: torch.Tensor, b: torch.Tensor, rcond: float) -> torch.Tensor:
    """The solution of ``a @ x = b`` of the least norm.

    Singular values below ``rcond`` times the largest count as 0.
    """
    u, s, vh = torch.linalg.svd(a, full_matrices=False)
    kept = s >= rcond * s[0]
    inverse = torch.where(kept, 1 / torch.where(kept, s, 1), 0)
    solution: torch.Tensor = (vh.T * inverse) @ (u.T @ b)
    return solution
