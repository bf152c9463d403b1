"""The classes and functions of a file's blocks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from specfmt.graph.model import Graph, Node
from specfmt.layers.base import nested_layers
from specfmt.targets.naming import Scope, class_name, identifier
from specfmt.targets.torch.blocks.cut import cut
from specfmt.targets.torch.blocks.fit import DiffersError, Fit
from specfmt.targets.torch.blocks.join import Joiner
from specfmt.targets.torch.blocks.model import BlockClass, BlockDef
from specfmt.targets.torch.blocks.naming import plural, use_name
from specfmt.targets.torch.blocks.nested import candidates, construct
from specfmt.targets.torch.blocks.repeated import FEW, fit_repeated
from specfmt.targets.torch.blocks.skeleton import of_definition, of_step
from specfmt.targets.torch.expr import Call, SelfAttr, Tensor, rebuilt
from specfmt.targets.torch.initialize import share_resets
from specfmt.targets.torch.program import ClassProgram
from specfmt.targets.torch.steps import Step


def add_blocks(program: ClassProgram, scope: Scope) -> None:
    """Cut a model, and those inside it, into the uses of its blocks, and make their classes.

    Args:
        program: The outermost model, after all passes.
        scope: Module-level names in use in the generated file.
    """
    for group in candidates(program):
        _nested_classes(group, program, scope)
    construct(program)
    programs = list(dict.fromkeys(_models(program)))
    if not any(one.graph.items for one in programs):
        share_resets(program)
        return
    cut(programs)
    parts: dict[str, list[ClassProgram]] = {}
    for one in programs:
        _collect(one, parts)
    last = {node for one in programs for node in _last_activations(one.graph)}
    for kind in _inner_first(parts):
        for part in parts[kind]:
            _group(part, last)
        program.block_classes += _classes(kind, parts[kind], scope)
    for one in programs:
        _group(one, last)
        _name(one)
    share_resets(program)


def _models(program: ClassProgram) -> Iterator[ClassProgram]:
    for inner in program.nested.values():
        yield from _models(inner)
    yield program


def _collect(program: ClassProgram, parts: dict[str, list[ClassProgram]]) -> None:
    for block in program.blocks.values():
        for part in block.programs:
            assert part.block is not None
            _collect(part, parts)
            parts.setdefault(part.block.kind, []).append(part)


def _inner_first(parts: dict[str, list[ClassProgram]]) -> list[str]:
    """The blocks, each after those that it uses."""
    order: dict[str, None] = {}

    def add(kind: str) -> None:
        if kind in order:
            return
        for part in parts[kind]:
            for block in part.blocks.values():
                for inner in block.programs:
                    if inner.block is not None and inner.block.kind != kind:
                        add(inner.block.kind)
        order[kind] = None

    for kind in parts:
        add(kind)
    return list(order)


# ------------------------------------------------------------------------------ uses in a row


def _group(program: ClassProgram, last: Collection[Node]) -> None:
    """Join the repetitions of a use to one container, and find out what only chains uses."""
    readers = Counter(t for step in program.steps for t in step.reads)
    readers.update(program.results)
    keys = program.block.keys if program.block is not None else {}
    steps: list[Step] = []
    blocks: dict[str, BlockDef] = {}
    place = 0
    while place < len(program.steps):
        step = program.steps[place]
        if step.calls is None:
            steps.append(step)
            place += 1
            continue
        _give(step.calls)
        run = _run(program.steps, place, readers, last)
        place += len(run) or 1
        if not run:
            steps.append(step)
            blocks[step.calls.attr] = step.calls
            continue
        steps.append(_container(run, program))
        block = steps[-1].calls
        assert block is not None
        blocks[block.attr] = block
        where = keys.get(block.attr)
        if where is not None:
            keys[block.attr] = keys[steps[-1]] = (where[0][:-1], "")
    first = {attr: n for n, attr in enumerate(blocks)}
    program.steps, program.blocks = steps, dict(sorted(blocks.items(), key=lambda i: first[i[0]]))
    if program.block is not None:
        for step in steps:
            if step.calls is not None:
                keys[step] = keys[step.calls.attr]
        program.is_chain = _is_chain(program)


def _give(block: BlockDef) -> None:
    """Set the arguments of each use."""
    (part,) = block.programs
    assert part.block is not None
    assert part.block.made is not None
    values, block.cls = part.block.values, part.block.made
    block.given = [{p.key: values.get(p.key, p.value) for p in block.cls.parameters}]


def _call(step: Step) -> Any:
    assert step.calls is not None
    return step.calls.use.call


def _nodes(step: Step) -> Iterator[Node]:
    assert step.calls is not None
    return step.calls.use.nodes()


def _arguments(step: Step) -> tuple[Any, ...]:
    return tuple(step.expr.args)


def _run(
    steps: Sequence[Step], start: int, readers: Counter[Tensor], last: Collection[Node]
) -> list[Step]:
    """The repetitions of a use, if each reads what the one before gives; else nothing."""
    first = steps[start]
    assert first.calls is not None
    call = _call(first)
    if call.index != 0 or len(first.outputs) != 1 or not _arguments(first):
        return []
    repeated = [first]
    for step in steps[start + 1 :]:
        if step.calls is None or _call(step).parent is not call.parent:
            break
        if _call(step).place != call.place or _call(step).kind != call.kind:
            break
        repeated.append(step)
    if any(_is_open(node, last) for step in repeated for node in _nodes(step)):
        return []
    carried, cls = None, first.calls.cls
    for before, step in pairwise(repeated):
        assert step.calls is not None
        _give(step.calls)
        args, value = _arguments(step), before.outputs[0]
        places = [n for n, item in enumerate(args) if item is value]
        if len(places) != 1 or (carried is not None and places != [carried]):
            return []
        carried = places[0]
        same = all(
            item is _arguments(first)[n] for n, item in enumerate(args) if n != carried
        ) and len(args) == len(_arguments(first))
        if not same or step.calls.cls is not cls or len(step.outputs) != 1:
            return []
        if readers[value] != 1:
            return []
    return repeated


def _last_activations(graph: Graph) -> Iterator[Node]:
    """The calls whose activation a training script may leave out."""
    for value in graph.outputs.values():
        if value.node is not None:
            term = getattr(value.node.unit.spec, "activation", None)
            if getattr(term, "type", "") in ("Softmax", "Sigmoid"):
                yield value.node


def _is_open(node: Node, last: Collection[Node]) -> bool:
    """Whether the code of a call depends on whether the model is trained, but keys must not.

    A penalty is another output, and for a loss on logits the last activation is left out.
    """
    units = [node.unit] if node.unit.graph is None else node.unit.graph.walk_units()
    layers = [one for unit in units for one in (unit.layer, *nested_layers(unit.layer))]
    return node in last or any(layer.output_penalty() is not None for layer in layers)


def _container(run: Sequence[Step], program: ClassProgram) -> Step:
    """One step for the repetitions of a use."""
    first, last = run[0], run[-1]
    assert first.calls is not None
    args = _arguments(first)
    chained = len(args) == 1
    carried = 0
    if len(run) > 1:
        carried = next(n for n, item in enumerate(_arguments(run[1])) if item is first.outputs[0])
    block = BlockDef(
        first.calls.attr,
        [part for step in run if step.calls for part in step.calls.programs],
        [given for step in run if step.calls for given in step.calls.given],
        "nn.Sequential" if chained else "nn.ModuleList",
        cls=first.calls.cls,
    )
    return replace(
        first,
        outputs=last.outputs,
        expr=Call(SelfAttr(block.attr), args),
        calls=block,
        carried=None if chained else carried,
    )


def _is_chain(program: ClassProgram) -> bool:
    """Whether a use only calls further uses, one after another."""
    if len(program.inputs) != 1 or len(program.outputs) != 1 or program.builder.modules:
        return False
    if program.builder.parameters:
        return False
    (value,) = program.inputs.values()
    for step in program.steps:
        if step.calls is None or step.calls.container == "nn.ModuleList":
            return False
        if _arguments(step) != (value,) or len(step.outputs) != 1:
            return False
        value = step.outputs[0]
    return [value] == list(program.outputs.values())


# ------------------------------------------------------------------------------------ classes


def _classes(kind: str, parts: Sequence[ClassProgram], scope: Scope) -> list[BlockClass]:
    """The classes of a block: one, or several if its uses are too different."""
    for part in parts:
        _values(part)
    found = []
    for group in _alike(parts):
        for same in _joinable(group):
            base = identifier(kind, "block")
            name = _claim(scope, base if same[0].is_chain else class_name(kind, "Block"))
            made = Joiner(same, name).joined()
            for part in same:
                assert part.block is not None
                part.name, part.block.made = name, made
            found.append(made)
    return found


def _nested_classes(group: Sequence[ClassProgram], program: ClassProgram, scope: Scope) -> None:
    """Join nested models that are alike; the others stay as they are."""
    for part in group:
        _values(part)
    for alike in _alike(group):
        for same in _joinable(alike) if len(alike) > 1 else [alike]:
            if len(same) < 2:
                same[0].block = None
                continue
            assert same[0].block is not None
            name = _claim(scope, class_name(same[0].block.kind, "Model"))
            made = Joiner(same, name).joined()
            for part in same:
                assert part.block is not None
                part.name, part.block.made = name, made
            program.block_classes.append(made)


def _claim(scope: Scope, preferred: str) -> str:
    """A free name in a file: ``Down``, ``Down2``."""
    name, number = preferred, 1
    while name in scope.used:
        number += 1
        name = f"{preferred}{number}" if preferred[0].isupper() else f"{preferred}_{number}"
    return scope.claim(name)


def _values(part: ClassProgram) -> None:
    """The values of which expressions are made: parameters of the spec, and sizes of the inputs."""
    body = part.block
    assert body is not None
    body.values = dict(body.use.call.arguments)
    several = len(part.inputs) > 1
    for name, tensor in part.inputs.items():
        first = part.channels.get(tensor, False)
        if tensor.rank < 2 or tensor.dtype in ("bool", "string"):
            continue
        last = "channels" if tensor.rank > 3 or first else "features"
        names = (
            ["steps"] if tensor.rank == 3 else ["depth", "height", "width"][-(tensor.rank - 2) :]
        )
        named = [*(names if tensor.rank > 2 else ()), last]
        docs = {"channels": "Channels of", "features": "Features of"}
        for label, size in reversed(list(zip(named, tensor.shape[1:], strict=False))):
            if size is None:
                continue
            start = "in_" if not several or name == "x" else f"{name}_"
            key = f"{start}{label}"
            while key in body.values:
                key = f"input_{key}"
            body.values[key] = size
            body.sizes[key] = f"{docs.get(label, label.capitalize() + ' of')} {name}."


def _alike(parts: Sequence[ClassProgram]) -> list[list[ClassProgram]]:
    """The uses in groups in which what several have is alike."""
    groups: list[tuple[Any, dict[Any, Any], list[ClassProgram]]] = []
    for part in parts:
        body = part.block
        assert body is not None
        head = (
            [(n, t.rank, t.dtype, bool(part.channels.get(t))) for n, t in part.inputs.items()],
            len(part.outputs),
            list(body.values),
            part.is_chain,
        )
        table = {
            ("define", body.keys[item.attr]): of_definition(item, part, body.keys)
            for item in part.entries()
        }
        table |= {("run", body.keys[step]): of_step(step, part, body.keys) for step in part.steps}
        for other, known, group in groups:
            common = known.keys() & table.keys()
            if other == head and all(known[key] == table[key] for key in common):
                known |= table
                group.append(part)
                break
        else:
            groups.append((head, table, [part]))
    return [group for _, _, group in groups]


def _joinable(group: list[ClassProgram]) -> list[list[ClassProgram]]:
    """The uses in groups that can be one class each."""
    if _joins(group):
        return [group]
    by_keys: dict[Any, list[ClassProgram]] = defaultdict(list)
    for part in group:
        assert part.block is not None
        by_keys[frozenset(part.block.keys[step] for step in part.steps)].append(part)
    found: list[list[ClassProgram]] = []
    for same in by_keys.values():
        if _joins(same):
            found.append(same)
            continue
        for part in same:
            known = next((one for one in found if _joins([*one, part])), None)
            if known is None:
                found.append([part])
            else:
                known.append(part)
    return found


def _joins(group: Sequence[ClassProgram]) -> bool:
    try:
        Joiner(group, "Probe").joined()
    except DiffersError:
        return False
    return True


# ------------------------------------------------------------------------------------- models


def _name(program: ClassProgram) -> None:
    """Name the uses in a model, and write those in a row as one expression."""
    if not program.blocks:
        return
    builder = program.builder
    written = program.graph.spec.layers
    names: dict[str, str] = {}
    for attr, block in program.blocks.items():
        call = block.use.call
        entry = getattr(written, "written", {})
        item = entry[call.place] if call.parent is None and entry else {}
        name = use_name(call, item) if block.container else call.name
        if block.container:
            block.programs[-1].outputs[next(iter(block.programs[-1].outputs))].name = name
            name = plural(name)
            _repeat(block)
        names[attr] = block.attr = builder.scope.claim(identifier(name))
    program.blocks = {block.attr: block for block in program.blocks.values()}
    builder.attrs = {key: names.get(attr, attr) for key, attr in builder.attrs.items()}

    def renamed(expr: Any) -> Any:
        if isinstance(expr, SelfAttr):
            return SelfAttr(names.get(expr.attr, expr.attr))
        return expr if isinstance(expr, Tensor) else rebuilt(expr, renamed)

    for step in program.steps:
        if step.calls is not None:
            step.expr = renamed(step.expr)


def _repeat(block: BlockDef) -> None:
    """The arguments of uses in a row, as expressions of their number where there are any."""
    assert block.cls is not None
    fit = Fit([{"i": n} for n in range(len(block.programs))], None, (), {})
    fit.parameters.varying = ["i"]
    try:
        given = {
            p.key: fit_repeated(fit, [(n, one[p.key]) for n, one in enumerate(block.given)], ())
            for p in block.cls.parameters
        }
    except DiffersError:
        return
    if len(block.programs) == FEW and "i" in fit.used:
        return
    block.given, block.count, block.index = [given], len(block.programs), "i" in fit.used
