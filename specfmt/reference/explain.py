"""The pages that `specfmt explain` shows: of a code, a layer or an operation."""

from __future__ import annotations

import re

from specfmt.layers.former_types import FORMER_TYPES
from specfmt.layers.index import OPERATIONS
from specfmt.layers.kept import INPUT_LAYER, KEPT
from specfmt.layers.keras_names import KERAS_LAYERS
from specfmt.layers.registry import layer_class, layer_types, op_class
from specfmt.reference.codes import codes, page
from specfmt.targets.options import OptionError, not_offered


def explanation(name: str) -> str:
    """The page of a code (``SF203``), a layer (``Dense``) or an operation (``mean``).

    Raises:
        OptionError: There is no such page.
    """
    text = page(name)
    if text is not None:
        return text
    from specfmt.reference.sections import kept_section, layer_section, operation_section

    if name in KERAS_LAYERS:
        name = FORMER_TYPES.get(name, name)
    layer, operation = layer_class(name), op_class(name)
    if layer is not None:
        lines = layer_section(layer)
    elif name in KEPT or name == INPUT_LAYER:
        lines = kept_section(name)
    elif operation is not None:
        lines = operation_section(operation)
    else:
        names = [*codes(), *layer_types(), *OPERATIONS]
        hint = "codes look like SF203, layers like Dense"
        raise OptionError([not_offered("a code, a layer or an operation", name, names, hint)])
    # A terminal shows only the text of links.
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", "\n".join([name, "", *lines]))
