"""Prints the lowest version of each requirement that pyproject.toml promises, as pip constraints."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
_REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)\s*(?:\[[^]]*\])?\s*(?:>=|~=|==)\s*([0-9][0-9.]*)")


def lowest() -> list[str]:
    """``name==version`` for each requirement with a lower bound, in order of the names.

    Where several extras bound a package, all of them must hold: the highest bound counts.
    """
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    requirements = [*project["dependencies"], *(one for extra in extras for one in extra)]
    found: dict[str, tuple[int, ...]] = {}
    for requirement in requirements:
        match = _REQUIREMENT.match(requirement)
        if match is not None:
            version = tuple(int(part) for part in match[2].strip(".").split("."))
            found[match[1]] = max(version, found.get(match[1], ()))
    return [f"{name}=={'.'.join(map(str, found[name]))}" for name in sorted(found, key=str.lower)]


if __name__ == "__main__":
    print("# The lowest versions that pyproject.toml promises. Written by scripts/lock.")
    print("\n".join(lowest()))
