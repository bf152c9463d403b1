"""Reading calls of layers (``inbound_nodes``) of all Keras versions into a common form.

Keras 1 and 2 write a call as lists, ``[["a", 0, 0, {kwargs}], ...]``; Keras 3 as
``{"args": [...], "kwargs": {...}}`` with tensors as objects.  Both become a `Call`: values in
the form of the spec, with a `Ref` for each tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from specfmt.diagnostics import Path
from specfmt.formats.config.reading import as_index, as_list, as_map, as_text, fail, need, show

CONSTANT: Final = "_CONSTANT_VALUE"
"""tf.keras's marker for a first argument that is not a tensor: ``[marker, -1, value, {}]``."""


class Ref(NamedTuple):
    """Output ``tensor`` of call ``node`` of a layer."""

    layer: str
    node: int
    tensor: int


@dataclass(slots=True)
class Call:
    """A call of a layer; its arguments may contain `Ref` in nested lists and mappings.

    Attributes:
        dropped_mask: The mask that was left out of ``kwargs`` (see
            `specfmt.formats.read.recorded_masks`).
    """

    args: list[Any]
    kwargs: dict[str, Any]
    path: Path
    dropped_mask: Any = None

    def refs(self) -> list[Ref]:
        """Every tensor of the call, in order."""
        if len(self.args) == 1 and not self.kwargs and isinstance(self.args[0], Ref):
            return [self.args[0]]
        found: list[Ref] = []
        collect_refs([self.args, self.kwargs], found)
        return found


