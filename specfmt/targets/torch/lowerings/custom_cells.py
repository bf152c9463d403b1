"""User-defined cells inside `RNN`: a loop over time around a user-defined module, or a stub."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from specfmt.layers.custom import Custom
from specfmt.layers.custom_cells import output_and_states
from specfmt.layers.recurrent_cells import RNN
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, Method, SelfAttr, Subscript, Tensor
from specfmt.targets.torch.lowerings.custom import own_module
from specfmt.targets.torch.lowerings.recurrent import (
    Context,
    Result,
    memory,
    state_name,
    store,
)
from specfmt.targets.torch.stubs import Stub


def run_custom_cell(
    builder: LayerBuilder, layer: RNN, cell: Custom, call: Context, *, sequences: bool
) -> Result:
    """Run a user-defined cell over the sequence, forwards in time.

    Args:
        builder: The cell's builder.
        layer: The layer that runs it.
        cell: The cell.
        call: The call, whose states are the cell's own.
        sequences: Whether the whole output sequence is needed, else the last output.
    """
    x = call.x
    # The graph is completed: every size is known.
    sizes = tuple(size for size in output_and_states(cell) if size is not None)
    batch = x.shape[0]
    output, *states = [
        Tensor((batch, size), builder.compute_dtype, builder.node.name) for size in sizes
    ]
    module = own_module(cell, builder)
    step = Tensor((batch, x.shape[-1]), x.dtype, x.name)
    stub = Stub(cell, builder.unit, module, (step,), {"states": states}, (output, states))
    builder.class_builder.stubs.add(stub)
    if layer.stateful and not call.states:
        kept = [memory(builder, i, (batch, size)) for i, size in enumerate(sizes[1:])]
        call = replace(call, states=[Method(each, "clone") for each in kept])
    kwargs: dict[str, Any] = {}
    if call.states:
        kwargs["states"] = tuple(call.states)
    if call.mask is not None:
        kwargs["mask"] = call.mask
        if layer.zero_output_for_mask:
            kwargs["zero_masked"] = True
    out = builder.tensor((*x.shape[:2], sizes[0]))
    last = [
        Tensor((None, size), builder.compute_dtype, state_name(builder, i))
        for i, size in enumerate(sizes[1:])
    ]
    builder.step(
        Call(builder.helper("run_cell"), (SelfAttr(module.attr), x, sizes), kwargs),
        out,
        *last,
        layout="keras",
        module_def=module,
        heavy=True,
        target=(out, tuple(last)),
    )
    if layer.stateful:
        for i, (value, size) in enumerate(zip(last, sizes[1:], strict=True)):
            store(builder, memory(builder, i, (batch, size)), value)
    if sequences:
        out.mask = call.carried
        return Result(out, last)
    final = Subscript(out, (slice(None), -1))
    return Result(builder.expr(final, out, shape=(batch, sizes[0]), layout="keras"), last)
