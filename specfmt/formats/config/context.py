"""What one import carries along: the generation of the source, and the warnings so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from specfmt.diagnostics import Diagnostic, Path
from specfmt.formats.config.reading import Json

KERAS_0, KERAS_1, KERAS_2, KERAS_3 = 0, 1, 2, 3


@dataclass(slots=True)
class Context:
    """State of one import.

    Attributes:
        generation: Keras's major version whose spellings and defaults hold in the source.
        version: Keras's version where the source says it.
        tfjs: The source is a tf.js ``model.json``.
        dim_ordering: Keras 1's global setting, for layers that do not repeat it.
        warnings: What was kept opaque or could not be carried over.
        plan: Which masks are left out (see `specfmt.formats.read.recorded_masks`).
        kept: Words (kind and name) that were kept as the user's own: each is said once.
        located: Entry of a spec (by its identity) -> itself, its layer, the place in the source.
        input_shape: Of a Sequential that does not say it, without the batch axis.
    """

    generation: int
    version: str = ""
    tfjs: bool = False
    dim_ordering: str = "tf"
    warnings: list[Diagnostic] = field(default_factory=list)
    plan: Any = None
    kept: set[tuple[str, str]] = field(default_factory=set)
    located: dict[int, tuple[Json, str, Path]] = field(default_factory=dict)
    input_shape: tuple[int | None, ...] | None = None

    @property
    def legacy(self) -> bool:
        """The source is older than Keras 3."""
        return self.generation < KERAS_3

    def warn(self, code: str, message: str, path: Path, hint: str = "") -> None:
        """Note a finding that does not stop the import."""
        self.warnings.append(Diagnostic(code, message, path, hint, "warning"))
