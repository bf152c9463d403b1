"""Images under affine maps, as TensorFlow computes them."""

import torch


def transform_images(
    x: torch.Tensor,
    maps: torch.Tensor,
    fill_mode: str = "reflect",
    interpolation: str = "bilinear",
    fill_value: float = 0.0,
) -> torch.Tensor:
    """Move the pixels of images (N, C, H, W).

    ``maps`` (N, 2, 3) gives for each new pixel (column, row, 1) where it is taken from.
    Beyond the edge ``reflect`` repeats the last pixel, where `F.grid_sample` does not.
    """
    height, width = x.shape[-2:]
    rows = torch.arange(height, dtype=maps.dtype, device=x.device)
    columns = torch.arange(width, dtype=maps.dtype, device=x.device)
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    places = maps @ torch.stack([u, v, torch.ones_like(u)]).flatten(1)
    u, v = places.unbind(1)  # (N, H * W)

    def within(place: torch.Tensor, size: int) -> torch.Tensor:
        last = size - 1
        if fill_mode == "constant":
            return place
        if fill_mode == "reflect":
            place = torch.remainder(place, 2 * size)
            place = torch.where(place >= size, 2 * size - 1 - place, place)
        if fill_mode == "wrap" and last > 0:
            below = place + size * ((-place / last).trunc() + 1)
            above = place - size * (place / last).trunc()
            place = torch.where(
                place < 0, below, torch.where(place > last, above, place)
            )
        return place.clamp(0, last)

    u, v = within(u, width), within(v, height)

    def pixels(row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        index = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        index = index.long().unsqueeze(1).expand(-1, x.shape[1], -1)
        found = x.flatten(2).gather(2, index)
        return found.where(inside.unsqueeze(1), fill_value)

    if interpolation == "nearest":
        nearest = [place.sign() * (place.abs() + 0.5).floor() for place in (v, u)]
        return pixels(*nearest).view_as(x)
    top, left = v.floor(), u.floor()
    down, right = (v - top).unsqueeze(1), (u - left).unsqueeze(1)
    upper = (1 - right) * pixels(top, left) + right * pixels(top, left + 1)
    lower = (1 - right) * pixels(top + 1, left) + right * pixels(top + 1, left + 1)
    return ((1 - down) * upper + down * lower).view_as(x)
