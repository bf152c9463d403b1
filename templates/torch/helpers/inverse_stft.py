"""The inverse of a short-time Fourier transform."""

import torch
import torch.nn.functional as F


def inverse_stft(
    spectrum: torch.Tensor,
    fft_length: int,
    stride: int,
    window: torch.Tensor | None = None,
) -> torch.Tensor:
    """A signal (..., samples) from its spectrum (..., frames, frequencies).

    The frames are added where they overlap; ``window`` is that of the transform, by whose
    squares, added over all frames of an endless signal, they are divided.
    """
    frames = torch.fft.irfft(spectrum, n=fft_length)
    if window is not None:
        overlaps = -(-fft_length // stride)
        squares = F.pad(window.square(), (0, overlaps * stride - fft_length))
        total = squares.view(overlaps, stride).sum(0).repeat(overlaps)
        frames = frames * (window / total[:fft_length])
    size = fft_length + stride * (frames.shape[-2] - 1)
    columns = frames.flatten(0, -3).transpose(1, 2) if frames.dim() > 2 else frames.T
    signal = F.fold(columns, (1, size), (1, fft_length), stride=(1, stride))
    return signal.reshape(*frames.shape[:-2], size)
