"""Initializers of `keras.initializers`.

``seed`` makes Keras's random draws repeatable; PyTorch code has one seed for the whole model, so
it has no effect there.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from specfmt.fields.errors import FieldError
from specfmt.fields.rules import Either, Integer, Nullable, Number, Rule, Tuple
from specfmt.fields.spellings import REMOVED, FormerArguments
from specfmt.fields.types import Bool, Float, Literal, NaturalFloat, PositiveFloat, Seed
from specfmt.vocab.base import TermSpec
from specfmt.vocab.windows import WindowName

Mode = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["uniform", "truncated_normal", "untruncated_normal", "normal"]
FanAxes = Annotated[tuple[int, ...] | None, Nullable(Tuple(Integer()))]

Window = Annotated[
    str | tuple[float, ...] | None,
    Nullable(
        Either(
            WindowName(),
            Tuple(Number(), 1),
            expected="the name of a window of scipy.signal, or a list of numbers",
        )
    ),
]


class NumberOrArray(Rule):
    """A finite number, or nested lists of numbers.

    Args:
        depth: The largest depth of the lists.
    """

    def __init__(self, depth: int = 5) -> None:
        self.depth = depth
        self.number = Number()

    def check(self, value: Any) -> Any:
        return self._check(value, self.depth)

    def _check(self, value: Any, depth: int) -> Any:
        if isinstance(value, (list, tuple)) and depth:
            return tuple(self._check(item, depth - 1) for item in value)
        try:
            return self.number.check(value)
        except FieldError:
            raise FieldError("a number or an array of numbers", value) from None

    def schema(self) -> dict[str, Any]:
        schema = self.number.schema()
        for _ in range(self.depth):
            schema = {"anyOf": [self.number.schema(), {"type": "array", "items": schema}]}
        return schema


class InitializerSpec(TermSpec):
    """Base of the initializers, which set a weight before training."""

    kind: ClassVar[str] = "initializer"
    former_arguments: ClassVar[FormerArguments] = {
        "dtype": REMOVED,
        "partition_info": REMOVED,
        "verify_shape": REMOVED,
    }

    def needs(self, shape: tuple[int, ...]) -> str:
        """What it requires of a weight's shape, if this shape does not fit; else empty."""
        return ""


class Zeros(InitializerSpec):
    """Sets all elements to 0."""


class Ones(InitializerSpec):
    """Sets all elements to 1."""


class Constant(InitializerSpec):
    """Sets all elements to ``value``; an array is broadcast to the weight's shape."""

    value: Annotated[float | tuple[object, ...], NumberOrArray()] = 0.0


class Identity(InitializerSpec):
    """``gain`` times the identity matrix, for weights with two axes only."""

    gain: Float = 1.0

    def needs(self, shape: tuple[int, ...]) -> str:
        return "" if len(shape) == 2 else "a weight with two axes"


class RandomNormal(InitializerSpec):
    """Draws from a normal distribution with ``mean`` and ``stddev``."""

    mean: Float = 0.0
    stddev: NaturalFloat = 0.05
    seed: Seed = None


class RandomUniform(InitializerSpec):
    """Draws from a uniform distribution from ``minval`` to ``maxval``."""

    minval: Float = -0.05
    maxval: Float = 0.05
    seed: Seed = None


class TruncatedNormal(InitializerSpec):
    """Draws from a normal distribution truncated at two ``stddev`` from ``mean``."""

    mean: Float = 0.0
    stddev: NaturalFloat = 0.05
    seed: Seed = None


class VarianceScaling(InitializerSpec):
    """Draws with variance `scale / n`, where n is ``fan_in``, ``fan_out`` or their mean
    (``mode``)."""

    scale: PositiveFloat = 1.0
    mode: Mode = "fan_in"
    distribution: Distribution = "truncated_normal"
    seed: Seed = None
    input_axes: FanAxes = None
    output_axes: FanAxes = None


class _NamedScaling(InitializerSpec):
    """Base of the variance scalings whose scale, mode and distribution are fixed."""

    scale: ClassVar[float] = 1.0
    mode: ClassVar[str] = "fan_in"
    distribution: ClassVar[str] = "truncated_normal"

    seed: Seed = None
    input_axes: FanAxes = None
    output_axes: FanAxes = None


class GlorotUniform(_NamedScaling):
    """Uniform from `-a` to `a` with `a = sqrt(6 / (fan_in + fan_out))`, also called Xavier
    uniform."""

    mode: ClassVar[str] = "fan_avg"
    distribution: ClassVar[str] = "uniform"


class GlorotNormal(_NamedScaling):
    """Truncated normal with variance `2 / (fan_in + fan_out)`, also called Xavier normal."""

    mode: ClassVar[str] = "fan_avg"


class HeUniform(_NamedScaling):
    """Uniform from `-a` to `a` with `a = sqrt(6 / fan_in)`, also called Kaiming uniform."""

    scale: ClassVar[float] = 2.0
    distribution: ClassVar[str] = "uniform"


class HeNormal(_NamedScaling):
    """Truncated normal with variance `2 / fan_in`, also called Kaiming normal."""

    scale: ClassVar[float] = 2.0


class LecunUniform(_NamedScaling):
    """Uniform from `-a` to `a` with `a = sqrt(3 / fan_in)`."""

    distribution: ClassVar[str] = "uniform"


class LecunNormal(_NamedScaling):
    """Truncated normal with variance `1 / fan_in`."""


class Orthogonal(InitializerSpec):
    """``gain`` times a random matrix with orthonormal rows or columns; all axes but the last
    are flattened to rows."""

    gain: Float = 1.0
    seed: Seed = None

    def needs(self, shape: tuple[int, ...]) -> str:
        return "" if len(shape) > 1 else "a weight with two axes or more"


class STFT(InitializerSpec):
    """The real or imaginary part of a windowed Fourier basis, for weights of shape (frame, 1, fft
    // 2 + 1)."""

    side: Literal["real", "imag"] = "real"
    window: Window = "hann"
    scaling: Literal["density", "spectrum"] | None = "density"
    periodic: Bool = False

    def needs(self, shape: tuple[int, ...]) -> str:
        fits = len(shape) == 3 and shape[1] == 1 and shape[2] > 1
        if fits and isinstance(self.window, tuple) and len(self.window) != shape[0]:
            return f"a weight of shape ({len(self.window)}, 1, fft // 2 + 1)"
        return "" if fits else "a weight of shape (frame, 1, fft // 2 + 1)"
