"""The base class of tensor operations, and their operands: shapes with dtypes, and constants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from specfmt.fields.edges import Operands
from specfmt.fields.errors import show
from specfmt.fields.spellings import FormerArguments
from specfmt.layers.base import Layer, Shape, ShapeError
from specfmt.layers.former_arguments import FORMER_ARGUMENTS


class Operand(tuple[int | None, ...]):
    """The shape and the dtype of a tensor that an operation is applied to."""

    dtype: str

    def __new__(cls, shape: Shape, dtype: str) -> Operand:
        self = super().__new__(cls, shape)
        self.dtype = dtype
        return self


class Op(Layer):
    """Base class of tensor operations, the functions of `keras.ops`: ``{op: mean, inputs: x}``.

    ``inputs`` holds the positional arguments in order: a string is the name of a tensor, numbers
    and lists are constants, ``{const: text}`` is a string constant.  Methods such as
    `output_shape` get an `Operand` for each tensor and the value of each constant.

    Class attributes:
        function: The name in `keras.ops`.
        keras_module: The module of Keras's class of the same name.
        leading_fields: Fields that precede the operands among the function's arguments.
        call_fields: Fields that are arguments of Keras's `call`, instead of its constructor.
        positional_fields: Those of `call_fields` that Keras passes by position, in order.
        operands: The kinds of its operands in order: ``tensor``; ``any`` for a tensor or a
            constant; ``tensors`` for a list; a last ``...`` for any number of tensors.
        optional_operands: Keras's names of further operands, which are passed by keyword; null
            in ``inputs`` leaves one out.
        optional_by_position: Whether `keras.ops` hands these on by position, given or not.
        optional_given: Whether Keras's class has no defaults for them.
        lists_are_arrays: Whether Keras accepts a list of numbers as an operand only as an array.
        keras_forgets_name: Whether Keras does not write the name among its arguments.
    """

    is_operation: ClassVar[bool] = True
    former_arguments: ClassVar[FormerArguments] = dict.fromkeys(FORMER_ARGUMENTS)
    supports_masking: ClassVar[bool] = False
    function: ClassVar[str] = ""
    keras_module: ClassVar[str] = ""
    leading_fields: ClassVar[tuple[str, ...]] = ()
    call_fields: ClassVar[tuple[str, ...]] = ()
    positional_fields: ClassVar[tuple[str, ...]] = ()
    operands: ClassVar[tuple[str, ...]] = ("tensor",)
    optional_operands: ClassVar[tuple[str, ...]] = ()
    optional_by_position: ClassVar[bool] = False
    optional_given: ClassVar[bool] = False
    lists_are_arrays: ClassVar[bool] = False
    keras_forgets_name: ClassVar[bool] = False
    inputs: Operands = ()

    @classmethod
    def keras_namespace(cls) -> str:
        """The module that exports the function: `keras.ops`, or `keras.ops.image` for images."""
        return "keras.ops.image" if cls.keras_module.endswith(".image") else "keras.ops"

    def tag(self) -> dict[str, str]:
        return {"op": self.function}

    def keras_arguments(self) -> dict[str, Any]:
        """Fields that Keras writes in another form than that of its arguments."""
        return {}

    def class_arguments(self) -> dict[str, Any]:
        """Arguments that the function fills in and Keras's class does not."""
        given = self.keras_arguments()
        return {key: given[key] for key in ("data_format",) if key in given}

    @classmethod
    def absent_fields(cls) -> tuple[str, ...]:
        """Fields of layers that operations do not have, unless the class declares them itself."""
        from inspect import get_annotations

        own = cls.__mro__[: cls.__mro__.index(Op)]
        declared = {name for base in own for name in get_annotations(base)}
        common = ("activity_regularizer", "trainable", "dtype")
        return tuple(name for name in common if name not in declared)

    def check_operands(self, items: list[Any]) -> None:
        """Check the number and the kinds of a call's operands.

        Raises:
            ShapeError: There are too many or too few, or one is of another kind.
        """
        kinds = self.operands
        if kinds[-1] == "...":
            kinds = ("tensor",) * max(len(items), 1)
        most = len(kinds) + len(self.optional_operands)
        if not len(kinds) <= len(items) <= most:
            many = f"{len(kinds)} operand" + ("s" if len(kinds) > 1 else "")
            many = f"{len(kinds)} to {most} operands" if most > len(kinds) else many
            hint = "write a list in a list: `inputs: [[a, b]]`" if kinds == ("tensors",) else ""
            raise ShapeError(many, str(len(items)), hint, field="inputs", code="SF204")
        kinds += ("any",) * (len(items) - len(kinds))
        for kind, item in zip(kinds, items, strict=True):
            if isinstance(item, str):
                raise ShapeError("a tensor or a number", show(item), field="inputs", code="SF204")
            if kind == "tensor" and not isinstance(item, Operand):
                raise ShapeError("a tensor", "a constant", field="inputs", code="SF204")
            if kind == "tensors" and not (
                item
                and not isinstance(item, Operand)
                and isinstance(item, (tuple, list))
                and all(isinstance(inner, Operand) for inner in item)
            ):
                hint = "write a list in a list: `inputs: [[a, b]]`"
                received = "something else"
                raise ShapeError("a list of tensors", received, hint, field="inputs", code="SF204")
        if not any(True for _ in operand_dtypes(items)):
            raise ShapeError(
                "a tensor among the operands", "constants", field="inputs", code="SF204"
            )

    def result_dtype(self, *operands: Any, **kwargs: Any) -> str:
        """The dtype that Keras declares for the result: by default that of the first tensor."""
        found: str = next(operand_dtypes(operands))
        return found


def operand_dtypes(operands: Any) -> Iterator[str]:
    """The dtype of each tensor among the operands, also within lists."""
    for item in operands:
        if isinstance(item, Operand):
            yield item.dtype
        elif isinstance(item, (list, tuple)):
            yield from operand_dtypes(item)
