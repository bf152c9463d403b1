"""Recurrent layers: SimpleRNN, LSTM, GRU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from specfmt.fields.rules import Boolean, Either, OneOf
from specfmt.fields.spellings import REMOVED, FormerArguments, FormerDefaults, Replacement, removed
from specfmt.fields.types import Bool, Fraction, PositiveInt, Seed
from specfmt.layers.base import Argument, Layer, Shape, ShapeError, Shapes, Weight
from specfmt.layers.registry import layer
from specfmt.layers.sizes import check_mask, layer_weight
from specfmt.vocab.fields import (
    GLOROT_UNIFORM,
    ONES,
    ORTHOGONAL,
    SIGMOID,
    TANH,
    ZEROS,
    Activation,
    Constraint,
    Initializer,
    Regularizer,
)

UseCudnn = Annotated[bool | str, Either(OneOf("auto"), Boolean(), expected="auto, true or false")]

RNN_ARGUMENTS = (
    Argument("sequences"),
    Argument("initial_state", "tensors", required=False),
    Argument("mask", required=False),
    Argument("training", "value", required=False),
)


FORMER_RECURRENT: FormerArguments = {
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "forget_bias_init": Replacement(
        "unit_forget_bias", {"one": True, "ones": True, "zero": False, "zeros": False}
    ),
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "consume_less": REMOVED,
    "truncate_gradient": REMOVED,
    "enable_caching_device": REMOVED,
    "return_runtime": removed(False),
    "time_major": removed(False),
}
FORMER_RECURRENT_DEFAULTS: FormerDefaults = {
    1: {"recurrent_initializer": "orthogonal"},
    2: {"recurrent_activation": "hard_sigmoid", "reset_after": False},
}


class Recurrent(Layer):
    """Base of the recurrent layers: the loop over time around a step.

    The fields of a step, which its cell has too, are declared in separate classes (`LSTMStep`).
    In Keras they precede the loop's, so these classes are the last bases: Pydantic puts the
    fields of the last base first.

    Class attributes:
        cell_name: Keras's name of the cell, the first part of the weights' paths.
        gates: The number of gates, which is that of blocks of ``units`` columns in the kernels.
        states: The number of state tensors that a step passes to the next.
        width: The field that sets the number of features of a step's output.
    """

    prominence: ClassVar[int] = 2
    call_arguments: ClassVar[tuple[Argument, ...]] = RNN_ARGUMENTS
    training_default: ClassVar[bool | None] = False
    cell_name: ClassVar[str] = ""
    gates: ClassVar[int] = 1
    states: ClassVar[int] = 1
    width: ClassVar[str] = "units"
    reads_sequences: ClassVar[bool] = True
    build_arguments: ClassVar[tuple[str, ...] | None] = ("sequences", "initial_state")
    keras_2_lacks: ClassVar[tuple[str, ...]] = ("seed",)
    former_arguments: ClassVar[FormerArguments] = FORMER_RECURRENT
    former_defaults: ClassVar[FormerDefaults] = FORMER_RECURRENT_DEFAULTS

    if TYPE_CHECKING:
        units: PositiveInt
        use_bias: Bool
        dropout: Fraction
        recurrent_dropout: Fraction
        zero_output_for_mask: Bool

    return_sequences: Bool = False
    return_state: Bool = False
    go_backwards: Bool = False
    stateful: Bool = False
    unroll: Bool = False

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return cls.rank + 2 + bool(fields.get("return_sequences"))

    def output_shape(
        self,
        sequences: Shape,
        initial_state: list[Shape] | None = None,
        mask: Shape | None = None,
        training: object = None,
    ) -> Shapes:
        self.check_sequences(sequences)
        self._check_time(sequences)
        check_mask(
            "a mask", mask[:2] if mask else None, sequences[1]
        )  # axes of positions follow time
        state = self.state_shape(sequences)
        if initial_state is not None:
            self.check_states(initial_state, self.state_shapes(sequences))
        if mask is not None:
            self.check_mask(mask, state)
        output = (state[0], sequences[1], *state[1:]) if self.return_sequences else state
        return (output, *self.state_shapes(sequences)) if self.return_state else output

    def check_sequences(self, sequences: Shape) -> None:
        """Check the shape of the sequences.

        Raises:
            ShapeError: It has other axes, or a size that must be known is not.
        """
        if len(sequences) != 3 or sequences[2] is None:
            raise ShapeError(
                "sequences of shape (batch, time, features) with features of known size",
                f"shape {sequences}",
                "an Embedding or a Reshape returns such a shape",
            )

    def state_shape(self, sequences: Shape) -> Shape:
        """The shape of one step's output, which is also that of a state."""
        return (sequences[0], self.units)

    def state_shapes(self, sequences: Shape) -> tuple[Shape, ...]:
        """The shapes of the states that a step passes to the next."""
        return (self.state_shape(sequences),) * self.states

    def one_layer(self) -> tuple[Recurrent, tuple[str, ...]] | None:
        """The LSTM, GRU or SimpleRNN that computes the same, and the path of its cell's weights
        below this layer's; None if it needs several of them."""
        return self, (self.cell_name,)

    def _check_time(self, sequences: Shape) -> None:
        """Check the sizes that must be known before run time."""
        if self.unroll and sequences[1] is None:
            raise ShapeError(
                "a known number of steps to unroll",
                f"shape {sequences}",
                "give the input's time axis a size, or leave `unroll` out",
                field="unroll",
            )
        if self.stateful and sequences[0] is None:
            raise ShapeError(
                "a known batch size for a stateful layer",
                f"shape {sequences}",
                "give the input a `batch_size`",
                field="stateful",
            )

    def check_mask(self, mask: Shape, state: Shape) -> None:
        """Check whether the layer can apply a given mask.

        Raises:
            ShapeError: It is not a mask over the time steps.
        """
        if len(mask) != 2:
            raise ShapeError("a mask of shape (batch, time)", f"shape {mask}", field="inputs")

    def check_states(self, states: list[Shape], expected: tuple[Shape, ...]) -> None:
        """Check initial states.

        Args:
            states: The given shapes.
            expected: The shapes of the layer's states.

        Raises:
            ShapeError: There are more or fewer states, or one has another shape.
        """
        fits = len(states) == len(expected) and all(
            given[1:] == state[1:] for given, state in zip(states, expected, strict=True)
        )
        if fits:
            return
        sizes = [f"(batch, {', '.join(map(str, state[1:]))})" for state in expected]
        several = "s" if len(expected) > 1 else ""
        shapes = f"shape {sizes[0]}" if len(set(sizes)) == 1 else f"shapes {', '.join(sizes)}"
        raise ShapeError(
            f"{len(expected)} initial state{several} of {shapes}",
            f"{', '.join(map(str, states)) or 'none'}",
            f"a layer with `return_state: true` and the same number of {self.width} returns them",
            field="inputs",
        )

    def weights(self, sequences: Shape, **kwargs: Any) -> Iterator[Weight]:
        columns = self.gates * self.units
        yield self.cell_weight("kernel", (sequences[-1] or 0, columns))
        yield self.cell_weight("recurrent_kernel", (self.units, columns), "recurrent")
        if self.use_bias:
            yield self.bias_weight(columns)

    def cell_weight(self, name: str, shape: tuple[int, ...], prefix: str = "") -> Weight:
        """A `variable` of the cell, as a weight of this layer."""
        weight = layer_weight(self, name, shape, prefix)
        return replace(weight, name=f"{self.cell_name}/{name}", store="cell")

    def bias_weight(self, columns: int) -> Weight:
        """The cell's bias; with ``unit_forget_bias`` the forget gate's part is initialized to 1."""
        bias = self.cell_weight("bias", (columns,))
        if not getattr(self, "unit_forget_bias", False):
            return bias
        units = columns // self.gates
        return replace(bias, pieces=((units, bias.init), (units, ONES), (2 * units, bias.init)))

    def macs(self, output: Shapes, sequences: Shape, **kwargs: Any) -> int:
        """``time * gates * units * (features + units)``: both kernels at every step."""
        steps = sequences[1] or 1
        return steps * self.gates * self.units * ((sequences[2] or 1) + self.units)

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        """The compute dtype, for sequences of any dtype."""
        return compute_dtype

    def output_mask(self, *masked: bool, **kwargs: Any) -> bool | tuple[bool, ...]:
        """The sequence keeps the mask; the last output and the states have none."""
        through = self.return_sequences and reads_mask(masked, kwargs)
        return (through, *[False] * self.states) if self.return_state else through


