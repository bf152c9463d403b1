"""Imports as text: what `specfmt import` prints."""

from __future__ import annotations

from typing import Any

import specfmt


def import_source(*source: Any, **options: Any) -> tuple[str, list[specfmt.Diagnostic]]:
    """The spec text of a saved model, and the warnings; arguments as for `import_spec`."""
    spec, warnings = specfmt.import_spec(*source, **options)
    return specfmt.dump(spec), warnings
