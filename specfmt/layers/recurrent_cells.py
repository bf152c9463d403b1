"""Recurrent cells, which compute one time step, and RNN, which runs cells over a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Either, Tuple
from specfmt.fields.spellings import FormerArguments, FormerDefaults, removed
from specfmt.fields.types import Bool, Seed
from specfmt.layers.base import Argument, Layer, Shape, ShapeError, Shapes, Weight
from specfmt.layers.custom import Custom
from specfmt.layers.custom_cells import CellRule, Sizes, output_and_states
from specfmt.layers.naming import inner_name, inner_names, keras_type
from specfmt.layers.recurrent import (
    FORMER_RECURRENT,
    FORMER_RECURRENT_DEFAULTS,
    GRU,
    LSTM,
    GRUStep,
    LSTMStep,
    Recurrent,
    Seeded,
    SimpleRNN,
    SimpleRNNStep,
)
from specfmt.layers.registry import layer
from specfmt.layers.wrappers import inner_weights
from specfmt.vocab.naming import to_snake_case

STATE_ARGUMENTS = (
    Argument("states", "tensors"),
    Argument("training", "value", required=False),
)
CELL_ARGUMENTS = (Argument("inputs"), *STATE_ARGUMENTS)


class Cell(Layer):
    """Base of the cells, which compute an output and new states from an input and states.

    A cell is the layer of the same name without the loop over time: `over_time` returns that
    layer, from which the cell's shapes and weights are derived.

    Class attributes:
        layer_class: The layer with such a cell.
    """

    call_arguments: ClassVar[tuple[Argument, ...]] = CELL_ARGUMENTS
    training_default: ClassVar[bool | None] = False
    supports_masking: ClassVar[bool] = False
    keras_2_lacks: ClassVar[tuple[str, ...]] = ("seed",)
    layer_class: ClassVar[type[Recurrent]]
    former_arguments: ClassVar[FormerArguments] = FORMER_RECURRENT
    former_defaults: ClassVar[FormerDefaults] = FORMER_RECURRENT_DEFAULTS

    def over_time(self, **options: Any) -> Recurrent:
        """The layer that runs this cell over a sequence, with the loop's fields ``options``."""
        fields = {name: getattr(self, name) for name in type(self).own_fields()}
        return self.layer_class.model_construct(**fields, **options)

    def state_sizes(self) -> tuple[int, ...]:
        """The number of features of each state."""
        return (self.over_time().units,) * self.layer_class.states

    def output_nest(self) -> Any:
        return [0, [i + 1 for i in range(len(self.state_sizes()))]]

    def output_shape(
        self, inputs: Shape, states: list[Shape] | None = None, training: object = None
    ) -> Shapes:
        expected = tuple((inputs[0], size) for size in self.state_sizes())
        one = self.over_time()
        if len(inputs) != 2 or inputs[-1] is None:
            raise ShapeError(
                "one step of shape (batch, features) with features of known size",
                f"shape {inputs}",
                f"{one.type_name} runs such a cell over a sequence",
            )
        one.check_states(states or [], expected)
        return (expected[0], *expected)

    def weights(self, inputs: Shape, **kwargs: Any) -> Iterator[Weight]:
        one = self.over_time()
        for weight in one.weights((inputs[0], None, inputs[-1])):
            name = weight.name.removeprefix(f"{one.cell_name}/")
            yield replace(weight, name=name, store="")

    def macs(self, output: Shapes, inputs: Shape, **kwargs: Any) -> int:
        """Both matrix products of one step."""
        return self.over_time().macs(output, (inputs[0], 1, inputs[-1]))

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        """The compute dtype, for inputs of any dtype."""
        return compute_dtype


@layer
class SimpleRNNCell(Cell, Seeded, SimpleRNNStep):
    """Computes one time step of `SimpleRNN`."""

    call_arguments: ClassVar[tuple[Argument, ...]] = (Argument("sequence"), *STATE_ARGUMENTS)
    layer_class: ClassVar[type[Recurrent]] = SimpleRNN


@layer
class LSTMCell(Cell, Seeded, LSTMStep):
    """Computes one time step of `LSTM`; gates in the order input, forget, cell, output."""

    layer_class: ClassVar[type[Recurrent]] = LSTM


