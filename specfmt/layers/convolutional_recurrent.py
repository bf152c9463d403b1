"""Convolutional LSTM layers, which process sequences of images."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, ClassVar

from specfmt.fields.spellings import FormerArguments, Replacement
from specfmt.fields.types import (
    Bool,
    Size,
    expand,
)
from specfmt.layers.base import KERAS_2_LATER, Shape, ShapeError, Shapes, Weight
from specfmt.layers.convolutional import Filters, Over1D, Over3D
from specfmt.layers.recurrent import ForgetBiased, Gated, Recurrent, Regularized, Seeded
from specfmt.layers.registry import layer
from specfmt.layers.sizes import (
    RANK_NAMES,
    channels_of,
    check_channels,
    check_strides,
    count,
    show,
    spatial_sizes,
    window_output_shape,
)


class ConvLSTMStep(Seeded, Regularized, ForgetBiased, Gated, Filters):
    """The fields of a convolutional LSTM's step."""


class ConvLSTM(Recurrent, ConvLSTMStep):
    """Base of the convolutional LSTMs; gates in the order input, forget, cell, output.

    The input's convolution has the strides, padding and dilation; the state's has stride 1 and
    padding that keeps the size (`ConvLSTMCell` of keras/src/layers/rnn/conv_lstm.py).
    """

    noun = "convolutional LSTM"
    cell_name = "conv_lstm_cell"
    gates = 4
    states = 2
    width = "filters"
    # Keras does not set `trainable` of the cell, which owns the weights.
    trainable_reaches_parts: ClassVar[bool] = False
    rank: ClassVar[int] = 2
    writes_activity_regularizer: ClassVar[bool] = True
    keras_2_lacks = ("seed", "unroll", "zero_output_for_mask")
    keras_2_later = KERAS_2_LATER - {"dilation_rate"}
    keras_1_gates = (0, 2, 1, 3)
    former_arguments: ClassVar[FormerArguments] = {
        "nb_row": Replacement("kernel_size", axis=0),
        "nb_col": Replacement("kernel_size", axis=1),
    }

    zero_output_for_mask: Bool = False

    def per_axis(self, name: str) -> tuple[int, ...]:
        """The size field ``name`` as one number per axis."""
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
                "a ConvLSTM with `return_sequences: true`, or a Reshape, returns such a shape",
            )
        step = _step(sequences)
        if None in spatial_sizes(step, self.data_format):
            raise ShapeError(
                "spatial axes of known size, on which the size of the state depends",
                f"shape {show(sequences)}",
                "give their sizes in the model's `inputs`",
            )
        check_channels(step, self.data_format)
        check_strides(self)

    def state_shape(self, sequences: Shape) -> Shape:
        return window_output_shape(self, _step(sequences), self.filters)

    def check_mask(self, mask: Shape, state: Shape) -> None:
        """Check a mask over time steps, or over the positions of each step unless unrolled."""
        places = dict(zip(mask[2:], state[1:], strict=False))
        fits = all(size in (None, 1, own) for size, own in places.items())
        if not 2 <= len(mask) <= len(state) + 1 or not fits:
            raise ShapeError(
                "a mask of shape (batch, time), followed by the axes of one step's output if it "
                "differs between positions",
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
        columns, window = 4 * self.filters, self.per_axis("kernel_size")
        yield self.cell_weight("kernel", (*window, channels, columns))
        yield self.cell_weight("recurrent_kernel", (*window, self.filters, columns), "recurrent")
        if self.use_bias:
            yield self.bias_weight(columns)

    def macs(self, output: Shapes, sequences: Shape, **kwargs: Any) -> int:
        """Both convolutions at every position of every step."""
        channels = channels_of(_step(sequences), self.data_format) or 0
        positions = count(spatial_sizes(self.state_shape(sequences), self.data_format), skip=0)
        products = prod(self.per_axis("kernel_size")) * (channels + self.filters)
        return (sequences[1] or 1) * positions * products * 4 * self.filters


def _step(sequences: Shape) -> Shape:
    """The shape of one step."""
    return (sequences[0], *sequences[2:])


@layer
class ConvLSTM1D(Over1D, ConvLSTM):
    """1D convolutional LSTM: an LSTM over a sequence of rows whose matrix products are
    convolutions."""


@layer
class ConvLSTM2D(ConvLSTM):
    """2D convolutional LSTM: an LSTM over a sequence of images whose matrix products are
    convolutions."""


@layer
class ConvLSTM3D(Over3D, ConvLSTM):
    """3D convolutional LSTM: an LSTM over a sequence of volumes whose matrix products are
    convolutions."""