def reads_mask(masked: tuple[bool, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call has a mask: one that came with the sequences, or the argument."""
    return bool(masked and masked[0]) or kwargs.get("mask") is not None


class Seeded(Layer):
    """The seed of dropout, where Keras has it directly after the step's fields."""

    seed: Seed = None


class Units(Layer):
    """The size of a step's output."""

    units: PositiveInt


class Activated(Layer):
    """The activation function of a step."""

    activation: Activation = TANH


class Gated(Activated):
    """The activation functions of a step with gates."""

    recurrent_activation: Activation = SIGMOID


class Biased(Layer):
    """The bias and the initializers of a step."""

    use_bias: Bool = True
    kernel_initializer: Initializer = GLOROT_UNIFORM
    recurrent_initializer: Initializer = ORTHOGONAL
    bias_initializer: Initializer = ZEROS


class ForgetBiased(Biased):
    """The bias and the initializers of an LSTM's step."""

    unit_forget_bias: Bool = True


class Regularized(Layer):
    """The regularizers, constraints and dropout of a step."""

    kernel_regularizer: Regularizer = None
    recurrent_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    recurrent_constraint: Constraint = None
    bias_constraint: Constraint = None
    dropout: Fraction = 0.0
    recurrent_dropout: Fraction = 0.0


class SimpleRNNStep(Regularized, Biased, Activated, Units):
    """The fields of `SimpleRNN`'s step."""


class GRUStep(Regularized, Biased, Gated, Units):
    """The fields of `GRU`'s step."""


class LSTMStep(Regularized, ForgetBiased, Gated, Units):
    """The fields of `LSTM`'s step."""


@layer
class SimpleRNN(Recurrent, SimpleRNNStep):
    """Simple recurrent layer: `h = activation(x @ kernel + h @ recurrent_kernel + bias)` at each
    step."""

    omitted_fields = ("seed",)
    writes_activity_regularizer = True
    noun = "simple RNN"
    cell_name = "simple_rnn_cell"

    seed: Seed = None
    zero_output_for_mask: Bool = False


@layer
class LSTM(Recurrent, Seeded, LSTMStep):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997); gates in the order input, forget,
    cell, output."""

    omitted_fields = ("use_cudnn",)
    writes_activity_regularizer = True
    keras_1_gates = (0, 2, 1, 3)
    noun = "LSTM"
    cell_name = "lstm_cell"
    gates = 4
    states = 2

    use_cudnn: UseCudnn = "auto"
    zero_output_for_mask: Bool = False


@layer
class GRU(Recurrent, Seeded, GRUStep):
    """Gated recurrent unit (Cho et al., 2014); gates in the order update, reset, candidate."""

    omitted_fields = ("use_cudnn",)
    writes_activity_regularizer = True
    keras_1_gates = (0, 1, 2)
    noun = "GRU"
    cell_name = "gru_cell"
    gates = 3

    reset_after: Bool = True
    use_cudnn: UseCudnn = "auto"
    zero_output_for_mask: Bool = False

    def bias_weight(self, columns: int) -> Weight:
        """One bias, or with `reset_after` one for the inputs and one for the state."""
        bias = super().bias_weight(columns)
        return replace(bias, shape=(2, columns)) if self.reset_after else bias
