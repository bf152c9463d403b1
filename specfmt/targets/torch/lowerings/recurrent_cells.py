"""PyTorch lowerings of `RNN`: the layers with the same cells, one upon another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from specfmt.layers.recurrent_cells import (
    RNN,
    Cell,
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
)
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, SelfAttr, Tensor
from specfmt.targets.torch.lowerings.recurrent import (
    Context,
    Result,
    backwards,
    check_stateful,
    is_stock,
    lower_by,
    rates,
    run_cell,
    state,
    stock_module,
)
from specfmt.targets.torch.registry import TargetError, lower


def run_rnn(builder: LayerBuilder, layer: RNN, call: Context) -> Result:
    """Run the cells over the sequence, each over the whole of what the one before gives.

    In Keras all cells make a step before the next step begins; the numbers are the same.

    Raises:
        TargetError: PyTorch cannot express the layer as asked.
    """
    check_stateful(layer)
    if layer.go_backwards:
        call = backwards(builder, call)
    cells = layer.plain_cells()
    given = list(call.states)
    states: list[Tensor] = []
    result: Result | None = None
    for number, (cell, path) in enumerate(cells):
        last = number == len(cells) - 1
        one = cell.over_time(
            return_sequences=layer.return_sequences if last else True,
            zero_output_for_mask=layer.zero_output_for_mask,
            return_state=True,
        )
        count = len(cell.state_sizes())
        own, given = given[:count], given[count:]
        part = builder.inner(cell, "_".join(path[1:]), "/".join(path))
        if result is not None:
            # What a masked step gives is not read: the next cell leaves the same steps out.
            call = replace(call, x=result.output)
        result = run_cell(part, one, replace(call, states=own))
        states += result.states
    assert result is not None
    return Result(result.output, states)


lower_by(run_rnn, RNN)


def one_step(
    cell: Cell,
    builder: LayerBuilder,
    x: Tensor,
    states: list[Tensor] | None = None,
    training: Any = None,
) -> Any:
    """A cell called by itself: `nn.LSTMCell` and its like.

    Raises:
        TargetError: The cell has options that those lack.
    """
    layer = cell.over_time()
    if not is_stock(layer, training) or any(rates(layer, training)):
        raise TargetError(
            f"a {cell.type_name} of its own with these options has no counterpart",
            "put it into an RNN, or leave dropout and activations at their defaults",
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
        "stacked cells of their own have no counterpart", "put them into an RNN", "cells"
    )
