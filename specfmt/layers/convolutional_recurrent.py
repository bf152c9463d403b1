"""Recurrent layers over sequences of images: an LSTM whose products are convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any, ClassVar

from specfmt.fields.spellings import Former, FormerArguments
from specfmt.fields.types import (
    Bool,
    Fraction,
    OptionalDataFormat,
    Padding,
    PositiveInt,
    Seed,
    Size,
    Size1,
    Size2,
    Size3,
    expand,
)
from specfmt.layers.base import KERAS_2_LATER, Layer, Shape, ShapeError, Shapes, Weight
from specfmt.layers.recurrent import Recurrent, forget_pieces
from specfmt.layers.registry import layer
from specfmt.layers.sizes import (
    RANK_NAMES,
    channels_of,
    check_channels,
    check_strides,
    count,
    show,
    spatial_sizes,
    variable,
    windows,
)
from specfmt.vocab.fields import (
    GLOROT_UNIFORM,
    ORTHOGONAL,
    SIGMOID,
    TANH,
    ZEROS,
    Activation,
    Constraint,
    Initializer,
    Regularizer,
)


class ConvLSTMStep(Layer):
    """The fields of one step of a convolutional LSTM."""

    filters: PositiveInt
    kernel_size: Size2
    strides: Size2 = 1
    padding: Padding = "valid"
    data_format: OptionalDataFormat = None
    dilation_rate: Size2 = 1
    activation: Activation = TANH
    recurrent_activation: Activation = SIGMOID
    use_bias: Bool = True
    kernel_initializer: Initializer = GLOROT_UNIFORM
    recurrent_initializer: Initializer = ORTHOGONAL
    bias_initializer: Initializer = ZEROS
    unit_forget_bias: Bool = True
    kernel_regularizer: Regularizer = None
    recurrent_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    recurrent_constraint: Constraint = None
    bias_constraint: Constraint = None
    dropout: Fraction = 0.0
    recurrent_dropout: Fraction = 0.0
    seed: Seed = None


class ConvLSTM(Recurrent, ConvLSTMStep):
    """What the convolutional LSTMs share; gates in the order input, forget, cell, output.

    The input's convolution has the strides, padding and dilation; the state's has stride 1 and
    pads so that the size stays (`ConvLSTMCell` of keras/src/layers/rnn/conv_lstm.py).
    """

    cell_name = "conv_lstm_cell"
    gates = 4
    states = 2
    width = "filters"
    # Keras does not tell the cell, which owns the weights.
    trainable_reaches_parts: ClassVar[bool] = False
    rank: ClassVar[int] = 2
    writes_activity_regularizer: ClassVar[bool] = True
    keras_2_lacks = ("seed", "unroll", "zero_output_for_mask")
    keras_2_later = KERAS_2_LATER - {"dilation_rate"}
    keras_1_gates = (0, 2, 1, 3)
    former_arguments: ClassVar[FormerArguments] = {
        "nb_row": Former("kernel_size", axis=0),
        "nb_col": Former("kernel_size", axis=1),
    }

    zero_output_for_mask: Bool = False

    def sized(self, name: str) -> tuple[int, ...]:
        """A size field as one number an axis."""
        size: Size = getattr(self, name)
        return expand(size, self.rank)

    def check_sequences(self, sequences: Shape) -> None:
        if len(sequences) != self.rank + 3:
            axes = RANK_NAMES[self.rank]
            first = self.data_format == "channels_first"
            order = f"channels, {axes}" if first else f"{axes}, channels"
            raise ShapeError(
                f"{self.rank + 3} axes (batch, time, {order})",
                f"{len(sequences)}: shape {show(sequences)}",
                "a ConvLSTM with `return_sequences: true`, or a Reshape, gives such a shape",
            )
        step = _step(sequences)
        if None in spatial_sizes(step, self.data_format):
            raise ShapeError(
                "spatial axes of known size, for the state has a size of its own",
                f"shape {show(sequences)}",
                "give their sizes in the model's `inputs`",
            )
        check_channels(step, self.data_format)
        check_strides(self)

    def state_shape(self, sequences: Shape) -> Shape:
        return windows(self, _step(sequences), self.filters)

    def check_mask(self, mask: Shape, state: Shape) -> None:
        """A mask says which steps count, or which places of each step (not where unrolled)."""
        places = dict(zip(mask[2:], state[1:], strict=False))
        fits = all(size in (None, 1, own) for size, own in places.items())
        if not 2 <= len(mask) <= len(state) + 1 or not fits:
            raise ShapeError(
                "a mask of shape (batch, time), with the axes of one step's output after it if "
                "it differs from place to place",
                f"shape {mask} for an output of shape {state}",
                field="inputs",
            )
        if self.unroll and any(size != 1 for size in mask[2:]):
            raise ShapeError(
                "a mask of shape (batch, time), as the layer is unrolled",
                f"shape {mask}",
                "leave `unroll` out",
                field="unroll",
            )

    def weights(self, sequences: Shape, **kwargs: Any) -> Iterator[Weight]:
        channels = channels_of(_step(sequences), self.data_format) or 0
        columns, window = 4 * self.filters, self.sized("kernel_size")
        names = {
            "kernel": variable(self, "kernel", (*window, channels, columns)),
            "recurrent_kernel": variable(
                self, "recurrent_kernel", (*window, self.filters, columns), "recurrent"
            ),
        }
        for name, weight in names.items():
            yield replace(weight, name=f"{self.cell_name}/{name}", store="cell")
        if self.use_bias:
            yield self.bias_weight(columns)

    def bias_weight(self, columns: int) -> Weight:
        """The bias; the forget gate's part starts from ones where `unit_forget_bias` says so."""
        bias = super().bias_weight(columns)
        return forget_pieces(bias, self.filters) if self.unit_forget_bias else bias

    def macs(self, output: Shapes, sequences: Shape, **kwargs: Any) -> int:
        """Both convolutions at every position of every step."""
        channels = channels_of(_step(sequences), self.data_format) or 0
        positions = count(spatial_sizes(self.state_shape(sequences), self.data_format), skip=0)
        products = prod(self.sized("kernel_size")) * (channels + self.filters)
        return (sequences[1] or 1) * positions * products * 4 * self.filters


def _step(sequences: Shape) -> Shape:
    """The shape of one step."""
    return (sequences[0], *sequences[2:])


@layer
class ConvLSTM1D(ConvLSTM):
    """Convolutional LSTM over a sequence of rows."""

    rank: ClassVar[int] = 1

    kernel_size: Size1
    strides: Size1 = 1
    dilation_rate: Size1 = 1


@layer
class ConvLSTM2D(ConvLSTM):
    """Convolutional LSTM over a sequence of images."""


@layer
class ConvLSTM3D(ConvLSTM):
    """Convolutional LSTM over a sequence of volumes."""

    rank: ClassVar[int] = 3

    kernel_size: Size3
    strides: Size3 = 1
    dilation_rate: Size3 = 1
