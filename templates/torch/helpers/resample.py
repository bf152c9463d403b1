"""Bicubic and Lanczos enlargement as TensorFlow computes it."""

import torch


def resample(x: torch.Tensor, factors: tuple[int, int], kernel: str) -> torch.Tensor:
    """Enlarge height and width of (N, C, H, W) with TensorFlow's weights.

    `F.interpolate` differs: its cubic is another one, and it repeats the edges, where
    TensorFlow leaves out what lies outside and lets the rest sum to one.
    """

    def weights(size: int, factor: int) -> torch.Tensor:
        centers = (torch.arange(size * factor, dtype=torch.float64) + 0.5) / factor
        if kernel == "bicubic":  # TensorFlow looks it up in a table of 1024 steps
            centers = (centers * 1024).round() / 1024
        inputs = torch.arange(size, dtype=torch.float64) + 0.5
        d = (inputs - centers[:, None]).abs()
        if kernel == "bicubic":
            near, far = (1.5 * d - 2.5) * d * d + 1, ((2.5 - 0.5 * d) * d - 4) * d + 2
            w = torch.where(d < 1, near, torch.where(d < 2, far, 0))
        else:
            radius = int(kernel[-1])  # lanczos3, lanczos5
            w = torch.where(d < radius, torch.sinc(d) * torch.sinc(d / radius), 0)
        return (w / w.sum(dim=1, keepdim=True)).to(x)

    rows, columns = weights(x.shape[2], factors[0]), weights(x.shape[3], factors[1])
    return rows @ x @ columns.T