def collect_refs(value: Any, found: list[Ref]) -> None:
    """Append every `Ref` inside ``value`` to ``found``."""
    if isinstance(value, Ref):
        found.append(value)
    elif isinstance(value, list):
        for item in value:
            collect_refs(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            collect_refs(item, found)


def read_call(node: Any, names: set[str], path: Path, *, keep_list: bool = False) -> Call:
    """Read an element of a layer's ``inbound_nodes``.

    Args:
        node: The element.
        names: The names of the model's layers.
        path: Its path in the source.
        keep_list: Keep a list of one tensor as a list (for operations of tf.keras).

    Raises:
        SpecError: SF403 or SF404 for any other form.
    """
    if isinstance(node, dict) and "args" in node:
        args = as_list(node["args"], (*path, "args"), "the arguments of a call")
        kwargs = as_map(node.get("kwargs") or {}, (*path, "kwargs"), "the arguments of a call")
        return Call(
            [
                intact_tensor(item) or read_value(item, (*path, "args", i))
                for i, item in enumerate(args)
            ],
            {key: read_value(item, (*path, "kwargs", key)) for key, item in kwargs.items()},
            path,
        )
    reader = _LegacyNode(names)
    first = reader.read(node, path)
    if isinstance(first, list) and len(first) == 1 and not keep_list:
        first = first[0]
    return Call([] if isinstance(first, list) and not first else [first], reader.kwargs, path)


class _LegacyNode:
    """Reads a node of Keras 1 or 2; each tensor of the first argument also has the keywords."""

    def __init__(self, names: set[str]) -> None:
        self.names = names
        self.kwargs: dict[str, Any] = {}

    def read(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: self.read(item, (*path, key)) for key, item in value.items()}
        items = as_list(value, path, "a call")
        if items and isinstance(items[0], str):
            return self._leaf(items, path)
        return [self.read(item, (*path, i)) for i, item in enumerate(items)]

    def _leaf(self, items: list[Any], path: Path) -> Any:
        if len(items) not in (3, 4):
            fail("SF403", f"expected [layer, node, tensor], received {show(items)}", path)
        if len(items) == 4 and items[3]:
            kwargs = as_map(items[3], (*path, 3), "the keywords of a call")
            for key, item in kwargs.items():
                self.kwargs[key] = self._keyword(item, (*path, 3, key))
        if items[0] == CONSTANT:
            return constant(items[2])
        return Ref(
            items[0],
            as_index(items[1], (*path, 1), "the index of a call"),
            as_index(items[2], (*path, 2), "the index of an output"),
        )

    def _is_tensor(self, value: list[Any]) -> bool:
        if len(value) != 3 or not isinstance(value[0], str) or value[0] not in self.names:
            return False
        return all(type(index) is int and index >= 0 for index in value[1:])

    def _keyword(self, value: Any, path: Path) -> Any:
        if isinstance(value, list):
            if len(value) >= 3 and value[0] == CONSTANT:
                return constant(value[2])
            if self._is_tensor(value):
                return Ref(value[0], value[1], value[2])
            return [self._keyword(item, (*path, i)) for i, item in enumerate(value)]
        if isinstance(value, dict):
            special = slice_form(value, path)
            if special is not None:
                bounds = special.get("slice")
                return special if bounds is None else {"slice": self._keyword(bounds, path)}
            return {key: self._keyword(item, (*path, key)) for key, item in value.items()}
        return constant(value)


def constant(value: Any) -> Any:
    """A constant argument in the form of the spec: text as ``{const: text}``."""
    if isinstance(value, str):
        return {"const": value}
    if isinstance(value, list):
        return [constant(item) for item in value]
    return value


def slice_form(value: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """``{slice: [start, stop, step]}`` or ``{ellipsis: true}`` if ``value`` is one, else None."""
    if set(value) == {"start", "stop", "step"}:
        return {"slice": [value["start"], value["stop"], value["step"]]}
    if value.get("class_name") == "__ellipsis__":
        return {"ellipsis": True}
    if value.get("class_name") == "__slice__":
        config = as_map(need(value, "config", path, "a slice"), (*path, "config"), "a slice")
        return {"slice": [read_value(config.get(key), path) for key in ("start", "stop", "step")]}
    return None


def read_value(value: Any, path: Path) -> Any:
    """Read an argument that Keras 3 wrote."""
    if isinstance(value, str):
        return {"const": value}
    if isinstance(value, list):
        return [read_value(item, (*path, i)) for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    kind = value.get("class_name")
    if kind is None:
        return {key: read_value(item, (*path, key)) for key, item in value.items()}
    if kind == "__keras_tensor__":
        return _keras_tensor(value, path)
    special = slice_form(value, path)
    if special is not None:
        return special
    config = value.get("config")
    if kind in ("__numpy__", "__tensor__") and isinstance(config, dict):
        array = need(config, "value", (*path, "config"), "a constant")
        mark = {"tensor": True} if kind == "__tensor__" else {}
        return {"const": {"value": array, "dtype": config.get("dtype"), **mark}}
    if kind == "__bytes__" and isinstance(config, dict):
        return {"const": config.get("value")}
    return {"const": value}


def intact_tensor(value: Any) -> Ref | None:
    """Read a tensor that Keras 3 wrote; None if it is something else or damaged."""
    if not isinstance(value, dict) or value.get("class_name") != "__keras_tensor__":
        return None
    config = value.get("config")
    history = config.get("keras_history") if isinstance(config, dict) else None
    if not isinstance(history, list) or [type(item) for item in history] != [str, int, int]:
        return None
    ref = Ref(*history)
    return ref if ref.layer and ref.node >= 0 and ref.tensor >= 0 else None


def _keras_tensor(value: dict[str, Any], path: Path) -> Ref:
    """Read a tensor that Keras 3 wrote; raises SF403 or SF404 if it is damaged."""
    config = as_map(value.get("config"), (*path, "config"), "a tensor")
    where = (*path, "config", "keras_history")
    history = as_list(
        need(config, "keras_history", (*path, "config"), "a tensor"), where, "a tensor's origin"
    )
    if len(history) != 3:
        fail("SF403", f"expected [layer, node, tensor], received {show(history)}", where)
    return Ref(
        as_text(history[0], (*where, 0), "the name of a layer"),
        as_index(history[1], (*where, 1), "the index of a call"),
        as_index(history[2], (*where, 2), "the index of an output"),
    )


def read_tensors(value: Any, path: Path) -> Any:
    """``input_layers`` or ``output_layers``: one triple, or lists and mappings of triples."""
    if isinstance(value, dict):
        return {key: read_tensors(item, (*path, key)) for key, item in value.items()}
    items = as_list(value, path, "the tensors of a model")
    if items and isinstance(items[0], str):
        if len(items) != 3:
            fail("SF403", f"expected [layer, node, tensor], received {show(items)}", path)
        return Ref(
            items[0],
            as_index(items[1], (*path, 1), "the index of a call"),
            as_index(items[2], (*path, 2), "the index of an output"),
        )
    return [read_tensors(item, (*path, i)) for i, item in enumerate(items)]


def map_refs(value: Any, function: Any) -> Any:
    """``value`` with every `Ref` replaced by ``function(ref)``."""
    if isinstance(value, Ref):
        return function(value)
    if isinstance(value, list):
        return [map_refs(item, function) for item in value]
    if isinstance(value, dict):
        return {key: map_refs(item, function) for key, item in value.items()}
    return value
