"""Loops over the repetitions of a block: ``for i in range(2, depth + 1)``."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from specfmt.fields.expressions import Expression, expressions_in, parse_text
from specfmt.layers.blocks import INDEX


def loop_offset(texts: Iterable[str]) -> int:
    """From which number a loop counts, so that ``i + 2`` in all its texts becomes ``i``."""
    found: set[int] = set()
    for text in texts:
        for expression in expressions_in(text):
            plus: dict[int, int] = {}
            for node in ast.walk(expression.node):
                if (
                    isinstance(node, ast.BinOp)
                    and isinstance(node.op, ast.Add)
                    and isinstance(node.right, ast.Constant)
                    and type(node.right.value) is int
                ):
                    plus[id(node.left)] = node.right.value
            found |= {
                plus.get(id(node), 0)
                for node in ast.walk(expression.node)
                if isinstance(node, ast.Name) and node.id == INDEX
            }
    return found.pop() if len(found) == 1 else 0


def loop_end(repeat: Any, offset: int) -> list[str]:
    """The text of the spec for the end of a loop; empty if the number of turns is none."""
    if not isinstance(repeat, str) or "$" not in repeat:
        return []
    pieces = parse_text(repeat)
    if len(pieces) != 1 or not isinstance(pieces[0], Expression):
        return []
    return [f"$(({pieces[0].text}) + {offset})" if offset else repeat]


def range_source(turns: int, offset: int) -> str:
    """The numbers of a loop."""
    return f"range({offset}, {offset + turns})" if offset else f"range({turns})"
