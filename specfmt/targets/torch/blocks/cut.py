"""Cutting a lowered model into the uses of its blocks.

Each use becomes a program of its own, with the modules and steps of its calls; the model around it
calls it.  What a use reads and gives follows from its steps, so that masks and permuted values cross
its border like any other value.  A use that cannot be a class of its own is left where it is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from specfmt.graph.model import Graph, Node, Unit, Use
from specfmt.layers.base import Layer
from specfmt.targets.torch.blocks.model import BlockBody, BlockDef
from specfmt.targets.torch.class_builder import ClassBuilder
from specfmt.targets.torch.expr import Call, Expr, SelfAttr, Tensor
from specfmt.targets.torch.params import Memory
from specfmt.targets.torch.program import ClassProgram
from specfmt.targets.torch.steps import ModuleDef, ParamDef, Step

Place = tuple[Any, ...]
Items = list[tuple[Place, Node | Use]]
"""Calls and uses, each with the places of the uses around it that are no class of their own."""


class _RefusedError(Exception):
    """A use whose steps are not in a row."""

    def __init__(self, use: Use) -> None:
        super().__init__(use.call.name)
        self.use = use


def cut(programs: Sequence[ClassProgram]) -> None:
    """Cut all models of a file, each without those inside it, into the uses of blocks."""
    kept = _chosen(programs)
    for program in programs:
        if program.graph.items is not None and kept:
            _Cutter(program, kept).run()


def _uses(items: Iterable[Node | Use]) -> Iterator[Use]:
    for item in items:
        if isinstance(item, Use):
            yield item
            yield from _uses(item.items)


def _chosen(programs: Sequence[ClassProgram]) -> set[Use]:
    """The uses that can be classes; a block that is used once is written where it is used."""
    found = [use for program in programs for use in _closed(program)]
    counts = Counter(use.call.kind for use in found)
    return {use for use in found if counts[use.call.kind] > 1}


def _closed(program: ClassProgram) -> Iterator[Use]:
    """The uses whose layers nothing outside of them needs."""
    builder = program.builder
    held = {unit for unit, _ in builder.own_classes}
    held |= {item.unit for item in builder.modules.values() if item.attr in builder.held}
    held |= {
        item.unit
        for item in builder.parameters.values()
        if isinstance(program.resolve(item.value), Memory)
    }
    for use in _uses(program.graph.items or ()):
        nodes = set(use.nodes())
        if all(_is_own(node.unit, nodes) and node.unit not in held for node in nodes):
            yield use


def _is_own(unit: Unit, nodes: set[Node]) -> bool:
    """Whether a layer is called by these calls only, and is complete without training data."""
    if any(call not in nodes for call in unit.calls):
        return False
    return not (isinstance(unit.spec, Layer) and unit.spec.unadapted)


class _Cutter:
    """Cuts one model.

    Args:
        program: The model, whose steps, modules and parameters are moved.
        kept: The uses that become programs of their own.
    """

    def __init__(self, program: ClassProgram, kept: set[Use]) -> None:
        self.program, self.kept = program, kept
        self.results = {*program.results, *([program.penalty] if program.penalty else [])}
        self.readers: dict[Tensor, list[Step]] = defaultdict(list)
        for step in program.steps:
            for tensor in step.reads:
                self.readers[tensor].append(step)
        self.order = {node: place for place, node in enumerate(program.graph.nodes)}
        self.defined: dict[Unit, list[tuple[tuple[Unit, str], ModuleDef | ParamDef]]]
        self.defined = defaultdict(list)
        builder = program.builder
        for table in (builder.modules, builder.parameters):
            for key, item in table.items():
                self.defined[key[0]].append((key, item))

    def run(self) -> None:
        program = self.program
        assert program.graph.items is not None
        # The sum of the penalties may stand among the steps of a use.
        last = [s for s in program.steps if s.node is None and program.penalty in s.outputs]
        steps = [step for step in program.steps if step not in last] + last
        self._fill(program, program.graph.items, steps, BlockBody("", None))

    def _fill(
        self,
        program: ClassProgram,
        written: Sequence[Node | Use],
        steps: list[Step],
        body: BlockBody,
    ) -> None:
        """Give a program its steps and the uses in it."""
        while True:
            items = list(self._spliced(written, ()))
            try:
                sequence = self._sequence(items, steps)
                break
            except _RefusedError as refused:
                self.kept.discard(refused.use)
        places = {id(item): place for place, item in items}
        found: list[Step] = []
        for item in sequence:
            if isinstance(item, Step):
                found.append(item)
                continue
            use, own = item
            part = self._part(use, own)
            attr = f"@{len(program.blocks)}"
            place = (*places[id(use)], use.call.place)
            if use.call.index is not None:
                place = (*place, use.call.index)
            body.keys[attr] = (place, "")
            block = program.blocks[attr] = BlockDef(attr, [part])
            outputs = tuple(part.outputs.values())
            for name, tensor in part.outputs.items():
                if tensor.rank:
                    called = use.call.name
                    tensor.name = called if len(outputs) == 1 else f"{called}_{name}"
            expr = Call(SelfAttr(attr), tuple(part.inputs.values()))
            heavy = any(step.heavy for step in own)
            found.append(
                Step(outputs, expr, node=use, heavy=heavy, same_line=not heavy, calls=block)
            )
        program.steps = found
        self._define(program, items, body)
        program.block = body if body.made_from is not None else None
        slots = {i: (place, i.path[-1]) for place, i in items if isinstance(i, Node)}
        key_steps(program, slots, body)

    def _spliced(self, items: Iterable[Node | Use], place: Place) -> Iterator[tuple[Place, Any]]:
        for item in items:
            if isinstance(item, Use) and item not in self.kept:
                yield from self._spliced(item.items, (*place, item.call.place, item.call.index))
            else:
                yield place, item

    def _sequence(self, items: Items, steps: Sequence[Step]) -> list[Step | tuple[Use, list[Step]]]:
        """The steps in order, with those of each use together.

        Raises:
            _RefusedError: The steps of a use are not in a row.
        """
        owner = {node: item for _, item in items if isinstance(item, Use) for node in item.nodes()}
        own: dict[Use, list[Step]] = defaultdict(list)
        for step in steps:
            if step.node in owner:
                own[owner[step.node]].append(step)
        ahead = {step for use, group in own.items() for step in self._ahead(use, group)}
        sequence: list[Step | tuple[Use, list[Step]]] = []
        begun: dict[Use, tuple[Use, list[Step]]] = {}
        for step in steps:
            use = owner.get(step.node)
            if use is None:
                sequence.append(step)
            elif step in ahead:
                place = sequence.index(begun[use]) if use in begun else len(sequence)
                sequence.insert(place, step)
            elif use not in begun:
                begun[use] = (use, [step])
                sequence.append(begun[use])
            elif sequence[-1] is begun[use]:
                begun[use][1].append(step)
            else:
                raise _RefusedError(use)
        for use, group in begun.items():
            if not self._given(group[1]):
                raise _RefusedError(use)
        return sequence

    def _ahead(self, use: Use, steps: Sequence[Step]) -> Iterator[Step]:
        """The steps that are needed outside too and read nothing of the use: masks, permutes."""
        inside, own = set(steps), {tensor for step in steps for tensor in step.outputs}
        declared = {self.program.tensors.get(value) for value in use.outputs}
        for step in steps:
            if (
                not own.intersection(step.reads)
                and step.module_def is None
                and not declared.intersection(step.outputs)
                and not _has_attributes(step.expr)
                and any(r not in inside for t in step.outputs for r in self.readers[t])
            ):
                own.difference_update(step.outputs)
                yield step

    def _given(self, steps: Sequence[Step]) -> list[Tensor]:
        """What a use gives: values that are read outside of it."""
        inside = set(steps)
        return [
            tensor
            for step in steps
            for tensor in step.outputs
            if tensor in self.results or any(r not in inside for r in self.readers[tensor])
        ]

    def _part(self, use: Use, steps: list[Step]) -> ClassProgram:
        """The program of a use."""
        own = {tensor for step in steps for tensor in step.outputs}
        read = dict.fromkeys(t for step in steps for t in step.reads if t not in own)
        given = dict.fromkeys(self._given(steps))
        block = use.call.block
        inputs = self._named(block.inputs, use.inputs, read)
        outputs = self._named(block.outputs or ("out",), use.outputs, given)
        for step in steps:
            _keep(step, read)
        outer = self.program.builder
        builder = ClassBuilder(
            fidelity=outer.fidelity,
            adapts=outer.adapts,
            stubs=outer.stubs,
            file_scope=outer.file_scope,
            trains=outer.trains,
        )
        builder.helpers, builder.user_functions = outer.helpers, outer.user_functions
        form = "single" if len(outputs) == 1 else "list"
        nodes = list(use.nodes())
        units = list(dict.fromkeys(node.unit for node in nodes))
        graph = Graph(use.call.kind, self.program.graph.spec, {}, {}, nodes, units, {}, form)
        part = ClassProgram("", graph, builder, channels=self.program.channels)
        part.nested = {u: self.program.nested[u] for u in units if u in self.program.nested}
        part.inputs, part.outputs = inputs, outputs
        self._fill(part, use.items, steps, BlockBody(use.call.kind, use))
        return part

    def _named(
        self, names: Sequence[str], values: Sequence[Any], tensors: Iterable[Tensor]
    ) -> dict[str, Tensor]:
        """The tensors that cross a border, those of the block's inputs or outputs first."""
        left = dict.fromkeys(tensors)
        found: dict[str, Tensor] = {}
        for name, value in zip(names, values, strict=False):
            tensor = self.program.tensors.get(value)
            if tensor is not None and tensor in left:
                found[name] = tensor
                del left[tensor]
        free = [name for name in names if name not in found]
        for tensor in left:
            name = tensor.name if tensor.keeps_name or not free else free.pop(0)
            while name in found:
                name += "_"
            found[name] = tensor
        return found

    def _define(self, program: ClassProgram, items: Items, body: BlockBody) -> None:
        """Move the modules and parameters of the calls of a use from the model to its program."""
        outer, builder = self.program.builder, program.builder
        ranked: list[tuple[int, int, Any, str]] = []
        for place, item in items:
            if isinstance(item, Use):
                continue
            node = item
            if node.unit.calls[:1] != [node]:
                continue
            for key, defined in self.defined[node.unit]:
                body.keys[defined.attr] = ((*place, node.path[-1]), key[1])
                ranked.append((self.order[node], len(ranked), key, defined.attr))
                if program is not self.program:
                    if isinstance(defined, ModuleDef):
                        builder.modules[key] = outer.modules.pop(key)
                    else:
                        builder.parameters[key] = outer.parameters.pop(key)
        for attr, block in program.blocks.items():
            first = min(self.order[node] for node in block.use.nodes())
            ranked.append((first, len(ranked), (block.use, ""), attr))
        builder.attrs = {key: attr for _, _, key, attr in sorted(ranked, key=lambda r: r[:2])}


