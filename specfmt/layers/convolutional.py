"""Convolutions: plain, depthwise, separable and transposed, over one to three spatial axes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, ClassVar

from specfmt.fields.spellings import REMOVED, FormerArguments, Replacement, removed
from specfmt.fields.types import (
    Bool,
    CausalPadding,
    OptionalDataFormat,
    OptionalFloat,
    OptionalNatural1,
    OptionalNatural2,
    OptionalNatural3,
    OptionalPositiveInt,
    Padding,
    PositiveInt,
    Size,
    Size1,
    Size2,
    Size3,
    expand,
)
from specfmt.layers.base import KERAS_2_LATER, Layer, Shape, ShapeError, Weight
from specfmt.layers.lora import ScaledLora, check_lora
from specfmt.layers.registry import layer
from specfmt.layers.sizes import (
    channels_of,
    check_channels,
    check_rank,
    check_strides,
    count,
    layer_weight,
    show,
    spatial_sizes,
    transposed_extent,
    transposed_size,
    window_output_shape,
    with_spatial,
)
from specfmt.vocab.fields import (
    GLOROT_UNIFORM,
    LINEAR,
    ZEROS,
    Activation,
    Constraint,
    Initializer,
    Regularizer,
)

KERNEL_OF_3D: FormerArguments = {
    f"kernel_dim{axis + 1}": Replacement("kernel_size", axis=axis) for axis in range(3)
}
"""Keras 1's arguments for the size of a 3D kernel, one per axis."""


class Window(Layer):
    """Base of the convolutions, whose window slides over ``rank`` spatial axes."""

    writes_activity_regularizer: ClassVar[bool] = True
    supports_masking: ClassVar[bool] = False
    rank: ClassVar[int] = 2
    former_arguments: ClassVar[FormerArguments] = {
        "filter_length": "kernel_size",
        "nb_row": Replacement("kernel_size", axis=0),
        "nb_col": Replacement("kernel_size", axis=1),
        "subsample_length": "strides",
        "groups": removed(1),
    }

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        return compute_dtype

    def per_axis(self, name: str) -> tuple[int, ...]:
        """The size field ``name`` as one number per axis."""
        size: Size = getattr(self, name)
        return expand(size, self.rank)


class Filters(Layer):
    """The fields of a kernel over two spatial axes; `Over1D` and `Over3D` change the number."""

    filters: PositiveInt
    kernel_size: Size2
    strides: Size2 = 1
    padding: Padding = "valid"
    data_format: OptionalDataFormat = None
    dilation_rate: Size2 = 1


class Over1D(Layer):
    """Fields of a kernel over one spatial axis."""

    rank: ClassVar[int] = 1

    kernel_size: Size1
    strides: Size1 = 1
    dilation_rate: Size1 = 1


class Over3D(Layer):
    """Fields of a kernel over three spatial axes."""

    rank: ClassVar[int] = 3

    kernel_size: Size3
    strides: Size3 = 1
    dilation_rate: Size3 = 1


class Convolution(ScaledLora, Window, Filters):
    """Base of the plain convolutions: each of ``filters`` kernels is convolved with all
    channels."""

    noun = "convolution"
    prominence = 3
    keras_2_later: ClassVar[frozenset[str]] = KERAS_2_LATER - {"dilation_rate"}
    keras_2_lacks: ClassVar[tuple[str, ...]] = ("lora_rank", "lora_alpha")

    groups: PositiveInt = 1
    activation: Activation = LINEAR
    use_bias: Bool = True
    kernel_initializer: Initializer = GLOROT_UNIFORM
    bias_initializer: Initializer = ZEROS
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    lora_rank: OptionalPositiveInt = None
    lora_alpha: OptionalFloat = None

    def output_shape(self, x: Shape) -> Shape:
        check_rank(x, self.rank, self.data_format)
        check_strides(self)
        check_lora(self.lora_rank, self.kernel_constraint, "kernel_constraint")
        channels = check_channels(x, self.data_format)
        for what, number in (("filters", self.filters), ("input channels", channels)):
            if number % self.groups:
                raise ShapeError(
                    f"{what} to be a multiple of groups={self.groups}",
                    f"{number} {what}" + ("" if what == "filters" else f" in shape {show(x)}"),
                    f"choose groups that divide {self.filters} and {channels}",
                    field="groups",
                )
        return window_output_shape(self, x, self.filters)

    def weights(self, x: Shape) -> Iterator[Weight]:
        channels = (channels_of(x, self.data_format) or 0) // self.groups
        shape = (*self.per_axis("kernel_size"), channels, self.filters)
        yield layer_weight(self, "kernel", shape, trainable=self.lora_rank is None)
        if self.use_bias:
            yield layer_weight(self, "bias", (self.filters,))
        yield from self.lora_factors(shape)

    def macs(self, output: Any, x: Shape) -> int:
        channels = (channels_of(x, self.data_format) or 0) // self.groups
        window, rank = prod(self.per_axis("kernel_size")) * channels, self.lora_rank or 0
        positions = count(output) // self.filters
        return positions * (window * self.filters + rank * (window + self.filters))


