"""Every case of the table against real Keras and real PyTorch."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from tests import cases
from tests.tools.harness import Case, check_case


def table() -> list[Case]:
    """All cases of all families."""
    found: list[Case] = []
    for module in pkgutil.iter_modules(cases.__path__):
        found += importlib.import_module(f"tests.cases.{module.name}").CASES
    return found


@pytest.mark.slow
@pytest.mark.parametrize("case", table(), ids=str)
def test_case(case: Case) -> None:
    check_case(case)
