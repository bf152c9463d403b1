"""Import blocks of generated files, in the order of ruff's isort rules."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Final

GENERATED: Final = frozenset(
    "PIL keras matplotlib numpy safetensors sklearn tensorflow torch torchvision tqdm".split()
)
"""Packages that generated code imports by itself; what comes from others, a spec has named."""

OWN: Final = "# The model's file names this code; it is not part of the framework."


def sorted_imports(lines: Iterable[str]) -> str:
    """Import lines in two groups, standard library first; names from one module merged.

    Code that a spec has named stands below a comment that says so.
    """
    plain: set[str] = set()
    named: dict[str, set[str]] = {}
    for line in lines:
        if line.startswith("from "):
            module, _, names = line[5:].partition(" import ")
            named.setdefault(module, set()).update(names.split(", "))
        else:
            plain.add(line)
    merged = [
        *plain,
        *(
            f"from {module} import {', '.join(sorted(names, key=_member))}"
            for module, names in named.items()
        ),
    ]
    standard = [line for line in merged if _root(line) in sys.stdlib_module_names]
    others = [line for line in merged if _root(line) not in sys.stdlib_module_names]
    groups = [sorted(group, key=_key) for group in (standard, others) if group]
    return "\n\n".join("\n".join(map(_remarked, group)) for group in groups)


def _remarked(line: str) -> str:
    known = _root(line) in GENERATED or _root(line) in sys.stdlib_module_names
    return line if known else f"{OWN}\n{line}"


def _root(line: str) -> str:
    return line.split()[1].split(".")[0]


def _key(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line.split()[1].lower()


def _member(name: str) -> tuple[int, list[tuple[bool, int, str]], str]:
    """Constants, then classes, then functions; numbers within names by their value."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    natural = [
        (part.isdigit(), int(part) if part.isdigit() else 0, part)
        for part in re.split(r"(\d+)", name.lower())
    ]
    return kind, natural, name
