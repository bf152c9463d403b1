"""Random mirroring of images."""

import torch


def random_flip(x: torch.Tensor, dims: tuple[int, ...], training: bool) -> torch.Tensor:
    """In training mirrors half of the images (N, C, H, W), along all of ``dims``."""
    if not training:
        return x
    flips = torch.rand(x.shape[0], 1, 1, 1, device=x.device) <= 0.5
    return torch.where(flips, x.flip(dims), x)
