"""What `specfmt explain` shows: the page of a code, of a layer, or of an operation."""

from __future__ import annotations

import re

from specfmt.layers.index import OPERATIONS
from specfmt.layers.registry import layer_class, layer_types, op_class
from specfmt.reference.codes import page, pages


def explanation(name: str) -> str | None:
    """The page of a code (``SF203``), a layer (``Dense``) or an operation (``mean``), or None."""
    from specfmt.reference.docs import layer_section, operation_section

    text = page(name)
    if text is not None:
        return text
    layer, operation = layer_class(name), op_class(name)
    if layer is not None:
        lines = layer_section(layer)
    elif operation is not None:
        lines = operation_section(operation)
    else:
        return None
    # In a terminal a link is its text.
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", "\n".join([name, "", *lines]))


def names() -> list[str]:
    """Everything that has a page."""
    return [*pages(), *layer_types(), *OPERATIONS]
