"""Field types: Python types annotated with the rules that validate them."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Annotated, Any

from specfmt.fields.errors import FieldError
from specfmt.fields.rules import (
    AnyMapping,
    Boolean,
    Either,
    Integer,
    Nullable,
    Number,
    OneOf,
    SidesRule,
    SizeRule,
    Text,
    Tuple,
)

DTYPES = (
    "float32",
    "float16",
    "bfloat16",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
    "string",
    "complex64",
    "complex128",
)
POLICIES = ("mixed_float16", "mixed_bfloat16")


if TYPE_CHECKING:
    from typing import Literal as Literal
else:

    class Literal:
        """``Literal["valid", "same"]``: typing's own, with specfmt's error messages."""

        def __class_getitem__(cls, options: str | tuple[str, ...]) -> Any:
            choices = (options,) if isinstance(options, str) else options
            return Annotated[typing.Literal[choices], OneOf(*choices)]


def expand_sides(
    sides: int | tuple[int | tuple[int, ...], ...], rank: int
) -> tuple[tuple[int, int], ...]:
    """A `Sides` as (before, after) for each axis: ``expand_sides(1, 2) == ((1, 1), (1, 1))``."""
    axes = (sides,) * rank if isinstance(sides, int) else sides
    return tuple((axis, axis) if isinstance(axis, int) else (axis[0], axis[1]) for axis in axes)


def expand(size: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    """A `Size` as one number per axis: ``expand(2, 3) == (2, 2, 2)``."""
    return (size,) * rank if isinstance(size, int) else size


Size = int | tuple[int, ...]
"""One number per axis, or one for all axes: see `expand`."""

Sides = int | tuple[int | tuple[int, ...], ...]
"""(before, after) for each axis: see `expand_sides`."""

Int = Annotated[int, Integer()]
PositiveInt = Annotated[int, Integer(1)]
NaturalInt = Annotated[int, Integer(0)]
Float = Annotated[float, Number()]
PositiveFloat = Annotated[float, Number(above=0)]
NaturalFloat = Annotated[float, Number(minimum=0)]
Fraction = Annotated[float, Number(minimum=0, maximum=1)]
OpenFraction = Annotated[float, Number(minimum=0, below=1)]
Bool = Annotated[bool, Boolean()]
Str = Annotated[str, Text()]
OptionalInt = Annotated[int | None, Nullable(Integer())]
OptionalPositiveInt = Annotated[int | None, Nullable(Integer(1))]
OptionalFloat = Annotated[float | None, Nullable(Number())]
OptionalPositiveFloat = Annotated[float | None, Nullable(Number(above=0))]
OptionalBool = Annotated[bool | None, Nullable(Boolean())]
OptionalStr = Annotated[str | None, Nullable(Text())]
Seed = Annotated[int | None, Nullable(Integer(0, 2**32 - 1))]
Size1 = Annotated[Size, SizeRule(1)]
Size2 = Annotated[Size, SizeRule(2)]
Size3 = Annotated[Size, SizeRule(3)]
OptionalSize1 = Annotated[Size | None, Nullable(SizeRule(1))]
OptionalSize2 = Annotated[Size | None, Nullable(SizeRule(2))]
OptionalSize3 = Annotated[Size | None, Nullable(SizeRule(3))]
OptionalNatural1 = Annotated[Size | None, Nullable(SizeRule(1, 0))]
OptionalNatural2 = Annotated[Size | None, Nullable(SizeRule(2, 0))]
OptionalNatural3 = Annotated[Size | None, Nullable(SizeRule(3, 0))]
Pair = Annotated[Size, SizeRule(2, 0)]
Sides2 = Annotated[Sides, SidesRule(2)]
Sides3 = Annotated[Sides, SidesRule(3)]
IntTuple = Annotated[tuple[int, ...], Tuple(Integer(), 1)]
Axis = Annotated[int, Integer()]
Axes = Annotated[
    int | tuple[int, ...],
    Either(Integer(), Tuple(Integer(), 1), expected="an axis or a list of axes"),
]
DataFormat = Literal["channels_last", "channels_first"]
OptionalDataFormat = Literal["channels_last", "channels_first"] | None
Padding = Literal["valid", "same"]
CausalPadding = Literal["valid", "same", "causal"]

NAME_PATTERN = r"^[^/\x00-\x1f\x7f]+$(?!\n)"
"""The pattern means the same in Python and in JavaScript, in which `$` alone would differ."""


class NameRule(Text):
    """A layer's or model's name: any text without a slash or control characters."""

    def __init__(self) -> None:
        super().__init__("a name without '/' and control characters", NAME_PATTERN)


Name = Annotated[str, NameRule()]
OptionalName = Annotated[str | None, Nullable(NameRule())]
DType = Annotated[str, OneOf(*DTYPES)]
OptionalDType = Annotated[str | None, Nullable(OneOf(*DTYPES))]


class PolicyConfig(AnyMapping):
    """A dtype policy as Keras writes it: ``class_name`` and ``config``, of which files may lack one."""

    keys = ("class_name", "config")
    hint = (
        "a quantized policy is {class_name: QuantizedDTypePolicy, config: {mode: int8, "
        "source_name: float32}}"
    )

    def check(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not any(key in value for key in self.keys):
            raise FieldError(f"a mapping with {' and '.join(self.keys)}", value, self.hint)
        return value

    def schema(self) -> dict[str, Any]:
        return {**super().schema(), "anyOf": [{"required": [key]} for key in self.keys]}


class DTypePolicyRule(Either):
    """A dtype, a mixed precision policy, or another Keras dtype policy as its config."""

    def __init__(self) -> None:
        super().__init__(
            OneOf(*DTYPES, *POLICIES), PolicyConfig(), expected="a dtype or a dtype policy"
        )


OptionalPolicy = Annotated[Any, Nullable(DTypePolicyRule())]
