"""Operations of `keras.ops` that index tensors or multiply them."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, ClassVar

from specfmt.fields.errors import FieldError
from specfmt.fields.rules import Integer, Nullable, Rule, Text, Tuple, as_integer
from specfmt.fields.types import Axis, Bool, OptionalDType, OptionalInt, PositiveInt
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.operations import Binary, broadcast, operand_shape
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.reductions import check_axis
from specfmt.layers.registry import operation
from specfmt.layers.size_rules import agree, slice_size
from specfmt.layers.symbols import is_below


class KeyRule(Rule):
    """A subscript: an integer, null (a new axis), {slice: [start, stop, step]},
    {ellipsis: true}, or a list of these."""

    _slice = Tuple(Nullable(Integer()), 1, 3)

    def check(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return tuple(self._item(item) for item in value)
        return self._item(value)

    def _item(self, value: Any) -> Any:
        if value is None or as_integer(value) is not None:
            return value if value is None else Integer().check(value)
        if isinstance(value, dict) and set(value) == {"slice"}:
            return {"slice": self._slice.check(value["slice"])}
        if isinstance(value, dict) and value.get("ellipsis") is True and len(value) == 1:
            return value
        raise FieldError("an index, null, {slice: [start, stop, step]} or {ellipsis: true}", value)

    def schema(self) -> dict[str, Any]:
        item = {
            "anyOf": [
                Integer().schema(),
                {"type": "null"},
                _only("slice", self._slice.schema()),
                _only("ellipsis", {"const": True}),
            ]
        }
        return {"anyOf": [item, {"type": "array", "items": item}]}


def _only(key: str, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key: value},
        "required": [key],
        "additionalProperties": False,
    }


@operation("getitem")
class GetItem(Op):
    """`x[key]`: indexing by integers, slices, new axes and an ellipsis."""

    call_fields: ClassVar[tuple[str, ...]] = ("key",)
    positional_fields: ClassVar[tuple[str, ...]] = ("key",)

    key: Annotated[Any, KeyRule()]

    def items(self, x: Shape) -> list[Any]:
        """An item for each axis of ``x`` and each new axis: an int, a slice, or None for a new
        axis."""
        key = self.key if isinstance(self.key, tuple) else (self.key,)
        items = [_as_slice(item) for item in key]
        used = sum(1 for item in items if item is None or not isinstance(item, dict))
        missing = len(x) - (used - items.count(None))
        if missing < 0:
            raise ShapeError(f"at most {len(x)} indices", f"{used}", field="key")
        filler = [slice(None)] * missing
        places = [k for k, item in enumerate(items) if isinstance(item, dict)]
        if len(places) > 1:
            raise ShapeError("one ellipsis", f"{len(places)}", field="key")
        at = places[0] if places else len(items)
        return [*items[:at], *filler, *items[at + 1 :]]

    def output_shape(self, x: Operand) -> Shape:
        sizes = iter(x)
        result: list[int | None] = []
        for item in self.items(x):
            if item is None:
                result.append(1)
                continue
            size = next(sizes)
            if isinstance(item, slice):
                result.append(slice_size(size, item))
            elif size is not None and is_below(size, item + 1 if item >= 0 else -item):
                raise ShapeError(f"an index from {-size} to {size - 1}", str(item), field="key")
        return tuple(result)


def _as_slice(item: Any) -> Any:
    """``{slice: [start, stop, step]}`` as a slice, anything else as it is."""
    return slice(*item["slice"]) if isinstance(item, dict) and "slice" in item else item


@operation("take")
class Take(Op):
    """Takes elements by index along ``axis``, or from the flattened tensor."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "any")

    axis: OptionalInt = None

    def output_shape(self, x: Operand, indices: Any) -> Shape:
        found = operand_shape(indices)
        if self.axis is None:
            return found
        axis = check_axis(self.axis, len(x))
        return (*x[:axis], *found, *x[axis + 1 :])


@operation("one_hot", "nn")
class OneHot(Op):
    """Converts integers to one-hot vectors."""

    num_classes: PositiveInt
    axis: Axis = -1
    dtype: OptionalDType = None
    sparse: Bool = False

    def output_shape(self, x: Operand) -> Shape:
        rank = len(x)
        if self.axis != -1 and not 0 <= self.axis < rank:
            raise ShapeError(f"-1 or an axis below {rank}", str(self.axis), field="axis")
        place = rank if self.axis == -1 else self.axis
        return (*x[:place], self.num_classes, *x[place:])

    def result_dtype(self, x: Operand) -> str:
        return self.dtype or "float32"


