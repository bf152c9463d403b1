"""Shapes that Keras 3 writes beside every tensor, for layers that specfmt does not know."""

from __future__ import annotations

from typing import Any

from specfmt.formats.assemble import Record
from specfmt.formats.reading import Json
from specfmt.layers.custom import Custom
from specfmt.spec.field_errors import FieldError, NestedError
from specfmt.spec.validation import validate


def say_shapes(records: list[Record], layers: list[Any]) -> None:
    """Give custom layers the ``shape`` and ``output_dtype`` of what others read from them."""
    custom = {r.name: r.entry for r in records if r.entry.get("type") == "Custom"}
    if not custom:
        return
    found: dict[str, dict[int, Json]] = {}
    _collect([item.get("inbound_nodes") for item in layers if isinstance(item, dict)], found)
    for name, outputs in found.items():
        entry = custom.get(name)
        if entry is None or sorted(outputs) != list(range(len(outputs))):
            continue
        tensors = [outputs[index] for index in range(len(outputs))]
        if any(not isinstance(t.get("shape"), list) or not t["shape"] for t in tensors):
            continue
        shapes = [tensor["shape"][1:] for tensor in tensors]
        said: Json = {"shape": shapes[0] if len(shapes) == 1 else shapes}
        dtypes = {tensor.get("dtype") for tensor in tensors}
        if len(dtypes) == 1 and dtypes != {"float32"}:
            said["output_dtype"] = dtypes.pop()
        try:
            validate(Custom, {"class": "Custom", **said}, "Custom")
        except (FieldError, NestedError):
            continue
        entry.update(said)


def _collect(value: Any, found: dict[str, dict[int, Json]]) -> None:
    """The tensors in a nest: layer -> output -> what the source says of it."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict):
            config = item.get("config")
            if item.get("class_name") == "__keras_tensor__" and isinstance(config, dict):
                history = config.get("keras_history")
                if (
                    isinstance(history, list)
                    and len(history) == 3
                    and isinstance(history[0], str)
                    and type(history[2]) is int
                ):
                    found.setdefault(history[0], {}).setdefault(history[2], config)
            else:
                stack.extend(item.values())
