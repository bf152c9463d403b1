"""Contrast limited adaptive histogram equalization (CLAHE)."""

import torch

from .rescale_values import rescale_values


def equalize_tiles(
    x: torch.Tensor, values: tuple[float, float], limit: float, grid: tuple[int, int]
) -> torch.Tensor:
    """Equalize the histogram of each of the tiles of images (N, C, H, W), and blend the tiles.

    Args:
        x: The images.
        values: The range of their pixels.
        limit: How many times its mean a count of a histogram may be; what is above it is spread
            evenly.  0 for no limit.
        grid: The number of tiles along height and width.
    """
    pixels = rescale_values(x, values, (0, 255)).float()
    images, channels, height, width = x.shape
    (rows, columns), (tile_height, tile_width) = (
        grid,
        (-(-height // grid[0]), -(-width // grid[1])),
    )

    def mirrored(size: int, new: int) -> torch.Tensor:
        places = torch.arange(new, device=x.device)
        return torch.where(places < size, places, 2 * size - 1 - places)

    brightness = pixels.to(torch.int32).clamp(0, 255).long()

    # A histogram for each tile (N, C, rows, columns, 256).
    tiles = brightness[..., mirrored(height, rows * tile_height), :]
    tiles = tiles[..., mirrored(width, columns * tile_width)]
    tiles = tiles.view(images, channels, rows, tile_height, columns, tile_width)
    tiles = tiles.transpose(3, 4).flatten(4)
    counts = torch.zeros(*tiles.shape[:4], 256, device=x.device)
    counts = counts.scatter_add(4, tiles, torch.ones_like(tiles, dtype=counts.dtype))
    area = tile_height * tile_width
    if limit > 0:
        clipped = counts.clamp(0, limit * area / 256)
        counts = clipped + (counts - clipped).sum(dim=-1, keepdim=True) / 256
    below = counts.cumsum(dim=-1)
    lowest = below.amin(dim=-1, keepdim=True)
    spread = area - lowest
    spread = torch.where(spread == 0, 1, spread)
    tables = ((below - lowest) * 255 / spread).clamp(0, 255)

    # Each pixel lies between the centers of four tiles; at the edge they repeat.
    def neighbors(
        tile: int, size: int, count: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        pixel = torch.arange(size, dtype=torch.float32, device=x.device)
        place = (pixel - tile / 2) / tile + 1
        first = place.floor()
        last = count - 1
        nearer, farther = (first - 1).clamp(0, last), first.clamp(0, last)
        return nearer.long(), farther.long(), place - first

    top, bottom, down = neighbors(tile_height, height, rows)
    left, right, across = neighbors(tile_width, width, columns)
    down = down[:, None]
    image = torch.arange(images, device=x.device).view(-1, 1, 1, 1)
    channel = torch.arange(channels, device=x.device).view(1, -1, 1, 1)

    def looked_up(row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
        return tables[image, channel, row[:, None], column, brightness]

    upper = looked_up(top, left) * (1 - across) + looked_up(top, right) * across
    lower = looked_up(bottom, left) * (1 - across) + looked_up(bottom, right) * across
    result = upper * (1 - down) + lower * down
    return rescale_values(result, (0, 255), values).to(x.dtype)