@operation("matmul")
class Matmul(Binary):
    """The matrix product over the last two axes."""

    def output_shape(self, x1: Any, x2: Any) -> Shape:
        a, b = operand_shape(x1), operand_shape(x2)
        left = (1, *a) if len(a) == 1 else a
        right = (*b, 1) if len(b) == 1 else b
        if not a or not b or not agree(left[-1], right[-2]):
            raise ShapeError(
                "the last axis of the first operand and the second-to-last of the second to agree",
                f"shapes {a} and {b}",
            )
        result = [*broadcast(left[:-2], right[:-2]), left[-2], right[-1]]
        if len(a) == 1:
            del result[-2]
        if len(b) == 1:
            del result[-1]
        return tuple(result)

    def result_dtype(self, x1: Any, x2: Any) -> str:
        dtypes = {operand_dtype(x1), operand_dtype(x2)}
        return "int32" if dtypes == {"int8"} else result_type(*dtypes)

    def macs(self, output: Shape, x1: Any, x2: Any) -> int:
        return prod(size or 1 for size in output[1:]) * (operand_shape(x1)[-1] or 1)


@operation("dot")
class Dot(Binary):
    """The sum of products over the last axis of ``x1`` and the second-to-last axis of ``x2``."""

    def output_shape(self, x1: Any, x2: Any) -> Shape:
        a, b = operand_shape(x1), operand_shape(x2)
        if not a or not b:
            return broadcast(a, b)
        axis = max(len(b) - 2, 0)
        if not agree(a[-1], b[axis]):
            raise ShapeError(f"axis {axis} of the second operand of size {a[-1]}", f"{b[axis]}")
        return (*a[:-1], *b[:axis], *b[axis + 1 :])


@operation("einsum")
class Einsum(Op):
    """Sums of products in Einstein notation: ``bij,bjk->bik``."""

    leading_fields: ClassVar[tuple[str, ...]] = ("subscripts",)
    operands: ClassVar[tuple[str, ...]] = ("...",)

    subscripts: Annotated[
        str, Text("subscripts such as ij,jk->ik", r"^[A-Za-z., ]+(->[A-Za-z. ]*)?$(?!\n)")
    ]

    def terms(self, count: int) -> tuple[list[str], str]:
        """The subscripts of each operand, and of the result."""
        left, arrow, right = self.subscripts.replace(" ", "").partition("->")
        inputs = left.split(",")
        if len(inputs) != count:
            raise ShapeError(
                f"subscripts for {count} operands", f"{len(inputs)}", field="subscripts"
            )
        if not arrow:
            letters = "".join(inputs).replace(".", "")
            once = sorted(letter for letter in set(letters) if letters.count(letter) == 1)
            right = ("..." if "..." in left else "") + "".join(once)
        return inputs, right

    def sizes(self, operands: tuple[Any, ...]) -> tuple[dict[str, int | None], Shape]:
        """The size of each letter, and the sizes of the axes that the ellipsis matches."""
        inputs, _ = self.terms(len(operands))
        sizes: dict[str, int | None] = {}
        rest: Shape = ()
        for term, operand in zip(inputs, operands, strict=True):
            shape = operand_shape(operand)
            before, dots, after = term.partition("...")
            if len(before) + len(after) > len(shape) or (not dots and len(term) != len(shape)):
                raise ShapeError(
                    f"an operand with an axis for each letter of {term}",
                    f"shape {shape}",
                    field="subscripts",
                )
            end = len(shape) - len(after)
            rest = broadcast(rest, shape[len(before) : end])
            axes = (*shape[: len(before)], *shape[end:])
            for letter, size in zip(before + after, axes, strict=True):
                sizes[letter] = broadcast((sizes.get(letter, 1),), (size,))[0]
        return sizes, rest

    def output_shape(self, *operands: Any) -> Shape:
        sizes, rest = self.sizes(operands)
        before, dots, after = self.terms(len(operands))[1].partition("...")
        unknown = next((letter for letter in before + after if letter not in sizes), None)
        if unknown is not None:
            raise ShapeError(
                f"{unknown} on the left of the arrow too", self.subscripts, field="subscripts"
            )
        return (*(sizes[k] for k in before), *(rest if dots else ()), *(sizes[k] for k in after))

    def result_dtype(self, *operands: Any) -> str:
        dtypes = {operand_dtype(item) for item in operands}
        return "int32" if dtypes == {"int8"} else result_type(*dtypes)

    def macs(self, output: Shape, *operands: Any) -> int:
        sizes, rest = self.sizes(operands)
        batch = (operand_shape(operands[0]) or (None,))[0]
        return prod(size or 1 for size in (*sizes.values(), *rest)) // (batch or 1)
