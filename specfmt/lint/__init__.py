"""Lint: mistakes in models that are valid and would run.  Findings are warnings, codes SF6xx."""

from __future__ import annotations

from specfmt.diagnostics import Diagnostic
from specfmt.graph.model import Graph
from specfmt.lint.rules import RULES


def lint(graph: Graph) -> list[Diagnostic]:
    """Every warning about a graph without errors, nested models included."""
    found = [finding for check in RULES.values() for finding in check(graph)]
    for unit in graph.units:
        if unit.graph is not None:
            found += lint(unit.graph)
    return found
