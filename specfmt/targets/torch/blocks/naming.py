"""Names of what is in a block, made from the names inside it: ``0_conv`` -> ``conv_0``."""

from __future__ import annotations

import re
from typing import Any

from specfmt.fields.expressions import Expression, parse_text
from specfmt.layers.blocks import Block, BlockCall
from specfmt.vocab.naming import to_snake_case

_NUMBERED = re.compile(r"(\d+)_(.+)")


def plain_name(text: Any) -> str:
    """A name without the expressions in it."""
    if not isinstance(text, str):
        return ""
    pieces = parse_text(text) if "$" in text else (text,)
    return "_".join(
        stripped
        for piece in pieces
        if not isinstance(piece, Expression) and (stripped := piece.strip("_-. "))
    )


def turned(name: str) -> str:
    """A name whose number comes last."""
    found = _NUMBERED.fullmatch(name)
    return f"{found[2]}_{found[1]}" if found else name


def entry_name(block: Block, slot: int) -> tuple[str, bool]:
    """The name of an entry inside its block, and whether the spec gives it."""
    entry = block.layers[slot]
    if not isinstance(entry, dict):
        return "layer", False
    given = plain_name(entry.get("name"))
    if given:
        return turned(given), True
    kind = entry.get("type") or entry.get("op") or entry.get("block") or entry.get("reuse")
    return to_snake_case(str(kind or "layer")), False


def hints(block: Block, slot: int) -> dict[str, str]:
    """Field -> the text of the spec with its value, where that has expressions."""
    entry = block.layers[slot]
    if not isinstance(entry, dict):
        return {}
    return {name: value for name, value in entry.items() if isinstance(value, str) and "$" in value}


def use_name(call: BlockCall, written: Any) -> str:
    """The name of a use in the list of layers around it."""
    given = plain_name(written.get("name")) if isinstance(written, dict) else ""
    return turned(given) if given else to_snake_case(call.kind)


def plural(name: str) -> str:
    """The name of several: ``blocks``."""
    return name if name.endswith("s") else f"{name}s"
