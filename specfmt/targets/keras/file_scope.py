"""Names shared by the models of one generated Keras file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from specfmt.graph.model import Graph, Unit
from specfmt.targets.keras.constants import FEWEST, TermConstant, term_constants
from specfmt.targets.keras.values import construction
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.tables import is_long

RESERVED = ("keras", "layers", "ops", "tf", "x", "self", "build_model", "training")


@dataclass
class FileScope:
    """Names shared by the whole file.

    Attributes:
        scope: Module-level names in use.
        imports: The import lines that layers need (custom classes, operation classes).
        builders: Nested model -> the function that builds it, and its arguments.
        tables: Name of a constant -> its values, a long table of a layer.
        table_names: Unit and field -> the name of the constant.
        terms: Name of a constant -> the term that it has.
        term_names: Unit -> its fields with such a term, each with the name of the constant.
        held: Graph of a model inside a layer -> the name of the function that builds it.
        automatic: Units whose name in the spec is the one that Keras gives them automatically.
    """

    scope: Scope = field(default_factory=lambda: Scope(RESERVED))
    imports: dict[str, None] = field(default_factory=dict)
    builders: dict[Unit, tuple[str, list[str]]] = field(default_factory=dict)
    tables: dict[str, Sequence[Any]] = field(default_factory=dict)
    table_names: dict[tuple[Unit, str], str] = field(default_factory=dict)
    terms: dict[str, TermConstant] = field(default_factory=dict)
    term_names: dict[Unit, dict[str, str]] = field(default_factory=dict)
    held: dict[Graph, str] = field(default_factory=dict)
    automatic: frozenset[Unit] = frozenset()

    def hold_terms(self, graph: Graph, unwanted: Collection[str]) -> None:
        """Define constants for the long terms that stand in several layers.

        Args:
            graph: The model.
            unwanted: The sources of terms that are not to be constants.
        """
        for constant in term_constants(graph, unwanted):
            name = self.scope.claim(constant.name)
            self.terms[name] = constant
            for unit, key in constant.uses:
                self.term_names.setdefault(unit, {})[key] = name

    def rare_terms(self, lines: Iterable[str]) -> list[str]:
        """The sources of the terms whose constants do not pay, since few of these lines have them."""
        counts = Counter(word for line in lines for word in re.findall(r"\w+", line))
        return [
            construction(constant.term)
            for name, constant in self.terms.items()
            if counts[name] < FEWEST
        ]

    def constants(self, unit: Unit) -> dict[str, str]:
        """The fields of a layer whose values are constants of the file, with the constants' names."""
        return self.term_names.get(unit, {}) | self._hold_tables(unit)

    def _hold_tables(self, unit: Unit) -> dict[str, str]:
        """Define constants for the long tables of a layer; returns field -> constant's name."""
        held = {}
        for name in unit.layer.tables:
            values = getattr(unit.layer, name, None)
            if values is None or not is_long(values):
                continue
            if (unit, name) not in self.table_names:
                constant = self.scope.claim(identifier(f"{unit.name}_{name}").upper())
                self.table_names[unit, name] = constant
                self.tables[constant] = values
            held[name] = self.table_names[unit, name]
        return held