@layer
class GRUCell(Cell, GRUStep):
    """Computes one time step of `GRU`; gates in the order update, reset, candidate."""

    layer_class: ClassVar[type[Recurrent]] = GRU

    reset_after: Bool = True
    seed: Seed = None


CELLS = ("SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells", "Custom")
ACell = CellRule(*CELLS)


PlainCell = Cell | Custom
"""A cell that is no stack."""


@layer
class StackedRNNCells(Layer):
    """Stacks cells: in each time step, a cell reads the output of the cell before it."""

    call_arguments: ClassVar[tuple[Argument, ...]] = CELL_ARGUMENTS
    training_default: ClassVar[bool | None] = False
    supports_masking: ClassVar[bool] = False
    former_arguments: ClassVar[FormerArguments] = {"reverse_state_order": removed(False)}

    cells: Annotated[tuple[Any, ...], Tuple(ACell, 1)]

    def named_cells(self) -> dict[str, Layer]:
        """The cells by the names in the paths of their weights.

        Raises:
            ShapeError: Two of them have the same name.
        """
        found: dict[str, Layer] = {}
        for name, cell in zip(inner_names(self.cells), self.cells, strict=True):
            if name in found:
                raise ShapeError("cells with different names", f"two called {name}", field="cells")
            found[name] = cell
        return found

    def stores(self) -> Iterator[str]:
        """The path of each cell's group in a ``.weights.h5`` file, below this layer's."""
        counts: dict[str, int] = {}
        for cell in self.cells:
            group = to_snake_case(keras_type(cell))
            number = counts.get(group, 0)
            counts[group] = number + 1
            yield f"cells/{group}_{number}" if number else f"cells/{group}"

    def plain_cells(self) -> Iterator[tuple[PlainCell, tuple[str, ...]]]:
        """Every cell that is not a stack, with the names of the stacks around it and its own."""
        for name, cell in self.named_cells().items():
            if isinstance(cell, StackedRNNCells):
                for inner, path in cell.plain_cells():
                    yield inner, (name, *path)
            elif isinstance(cell, Cell | Custom):
                yield cell, (name,)

    @property
    def has_known_weights(self) -> bool:
        """Whether every cell of Keras reads an output of known size."""
        cells = [cell for cell, _ in self.plain_cells()]
        return all(
            isinstance(cell, Custom) or output_size(before) is not None
            for before, cell in pairwise(cells)
        )

    @staticmethod
    def after(cell: Layer, step: Shape) -> Shape:
        """The shape of a cell's output in one step, which the next cell reads."""
        return (step[0], output_size(cell))

    def state_nest(self, start: int) -> Any:
        """The structure of Keras's states, as nested lists of indices counted from ``start``."""
        nest = []
        for cell in self.cells:
            if isinstance(cell, StackedRNNCells):
                nest.append(cell.state_nest(start))
                start += len(state_sizes(cell))
                continue
            count = len(state_sizes(cell))
            nest.append(list(range(start, start + count)) if count > 1 else start)
            start += count
        return nest

    def output_nest(self) -> Any:
        return [0, self.state_nest(1)]

    def output_shape(
        self, inputs: Shape, states: list[Shape] | None = None, training: object = None
    ) -> Shapes:
        raise ShapeError(
            "stacked cells inside an RNN",
            "a separate call",
            "write {type: RNN, cell: {type: StackedRNNCells, cells: [...]}}",
        )

    def weights(self, inputs: Shape, **kwargs: Any) -> Iterator[Weight]:
        for store, (name, cell) in zip(self.stores(), self.named_cells().items(), strict=True):
            yield from inner_weights(cell, name, store, inputs)
            inputs = self.after(cell, inputs)

    def macs(self, output: Shapes, inputs: Shape, **kwargs: Any) -> int:
        """The sum over the cells."""
        total = 0
        for cell in self.cells:
            total += cell.macs((), inputs)
            inputs = self.after(cell, inputs)
        return total

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        """The compute dtype, for inputs of any dtype."""
        return compute_dtype


def output_size(cell: Any) -> int | None:
    """The number of features of a cell's output: that of the last cell of a stack; None if it is
    not known."""
    while isinstance(cell, StackedRNNCells):
        cell = cell.cells[-1]
    if isinstance(cell, Custom):
        return output_and_states(cell)[0]
    size: int = cell.units
    return size


