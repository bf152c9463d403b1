"""Images with all brightnesses about equally often."""

import torch


def equalize(
    x: torch.Tensor, values: tuple[float, float], bins: int, training: bool = True
) -> torch.Tensor:
    """In training equalizes the histogram of each channel, over all images (N, C, H, W).

    A channel of one color stays as it is.
    """
    if not training:
        return x
    low, high = values
    to_bytes = 255 / (high - low)
    from_bytes = (high - low) / 255

    def equalized(channel: torch.Tensor) -> torch.Tensor:
        channel = channel * to_bytes + (0 - low * to_bytes)
        places = (channel * (bins - 1) / 255).to(torch.int64).clamp(0, bins - 1)
        counts = torch.bincount(places.flatten(), minlength=bins)
        below = counts.cumsum(0)
        first = below[below > 0][0]
        spread = (below[-1] - first).clamp(min=1)
        table = ((below - first) * 255 / spread.double()).round().clamp(0, 255)
        places = (channel / 255 * (bins - 1)).clamp(0, bins - 1).to(torch.int64)
        result = torch.where((counts > 0).sum() <= 1, channel, table[places])
        return (result * from_bytes + low).to(x.dtype)

    return torch.stack([equalized(channel) for channel in x.unbind(1)], dim=1)
