"""Field types: Python types annotated with the rules that validate them."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Annotated, Any, Final

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


POLICY_CLASSES: Final = {
    "int8": "QuantizedDTypePolicy",
    "int4": "Int4DTypePolicy",
    "float8": "QuantizedFloat8DTypePolicy",
    "gptq": "GPTQDTypePolicy",
    "awq": "AWQDTypePolicy",
}
"""Keras's modes of quantization -> the class of policies that have the mode's numbers."""

SOURCES: Final = ("float32", "float16", "bfloat16", "float64", *POLICIES)
"""The policies that a quantized one can be made from."""

HISTORY: Final = 1024
"""The default number of largest values that float8 remembers of each tensor."""

MODE_PATTERN: Final = "(int8|int4(/N)?|float8|(gptq|awq)/N/N)".replace("N", "-?[0-9]{1,10}")
POLICY_PATTERN: Final = rf"^{MODE_PATTERN}_from_({'|'.join(SOURCES)})$(?!\n)"


def quantized_policy(name: str) -> dict[str, Any] | None:
    """The config of a quantized policy that is given by its name; None for other names."""
    mode, found, source = name.partition("_from_")
    kind = mode.partition("/")[0]
    if not found or kind not in POLICY_CLASSES:
        return None
    plain = "int8" if mode == "int4" else kind
    history = {"amax_history_length": HISTORY} if kind == "float8" else {}
    return {
        "module": "keras.dtype_policies",
        "class_name": POLICY_CLASSES[plain],
        "config": {"mode": mode, "source_name": source, **history},
        "registered_name": None,
    }


class QuantizedName(Text):
    """The name of a quantized policy, ``int8_from_float32``; it becomes the policy's config."""

    def __init__(self) -> None:
        super().__init__("the name of a quantized policy", POLICY_PATTERN)

    def check(self, value: Any) -> Any:
        return quantized_policy(super().check(value))


class PolicyConfig(AnyMapping):
    """A dtype policy as Keras writes it: ``class_name`` and ``config``, of which files may lack one."""

    keys = ("class_name", "config")
    hint = "a quantized policy is for example int8_from_float32"

    def check(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not any(key in value for key in self.keys):
            raise FieldError(f"a mapping with {' and '.join(self.keys)}", value, self.hint)
        return value

    def schema(self) -> dict[str, Any]:
        return {**super().schema(), "anyOf": [{"required": [key]} for key in self.keys]}


class DTypePolicyRule(Either):
    """A dtype, a mixed precision policy, or another Keras dtype policy by its name or config."""

    def __init__(self) -> None:
        super().__init__(
            OneOf(*DTYPES, *POLICIES),
            QuantizedName(),
            PolicyConfig(),
            expected="a dtype or a dtype policy",
        )


OptionalPolicy = Annotated[Any, Nullable(DTypePolicyRule())]
