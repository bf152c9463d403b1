"""Pixels of images at any places."""

import torch


def sample_images(
    x: torch.Tensor,
    rows: torch.Tensor,
    columns: torch.Tensor,
    fill_mode: str = "constant",
    interpolation: str = "bilinear",
    fill_value: float = 0.0,
) -> torch.Tensor:
    """The pixels of images (N, C, H, W) at ``rows`` and ``columns`` (N, H, W).

    Interpolates between the four pixels around a place; each of them that is beyond the edge is
    taken from where ``fill_mode`` says.
    """
    height, width = x.shape[-2:]

    def within(place: torch.Tensor, size: int) -> torch.Tensor:
        if fill_mode == "wrap":
            place = torch.remainder(place, size)
        if fill_mode == "reflect":
            # Keras repeats the last pixel at the end, and not at the start.
            place = torch.remainder(place.abs(), 2 * size)
            place = torch.where(place < size, place, 2 * size - 1 - place)
        return place.clamp(0, size - 1).long()

    def pixels(row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
        index = within(row, height) * width + within(column, width)
        index = index.flatten(1).unsqueeze(1).expand(-1, x.shape[1], -1)
        found = x.flatten(2).gather(2, index).view_as(x)
        if fill_mode != "constant":
            return found
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        return found.where(inside.unsqueeze(1), fill_value)

    if interpolation == "nearest":
        return pixels(*(n.sign() * (n.abs() + 0.5).floor() for n in (rows, columns)))
    top, left = rows.floor(), columns.floor()
    down, right = (rows - top).unsqueeze(1), (columns - left).unsqueeze(1)
    upper = (1 - right) * pixels(top, left) + right * pixels(top, left + 1)
    lower = (1 - right) * pixels(top + 1, left) + right * pixels(top + 1, left + 1)
    return (1 - down) * upper + down * lower