def state_sizes(cell: Any) -> Sizes:
    """The number of features of each state of a cell, or of each state of each cell of a stack."""
    if isinstance(cell, StackedRNNCells):
        return tuple(size for one, _ in cell.plain_cells() for size in state_sizes(one))
    if isinstance(cell, Custom):
        return output_and_states(cell)[1:]
    sizes: Sizes = cell.state_sizes()
    return sizes


class OneCellRule(Either):
    """A cell, or a list of cells, which Keras stacks."""

    def __init__(self) -> None:
        super().__init__(ACell, Tuple(ACell, 1), expected="a cell, or a list of cells")

    def check(self, value: Any) -> Any:
        found = super().check(value)
        return StackedRNNCells.model_construct(cells=found) if isinstance(found, tuple) else found


class Stepped(Layer):
    """The cell of `RNN`, which precedes the loop's fields in Keras."""

    cell: Annotated[Any, OneCellRule()]


@layer
class RNN(Recurrent, Stepped):
    """Runs a cell, or several stacked cells, over a sequence; a cell may be a user-defined
    layer (`Custom`)."""

    # Keras does not set `trainable` of the cell, which owns the weights.
    trainable_reaches_parts: ClassVar[bool] = False

    zero_output_for_mask: Bool = False

    @property  # type: ignore[misc]
    def units(self) -> int | None:  # type: ignore[override]
        """The number of features of an output; None if it is not known."""
        return output_size(self.cell)

    @property
    def states(self) -> int:  # type: ignore[override]
        """The number of states that a step passes to the next."""
        return len(state_sizes(self.cell))

    @property
    def has_known_weights(self) -> bool:
        known: bool = self.cell.has_known_weights
        return known

    def state_shapes(self, sequences: Shape) -> tuple[Shape, ...]:
        return tuple((sequences[0], size) for size in state_sizes(self.cell))

    def output_shape(
        self,
        sequences: Shape,
        initial_state: list[Shape] | None = None,
        mask: Shape | None = None,
        training: object = None,
    ) -> Any:
        """As of other recurrent layers, with None for what a user-defined cell does not tell."""
        known = None not in state_sizes(self.cell)
        given = initial_state if known else None
        found: Any = super().output_shape(sequences, given, mask, training)
        if self.units is not None and (known or not self.return_state):
            return found
        shapes = (
            [one if one[-1] is not None else None for one in found] if self.return_state else []
        )
        return tuple(shapes) if any(shapes) else None

    def plain_cells(self) -> list[tuple[PlainCell, tuple[str, ...]]]:
        """The cells in the order of a step; see `StackedRNNCells.plain_cells`."""
        cell = self.cell
        if isinstance(cell, Cell | Custom):
            return [(cell, (inner_name(cell),))]
        return [(one, (inner_name(cell), *path)) for one, path in cell.plain_cells()]

    def one_layer(self) -> tuple[Recurrent, tuple[str, ...]] | None:
        if not isinstance(self.cell, Cell):
            return None
        options = {name: getattr(self, name) for name in LOOP_FIELDS}
        one = self.cell.over_time(name=self.name, trainable=not self.cell.is_frozen(), **options)
        return one, (inner_name(self.cell),)

    def output_nest(self) -> Any:
        if not self.return_state or isinstance(self.cell, Cell | Custom):
            return None
        return [0, *self.cell.state_nest(1)]

    def input_nest(self, name: str) -> Any:
        if name != "initial_state" or isinstance(self.cell, Cell | Custom):
            return None
        return self.cell.state_nest(0)

    def weights(self, sequences: Shape, **kwargs: Any) -> Iterator[Weight]:
        step = (sequences[0], sequences[-1])
        yield from inner_weights(self.cell, inner_name(self.cell), "cell", step)

    def macs(self, output: Shapes, sequences: Shape, **kwargs: Any) -> int:
        """The cell's multiply-accumulates times the number of time steps."""
        steps: int = sequences[1] or 1
        once: int = self.cell.macs((), (sequences[0], sequences[2]))
        return steps * once


LOOP_FIELDS = tuple(name for name in RNN.own_fields() if name != "cell")
"""The options of the loop over time, which every recurrent layer has."""