@layer
class Conv1D(Over1D, Convolution):
    """1D convolution over time steps; with ``padding: causal`` no step depends on later ones."""

    reads_sequences: ClassVar[bool] = True

    padding: CausalPadding = "valid"  # type: ignore[assignment]  # one choice more


@layer
class Conv2D(Convolution):
    """2D convolution over height and width."""


@layer
class Conv3D(Over3D, Convolution):
    """3D convolution over depth, height and width."""

    former_arguments: ClassVar[FormerArguments] = KERNEL_OF_3D


class TransposedConvolution(Window):
    """The gradient of a convolution: each input element adds a scaled kernel to the output."""

    noun = "transposed convolution"
    prominence = 4
    former_arguments: ClassVar[FormerArguments] = {
        "output_shape": Replacement(
            values={},
            message="expected no `{key}`, which {label} no longer takes",
            hint="`padding` and `output_padding` decide it",
        )
    }

    filters: PositiveInt
    kernel_size: Size2
    strides: Size2 = 1
    padding: Padding = "valid"
    output_padding: OptionalNatural2 = None
    data_format: OptionalDataFormat = None
    dilation_rate: Size2 = 1
    activation: Activation = LINEAR
    use_bias: Bool = True
    kernel_initializer: Initializer = GLOROT_UNIFORM
    bias_initializer: Initializer = ZEROS
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None

    def output_paddings(self) -> tuple[int | None, ...]:
        """``output_padding`` as one number (or None) per axis."""
        given: Size | None = self.output_padding
        return (None,) * self.rank if given is None else expand(given, self.rank)

    def extents(self) -> Iterator[int]:
        """`transposed_extent` of each axis."""
        sizes = zip(
            self.per_axis("kernel_size"),
            self.per_axis("strides"),
            self.output_paddings(),
            self.per_axis("dilation_rate"),
            strict=True,
        )
        for kernel, stride, extra, dilation in sizes:
            yield transposed_extent(kernel, stride, self.padding, extra, dilation)

    def output_shape(self, x: Shape) -> Shape:
        check_rank(x, self.rank, self.data_format)
        check_strides(self)
        check_channels(x, self.data_format)
        for extra, stride in zip(self.output_paddings(), self.per_axis("strides"), strict=True):
            if extra is not None and extra >= stride:
                raise ShapeError(
                    "output_padding to be smaller than strides",
                    f"output_padding {self.output_padding} and strides {self.strides}",
                    "the output can only grow by less than one stride",
                    field="output_padding",
                )
        if self.padding == "same" and 0 in self.extents():
            raise ShapeError(
                "output_padding of at least 1 for this kernel with padding: same",
                f"output_padding {self.output_padding}",
                "TensorFlow cannot run it with 0; leave output_padding out",
                field="output_padding",
            )
        sizes = tuple(
            transposed_size(size, kernel, stride, self.padding, extra, dilation)
            for size, kernel, stride, extra, dilation in zip(
                spatial_sizes(x, self.data_format),
                self.per_axis("kernel_size"),
                self.per_axis("strides"),
                self.output_paddings(),
                self.per_axis("dilation_rate"),
                strict=True,
            )
        )
        return with_spatial(x, sizes, self.filters, self.data_format)

    def weights(self, x: Shape) -> Iterator[Weight]:
        yield layer_weight(
            self,
            "kernel",
            (*self.per_axis("kernel_size"), self.filters, channels_of(x, self.data_format) or 0),
        )
        if self.use_bias:
            yield layer_weight(self, "bias", (self.filters,))

    def macs(self, output: Any, x: Shape) -> int:
        return count(x) * prod(self.per_axis("kernel_size")) * self.filters


@layer
class Conv1DTranspose(Over1D, TransposedConvolution):
    """1D transposed convolution over time steps: enlarges its input by ``strides``."""

    output_padding: OptionalNatural1 = None


@layer
class Conv2DTranspose(TransposedConvolution):
    """2D transposed convolution over height and width: enlarges its input by ``strides``."""


