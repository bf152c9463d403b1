"""A constraint on norms."""

import torch


def limit_norm(
    weight: torch.Tensor,
    low: float,
    high: float,
    dim: int | tuple[int, ...],
    rate: float = 1.0,
) -> torch.Tensor:
    """The weight with its norms over ``dim`` moved by ``rate`` into ``low`` to ``high``."""
    norm: torch.Tensor = torch.linalg.vector_norm(weight, dim=dim, keepdim=True)
    wanted = rate * norm.clamp(low, high) + (1 - rate) * norm
    return weight * wanted / (norm + 1e-7)
