"""The template variables of a PyTorch program: classes, imports, docstrings."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from specfmt.graph.model import Graph
from specfmt.targets.imports import import_lines
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.source import comment, remark
from specfmt.targets.torch.blocks.emit import creation, doc, signature, under_conditions
from specfmt.targets.torch.blocks.model import BlockClass, BlockDef
from specfmt.targets.torch.constants import literal_buffer
from specfmt.targets.torch.expr import STRING, ByOrder, Chain, shape_text
from specfmt.targets.torch.forward import Forward
from specfmt.targets.torch.initialize import Reset, resets
from specfmt.targets.torch.layout import written_layout
from specfmt.targets.torch.params import Literal, Memory
from specfmt.targets.torch.program import ClassProgram
from specfmt.targets.torch.render import Renderer
from specfmt.targets.torch.static_types import attribute
from specfmt.targets.torch.steps import ModuleDef, ParamDef


@dataclass(frozen=True)
class ClassContext:
    """The template's variables for one class; every value is Python source."""

    is_function: ClassVar[bool] = False
    name: str
    doc: list[str]
    parameters: str
    definitions: list[str]
    frozen: list[str]
    memories: list[str]
    resets: list[Reset]
    reset_doc: str
    arguments: str
    returns: str
    forward: list[str]


@dataclass(frozen=True)
class SequentialContext:
    """The template's variables for a model that is an `nn.Sequential`."""

    doc: str
    modules: list[str]
    resets: list[Reset]
    reset_doc: str


def definition(item: ModuleDef | ParamDef | BlockDef, program: ClassProgram) -> list[str]:
    """Statements of ``__init__`` that create a module or parameter."""
    if isinstance(item, BlockDef):
        return [f"self.{item.attr} = {creation(item)}"]
    render = Renderer({}, None)
    if isinstance(item, ModuleDef):
        mode = ".eval()" if item.stays_eval else ""
        lines = [f"self.{item.attr} = {render(item.creation)}{mode}"]
        frozen = frozen_names(item, program)
        if len(frozen) > 1 and len(frozen) == sum(not item.is_buffer(name) for name in item.params):
            return [*lines, f"self.{item.attr}.requires_grad_(False)"]
        ctor = str(item.ctor.func)
        places = [attribute(f"self.{item.attr}", ctor, name) for name in frozen]
        return lines + [f"{place}.requires_grad_(False)" for place in places]
    value = program.resolve(item.value)
    if isinstance(value, Memory):
        sizes = ", ".join(map(str, value.shape))
        return [f"self.{item.attr} = nn.Buffer(torch.zeros({sizes}), persistent=False)"]
    if isinstance(value, Literal):
        return literal_buffer(item.attr, value)
    shapes = program.block.shapes if program.block is not None else {}
    shape = ", ".join(str(size) for size in shapes.get(item.attr, value.shape))
    dtype = f", dtype=torch.{item.dtype}" if item.dtype else ""
    empty = f"torch.empty({shape or '()'}{dtype})"
    if item.trainable:
        return [f"self.{item.attr} = nn.Parameter({empty})"]
    return [f"self.{item.attr} = nn.Buffer({empty})"]


def frozen_names(item: ModuleDef, program: ClassProgram) -> list[str]:
    """Parameters of a module that are not trained."""
    from specfmt.targets.torch.params import Constant

    return [
        name
        for name, raw in item.params.items()
        if not item.is_buffer(name)
        and (name in item.frozen or isinstance(program.resolve(raw), Constant))
    ]


def class_context(program: ClassProgram, cls: BlockClass | None = None) -> ClassContext:
    """The template's variables for one class.

    Args:
        program: Its modules and steps.
        cls: The class of a block; None for a model.
    """
    forward = Forward(program)
    lines: list[tuple[str, str]] = []
    frozen: list[str] = []
    remarks = Remarks()
    body = program.block
    conditions = body.conditions if body is not None else {}
    if body is not None:
        lines += [("", f"self.{name} = {name}") for name in body.stored]
    for item in program.entries():
        condition = conditions.get(item.attr, "")
        made = [*remarks.before(item), *definition(item, program)]
        lines += [(condition, line) for line in made]
        if isinstance(item, ModuleDef) and item.stays_eval:
            frozen.append(f"self.{item.attr}.eval()")
    reset, reset_doc = resets(program, "self")
    return ClassContext(
        name=program.name,
        doc=[model_doc(program)] if cls is None else doc(cls),
        parameters="" if cls is None else f", {signature(cls)}" if cls.parameters else "",
        definitions=under_conditions(lines),
        frozen=frozen,
        memories=memories(program),
        resets=reset,
        reset_doc=reset_doc,
        arguments=", ".join(
            f"{name}: {'ArrayLike' if tensor.dtype == STRING else 'torch.Tensor'}"
            for name, tensor in zip(forward.arguments, program.arguments.values(), strict=True)
        ),
        returns=returns(program),
        forward=forward.lines,
    )


