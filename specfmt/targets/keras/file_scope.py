"""Names that the models of one generated Keras file share."""

from __future__ import annotations

from dataclasses import dataclass, field

from specfmt.graph.model import Unit
from specfmt.targets.naming import Scope

RESERVED = ("keras", "layers", "ops", "tf", "x", "self", "build_model", "training")


@dataclass
class FileScope:
    """Names shared by the whole file.

    Attributes:
        scope: Module-level names in use.
        imports: Import lines that layers need (custom classes, private operations).
        builders: Nested model -> the name of the function that builds it.
        automatic: Units that Keras names itself, just as the model is to name them.
    """

    scope: Scope = field(default_factory=lambda: Scope(RESERVED))
    imports: dict[str, None] = field(default_factory=dict)
    builders: dict[Unit, str] = field(default_factory=dict)
    automatic: frozenset[Unit] = frozenset()