def key_steps(
    program: ClassProgram, places: Mapping[Node, tuple[Place, Any]], body: BlockBody
) -> None:
    """Give each step the key by which it is found in other uses.

    Args:
        program: The use.
        places: Call -> the places of the uses around it, and its own place in the list of layers.
        body: Gets the keys.
    """
    counts: Counter[Any] = Counter()
    for step in program.steps:
        if step.calls is not None:
            body.keys[step] = body.keys[step.calls.attr]
            continue
        around, slot = places.get(step.node, (("",), None))
        where = ("",) if slot is None else (*around, slot)
        key = (where, _kind(step, body))
        counts[key] += 1
        body.keys[step] = (*key, counts[key])


def _kind(step: Step, body: BlockBody) -> Any:
    """What a step calls, by which it is found in other uses."""
    expr = step.expr
    if step.module_def is not None:
        return body.keys.get(step.module_def.attr)
    if isinstance(expr, Call) and isinstance(expr.func, str):
        return expr.func
    return (type(expr).__name__, getattr(expr, "name", getattr(expr, "op", "")))


def _has_attributes(expr: Any) -> bool:
    if isinstance(expr, SelfAttr):
        return True
    if isinstance(expr, Expr):
        return any(map(_has_attributes, expr.parts()))
    return isinstance(expr, (tuple, list)) and any(map(_has_attributes, expr))


def _keep(step: Step, read: Iterable[Tensor]) -> None:
    """Let a step not overwrite what its use reads."""
    call = step.expr
    if isinstance(call, Call) and "inplace" in call.kwargs and call.args[0] in read:
        kwargs = {name: value for name, value in call.kwargs.items() if name != "inplace"}
        step.expr = replace(call, kwargs=kwargs)
