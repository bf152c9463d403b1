"""Custom entries for layers that specfmt does not know or that Keras 3 cannot express."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from specfmt.diagnostics import Path, SpecError
from specfmt.formats.config.context import Context
from specfmt.formats.config.defaults import unsupported_config
from specfmt.formats.config.reading import Json, as_text, fail, show
from specfmt.formats.read.operations import is_operation, operation_name
from specfmt.layers.base import KERAS_LAYERS
from specfmt.layers.kept import KEPT, LAMBDA, kept_layer
from specfmt.layers.keras_names import KERAS_LAYERS as KNOWN_TO_KERAS
from specfmt.layers.keras_names import NOT_IN_GRAPHS
from specfmt.layers.registry import layer_class
from specfmt.vocab.base import CUSTOM

CUSTOM_CLASS: Final = re.compile(r"[A-Za-z_][\w.>]*\Z")
TO_BE_WRITTEN: Final = "generated code has a class for it to complete; or set `torch:` or `define:`"

CELL_TO_BE_WRITTEN: Final = "generated code has a class for it to complete; or set `torch:`"


def lambda_entry(context: Context, item: Any, class_name: str, config: Json, path: Path) -> Json:
    """The entry of a Lambda, whose code is neither decoded nor run."""
    context.warn(
        "SF430",
        f"kept {show(config.get('name', class_name))}, a Lambda, as a custom layer; its code is not read",
        path,
        KEPT[LAMBDA].advice,
    )
    return _opaque(context, item, class_name, config, path)


def custom_entry(
    context: Context, item: Any, class_name: str, config: Json, path: Path, reason: str = ""
) -> Json:
    """The entry of a user-defined layer, or of one of Keras's that specfmt does not know.

    Args:
        context: The import.
        item: The serialized layer.
        class_name: Its class.
        config: Its config.
        path: Its path in the source.
        reason: Why the layer is kept, if specfmt knows its class.
    """
    module = item.get("module") if isinstance(item, dict) else None
    whole = kept_layer(f"{module}.{class_name}" if module else class_name)
    if whole is not None:
        context.warn("SF314", f"kept {class_name} whole: {whole.reason}", path, whole.advice)
        return _opaque(context, item, class_name, config, path)
    why = (
        reason
        or unsupported_config(class_name, config)
        or _not_in_graphs(item, class_name)
        or _not_known(class_name)
    )
    context.warn(
        "SF431",
        f"kept {class_name} as a custom layer: {why}",
        path,
        TO_BE_WRITTEN,
    )
    return _opaque(context, item, class_name, config, path)


def _not_known(class_name: str) -> str:
    """Why a layer is kept for which there is no other reason."""
    if layer_class(class_name) is not None:
        return "it holds a layer that specfmt does not know"
    return "specfmt does not know this layer"


def _not_in_graphs(item: Any, class_name: str) -> str:
    """Why specfmt does not define an operation; empty for others, and for layers."""
    if not is_operation(item):
        return ""
    reason = NOT_IN_GRAPHS.get(operation_name(class_name))
    return reason or ""


def unsupported_entry(
    context: Context, item: Any, class_name: str, config: Json, path: Path, error: SpecError
) -> Json:
    """The entry of a layer with a class or option that Keras 3 does not have."""
    for found in error.diagnostics:
        context.warnings.append(
            replace(
                found,
                severity="warning",
                message=f"kept {class_name} as a custom layer: {found.message}",
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
    """A custom entry with the class, by its module if it can be imported from there, and the config."""
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
