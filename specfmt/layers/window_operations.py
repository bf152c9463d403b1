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
from specfmt.layers.symbols import is_below

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
        if any(is_below(n, 1) for n in sizes):
            raise ShapeError("windows that fit", f"shape {tuple(inputs)}", field="pool_size")
        return with_spatial(inputs, sizes, channels, self.data_format)


@operation("max_pool", "nn")
class MaxPool(Pool):
    """Max pooling: the maximum of each window."""


@operation("average_pool", "nn")
class AveragePool(Pool):
    """Average pooling: the mean of each window, in which padding does not count."""


class AdaptivePool(Unary):
    """Base of the poolings whose windows are chosen to give a certain output size."""

    output_size: Annotated[tuple[int, ...], Tuple(Integer(2), 1, 3)]
    data_format: OptionalDataFormat = None

    def keras_arguments(self) -> dict[str, Any]:
        return {"data_format": self.data_format or "channels_last"}

    def pooled_shape(self, inputs: Shape) -> Shape:
        """The shape of the result.

        Raises:
            ShapeError: There are more or fewer spatial axes than sizes, or one is unknown.
        """
        sizes, rank = self.output_size, len(inputs) - 2
        spatial = spatial_sizes(inputs, self.data_format)
        if rank != len(sizes):
            raise ShapeError(f"{len(sizes) + 2} axes", f"{len(inputs)}", field="inputs")
        if None in spatial or 1 in spatial:
            raise ShapeError(
                "spatial axes of known size, of at least 2",
                f"shape {tuple(inputs)}",
                field="inputs",
            )
        channels = inputs[1] if self.data_format == "channels_first" else inputs[-1]
        return with_spatial(inputs, sizes, channels, self.data_format)

    def output_shape(self, inputs: Operand) -> Shape:
        """Keras declares an axis too many for channels last."""
        pooled = self.pooled_shape(inputs)
        if self.data_format == "channels_first":
            return pooled
        return (*inputs[: -len(self.output_size)], *self.output_size, inputs[-1])


@operation("adaptive_average_pool", "nn")
class AdaptiveAveragePool(AdaptivePool):
    """Adaptive average pooling to the spatial sizes ``output_size``, a list."""


@operation("adaptive_max_pool", "nn")
class AdaptiveMaxPool(AdaptivePool):
    """Adaptive max pooling to the spatial sizes ``output_size``, a list."""
