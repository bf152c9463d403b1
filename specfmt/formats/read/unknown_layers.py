"""Entries of layers that specfmt does not know, or Keras 3 has not: kept as they are."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from specfmt.diagnostics import Path, SpecError
from specfmt.formats.config.context import Context
from specfmt.formats.config.defaults import unreadable
from specfmt.formats.config.reading import Json, as_text, fail, show
from specfmt.layers.base import KERAS_LAYERS
from specfmt.layers.keras_names import KERAS_LAYERS as KNOWN_TO_KERAS
from specfmt.vocab.base import CUSTOM

LAMBDA: Final = "Lambda"
CUSTOM_CLASS: Final = re.compile(r"[A-Za-z_][\w.>]*\Z")
TO_BE_WRITTEN: Final = (
    "generated code has a class for it; `torch:` or `define:` say what it computes"
)


def lambda_entry(context: Context, item: Any, class_name: str, config: Json, path: Path) -> Json:
    """A Lambda, whose code is neither read nor run."""
    context.warn(
        "SF430",
        f"kept the code of {show(config.get('name', class_name))} unread and not run",
        path,
        "replace it by operations of keras.ops or by a layer class of your own",
    )
    return _opaque(context, item, class_name, config, path)


def custom_entry(context: Context, item: Any, class_name: str, config: Json, path: Path) -> Json:
    """A layer of the user's own, or one of Keras's that specfmt does not know."""
    context.warn(
        "SF431",
        f"kept {class_name} as it is: "
        f"{unreadable(class_name, config) or 'specfmt does not know this layer'}",
        path,
        TO_BE_WRITTEN,
    )
    return _opaque(context, item, class_name, config, path)


def beyond_entry(
    context: Context, item: Any, class_name: str, config: Json, path: Path, error: SpecError
) -> Json:
    """A layer whose class Keras 3 has not in this form: kept as one that is to be written."""
    for found in error.diagnostics:
        context.warnings.append(
            replace(
                found,
                severity="warning",
                message=f"kept {class_name} as it is: {found.message}",
                hint=TO_BE_WRITTEN,
            )
        )
    return _opaque(context, {**item, "module": None}, class_name, config, path, importable=False)


def _opaque(
    context: Context,
    item: Any,
    class_name: str,
    config: Json,
    path: Path,
    *,
    importable: bool = True,
) -> Json:
    """The entry: the class by its module, if it can be imported from there, and the config."""
    module = item.get("module") if isinstance(item, dict) else None
    if importable and not module and context.legacy and class_name in KNOWN_TO_KERAS:
        module = KERAS_LAYERS
    dotted = f"{module}.{class_name}" if isinstance(module, str) and module else class_name
    if not CUSTOM_CLASS.match(dotted):
        fail(
            "SF403",
            f"expected the name of a class, received {show(dotted)}",
            (*path, "class_name"),
        )
    entry: Json = {"type": CUSTOM}
    name = config.get("name")
    if name is not None:
        entry["name"] = as_text(name, (*path, "config", "name"), "a layer's name")
    entry["class"] = dotted
    entry["config"] = config
    for key in ("registered_name", "build_config"):
        if isinstance(item, dict) and item.get(key) is not None and item[key] != class_name:
            entry[key] = item[key]
    return entry
