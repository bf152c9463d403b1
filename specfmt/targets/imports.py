"""Import lines of generated files; ruff sorts them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

GENERATED: Final = frozenset(
    "PIL keras matplotlib numpy safetensors sklearn tensorflow torch torchvision tqdm".split()
)
"""Packages that generated code may import; imports of all others come from names in the spec."""

OWN: Final = "# The model's file names this code; it is not part of the framework."


def import_lines(lines: Iterable[str]) -> str:
    """The lines without duplicates; a comment marks imports of code that the spec names."""
    return "\n".join(map(_with_comment, dict.fromkeys(lines)))


def _with_comment(line: str) -> str:
    root = line.split()[1].split(".")[0]
    known = root in GENERATED or root in sys.stdlib_module_names
    return line if known else f"{OWN}\n{line}"
