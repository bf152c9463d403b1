"""Images in perspective."""

import torch

from .sample_images import sample_images


def perspective_images(
    x: torch.Tensor,
    shifts: torch.Tensor,
    interpolation: str = "bilinear",
    fill_value: float = 0.0,
) -> torch.Tensor:
    """Move the corners of images (N, C, H, W).

    ``shifts`` (N, 4, 2) holds for each corner (upper left, upper right, lower left, lower right)
    by which parts of its column and its row it is moved.  The upper left one stays where it is.
    """
    height, width = x.shape[-2:]
    right, low = float(width - 1), float(height - 1)
    corners = [[0.0, 0.0], [right, 0.0], [0.0, low], [right, low]]
    starts = torch.tensor(corners, dtype=shifts.dtype, device=x.device)
    ends = starts + starts * shifts

    # The homography that takes each moved corner back to where it was.
    to, (u, v) = starts.expand_as(ends), ends.unbind(-1)
    one, none = torch.ones_like(u), torch.zeros_like(u)
    around = [
        torch.stack(
            [u, v, one, none, none, none, -to[..., 0] * u, -to[..., 0] * v], -1
        ),
        torch.stack(
            [none, none, none, u, v, one, -to[..., 1] * u, -to[..., 1] * v], -1
        ),
    ]
    system = torch.stack(around, dim=2).flatten(1, 2)
    found = torch.linalg.solve(system, to.flatten(1))
    homography = torch.cat([found, torch.ones_like(found[:, :1])], dim=1).view(-1, 3, 3)

    rows = torch.arange(height, dtype=shifts.dtype, device=x.device)
    columns = torch.arange(width, dtype=shifts.dtype, device=x.device)
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    places = homography @ torch.stack([u, v, torch.ones_like(u)]).flatten(1)
    places = places.view(-1, 3, height, width)
    column, row = places[:, 0] / places[:, 2], places[:, 1] / places[:, 2]
    return sample_images(x, row, column, "constant", interpolation, fill_value)
