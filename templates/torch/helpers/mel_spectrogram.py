"""Spectrograms on the mel scale."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn


class MelSpectrogram(nn.Module):
    """The power of signals (..., samples) in bands of the mel scale: (..., bands, frames).

    Frequencies are in hertz; a frame of ``frame_length`` samples (by default ``fft_length``)
    begins every ``stride`` samples.
    """

    def __init__(
        self,
        fft_length: int = 2048,
        stride: int = 512,
        frame_length: int | None = None,
        window: str | Sequence[float] | None = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
    ) -> None:
        super().__init__()
        self.fft_length, self.stride = fft_length, stride
        self.power_to_db, self.top_db, self.mag_exp = power_to_db, top_db, mag_exp
        self.min_power, self.ref_power = min_power, ref_power
        length = frame_length or fft_length
        if window is None:
            values = torch.ones(fft_length)
        elif window == "hann":
            values = torch.hann_window(length)
        elif window == "hamming":
            values = torch.hamming_window(length)
        else:
            values = torch.tensor(window, dtype=torch.float32)
        before = (fft_length - len(values)) // 2
        padded = F.pad(values, (before, fft_length - len(values) - before))
        self.window = nn.Buffer(padded, persistent=False)
        # Triangles that are linear on the mel scale and overlap by half.
        frequencies = torch.linspace(0, sampling_rate / 2, fft_length // 2 + 1)[1:]
        edges = self.mel(torch.tensor([min_freq, max_freq or sampling_rate // 2]))
        points = torch.linspace(float(edges[0]), float(edges[1]), num_mel_bins + 2)
        low, center, high = points[:-2], points[1:-1], points[2:]
        bins = self.mel(frequencies).unsqueeze(1)
        filters = torch.minimum(
            (bins - low) / (center - low), (high - bins) / (high - center)
        )
        self.filters = nn.Buffer(
            F.pad(filters.clamp(min=0).T, (1, 0)), persistent=False
        )

    @staticmethod
    def mel(frequency: torch.Tensor) -> torch.Tensor:
        """Frequencies in hertz on the mel scale."""
        return 1127 * torch.log(1 + frequency / 700)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spectrum = torch.stft(
            x, self.fft_length, self.stride, window=self.window, return_complex=True
        )
        power = self.filters @ spectrum.abs().pow(self.mag_exp)
        if not self.power_to_db:
            return power
        decibels = 10 * torch.log10(power.clamp(min=self.min_power))
        reference = torch.tensor(abs(self.ref_power)).clamp(min=self.min_power)
        decibels = decibels - 10 * torch.log10(reference)
        return decibels.maximum(decibels.max() - self.top_db)
