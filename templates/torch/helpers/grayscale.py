"""Gray versions of colors."""

import torch


def grayscale(x: torch.Tensor) -> torch.Tensor:
    """The luma (N, 1, H, W) of images (N, 3, H, W), by TensorFlow's weights."""
    if x.shape[1] == 1:
        return x
    weights = torch.tensor([0.2989, 0.5870, 0.1140], dtype=x.dtype, device=x.device)
    return torch.einsum("nchw,c->nhw", x, weights).unsqueeze(1)
