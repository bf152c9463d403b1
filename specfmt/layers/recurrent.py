"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from specfmt.fields.rules import Boolean, Either, OneOf
from specfmt.fields.spellings import GONE, Former, FormerArguments, FormerDefaults, gone
from specfmt.fields.types import Bool, Fraction, PositiveInt, Seed
from specfmt.layers.base import Argument, Layer, Shape, ShapeError, Shapes, Weight
from specfmt.layers.registry import layer
from specfmt.layers.sizes import check_mask, variable
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
    "forget_bias_init": Former(
        "unit_forget_bias", {"one": True, "ones": True, "zero": False, "zeros": False}
    ),
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "consume_less": GONE,
    "truncate_gradient": GONE,
    "enable_caching_device": GONE,
    "return_runtime": gone(False),
    "time_major": gone(False),
}
FORMER_RECURRENT_DEFAULTS: FormerDefaults = {
    1: {"recurrent_initializer": "orthogonal"},
    2: {"recurrent_activation": "hard_sigmoid", "reset_after": False},
}


class Recurrent(Layer):
    """What the recurrent layers share: the loop over time around a step.

    A step's fields, which its cell has too, stand in classes of their own (`LSTMStep`).  Keras
    has the loop's after them, so those are the last bases: Pydantic takes the fields of the last
    base first.

    Class attributes:
        cell_name: Keras's name of the cell, the first part of the weights' paths.
        gates: How many blocks of ``units`` columns the kernels have.
        states: How many state tensors a step hands to the next.
        width: The field that says how many features a step gives.
    """

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
        check_mask("a mask", mask[:2] if mask else None, sequences[1])  # places come after time
        state = self.state_shape(sequences)
        if initial_state is not None:
            self.check_states(initial_state, self.state_shapes(sequences))
        if mask is not None:
            self.check_mask(mask, state)
        output = (state[0], sequences[1], *state[1:]) if self.return_sequences else state
        return (output, *self.state_shapes(sequences)) if self.return_state else output

    def check_sequences(self, sequences: Shape) -> None:
        """Hold the sequences against what the layer reads.

        Raises:
            ShapeError: They have other axes, or one of a size that must be known.
        """
        if len(sequences) != 3 or sequences[2] is None:
            raise ShapeError(
                "sequences of shape (batch, time, features) with features of known size",
                f"shape {sequences}",
                "an Embedding or a Reshape gives such a shape",
            )

    def state_shape(self, sequences: Shape) -> Shape:
        """The shape of one step's output, which is that of a state too."""
        return (sequences[0], self.units)

    def state_shapes(self, sequences: Shape) -> tuple[Shape, ...]:
        """The shapes of the states that a step hands to the next."""
        return (self.state_shape(sequences),) * self.states

    def one_layer(self) -> tuple[Recurrent, tuple[str, ...]] | None:
        """The layer with a built-in cell that computes the same, and where its cell's weights
        stand below this layer's; None where it takes several of them."""
        return self, (self.cell_name,)

    def _check_time(self, sequences: Shape) -> None:
        """What needs a size that is known before run time."""
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
            ShapeError: It says something else than which steps count.
        """
        if len(mask) != 2:
            raise ShapeError("a mask of shape (batch, time)", f"shape {mask}", field="inputs")

    def check_states(self, states: list[Shape], wanted: tuple[Shape, ...]) -> None:
        """Hold given initial states against those that the layer keeps.

        Args:
            states: The shapes given.
            wanted: The shapes that it keeps.

        Raises:
            ShapeError: There are more or fewer, or of another shape.
        """
        fits = len(states) == len(wanted) and all(
            given[1:] == state[1:] for given, state in zip(states, wanted, strict=True)
        )
        if fits:
            return
        sizes = [f"(batch, {', '.join(map(str, state[1:]))})" for state in wanted]
        several = "s" if len(wanted) > 1 else ""
        alike = sizes[0] if len(set(sizes)) == 1 else f"{', '.join(sizes)}, one each"
        raise ShapeError(
            f"{len(wanted)} initial state{several} of shape {alike}",
            f"{', '.join(map(str, states)) or 'none'}",
            f"a layer with `return_state: true` and as many {self.width} gives them",
            field="inputs",
        )

    def weights(self, sequences: Shape, **kwargs: Any) -> Iterator[Weight]:
        columns = self.gates * self.units
        yield self.cell_weight("kernel", (sequences[-1] or 0, columns))
        yield self.cell_weight("recurrent_kernel", (self.units, columns), "recurrent")
        if self.use_bias:
            yield self.bias_weight(columns)

    def cell_weight(self, name: str, shape: tuple[int, ...], words: str = "") -> Weight:
        """A `variable` of the cell, as a weight of this layer."""
        weight = variable(self, name, shape, words)
        return replace(weight, name=f"{self.cell_name}/{name}", store="cell")

    def bias_weight(self, columns: int) -> Weight:
        """The cell's bias; an LSTM's part for the forget gate starts from ones if it says so."""
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
        """The compute dtype, whatever the sequences are."""
        return compute_dtype

    def output_mask(self, *masked: bool, **kwargs: Any) -> bool | tuple[bool, ...]:
        """The sequence keeps the mask; the last output and the states have none."""
        through = self.return_sequences and reads_mask(masked, kwargs)
        return (through, *[False] * self.states) if self.return_state else through


def reads_mask(masked: tuple[bool, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call has a mask: one that came with the sequences, or the argument."""
    return bool(masked and masked[0]) or kwargs.get("mask") is not None


