"""The source of the classes and functions of blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from specfmt.targets.blocks.parameters import plain, same
from specfmt.targets.source import comment, literal
from specfmt.targets.torch.blocks.model import BlockClass, BlockDef
from specfmt.targets.torch.expr import SIZE_NAMES, Formula, torch_order

POSITIONAL: Final = 2
"""The most arguments that are written without their names."""


@dataclass(frozen=True)
class FunctionContext:
    """The template's variables for a function that returns an `nn.Sequential`; values are source."""

    is_function: ClassVar[bool] = True
    name: str
    parameters: str
    doc: list[str]
    parts: list[str]


def construction(cls: BlockClass, given: Mapping[str, Any]) -> str:
    """``Bottleneck(64, filters, stride=2)``: arguments with their default are left out."""
    args: list[str] = []
    for place, parameter in enumerate(cls.parameters):
        value = given[parameter.key]
        text = value.text if isinstance(value, Formula) else literal(plain(value))
        if not parameter.default:
            named = place >= POSITIONAL and text != parameter.name
            args.append(f"{parameter.name}={text}" if named or "=" in "".join(args) else text)
        elif isinstance(value, Formula) or not same(plain(value), parameter.value):
            args.append(f"{parameter.name}={text}")
    return f"{cls.name}({', '.join(args)})"


def repeated(block: BlockDef) -> str:
    """The uses in a row as arguments of a container."""
    assert block.cls is not None
    if block.count is None:
        return ", ".join(construction(block.cls, given) for given in block.given)
    (given,) = block.given
    variable = "i" if block.index else "_"
    return f"{construction(block.cls, given)} for {variable} in range({block.count})"


def creation(block: BlockDef) -> str:
    """The expression that creates the module for a use, or for several in a row."""
    assert block.cls is not None
    if not block.container:
        return construction(block.cls, block.given[0])
    inner = repeated(block)
    if block.container == "nn.ModuleList":
        return f"nn.ModuleList([{inner}])" if block.count is None else f"nn.ModuleList({inner})"
    return f"nn.Sequential({inner})" if block.count is None else f"nn.Sequential(*({inner}))"


def signature(cls: BlockClass) -> str:
    """The parameters with their types and defaults."""
    return ", ".join(
        f"{p.name}: {p.annotation}" + (f" = {p.default}" if p.default else "")
        for p in cls.parameters
    )


def doc(cls: BlockClass) -> list[str]:
    """The lines of the docstring: the description of the block, and what its parameters are."""
    body = cls.program.block
    assert body is not None
    description = comment(body.use.call.block.description)
    if not description:
        description = f"Maps {_inputs(cls)} to {', '.join(_results(cls))}."
    elif not description.endswith((".", "!", "?")):
        description += "."
    lines = [description]
    documented = [p for p in cls.parameters if p.doc]
    if documented:
        lines += ["", "Args:", *(f"    {p.name}: {p.doc}" for p in documented)]
    return lines


def _inputs(cls: BlockClass) -> str:
    """The inputs with their shapes: ``x (N, in_channels, H, W)``."""
    program = cls.program
    about = program.block.sizes if program.block is not None else {}
    names = {p.key: p.name for p in cls.parameters}
    found = []
    for name, tensor in program.inputs.items():
        sizes: list[Any] = ["N", *SIZE_NAMES.get(tensor.rank, "?" * (tensor.rank - 2))]
        known = [k for k, text in about.items() if text.endswith(f" of {name}.")]
        last = next((k for k in known if k.endswith(("channels", "features"))), "")
        size = names.get(last, tensor.shape[-1] if tensor.rank > 1 else None)
        shape = (*sizes, size or "C")[: tensor.rank]
        ordered = torch_order(shape, program.channels.get(tensor, False))
        found.append(f"{comment(name)} ({', '.join(map(str, ordered))})")
    return ", ".join(found)


def _results(cls: BlockClass) -> list[str]:
    return [comment(tensor.name) for tensor in cls.program.outputs.values()]


def function_context(cls: BlockClass) -> FunctionContext:
    """The template's variables for a function."""
    parts = [
        f"*({repeated(block)}),"
        if block.container and block.count is not None
        else f"{repeated(block) if block.container else creation(block)},"
        for block in cls.program.blocks.values()
    ]
    return FunctionContext(cls.name, signature(cls), doc(cls), parts)


def under_conditions(lines: Sequence[tuple[str, str]]) -> list[str]:
    """Statements, each with its condition as source or an empty one, in ``if`` statements."""
    found: list[str] = []
    before = ""
    for condition, line in lines:
        if condition and condition != before:
            found.append(f"if {condition}:")
        found.append(f"    {line}" if condition else line)
        before = condition
    return found
