"""Layers that turn signals into spectrograms: STFTSpectrogram, MelSpectrogram."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Either, Nullable, Number, OneOf, Tuple
from specfmt.fields.types import (
    Bool,
    Float,
    Literal,
    OptionalDataFormat,
    OptionalFloat,
    OptionalPositiveInt,
    Padding,
    PositiveInt,
)
from specfmt.layers.base import Argument, FloatLayer, Shape, ShapeError, Weight
from specfmt.layers.registry import layer
from specfmt.layers.sizes import (
    channels_of,
    check_channels,
    check_fits,
    check_rank,
    spatial_sizes,
    window_size,
    with_spatial,
)
from specfmt.layers.symbols import Size, is_below
from specfmt.vocab.base import Term
from specfmt.vocab.initializers import Window

INPUTS_ONLY = (Argument("inputs"),)

MelWindow = Annotated[
    str | tuple[float, ...] | None,
    Nullable(
        Either(
            OneOf("hann", "hamming"),
            Tuple(Number(), 1),
            expected="hann, hamming or a list of numbers",
        )
    ),
]
Mode = Literal["log", "magnitude", "psd", "real", "imag", "angle", "stft"]


def check_window(window: object, length: int) -> None:
    """Check that a window given as numbers has one for each sample of a frame.

    Raises:
        ShapeError: It has not.
    """
    if isinstance(window, tuple) and len(window) != length:
        raise ShapeError(f"a window of {length} numbers", f"{len(window)}", field="window")


@layer
class STFTSpectrogram(FloatLayer):
    """The short-time Fourier transform of a signal (N, samples, channels), by convolutions whose
    kernels start as windowed sines and cosines and are trained."""

    in_keras_2 = False
    call_arguments = INPUTS_ONLY
    supports_masking = False

    mode: Mode = "log"
    frame_length: PositiveInt = 256
    frame_step: OptionalPositiveInt = None
    fft_length: OptionalPositiveInt = None
    window: Window = "hann"
    periodic: Bool = False
    scaling: Literal["density", "spectrum"] | None = "density"
    padding: Padding = "valid"
    expand_dims: Bool = False
    data_format: OptionalDataFormat = None

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return 4 if fields.get("expand_dims") else 3

    @property
    def step(self) -> int:
        """The samples from one frame to the next."""
        return self.frame_step or self.frame_length // 2

    @property
    def bins(self) -> int:
        """The number of frequencies."""
        fft_length = self.fft_length or 1 << (self.frame_length - 1).bit_length()
        return fft_length // 2 + 1

    def _check(self) -> None:
        if not 1 <= self.step <= self.frame_length:
            raise ShapeError(
                f"a frame step from 1 to {self.frame_length}, the frame length",
                f"{self.step}",
                field="frame_length" if self.frame_step is None else "frame_step",
            )
        if self.fft_length is not None and self.fft_length < self.frame_length:
            raise ShapeError(
                f"an FFT length of at least {self.frame_length}, the frame length",
                f"{self.fft_length}",
                field="fft_length",
            )
        check_window(self.window, self.frame_length)

    def frames(self, x: Shape) -> Shape:
        """The number of frames, as the sizes of the spatial axes."""
        (samples,) = spatial_sizes(x, self.data_format)
        return (window_size(samples, self.frame_length, self.step, self.padding),)

    def output_shape(self, x: Shape) -> Shape:
        check_rank(x, 1, self.data_format)
        self._check()
        channels = check_channels(x, self.data_format)
        frames = self.frames(x)
        check_fits(x, frames, (self.frame_length,), "frame_length")
        bins = self.bins * (2 if self.mode == "stft" else 1)
        if not self.expand_dims:
            return with_spatial(x, frames, bins * channels, self.data_format)
        return with_spatial(x, (*frames, bins), channels, self.data_format)

    def weights(self, x: Shape) -> Iterator[Weight]:
        shape = (self.frame_length, 1, self.bins)
        for side, other in (("real", "imag"), ("imag", "real")):
            if self.mode != other:
                options = {
                    "side": side,
                    "window": self.window,
                    "scaling": self.scaling,
                    "periodic": self.periodic,
                }
                yield Weight(f"{side}_kernel", shape, Term("initializer", "STFT", options))

    def macs(self, output: Shape, x: Shape) -> int:
        kernels = 1 if self.mode in ("real", "imag") else 2
        (frames,) = self.frames(x)
        channels = channels_of(x, self.data_format) or 1
        return kernels * channels * (frames or 1) * self.frame_length * self.bins


@layer
class MelSpectrogram(FloatLayer):
    """The power of a signal (N, samples) at frequencies of the mel scale, by default in decibels:
    (N, mel bins, frames)."""

    in_keras_2 = False
    call_arguments = INPUTS_ONLY
    supports_masking = False

    fft_length: PositiveInt = 2048
    sequence_stride: PositiveInt = 512
    sequence_length: OptionalPositiveInt = None
    window: MelWindow = "hann"
    sampling_rate: PositiveInt = 16000
    num_mel_bins: PositiveInt = 128
    min_freq: Float = 20.0
    max_freq: OptionalFloat = None
    power_to_db: Bool = True
    top_db: Float = 80.0
    mag_exp: Float = 2.0
    min_power: Float = 1e-10
    ref_power: Float = 1.0

    tables: ClassVar[tuple[str, ...]] = ("window",)

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return None if rank is None else rank + 1

    @classmethod
    def remove_derived(cls, config: dict[str, Any]) -> None:
        if config.get("sequence_length") == config.get("fft_length", 2048):
            config.pop("sequence_length", None)
        rate = config.get("sampling_rate", 16000)
        if isinstance(rate, int) and config.get("max_freq") == rate // 2:
            config.pop("max_freq", None)

    @classmethod
    def convert_arguments(cls, config: dict[str, Any]) -> None:
        config["sequence_length"] = config["sequence_length"] or config["fft_length"]
        config["max_freq"] = config["max_freq"] or config["sampling_rate"] // 2

    def frames(self, samples: int | None) -> int | None:
        """The number of frames of a signal that is mirrored at both ends."""
        if samples is None:
            return None
        return 1 + (samples + 2 * (self.fft_length // 2) - self.fft_length) // self.sequence_stride

    def output_shape(self, x: Shape) -> Shape:
        if len(x) not in (1, 2):
            raise ShapeError(
                "a signal of shape (N, samples)",
                f"shape {x}",
                "put a TimeDistributed around the layer for several signals",
            )
        length = self.sequence_length or self.fft_length
        if self.fft_length < length:
            raise ShapeError(
                f"an FFT length of at least {length}, the sequence length",
                f"{self.fft_length}",
                field="fft_length",
            )
        check_window(self.window, length)
        samples, stride = x[-1], self.sequence_stride
        if is_below(samples, self.fft_length // 2 + 1):
            raise ShapeError(
                f"more than {self.fft_length // 2} samples, half the FFT length",
                f"shape {x}",
                field="fft_length",
            )
        # Keras declares one frame too many where a stride ends one sample behind the signal.
        declared = None if samples is None else (samples + stride + 1) // stride
        if isinstance(samples, Size):
            declared = self.frames(samples)
        return (*x[:-1], self.num_mel_bins, declared)

    def macs(self, output: Shape, x: Shape) -> int:
        return (self.frames(x[-1]) or 1) * (self.fft_length // 2 + 1) * self.num_mel_bins
