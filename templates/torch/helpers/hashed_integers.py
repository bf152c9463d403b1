"""Whole numbers by the hash of their digits."""

from collections.abc import Callable

import torch


def hashed_integers(
    x: torch.Tensor, hasher: Callable[[str], int], bins: int
) -> torch.Tensor:
    """The bin of each number, hashed as the string of its digits."""
    found = {number: hasher(str(number)) % bins for number in {*x.flatten().tolist()}}
    numbers = [found[number] for number in x.flatten().tolist()]
    return torch.tensor(numbers, dtype=torch.int64, device=x.device).view(x.shape)
