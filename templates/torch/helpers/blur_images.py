"""Blurred images."""

import torch
import torch.nn.functional as F


def blur_images(
    x: torch.Tensor, sizes: tuple[int, int], sigmas: torch.Tensor
) -> torch.Tensor:
    """Blur images (N, C, H, W) by a Gaussian kernel of odd ``sizes``; zeros are around them."""

    def bell(size: int, sigma: torch.Tensor) -> torch.Tensor:
        place = torch.arange(size, dtype=x.dtype, device=x.device) - (size - 1) / 2
        weights = torch.exp(-0.5 * (place / sigma) ** 2)
        return weights / weights.sum()

    # Keras has the sizes the other way round in the kernel than in its two factors.
    first, second = (
        bell(size, sigma) for size, sigma in zip(sizes, sigmas, strict=True)
    )
    kernel = torch.outer(second, first).reshape(sizes)
    channels = x.shape[1]
    padding = (sizes[0] // 2, sizes[1] // 2)
    kernel = kernel.expand(channels, 1, *sizes)
    return F.conv2d(x, kernel, padding=padding, groups=channels)
