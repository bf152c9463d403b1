"""PyTorch lowerings of `RNN`: the recurrent layers with the same cells, stacked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from specfmt.layers.custom import Custom
from specfmt.layers.recurrent_cells import (
    RNN,
    Cell,
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
    state_sizes,
)
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, SelfAttr, Tensor
from specfmt.targets.torch.lowerings.custom_cells import run_custom_cell
from specfmt.targets.torch.lowerings.penalized_cells import penalize_cells, watches_steps
from specfmt.targets.torch.lowerings.recurrent import (
    Context,
    Result,
    backwards,
    is_stock,
    lower_by,
    rates,
    run_cell,
    state,
    stock_module,
    zeroed,
    zeros_apart,
)
from specfmt.targets.torch.registry import TargetError, lower


def run_rnn(builder: LayerBuilder, layer: RNN, call: Context) -> Result:
    """Run each cell over the whole output sequence of the previous one.

    Keras runs all cells for one time step before the next; the results are the same.

    Raises:
        TargetError: PyTorch cannot express the layer with these arguments.
    """
    watched: list[list[Tensor]] | None = [] if watches_steps(builder, layer) else None
    reads, layer = zeros_apart(layer, call)
    if layer.go_backwards:
        call = backwards(builder, call)
    cells = layer.plain_cells()
    given = list(call.states)
    states: list[Tensor] = []
    result: Result | None = None
    for number, (cell, path) in enumerate(cells):
        last = number == len(cells) - 1
        sequences = layer.return_sequences if last else True
        count = len(state_sizes(cell))
        own, given = given[:count], given[count:]
        part = builder.inner(cell, "_".join(path[1:]), "/".join(path))
        if result is not None:
            # The outputs of masked steps are not read: the next cell skips the same steps.
            x = result.output if watched is None else watched[-1][0]
            call = replace(call, x=x)
        if isinstance(cell, Custom):
            now = replace(call, states=own)
            result = run_custom_cell(part, layer, cell, now, sequences=sequences)
            states += result.states
            continue
        one = cell.over_time(
            return_sequences=sequences,
            zero_output_for_mask=layer.zero_output_for_mask,
            return_state=True,
            stateful=layer.stateful,
        )
        result = run_cell(part, one, replace(call, states=own), watched)
        states += result.states
    assert result is not None
    if watched is not None:
        penalize_cells(builder, layer.cell, watched)
    return zeroed(builder, Result(result.output, states), reads)


lower_by(run_rnn, RNN)


def one_step(
    cell: Cell,
    builder: LayerBuilder,
    x: Tensor,
    states: list[Tensor] | None = None,
) -> Any:
    """A cell outside of a recurrent layer: `nn.LSTMCell` and the like.

    Raises:
        TargetError: The cell has options that PyTorch's cells do not have.
    """
    layer = cell.over_time()
    if not is_stock(layer) or any(rates(layer)):
        raise TargetError(
            f"a {cell.type_name} outside of an RNN with these options has no PyTorch form",
            "put it into an RNN, or use the default dropout and activations",
        )
    given = list(states or ())
    module = stock_module(builder, {"": (layer, builder.weights)}, x.shape[-1] or 0, loop=False)
    last = [state(builder, layer, i) for i in range(layer.states)]
    hidden: Any = tuple(given) if layer.states > 1 else given[0]
    builder.step(
        Call(SelfAttr(module.attr), (x, hidden)),
        *last,
        layout="keras",
        module_def=module,
        heavy=True,
    )
    return (builder.step(last[0], builder.tensor(last[0].shape)), *last)


for cls in (SimpleRNNCell, LSTMCell, GRUCell):
    lower(cls)(one_step)


@lower(StackedRNNCells)
def stacked(cell: StackedRNNCells, builder: LayerBuilder, *args: Any, **kwargs: Any) -> Any:
    raise TargetError(
        "stacked cells outside of an RNN have no PyTorch form", "put them into an RNN", "cells"
    )
