"""The state of an import: the Keras version of the source, and the warnings so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from specfmt.diagnostics import Diagnostic, Path
from specfmt.formats.config.reading import Json

KERAS_0, KERAS_1, KERAS_2, KERAS_3 = 0, 1, 2, 3


@dataclass(slots=True)
class Context:
    """The state of an import.

    Attributes:
        generation: The major version of Keras (0 to 3) whose names and defaults the source uses.
        version: The full version of Keras, if the source contains it.
        tfjs: The source is a tf.js ``model.json``.
        dim_ordering: Keras 1's global setting, for layers that do not repeat it.
        warnings: The warnings so far.
        plan: Which masks are left out (see `specfmt.formats.read.recorded_masks`).
        kept: Objects (kind and name) that were kept as user-defined; each gets one warning.
        located: Identity of an entry -> the entry, its layer, and its path in the source.
        input_shape: The input shape, without the batch axis, of a Sequential that has none.
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
        """Whether the source is older than Keras 3."""
        return self.generation < KERAS_3

    def warn(self, code: str, message: str, path: Path, hint: str = "") -> None:
        """Add a warning."""
        self.warnings.append(Diagnostic(code, message, path, hint, "warning"))