class Remarks:
    """Comments above definitions, each written once per class."""

    def __init__(self) -> None:
        self.written: set[str] = set()

    def before(self, item: ModuleDef | ParamDef | BlockDef) -> list[str]:
        """The comment lines above a definition."""
        text = item.comment if isinstance(item, ModuleDef) else ""
        if not text or text in self.written:
            return []
        self.written.add(text)
        return [remark(line) for line in textwrap.wrap(text, 72)]


def memories(program: ClassProgram) -> list[str]:
    """Statements that set the states which layers keep between calls back to zero."""
    lines = []
    for item in program.definitions():
        if isinstance(item, ParamDef):
            if isinstance(program.resolve(item.value), Memory):
                lines.append(f"self.{item.attr}.zero_()")
        else:
            held, _ = program.builder.held.get(item.attr, (None, ""))
            inner = program.nested.get(item.unit, held)
            if inner is not None and memories(inner):
                lines.append(f"self.{item.attr}.reset_state()")
    return lines


def returns(program: ClassProgram) -> str:
    """The return annotation of forward."""
    if program.returns_one:
        return "torch.Tensor"
    if program.graph.output_form == "mapping":
        return "dict[str, torch.Tensor]"
    return f"tuple[{', '.join(['torch.Tensor'] * len(program.results))}]"


def sequential_context(program: ClassProgram) -> SequentialContext | None:
    """The model as an `nn.Sequential`; None if it is not a chain of stock modules and blocks."""
    if len(program.inputs) != 1 or program.graph.output_form != "single" or program.penalty:
        return None
    (previous,) = program.inputs.values()
    scope = Scope(program.builder.scope.used)
    modules: list[str] = []
    held = set()
    remarks = Remarks()
    steps_of = Counter(step.node for step in program.steps)
    for step in program.steps:
        if step.calls is not None and step.reads == (previous,) and len(step.outputs) == 1:
            previous = step.outputs[0]
            shape = shape_text(previous, program.channels.get(previous, False))
            modules.append(f"{step.calls.attr}={creation(step.calls)},  {remark(shape)}")
            continue
        order = written_layout(step, program.channels)
        module = step.module.pick(order) if isinstance(step.module, ByOrder) else step.module
        if module is None or len(step.outputs) != 1:
            return None
        if step.reads != (previous,):
            return None
        render = Renderer({}, order)
        if step.comment:
            modules.append(remark(step.comment))
        if step.module_def is not None:
            once = step.module_def.attr not in held and not step.module_def.stays_eval
            if not once or frozen_names(step.module_def, program):
                return None
            held.add(step.module_def.attr)
            modules += remarks.before(step.module_def)
            name = step.module_def.attr
            parts = [f"{name}={render(step.module_def.creation)},"]
        else:
            parts = []
            for call in module.modules if isinstance(module, Chain) else (module,):
                kind = str(call.func).rpartition(".")[2].lower()
                base = identifier(step.node.name)
                taken = base in scope.used or base in held or steps_of[step.node] > 1
                name = f"{base}_{kind}" if taken else base
                parts.append(f"{scope.claim(name)}={render(call)},")
        previous = step.outputs[0]
        shape = shape_text(previous, program.channels.get(previous, False))
        modules += [*parts[:-1], f"{parts[-1]}  {remark(shape)}"]
    if program.builder.parameters or list(program.outputs.values()) != [previous]:
        return None
    reset, reset_doc = resets(program, "model")
    return SequentialContext(model_doc(program), modules, reset, reset_doc)


def model_doc(program: ClassProgram) -> str:
    """A class's docstring: ``Maps image (N, 3, 32, 32) to label (N, 10); 19,898 parameters.``"""

    def describe(tensors: dict[str, Any]) -> str:
        return ", ".join(
            f"{comment(name)} {shape_text(t, program.channels.get(t, False))}"
            for name, t in tensors.items()
        )

    count = program.graph.count(trainable=True)
    masks = {tensor.name: tensor for tensor in program.masks.values()}
    return (
        f"Maps {describe(program.inputs | masks)} to {describe(program.outputs)}; "
        f"{count_text(program.graph, count)}."
    )


def count_text(graph: Graph, trainable: int) -> str:
    """The number of parameters: ``1,873 parameters``, or ``..., 1,500 trainable`` if not all are."""
    total = graph.count()
    if total == trainable:
        return f"{total:,} parameters"
    return f"{total:,} parameters, {trainable:,} trainable"


IMPORTS = (
    "import math",
    "from collections import OrderedDict",
    "from collections.abc import Iterable",
    "from functools import partial",
    "from typing import Any, Self",
    "import torch",
    "import torch.nn.functional as F",
    "from numpy.typing import ArrayLike",
    "from torch import nn",
    "from torch.signal import windows",
)
"""Imports that generated files may need."""


def import_block(extra: Iterable[str] = ()) -> str:
    """Every import that a file may need; ruff removes the unused ones."""
    return import_lines([*IMPORTS, *extra])
