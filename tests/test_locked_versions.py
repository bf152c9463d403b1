"""The versions that the tests run with are written down, and are those that the metadata allows."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
USED = [
    Requirement(text)
    for text in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"])
]


def pinned(name: str) -> dict[str, str]:
    lines = (ROOT / "scripts" / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(package): version for package, version in pairs}


def test_each_requirement_of_the_tests_has_one_exact_version_that_it_allows() -> None:
    versions = pinned("constraints.txt")
    for requirement in USED:
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


def test_each_requirement_has_a_lower_bound_that_the_lowest_versions_name() -> None:
    lowest = runpy.run_path(str(ROOT / "scripts" / "lowest.py"))["lowest"]()
    text = (ROOT / "scripts" / "constraints-lowest.txt").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if not line.startswith("#")] == lowest
    versions = pinned("constraints-lowest.txt")
    for requirement in USED:
        name = canonicalize_name(requirement.name)
        assert name in versions, f"{name} has no lower bound"
        assert requirement.specifier.contains(versions[name])


def test_setup_installs_nothing_but_those() -> None:
    setup = (ROOT / "scripts" / "setup").read_text(encoding="utf-8")
    assert setup.count("-m pip install") == 1
    assert '-m pip install --disable-pip-version-check -c "$constraints"' in setup
