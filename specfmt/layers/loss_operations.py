"""Losses and metrics of `keras.ops`, and the encoding of labels."""

from __future__ import annotations

from typing import Any, ClassVar

from specfmt.fields.types import (
    Axis,
    Bool,
    Int,
    Literal,
    OptionalDType,
    OptionalPositiveInt,
    PositiveFloat,
    PositiveInt,
)
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.promotion import result_type
from specfmt.layers.reductions import check_axis
from specfmt.layers.registry import operation
from specfmt.layers.size_rules import agree


def check_same(first: Shape, second: Shape) -> None:
    """Check that two tensors have the same shape, as far as it is known.

    Raises:
        ShapeError: They have not.
    """
    if len(first) != len(second) or not all(map(agree, first, second)):
        raise ShapeError(
            "tensors of the same shape",
            f"shapes {tuple(first)} and {tuple(second)}",
            field="inputs",
        )


class Crossentropy(Op):
    """Base of the cross-entropies of a target and of probabilities (or logits)."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "tensor")

    from_logits: Bool = False

    def result_dtype(self, target: Operand, output: Operand) -> str:
        return output.dtype


@operation("binary_crossentropy", "nn")
class BinaryCrossentropy(Crossentropy):
    """`-target * log(output) - (1 - target) * log(1 - output)`, element by element."""

    def output_shape(self, target: Operand, output: Operand) -> Shape:
        check_same(target, output)
        return tuple(output)


@operation("categorical_crossentropy", "nn")
class CategoricalCrossentropy(Crossentropy):
    """`-sum(target * log(output))` over the classes along ``axis``."""

    axis: Axis = -1

    def output_shape(self, target: Operand, output: Operand) -> Shape:
        """Keras declares the last axis to be left out, whatever ``axis``."""
        check_same(target, output)
        check_axis(self.axis, len(output))
        return tuple(output[:-1])


@operation("sparse_categorical_crossentropy", "nn")
class SparseCategoricalCrossentropy(Crossentropy):
    """`-log(output[target])` for the indices ``target`` of classes, along the last axis."""

    axis: Axis = -1

    def output_shape(self, target: Operand, output: Operand) -> Shape:
        if check_axis(self.axis, len(output)) != len(output) - 1:
            raise ShapeError(
                "the last axis", str(self.axis), "Keras has no other on TensorFlow", field="axis"
            )
        whole = tuple(target)
        if len(whole) == len(output) and whole[-1] == 1:
            whole = whole[:-1]
        check_same(whole, output[:-1])
        return tuple(output[:-1])


class Sequences(Op):
    """Base of connectionist temporal classification (CTC), for sequences of logits of shape (N,
    time, classes)."""

    @staticmethod
    def check(output: Operand) -> None:
        """Check that these are sequences.

        Raises:
            ShapeError: There are more or fewer axes.
        """
        if len(output) != 3:
            raise ShapeError("three axes: N, time, classes", f"shape {tuple(output)}")


@operation("ctc_loss", "nn")
class CTCLoss(Sequences):
    """The CTC loss of targets (N, length) and logits (N, time, classes), given the lengths of
    both; ``mask_index`` is the blank class."""

    operands: ClassVar[tuple[str, ...]] = ("tensor",) * 4

    mask_index: Int = 0

    def output_shape(
        self, target: Operand, output: Operand, target_length: Operand, output_length: Operand
    ) -> Shape:
        self.check(output)
        if (len(target), len(target_length), len(output_length)) != (2, 1, 1):
            raise ShapeError(
                "targets of shape (N, length), and lengths of shape (N,)",
                f"shapes {tuple(target)}, {tuple(target_length)} and {tuple(output_length)}",
                field="inputs",
            )
        return (target[0],)

    def result_dtype(self, *operands: Operand) -> str:
        return result_type(operands[1].dtype, "float32")


@operation("ctc_decode", "nn")
class CTCDecode(Sequences):
    """The classes that sequences of logits (N, time, classes) spell, padded with -1, and their
    scores: two outputs of shapes (paths, N, time) and (N, paths)."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "tensor")

    strategy: Literal["greedy", "beam_search"] = "greedy"
    beam_width: PositiveInt = 100
    top_paths: PositiveInt = 1
    merge_repeated: Bool = True
    mask_index: Int = 0

    def output_shape(self, inputs: Operand, sequence_lengths: Operand) -> tuple[Shape, ...]:
        self.check(inputs)
        paths = 1 if self.strategy == "greedy" else self.top_paths
        return ((paths, inputs[0], inputs[1]), (inputs[0], paths))

    def result_dtype(self, inputs: Operand, sequence_lengths: Operand) -> Any:
        return ("int32", result_type(inputs.dtype, "float32"))


@operation("psnr", "nn")
class PSNR(Op):
    """The peak signal-to-noise ratio of two tensors in decibels; ``max_val`` is the greatest
    possible value."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "tensor")

    max_val: PositiveFloat

    def output_shape(self, x1: Operand, x2: Operand) -> Shape:
        check_same(x1, x2)
        return ()

    def result_dtype(self, x1: Operand, x2: Operand) -> str:
        """Keras declares float32 for every input."""
        return "float32"


@operation("in_top_k", "math")
class InTopK(Op):
    """Whether the prediction of each target class is among the ``k`` largest."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "tensor")

    k: PositiveInt

    def output_shape(self, targets: Operand, predictions: Operand) -> Shape:
        if (len(targets), len(predictions)) != (1, 2):
            raise ShapeError(
                "targets of shape (N,) and predictions of shape (N, classes)",
                f"shapes {tuple(targets)} and {tuple(predictions)}",
                field="inputs",
            )
        return tuple(targets)

    def result_dtype(self, targets: Operand, predictions: Operand) -> str:
        return "bool"


@operation("multi_hot", "nn")
class MultiHot(Op):
    """For each class, whether any of the indices of a sample is that class."""

    num_classes: OptionalPositiveInt = None
    axis: Axis = -1
    dtype: OptionalDType = None
    sparse: Bool = False

    def output_shape(self, inputs: Operand) -> Shape:
        rank = len(inputs)
        if self.num_classes is None:
            raise ShapeError("a number of classes", "null", field="num_classes")
        if self.axis != -1 and not 0 <= self.axis < rank:
            raise ShapeError(f"-1 or an axis below {rank}", str(self.axis), field="axis")
        place = rank if self.axis == -1 else self.axis
        shape = (*inputs[:place], self.num_classes, *inputs[place:])
        return shape[1:] if len(shape) == 2 else (shape[0], *shape[2:])

    def result_dtype(self, inputs: Operand) -> str:
        """Keras declares the dtype of the indices, and returns ``dtype``."""
        return inputs.dtype
