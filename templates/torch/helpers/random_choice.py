"""Which samples of a batch a random change applies to."""

import torch

from .uniform import uniform


def random_choice(x: torch.Tensor, limits: tuple[float, float]) -> torch.Tensor:
    """True for each sample of ``x`` with a probability that is itself drawn between ``limits``.

    The result has the shape (N, 1, 1, 1).
    """
    probability = uniform(x, limits)
    return (uniform(x, (0, 1)) < probability).view(-1, 1, 1, 1)