@layer
class Conv3DTranspose(Over3D, TransposedConvolution):
    """3D transposed convolution over depth, height and width: enlarges its input by ``strides``."""

    keras_2_lacks: ClassVar[tuple[str, ...]] = ("dilation_rate",)
    former_arguments: ClassVar[FormerArguments] = KERNEL_OF_3D

    output_padding: OptionalNatural3 = None

    @classmethod
    def own_fields(cls) -> tuple[str, ...]:
        """The fields in Keras's order, which has ``data_format`` first in this class alone."""
        names = list(super().own_fields())
        names.remove("output_padding")
        names.insert(names.index("data_format") + 1, "output_padding")
        return tuple(names)


class Depthwise(Window):
    """Base of the depthwise convolutions: each channel has ``depth_multiplier`` kernels."""

    word = "depthwise"
    noun = "depthwise convolution"
    prominence = 5

    kernel_size: Size2
    strides: Size2 = 1
    padding: Padding = "valid"
    depth_multiplier: PositiveInt = 1
    data_format: OptionalDataFormat = None
    dilation_rate: Size2 = 1
    activation: Activation = LINEAR
    use_bias: Bool = True
    depthwise_initializer: Initializer = GLOROT_UNIFORM
    bias_initializer: Initializer = ZEROS
    depthwise_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    depthwise_constraint: Constraint = None
    bias_constraint: Constraint = None

    def output_shape(self, x: Shape) -> Shape:
        check_rank(x, self.rank, self.data_format)
        channels = check_channels(x, self.data_format)
        return window_output_shape(self, x, channels * self.depth_multiplier)

    def weights(self, x: Shape) -> Iterator[Weight]:
        channels = channels_of(x, self.data_format) or 0
        yield layer_weight(
            self,
            "kernel",
            (*self.per_axis("kernel_size"), channels, self.depth_multiplier),
            "depthwise",
        )
        if self.use_bias:
            yield layer_weight(self, "bias", (channels * self.depth_multiplier,))

    def macs(self, output: Any, x: Shape) -> int:
        return count(output) * prod(self.per_axis("kernel_size"))


@layer
class DepthwiseConv1D(Over1D, Depthwise):
    """1D depthwise convolution over time steps: convolves each channel separately."""


@layer
class DepthwiseConv2D(Depthwise):
    """2D depthwise convolution over height and width: convolves each channel separately."""


class Separable(Window, Filters):
    """Base of the separable convolutions: depthwise, then 1 x 1 to mix the channels."""

    word = "separable"
    noun = "separable convolution"
    prominence = 6
    keras_2_later: ClassVar[frozenset[str]] = KERAS_2_LATER - {"dilation_rate"}
    former_arguments: ClassVar[FormerArguments] = {
        "init": Replacement("depthwise_initializer", also=("pointwise_initializer",)),
        "depthwise_init": "depthwise_initializer",
        "pointwise_init": "pointwise_initializer",
        "W_regularizer": REMOVED,  # inherited from Keras 1's base class, without effect
        "W_constraint": REMOVED,
    }

    depth_multiplier: PositiveInt = 1
    activation: Activation = LINEAR
    use_bias: Bool = True
    depthwise_initializer: Initializer = GLOROT_UNIFORM
    pointwise_initializer: Initializer = GLOROT_UNIFORM
    bias_initializer: Initializer = ZEROS
    depthwise_regularizer: Regularizer = None
    pointwise_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    depthwise_constraint: Constraint = None
    pointwise_constraint: Constraint = None
    bias_constraint: Constraint = None

    def output_shape(self, x: Shape) -> Shape:
        check_rank(x, self.rank, self.data_format)
        check_channels(x, self.data_format)
        return window_output_shape(self, x, self.filters)

    def weights(self, x: Shape) -> Iterator[Weight]:
        channels = channels_of(x, self.data_format) or 0
        yield layer_weight(
            self,
            "depthwise_kernel",
            (*self.per_axis("kernel_size"), channels, self.depth_multiplier),
            "depthwise",
        )
        yield layer_weight(
            self,
            "pointwise_kernel",
            (*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
            "pointwise",
        )
        if self.use_bias:
            yield layer_weight(self, "bias", (self.filters,))

    def macs(self, output: Any, x: Shape) -> int:
        between = (channels_of(x, self.data_format) or 0) * self.depth_multiplier
        positions = count(spatial_sizes(output, self.data_format), skip=0)
        return positions * between * (prod(self.per_axis("kernel_size")) + self.filters)


@layer
class SeparableConv1D(Over1D, Separable):
    """1D separable convolution over time steps: a depthwise convolution, then one of size 1 that
    mixes the channels."""

    reads_sequences: ClassVar[bool] = True


@layer
class SeparableConv2D(Separable):
    """2D separable convolution over height and width: a depthwise convolution, then a 1 x 1
    convolution that mixes the channels."""
