"""Values of one range in another range."""

import torch


def rescale_values(
    x: torch.Tensor, source: tuple[float, float], target: tuple[float, float]
) -> torch.Tensor:
    """Map the range ``source`` linearly to the range ``target``."""
    if source == target:
        return x
    (low, high), (start, end) = source, target
    return (x - low) / (high - low) * (end - start) + start
