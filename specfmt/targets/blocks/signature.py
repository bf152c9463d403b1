"""The parameters of a block's function or class: names, types and defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specfmt.layers.blocks import REQUIRED, Block
from specfmt.targets.blocks.parameters import Source, plain, same, value_text
from specfmt.targets.blocks.uses import NAME


@dataclass(frozen=True)
class Parameter:
    """A parameter of generated code.

    Attributes:
        name: Its name in the spec.
        variable: Its name in the code.
        annotation: Its type.
        is_optional: Whether it has a default.
        default: The default's value.
    """

    name: str
    variable: str
    annotation: str
    is_optional: bool = False
    default: Any = None

    @property
    def declaration(self) -> str:
        """The parameter in a signature: ``stride: int = 1``."""
        if not self.is_optional:
            return f"{self.variable}: {self.annotation}"
        is_float = self.annotation == "float" and type(self.default) is int
        default = float(self.default) if is_float else self.default
        return f"{self.variable}: {self.annotation} = {value_text(default)}"


def parameters_of(
    block: Block,
    names: Sequence[str],
    uses: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    spelling: Mapping[str, str],
) -> list[Parameter]:
    """The parameters in the order of a signature: those that must be given, the name, the others.

    Args:
        block: The block.
        names: The parameters that the code has.
        uses: For each use the values in the spec, and in the code.
        spelling: Parameter -> its name in the code, where that is another one.
    """
    required, optional = [], []
    order = [name for name in block.parameters if name in names]
    for name in [*order, *(name for name in names if name not in block.parameters)]:
        values = [code[name] for _, code in uses]
        variable = spelling.get(name, name)
        found, default = _default(block, name, uses)
        if not found:
            required.append(Parameter(name, variable, annotation(values)))
        else:
            kind = annotation([*values, default])
            optional.append(Parameter(name, variable, kind, True, default))
    required.sort(key=lambda item: item.name == NAME)
    return [*required, *optional]


def _default(
    block: Block, name: str, uses: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> tuple[bool, Any]:
    """Whether a parameter has a default in the code, and the default.

    One that is no number or text is known only if a use has it, since code may write it otherwise.
    """
    default = block.parameters.get(name, REQUIRED)
    if default == REQUIRED:
        return False, None
    for spec, code in uses:
        if same(plain(spec[name]), plain(default)):
            return True, code[name]
    return default is None or isinstance(default, (bool, int, float, str)), default


def annotation(values: Sequence[Any]) -> str:
    """The type of some values: ``int``, ``float | None``, ``tuple[int, int]``."""
    kinds = list(dict.fromkeys(_type(plain(value)) for value in values))
    if "object" in kinds:
        return "object"
    if "float" in kinds and "int" in kinds:
        kinds.remove("int")
    kinds.sort(key=lambda kind: kind == "None")
    return " | ".join(kinds)


def _type(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, Source):
        return "object"
    if isinstance(value, tuple):
        kinds = list(dict.fromkeys(map(_type, value)))
        if len(value) > 3 or not kinds:
            return f"tuple[{' | '.join(kinds) or 'object'}, ...]"
        return f"tuple[{', '.join(map(_type, value))}]"
    return type(value).__name__
