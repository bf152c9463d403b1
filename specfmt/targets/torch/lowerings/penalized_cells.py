"""Activity regularizers of RNN cells: Keras penalizes what a cell returns at each time step."""

from __future__ import annotations

from typing import Any

from specfmt.layers.base import nested_layers
from specfmt.layers.custom import Custom
from specfmt.layers.recurrent import Recurrent, SimpleRNN
from specfmt.layers.recurrent_cells import RNN, StackedRNNCells
from specfmt.targets.torch.activity import is_penalized
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, SelfAttr, Subscript, Tensor
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.steps import ModuleDef
from specfmt.vocab.base import CUSTOM


def watches_steps(builder: LayerBuilder, layer: RNN) -> bool:
    """Whether the model is trained with penalties on what the layer's cells compute.

    Raises:
        TargetError: Keras cannot train the layer, or the penalty is not a sum over the steps (SF304).
    """
    cells = list(nested_layers(layer))
    if not builder.class_builder.trains or not is_penalized(cells):
        return False
    if not layer.unroll:
        raise TargetError(
            "an activity regularizer of a cell in a loop over time, with which Keras's compiled `fit` "
            "fails",
            "set `unroll: true`, or set activity_regularizer on the RNN, which penalizes its outputs",
            "cell",
            "SF304",
        )
    if any(isinstance(cell, Custom) for cell in cells):
        raise TargetError(
            "an activity regularizer of cells, one of which is user-defined, has no PyTorch form",
            "set activity_regularizer on the RNN, which penalizes its outputs",
            "cell",
            "SF304",
        )
    stacks = [cell for cell in cells if isinstance(cell, StackedRNNCells)]
    if stacks and (layer.go_backwards or stacks[1:]):
        raise TargetError(
            "an activity regularizer in nested or reversed stacks of cells, which Keras calls once "
            "more with the first step, has no PyTorch form",
            "use one stack and `go_backwards: false`, or set activity_regularizer on the RNN",
            "cell",
            "SF304",
        )
    for cell in cells:
        term = cell.output_penalty()
        if term is not None and term.type in (CUSTOM, "OrthogonalRegularizer"):
            raise TargetError(
                f"{term.name} of each time step has no PyTorch form",
                "use L1, L2 or L1L2",
                "cell",
                "SF304",
            )
    return True


def penalize_cells(builder: LayerBuilder, cell: Any, steps: list[list[Tensor]]) -> None:
    """Add the penalties of a cell, or of the cells of a stack and of the stack itself.

    The output of a cell is one of its states, which Keras penalizes twice.  The cells of a stack are
    called once more with the first step (`RNN._maybe_config_dropout_masks` of Keras 3.15).

    Args:
        builder: The builder of the `RNN`.
        cell: The cell.
        steps: For each cell that is no stack, the states that all steps compute (N, T, units).
    """
    if not isinstance(cell, StackedRNNCells):
        builder.penalize(cell.output_penalty(), steps[0][0], *steps[0])
        return
    for one, states in zip(cell.cells, steps, strict=True):
        term = one.output_penalty()
        builder.penalize(term, states[0], *states)
        if term is not None:
            first = [_first_step(builder, state) for state in states]
            builder.penalize(term, first[0], *first)
    every = [state for states in steps for state in states]
    builder.penalize(cell.output_penalty(), steps[-1][0], *every)


def _first_step(builder: LayerBuilder, states: Tensor) -> Tensor:
    first = builder.tensor((states.shape[0], states.shape[2]))
    result: Tensor = builder.step(Subscript(states, (slice(None), 0)), first, layout="keras")
    return result


def run_watched(
    builder: LayerBuilder,
    layer: Recurrent,
    module: ModuleDef,
    last: list[Tensor],
    call: Any,
    state: Any,
) -> tuple[Tensor, list[Tensor]]:
    """Call the module for one step after the other.

    Args:
        builder: The cell's builder.
        layer: The layer that runs the cell over time.
        module: Its module.
        last: New tensors for the last states.
        call: The call, a `Context`.
        state: The initial state as the module takes it; None for zeros.

    Returns:
        The output sequence and the states that all steps compute, each (N, T, units).

    Raises:
        TargetError: The layer draws a dropout mask for the whole sequence inside its module.
    """
    inside = layer.recurrent_dropout or (layer.dropout and not isinstance(layer, SimpleRNN))
    if inside and not str(module.ctor.func).startswith("nn."):
        raise TargetError(
            "an activity regularizer of a cell with recurrent dropout has no PyTorch form",
            "set `recurrent_dropout: 0`",
            "cell",
            "SF304",
        )
    shape = (*call.x.shape[:2], layer.units)
    out = builder.tensor(shape)
    steps = [builder.tensor(shape) for _ in range(layer.states)]
    kwargs = {"state": state, "mask": call.mask}
    kwargs = {key: value for key, value in kwargs.items() if value is not None}
    if call.mask is not None and layer.return_sequences and layer.zero_output_for_mask:
        kwargs["zero_masked"] = True
    builder.step(
        Call(builder.helper("watched_steps"), (SelfAttr(module.attr), call.x), kwargs),
        out,
        *last,
        *steps,
        layout="keras",
        module_def=module,
        heavy=True,
        target=(out, tuple(last) if layer.states > 1 else last[0], tuple(steps)),
    )
    return out, steps
