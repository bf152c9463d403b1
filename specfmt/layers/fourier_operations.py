"""Fourier transforms of `keras.ops`, whose complex numbers are pairs of real tensors."""

from __future__ import annotations

from typing import Any, ClassVar

from specfmt.fields.types import Bool, OptionalPositiveInt, PositiveInt
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.registry import operation
from specfmt.layers.size_rules import matching
from specfmt.layers.spectrograms import MelWindow, check_window
from specfmt.layers.symbols import is_below

Window = MelWindow


class ComplexOp(Op):
    """Base of the operations on a complex tensor: the pair of its real and imaginary parts."""

    operands: ClassVar[tuple[str, ...]] = ("tensors",)
    ranks: ClassVar[int] = 1

    def pair_shape(self, x: Any) -> Shape:
        """The shape of both parts."""
        ranks = [len(item) for item in x]
        if ranks[1:] != ranks[:1] or ranks[0] < self.ranks or not all(map(matching, *x)):
            raise ShapeError(
                f"a list of two tensors of one shape with at least {self.ranks} axes: the real "
                "and the imaginary part",
                "shapes " + ", ".join(str(tuple(item)) for item in x),
                field="inputs",
            )
        return tuple(x[0])

    def result_dtype(self, x: Any) -> str:
        found: str = x[0].dtype
        return found


class Transform(ComplexOp):
    """Base of the transforms over the last axes, which keep the shape: two outputs."""

    def output_shape(self, x: Any) -> tuple[Shape, ...]:
        shape = self.pair_shape(x)
        if None in shape[-self.ranks :]:
            raise ShapeError("a known size of each transformed axis", f"shape {shape}")
        return (shape, shape)


@operation("fft", "math")
class FFT(Transform):
    """The discrete Fourier transform over the last axis."""


@operation("fft2", "math")
class FFT2(Transform):
    """The discrete Fourier transform over the last two axes."""

    ranks = 2


@operation("ifft2", "math")
class IFFT2(Transform):
    """The inverse discrete Fourier transform over the last two axes."""

    ranks = 2


@operation("rfft", "math")
class RFFT(Op):
    """The discrete Fourier transform of real numbers over the last axis, without the redundant
    half: real and imaginary part as two outputs."""

    fft_length: OptionalPositiveInt = None

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        if not x:
            raise ShapeError("at least one axis", "shape ()", field="inputs")
        length = self.fft_length or x[-1]
        shape = (*x[:-1], None if length is None else length // 2 + 1)
        return (shape, shape)


@operation("irfft", "math")
class IRFFT(ComplexOp):
    """The inverse of `rfft`: real numbers from a pair of real and imaginary part."""

    fft_length: OptionalPositiveInt = None

    def output_shape(self, x: Any) -> Shape:
        shape = self.pair_shape(x)
        size = None if shape[-1] is None else 2 * (shape[-1] - 1)
        return (*shape[:-1], self.fft_length or size)


def check_lengths(layer: Any) -> None:
    """Check the lengths of frames and of their window.

    Raises:
        ShapeError: They do not fit each other.
    """
    if layer.fft_length < layer.sequence_length:
        raise ShapeError(
            f"an FFT length of at least {layer.sequence_length}, the sequence length",
            f"{layer.fft_length}",
            field="fft_length",
        )
    check_window(layer.window, layer.sequence_length)


@operation("stft", "math")
class STFT(Op):
    """The short-time Fourier transform over the last axis: real and imaginary part (...,
    frames, frequencies) as two outputs."""

    sequence_length: PositiveInt
    sequence_stride: PositiveInt
    fft_length: PositiveInt
    window: Window = "hann"
    center: Bool = True

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        check_lengths(self)
        if not x:
            raise ShapeError("at least one axis", "shape ()", field="inputs")
        frames, size = None, x[-1]
        if size is not None:
            padded = (self.fft_length // 2) * 2 if self.center else 0
            frames = 1 + (size + padded - self.fft_length) // self.sequence_stride
            half = self.fft_length // 2 if self.center else 0
            if is_below(frames, 1) or is_below(size, half + 1):
                raise ShapeError(
                    "a signal that a frame fits into", f"shape {tuple(x)}", field="fft_length"
                )
        shape = (*x[:-1], frames, self.fft_length // 2 + 1)
        return (shape, shape)


@operation("istft", "math")
class ISTFT(ComplexOp):
    """The inverse of `stft`: a signal from a pair of real and imaginary part (..., frames,
    frequencies)."""

    ranks = 2

    sequence_length: PositiveInt
    sequence_stride: PositiveInt
    fft_length: PositiveInt
    length: OptionalPositiveInt = None
    window: Window = "hann"
    center: Bool = True

    def output_shape(self, x: Any) -> Shape:
        check_lengths(self)
        shape = self.pair_shape(x)
        if shape[-1] not in (None, self.fft_length // 2 + 1):
            raise ShapeError(
                f"{self.fft_length // 2 + 1} frequencies, half the FFT length and one",
                f"shape {shape}",
                field="fft_length",
            )
        size = self.length
        if size is None and shape[-2] is not None:
            size = (shape[-2] - 1) * self.sequence_stride + self.fft_length
            size -= (self.fft_length // 2) * 2 if self.center else 0
        return (*shape[:-2], size)


@operation("extract_sequences", "math")
class ExtractSequences(Op):
    """Frames of the last axis: (..., frames, samples)."""

    sequence_length: PositiveInt
    sequence_stride: PositiveInt

    def output_shape(self, x: Operand) -> Shape:
        if not x:
            raise ShapeError("at least one axis", "shape ()", field="inputs")
        frames, size = None, x[-1]
        if size is not None:
            frames = 1 + (size - self.sequence_length) // self.sequence_stride
            if is_below(frames, 1):
                raise ShapeError(
                    f"at least {self.sequence_length} elements", f"{size}", field="sequence_length"
                )
        return (*x[:-1], frames, self.sequence_length)
