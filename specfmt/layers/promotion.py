"""Type promotion: the dtype of an operation on several dtypes, by Keras's and PyTorch's rules.

A Python number has the weak type ``int`` or ``float``, which gives way to the dtype of any tensor
of its kind.  Source: `keras/src/backend/common/dtypes.py` on the TensorFlow backend.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from specfmt.layers.op import Operand

_LATTICE: Final[dict[str, str]] = {
    "bool": "int",
    "uint8": "int16 uint16",
    "uint16": "int32 uint32",
    "uint32": "int64 uint64",
    "uint64": "float",
    "int": "uint8 int8 complex64",
    "int8": "int16",
    "int16": "int32",
    "int32": "int64",
    "int64": "float",
    "float": "bfloat16 float16",
    "bfloat16": "float32",
    "float16": "float32",
    "float32": "float64 complex64",
    "float64": "complex128",
    "complex64": "complex128",
    "complex128": "",
}
"""The promotion lattice: each dtype and those directly above it."""

_FORCED: Final = {"int": "int32", "float": "float32", "uint64": "uint32", "complex128": "complex64"}
"""Result dtypes that Keras replaces: weak types, and types that it never returns."""

INTEGER_BOUNDS: Final = {
    "bool": (0, 1),
    "uint8": (0, 255),
    "int8": (-128, 127),
    "int16": (-32768, 32767),
}
"""The least and the largest number of the dtypes whose numbers float32 has all."""


@cache
def _above(dtype: str) -> frozenset[str]:
    found = {dtype}
    for higher in _LATTICE[dtype].split():
        found |= _above(higher)
    return frozenset(found)


@cache
def result_type(*dtypes: str) -> str:
    """Keras's result dtype for these dtypes, where `int` and `float` are Python numbers."""
    if len(set(dtypes)) == 1 or not all(dtype in _LATTICE for dtype in dtypes):
        return _FORCED.get(dtypes[0], dtypes[0])
    common = frozenset.intersection(*(_above(dtype) for dtype in dtypes))
    least = next(dtype for dtype in common if common <= _above(dtype))
    return _FORCED.get(least, least)


def operand_dtype(item: Any) -> str:
    """The dtype of an operand: a tensor's own, a weak type for a number, NumPy's for a list."""
    if isinstance(item, Operand):
        return item.dtype
    if isinstance(item, bool):
        return "bool"
    if isinstance(item, int):
        return "int"
    if isinstance(item, float):
        return "float"
    if isinstance(item, (list, tuple)) and item:
        kinds = {operand_dtype(inner) for inner in item}
        return _FORCED.get(result_type(*kinds), result_type(*kinds))
    return "float" if item is None else "string"


_KINDS: Final = ("bool", "int", "float", "complex")


def _kind(dtype: str) -> int:
    name = dtype.removeprefix("b") if dtype == "bfloat16" else dtype.removeprefix("u")
    return next((i for i, kind in enumerate(_KINDS) if name.startswith(kind)), len(_KINDS))


def torch_result_type(*dtypes: str) -> str:
    """PyTorch's result dtype for these dtypes; a Python number can only change the kind."""
    strong = [dtype for dtype in dtypes if dtype not in ("int", "float")]
    kinds = [_kind(dtype) for dtype in strong]
    highest = max(kinds, default=-1)
    weak = max((_kind(dtype) for dtype in dtypes if dtype in ("int", "float")), default=-1)
    if weak > highest:
        return "int64" if weak == 1 else "float32"
    same = sorted({d for d, kind in zip(strong, kinds, strict=True) if kind == highest})
    if len(same) == 1:
        return same[0]
    if same == ["bfloat16", "float16"]:
        return "float32"
    # uint8 with a signed type of 8 bits needs a wider one.
    if "uint8" in same and same != ["uint8"]:
        same = ["int16" if d in ("int8", "uint8") else d for d in same]
    return max(same, key=lambda d: (int("".join(filter(str.isdigit, d))), d))