class Seeded(Layer):
    """The seed of dropout, where Keras has it right after a step's fields."""

    seed: Seed = None


class Units(Layer):
    """How wide a step's output is."""

    units: PositiveInt


class Activated(Layer):
    """The activation of a step's output."""

    activation: Activation = TANH


class Gated(Activated):
    """The activation, and that of the gates."""

    recurrent_activation: Activation = SIGMOID


class Biased(Layer):
    """Whether a step has a bias, and what its weights start from."""

    use_bias: Bool = True
    kernel_initializer: Initializer = GLOROT_UNIFORM
    recurrent_initializer: Initializer = ORTHOGONAL
    bias_initializer: Initializer = ZEROS


class ForgetBiased(Biased):
    """The same of an LSTM."""

    unit_forget_bias: Bool = True


class Regularized(Layer):
    """What training does to a step's weights, inputs and states."""

    kernel_regularizer: Regularizer = None
    recurrent_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    recurrent_constraint: Constraint = None
    bias_constraint: Constraint = None
    dropout: Fraction = 0.0
    recurrent_dropout: Fraction = 0.0


class SimpleRNNStep(Regularized, Biased, Activated, Units):
    """The fields of one step of `SimpleRNN`."""


class GRUStep(Regularized, Biased, Gated, Units):
    """The fields of one step of `GRU`."""


class LSTMStep(Regularized, ForgetBiased, Gated, Units):
    """The fields of one step of `LSTM`."""


@layer
class SimpleRNN(Recurrent, SimpleRNNStep):
    """Fully connected recurrence: `h = activation(x @ kernel + h @ recurrent_kernel + bias)`."""

    unwritten = ("seed",)
    writes_activity_regularizer = True
    cell_name = "simple_rnn_cell"

    seed: Seed = None
    zero_output_for_mask: Bool = False


@layer
class LSTM(Recurrent, Seeded, LSTMStep):
    """Long short-term memory; gates in the order input, forget, cell, output."""

    unwritten = ("use_cudnn",)
    writes_activity_regularizer = True
    keras_1_gates = (0, 2, 1, 3)
    cell_name = "lstm_cell"
    gates = 4
    states = 2

    use_cudnn: UseCudnn = "auto"
    zero_output_for_mask: Bool = False


@layer
class GRU(Recurrent, Seeded, GRUStep):
    """Gated recurrent unit; gates in the order update, reset, candidate."""

    unwritten = ("use_cudnn",)
    writes_activity_regularizer = True
    keras_1_gates = (0, 1, 2)
    cell_name = "gru_cell"
    gates = 3

    reset_after: Bool = True
    use_cudnn: UseCudnn = "auto"
    zero_output_for_mask: Bool = False

    def bias_weight(self, columns: int) -> Weight:
        """One bias, or with `reset_after` one for the inputs and one for the state."""
        bias = super().bias_weight(columns)
        return replace(bias, shape=(2, columns)) if self.reset_after else bias
