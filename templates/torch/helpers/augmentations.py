"""Random changes of images, of which a policy applies some."""

import math
from collections.abc import Callable

import torch

from .adjust_sharpness import adjust_sharpness
from .auto_contrast import auto_contrast
from .equalize import equalize
from .fade_colors import fade_colors
from .posterize import posterize
from .shear_maps import shear_maps
from .solarize import solarize
from .transform_images import transform_images
from .uniform import uniform


def augmentations(
    images: torch.Tensor,
    limits: tuple[float, float],
    values: tuple[float, float],
    interpolation: str = "bilinear",
) -> list[Callable[[], Callable[[torch.Tensor], torch.Tensor]]]:
    """Eleven functions, each of which draws the numbers of a change and returns the change.

    Args:
        images: The images (N, C, H, W), of whose size the numbers depend.
        limits: Between which numbers the strength of a change is drawn.
        values: The range of the pixels.
        interpolation: How pixels are moved: bilinear or nearest.
    """
    height, width = images.shape[-2:]
    low, high = min(values), max(values)

    def each(limits: tuple[float, float]) -> torch.Tensor:
        return uniform(images, limits).view(-1, 1, 1, 1)

    def moved(
        u: list[torch.Tensor], v: list[torch.Tensor]
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        maps = torch.stack([torch.stack(u, dim=1), torch.stack(v, dim=1)], dim=1)
        return lambda x: transform_images(x, maps, interpolation=interpolation)

    def shear() -> Callable[[torch.Tensor], torch.Tensor]:
        maps = shear_maps(images, limits, limits)
        return lambda x: transform_images(x, maps, interpolation=interpolation)

    def translation() -> Callable[[torch.Tensor], torch.Tensor]:
        down, right = height * uniform(images, limits), width * uniform(images, limits)
        none, one = torch.zeros_like(down), torch.ones_like(down)
        return moved([one, none, -right], [none, one, -down])

    def rotation() -> Callable[[torch.Tensor], torch.Tensor]:
        angle = 2 * math.pi * uniform(images, limits)
        cos, sin = torch.cos(angle), torch.sin(angle)
        cx, cy = (width - 1) / 2, (height - 1) / 2
        return moved(
            [cos, -sin, cx - cx * cos + cy * sin], [sin, cos, cy - cx * sin - cy * cos]
        )

    def brightness() -> Callable[[torch.Tensor], torch.Tensor]:
        delta = each(limits) * (high - low)
        return lambda x: (x + delta).clamp(low, high)

    def color_degeneration() -> Callable[[torch.Tensor], torch.Tensor]:
        parts = uniform(images, limits)
        return lambda x: fade_colors(x, parts, (low, high))

    def contrast() -> Callable[[torch.Tensor], torch.Tensor]:
        factor = each((1 - limits[0], 1 + limits[1]))

        def change(x: torch.Tensor) -> torch.Tensor:
            mean = x.mean(dim=(-2, -1), keepdim=True)
            return ((x - mean) * factor + mean).clamp(*values)

        return change

    def sharpness() -> Callable[[torch.Tensor], torch.Tensor]:
        strengths = uniform(images, limits)
        return lambda x: adjust_sharpness(x, strengths, (low, high))

    def posterization() -> Callable[[torch.Tensor], torch.Tensor]:
        most = max(1, int(8 * limits[1]))
        bits = torch.ones(len(images), dtype=torch.int64, device=images.device)
        if most > 1:
            bits = torch.randint(1, most, (len(images),), device=images.device)
        return lambda x: posterize(x, bits, (low, high))

    def solarization() -> Callable[[torch.Tensor], torch.Tensor]:
        additions = uniform(images, (limits[0], limits[1] * 255))
        thresholds = uniform(images, (limits[0], limits[1] * 255))
        return lambda x: solarize(x, additions, thresholds, (low, high))

    return [
        shear,
        translation,
        rotation,
        brightness,
        color_degeneration,
        contrast,
        sharpness,
        posterization,
        solarization,
        lambda: lambda x: auto_contrast(x, (low, high)),
        lambda: lambda x: equalize(x, (low, high), 256),
    ]
