"""Images in another size, as TensorFlow computes it."""

import torch


def resize_image(
    x: torch.Tensor, size: tuple[int, int], kernel: str, antialias: bool = False
) -> torch.Tensor:
    """Bring height and width of (..., H, W) to ``size`` with TensorFlow's weights.

    `F.interpolate` differs: its cubic is another one, its antialiasing cuts elsewhere, and it
    repeats the edges, where TensorFlow leaves out what lies outside and lets the rest sum to one.
    """

    def weights(size: int, new: int) -> torch.Tensor:
        ratio = size / new
        scale = max(ratio, 1.0) if antialias else 1.0
        centers = (torch.arange(new, dtype=torch.float64) + 0.5) * ratio
        inputs = torch.arange(size, dtype=torch.float64) + 0.5
        if kernel == "bicubic" and not antialias:
            # TensorFlow looks the cubic up in a table of 1024 steps.
            centers = (centers * 1024).round() / 1024
        d = (inputs - centers[:, None]).abs() / scale
        if kernel == "bilinear":
            w = (1 - d).clamp(min=0)
        elif kernel == "bicubic":
            near, far = (1.5 * d - 2.5) * d * d + 1, ((2.5 - 0.5 * d) * d - 4) * d + 2
            w = torch.where(d < 1, near, torch.where(d < 2, far, 0))
        elif kernel == "area":
            ends = (torch.arange(new, dtype=torch.float64) * ratio)[:, None]
            w = torch.minimum(inputs + 0.5, ends + ratio) - torch.maximum(
                inputs - 0.5, ends
            )
            w = w.clamp(min=0)
        else:
            radius = int(kernel[-1])  # lanczos3, lanczos5
            w = torch.where(d < radius, torch.sinc(d) * torch.sinc(d / radius), 0)
        return (w / w.sum(dim=1, keepdim=True)).to(x)

    rows, columns = weights(x.shape[-2], size[0]), weights(x.shape[-1], size[1])
    return rows @ x @ columns.T
