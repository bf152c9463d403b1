"""Nested models of one structure as one class, with what differs as parameters.

ConvNeXt's downsampling, for example, is a model of two layers that occurs three times, each time with
other sizes.  Such models are joined like the uses of a block.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from specfmt.graph.model import Use
from specfmt.layers.blocks import Block, BlockCall
from specfmt.targets.torch.blocks.cut import key_steps
from specfmt.targets.torch.blocks.model import BlockBody
from specfmt.targets.torch.expr import Call
from specfmt.targets.torch.params import Memory
from specfmt.targets.torch.program import ClassProgram


def candidates(program: ClassProgram) -> list[list[ClassProgram]]:
    """The nested models that may be one class: those with the same layers."""
    groups: dict[Any, list[ClassProgram]] = {}
    for inner in dict.fromkeys(_nested(program)):
        if _is_simple(inner):
            types = tuple((node.unit.type_name, node.call_index) for node in inner.graph.nodes)
            groups.setdefault((types, len(inner.inputs)), []).append(inner)
    return [group for group in groups.values() if len(group) > 1 and _prepare(group)]


def _nested(program: ClassProgram) -> Iterator[ClassProgram]:
    for inner in program.nested.values():
        yield from _nested(inner)
        yield inner


def _is_simple(program: ClassProgram) -> bool:
    """Whether a model has nothing but layers, and one output."""
    builder = program.builder
    return not (
        program.nested
        or builder.held
        or builder.own_classes
        or builder.tables
        or program.arguments.keys() != program.inputs.keys()
        or program.returned_masks
        or program.penalty
        or program.graph.items
        or program.graph.output_form != "single"
        or any(isinstance(program.resolve(p.value), Memory) for p in builder.parameters.values())
        or any(node.unit.spec.name is None for node in program.graph.nodes)
    )


def _prepare(group: Sequence[ClassProgram]) -> bool:
    """Give each model the keys by which its layers are found in the others."""
    names = [[node.name for node in program.graph.nodes] for program in group]
    shared = [common(slot) for slot in zip(*names, strict=True)]
    around = common(shared) if len(shared) > 1 else ""
    kind = common([program.graph.name for program in group])
    if not kind or not all(shared):
        return False
    # Names after what all layers share: convnext_tiny_downsampling_conv -> conv.
    short = [name.removeprefix(f"{around}_") if around else name for name in shared]
    if len(set(short)) < len(short):
        return False
    inputs = ["x"] if len(group[0].inputs) == 1 else [f"x{n}" for n in range(len(group[0].inputs))]
    layers = [{"name": name} for name in short]
    block = Block.model_construct(
        description="", parameters={}, inputs=tuple(inputs), layers=layers, outputs=None
    )
    for program in group:
        nodes = program.graph.nodes
        call = BlockCall(kind, block, program.graph.name, True, {}, {}, None, 0, None, (), ())
        body = BlockBody(kind, Use(call, list(nodes), (), ()))
        places = {node: place for place, node in enumerate(nodes)}
        for (unit, suffix), attr in program.builder.attrs.items():
            if unit.calls[0] in places:
                body.keys[attr] = ((places[unit.calls[0]],), suffix)
        key_steps(program, {node: ((), place) for node, place in places.items()}, body)
        program.inputs = dict(zip(inputs, program.inputs.values(), strict=True))
        program.block = body
    return True


def common(names: Iterable[str]) -> str:
    """The beginning that names share, up to the end of a word."""
    found = list(dict.fromkeys(names))
    if len(found) == 1:
        return found[0]
    start = os.path.commonprefix(found)
    whole = all(_ends(name, start) for name in found)
    return start.rstrip("_") if whole else start.rpartition("_")[0]


def _ends(name: str, start: str) -> bool:
    """Whether a word ends where the beginning of a name does; a number after it is one of its own."""
    rest = name[len(start) :]
    return not rest or rest[0] == "_" or rest.isdigit()


def construct(program: ClassProgram) -> None:
    """Let the models around joined ones create them by their class and its arguments."""
    for outer in dict.fromkeys([program, *_nested(program)]):
        for item in outer.builder.modules.values():
            inner = outer.nested.get(item.unit)
            if inner is None or inner.block is None or inner.block.made is None:
                continue
            made = inner.block.made
            values = {p.key: inner.block.values.get(p.key, p.value) for p in made.parameters}
            required = tuple(values[p.key] for p in made.parameters if not p.default)
            optional = {
                p.name: values[p.key]
                for p in made.parameters
                if p.default and values[p.key] != p.value
            }
            item.ctor = Call(made.name, required, optional)
