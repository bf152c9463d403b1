"""The statements that initialize a parameter, as data: ``torch/initialize.j2`` says how each reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A step of the initialization of a parameter.

    Attributes:
        kind: Which one the template reads.
        target: A local variable that it fills; empty for the parameter.
        part: The slice of it, as source; empty for the whole.
    """

    kind: ClassVar[str]
    target: str = ""
    part: str = ""

    def within(self, part: str) -> Self:
        """The same for a slice of the parameter."""
        return self if self.target else replace(self, part=part + self.part)

    def on(self, target: str) -> Self:
        """The same for a local variable in place of the parameter."""
        return self if self.target else replace(self, target=target)


@dataclass(frozen=True, kw_only=True)
class Fill(Statement):
    """A call of a function of `torch.nn.init`, with arguments besides the tensor."""

    kind = "fill"
    function: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scaled(Statement):
    """Variance scaling, where no stock function finds Keras's fans.

    Attributes:
        distribution: ``uniform``, ``untruncated_normal`` or ``truncated_normal``.
        variance: Before it is divided by the fan.
        fan: A number, or ``in``, ``out`` or ``both``: what the tensor's own shape says.
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
    """A local variable with the windowed Fourier basis of `keras.initializers.STFT`."""

    kind = "fourier"
    name: str
    frame: int
    bins: int
    is_real: bool
    window: str
    is_periodic: bool
    scaling: str


@dataclass(frozen=True, kw_only=True)
class Copy(Statement):
    """A copy of what local variables hold."""

    kind = "copy"
    source: str


@dataclass(frozen=True, kw_only=True)
class InFloat32(Statement):
    """A local variable of the parameter's shape in float32."""

    kind = "float32"
    name: str


@dataclass(frozen=True, kw_only=True)
class Unknown(Statement):
    """A remark: the initializer, whose code is not known, has a stand-in."""

    kind = "unknown"
    name: str


Statements = tuple[Statement, ...]
