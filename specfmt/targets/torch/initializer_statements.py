"""The statements that initialize a parameter, as data for the template ``torch/initialize.j2``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A step of the initialization of a parameter.

    Attributes:
        kind: The kind of statement, by which the template chooses its source.
        target: The local variable that it initializes; empty for the parameter.
        part: The slice of the target, as source; empty for the whole.
    """

    kind: ClassVar[str]
    target: str = ""
    part: str = ""

    def within(self, part: str) -> Self:
        """The same statement for a slice of the parameter."""
        return self if self.target else replace(self, part=part + self.part)

    def on(self, target: str) -> Self:
        """The same statement for a local variable instead of the parameter."""
        return self if self.target else replace(self, target=target)


@dataclass(frozen=True, kw_only=True)
class Fill(Statement):
    """A call of a function of `torch.nn.init`.

    Attributes:
        function: Its name, without the trailing underscore.
        arguments: Its arguments besides the tensor, as source.
    """

    kind = "fill"
    function: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scaled(Statement):
    """Variance scaling, if no function of `torch.nn.init` computes Keras's fans.

    Attributes:
        distribution: ``uniform``, ``untruncated_normal`` or ``truncated_normal``.
        variance: The variance before it is divided by the fan.
        fan: A number, or ``in``, ``out`` or ``both`` to compute it from the tensor's shape.
    """

    kind = "scaled"
    distribution: str
    variance: str
    fan: str


@dataclass(frozen=True, kw_only=True)
class Variable(Statement):
    """A local variable."""

    kind = "variable"
    name: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Fourier(Statement):
    """A local variable with the windowed Fourier basis of `keras.initializers.STFT`.

    The window is source, after the statements ``lines``; empty if there is none.
    """

    kind = "fourier"
    name: str
    frame: int
    bins: int
    is_real: bool
    lines: tuple[str, ...]
    window: str
    scaling: str


@dataclass(frozen=True, kw_only=True)
class Copy(Statement):
    """A copy of an expression over local variables into the target."""

    kind = "copy"
    source: str


@dataclass(frozen=True, kw_only=True)
class InFloat32(Statement):
    """A local float32 variable with the parameter's shape."""

    kind = "float32"
    name: str


@dataclass(frozen=True, kw_only=True)
class Unknown(Statement):
    """A comment that a user-defined initializer, whose code is unknown, is replaced."""

    kind = "unknown"
    name: str


Statements = tuple[Statement, ...]
