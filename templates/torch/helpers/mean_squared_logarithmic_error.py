"""A loss: mean squared logarithmic error."""

import torch


def mean_squared_logarithmic_error(
    prediction: torch.Tensor, target: torch.Tensor, dim: int = -1
) -> torch.Tensor:
    """Squared differences of log(1 + x), averaged over ``dim``."""
    ratio = torch.log1p(prediction.clamp(min=1e-7)) - torch.log1p(
        target.clamp(min=1e-7)
    )
    return ratio.square().mean(dim)
