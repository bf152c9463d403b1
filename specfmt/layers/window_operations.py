"""The pooling operations of `keras.ops`."""

from __future__ import annotations

from typing import Annotated, Any

from specfmt.fields.rules import Either, Integer, Nullable, Tuple
from specfmt.fields.types import OptionalDataFormat, Padding, expand
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Operand
from specfmt.layers.operations import Unary
from specfmt.layers.registry import operation
from specfmt.layers.sizes import spatial_sizes, window_size, with_spatial

_WINDOW = Either(Integer(1), Tuple(Integer(1), 1, 3), expected="a size or one for each axis")
Window = Annotated[int | tuple[int, ...], _WINDOW]
OptionalWindow = Annotated[int | tuple[int, ...] | None, Nullable(_WINDOW)]


class Pool(Unary):
    """Base of the poolings over one to three spatial axes."""

    pool_size: Window
    strides: OptionalWindow = None
    padding: Padding = "valid"
    data_format: OptionalDataFormat = None

    def keras_arguments(self) -> dict[str, Any]:
        return {"data_format": self.data_format or "channels_last"}

    def windows(self, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Sizes and strides, one for each of ``rank`` spatial axes."""
        size = expand(self.pool_size, rank)
        strides = size if self.strides is None else expand(self.strides, rank)
        for field, items in (("pool_size", size), ("strides", strides)):
            if len(items) != rank:
                raise ShapeError(f"{rank} numbers, one per axis", str(len(items)), field=field)
        return size, strides

    def output_shape(self, inputs: Operand) -> Shape:
        rank = len(inputs) - 2
        if not 1 <= rank <= 3:
            raise ShapeError("three to five axes", f"{len(inputs)}", field="inputs")
        channels = inputs[1] if self.data_format == "channels_first" else inputs[-1]
        sizes = tuple(
            window_size(n, k, s, self.padding)
            for n, k, s in zip(
                spatial_sizes(inputs, self.data_format), *self.windows(rank), strict=True
            )
        )
        if any(n is not None and n < 1 for n in sizes):
            raise ShapeError("windows that fit", f"shape {tuple(inputs)}", field="pool_size")
        return with_spatial(inputs, sizes, channels, self.data_format)


@operation("max_pool", "nn")
class MaxPool(Pool):
    """Max pooling: the maximum of each window."""


@operation("average_pool", "nn")
class AveragePool(Pool):
    """Average pooling: the mean of each window, in which padding does not count."""
