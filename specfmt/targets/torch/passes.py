"""The passes over a lowered program: dead steps, layouts, permutes, in-place activations."""

from __future__ import annotations

from specfmt.graph.model import Graph
from specfmt.targets.torch.expr import Tensor, substitute
from specfmt.targets.torch.inplace import work_in_place
from specfmt.targets.torch.keepdim import keep_dimensions
from specfmt.targets.torch.layout import CHANNELS, KERAS, choose, insert_permutes
from specfmt.targets.torch.program import ClassProgram, Options, is_channels_first
from specfmt.targets.torch.steps import Step


def run_passes(program: ClassProgram, options: Options, graph: Graph) -> None:
    """Remove unused steps, choose layouts, insert permutes, mark in-place activations."""
    steps, aliases = _without_aliases(program.builder.steps, program.outputs)
    penalties = [program.penalty] if program.penalty else []
    steps = _live(steps, [*program.outputs.values(), *penalties])
    steps = keep_dimensions(steps, list(program.outputs.values()))
    keeps_order = options.axes == "keras" or is_channels_first(graph)
    inputs = {
        t: KERAS if keeps_order or t.rank not in (4, 5) else CHANNELS
        for t in program.inputs.values()
    }
    outputs = {
        t: KERAS if keeps_order or t.rank not in (4, 5) else CHANNELS
        for t in program.outputs.values()
    }
    program.channels = choose(steps, inputs, outputs)
    for tensor, layout in inputs.items():
        program.channels.setdefault(tensor, layout == CHANNELS)
    for alias, tensor in aliases.items():
        program.channels[alias] = program.channels.get(tensor, False)
    program.steps, final = insert_permutes(steps, program.channels, outputs)
    program.outputs = {name: final[tensor] for name, tensor in program.outputs.items()}
    work_in_place(program.steps, list(program.outputs.values()))


def _without_aliases(
    steps: list[Step], outputs: dict[str, Tensor]
) -> tuple[list[Step], dict[Tensor, Tensor]]:
    """The steps without those that only alias a tensor; readers of an alias read the tensor.

    Returns:
        The other steps, and alias -> tensor.
    """
    table: dict[Tensor, Tensor] = {}
    kept = []
    for step in steps:
        if any(tensor in table for tensor in step.reads):
            step.expr = substitute(step.expr, table)
        if isinstance(step.expr, Tensor):
            table[step.outputs[0]] = step.expr
        else:
            kept.append(step)
    for name, tensor in outputs.items():
        outputs[name] = table.get(tensor, tensor)
    return kept, table


def _live(steps: list[Step], outputs: list[Tensor]) -> list[Step]:
    needed = set(outputs)
    kept = []
    for step in reversed(steps):
        if any(tensor in needed for tensor in step.outputs):
            needed.update(step.reads)
            kept.append(step)
    return kept[::-1]
