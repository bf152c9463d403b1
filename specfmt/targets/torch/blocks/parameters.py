"""The parameters of classes, with their types and defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from specfmt.layers.blocks import REQUIRED
from specfmt.targets.blocks.parameters import plain
from specfmt.targets.source import literal
from specfmt.targets.torch.blocks.fit import Fit
from specfmt.targets.torch.blocks.model import BlockBody, Parameter


def annotation(value: Any) -> str:
    """The type of a value as source."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return "None" if value is None else type(value).__name__
    if isinstance(value, (tuple, list)):
        inner = ", ".join(annotation(item) for item in value)
        return f"tuple[{inner or '()'}]"
    return "Any"


def union(kinds: Sequence[str]) -> str:
    """The type of several values."""
    found = dict.fromkeys(kinds)
    if "float" in found:
        found.pop("int", None)
    if "Any" in found:
        return "Any"
    return " | ".join(sorted(found, key=lambda kind: kind == "None"))


def parameters_of(
    body: BlockBody,
    values: Sequence[Mapping[str, Any]],
    fit: Fit,
    spelling: Mapping[str, str],
    extras: Mapping[str, Any],
) -> list[Parameter]:
    """The parameters that a class uses: sizes of the inputs first, those with a default last.

    Args:
        body: The class.
        values: For each use, the value of each name.
        fit: What its expressions use.
        spelling: Name -> its name in the code.
        extras: Parameters besides those of the spec -> their default.
    """
    block = body.use.call.block
    order = [*body.sizes, *block.parameters]
    order += [name for name in values[0] if name not in order]
    required, optional = [], []
    for name in order:
        if name not in fit.used:
            continue
        kinds = [annotation(one[name]) for one in values]
        default: Any = extras.get(name, block.parameters.get(name, REQUIRED))
        if default == REQUIRED and name not in extras:
            doc = body.sizes.get(name, "")
            required.append(Parameter(name, spelling[name], union(kinds), doc=doc))
            continue
        value = plain(default)
        kinds.append(annotation(value))
        optional.append(Parameter(name, spelling[name], union(kinds), literal(value), value))
    return [*required, *optional]
