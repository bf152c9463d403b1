"""Import lines of generated files; ruff sorts them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

GENERATED: Final = frozenset(
    "PIL keras matplotlib numpy safetensors sklearn tensorflow torch torchvision tqdm".split()
)
"""Packages that generated code imports by itself; what comes from others, a spec has named."""

OWN: Final = "# The model's file names this code; it is not part of the framework."


def import_lines(lines: Iterable[str]) -> str:
    """The lines, each once; code that a spec has named stands below a comment that says so."""
    return "\n".join(map(_remarked, dict.fromkeys(lines)))


def _remarked(line: str) -> str:
    root = line.split()[1].split(".")[0]
    known = root in GENERATED or root in sys.stdlib_module_names
    return line if known else f"{OWN}\n{line}"
