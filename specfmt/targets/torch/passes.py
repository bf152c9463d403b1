"""The passes over a lowered program: dead steps, layouts, permutes, in-place activations."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from specfmt.graph.model import Graph, Use
from specfmt.targets.torch.expr import Tensor, substitute
from specfmt.targets.torch.inplace import work_in_place
from specfmt.targets.torch.keepdim import keep_dimensions
from specfmt.targets.torch.layout import CHANNELS, KERAS, choose, insert_permutes
from specfmt.targets.torch.program import ClassProgram, Options, is_channels_first
from specfmt.targets.torch.steps import Step


def run_passes(
    program: ClassProgram, options: Options, graph: Graph, *, outermost: bool = True
) -> None:
    """Remove unused steps, choose layouts, insert permutes, mark in-place activations."""
    named = {("output", name): tensor for name, tensor in program.outputs.items()}
    named |= {("mask", name): tensor for name, tensor in program.returned_masks.items()}
    steps, aliases = _without_aliases(program.builder.steps, named)
    penalties = [program.penalty] if program.penalty else []
    steps = _live(steps, [*named.values(), *penalties])
    steps = keep_dimensions(steps, list(named.values()))
    keeps_order = options.axes == "keras" or is_channels_first(graph)
    inputs = _border([*program.arguments.values()], keeps_order, outermost=outermost)
    outputs = _border([*named.values()], keeps_order, outermost=outermost)
    program.channels = choose(steps, inputs, outputs, _places(graph))
    for tensor, layout in inputs.items():
        program.channels.setdefault(tensor, layout == CHANNELS)
    for alias, tensor in aliases.items():
        program.channels[alias] = program.channels.get(tensor, False)
    program.tensors = {v: aliases.get(tensor, tensor) for v, tensor in program.tensors.items()}
    program.steps, final = insert_permutes(steps, program.channels, outputs)
    results = {key: final[tensor] for key, tensor in named.items()}
    program.outputs = {name: results["output", name] for name in program.outputs}
    program.returned_masks = {name: results["mask", name] for name in program.returned_masks}
    work_in_place(program.steps, list(results.values()))


def _places(graph: Graph) -> Callable[[Step], Hashable]:
    """The place in its block of each step of a use, so that uses have one class where they can."""
    inside = {node for item in graph.items or () if isinstance(item, Use) for node in item.nodes()}

    def place(step: Step) -> Hashable:
        return (*map(str, step.node.path), type(step.expr)) if step.node in inside else None

    return place


def _border(tensors: list[Tensor], keeps_order: bool, *, outermost: bool) -> dict[Tensor, str]:
    """The layout of each argument or result of a class.

    Those of a nested model have one layout, since a call is one step.
    """
    found = {t: KERAS if keeps_order or t.rank not in (4, 5) else CHANNELS for t in tensors}
    if not outermost and len({found[t] for t in tensors if t.has_layout}) > 1:
        return dict.fromkeys(tensors, KERAS)
    return found


def _without_aliases(
    steps: list[Step], outputs: dict[tuple[str, str], Tensor]
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
    for key, tensor in outputs.items():
        outputs[key] = table.get(tensor, tensor)
    return kept, table


def _live(steps: list[Step], outputs: list[Tensor]) -> list[Step]:
    needed = set(outputs)
    kept = []
    for step in reversed(steps):
        if step.effect or any(tensor in needed for tensor in step.outputs):
            needed.update(step.reads)
            kept.append(step)
    return kept[::-1]
