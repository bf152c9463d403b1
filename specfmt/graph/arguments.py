"""The inputs of an entry as the spec gives them, and the arguments of a layer's call."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import islice
from typing import Any

from specfmt.diagnostics import Path
from specfmt.graph.model import Array, Unit
from specfmt.layers.base import Layer
from specfmt.layers.entries import InvalidEntry, Model
from specfmt.layers.op import Op
from specfmt.layers.registry import layer_class

SPECIAL = frozenset({"const", "slice", "ellipsis"})
"""Keys of mappings that are constants, not structures of tensors."""


def positional_count(entry: Any, unit: Unit, args: dict[str, Any]) -> int:
    """The number of positional arguments: all of a list, the first one of a mapping."""
    edges = edges_of(entry)
    if isinstance(edges, tuple) and unit.graph is None:
        lists = {name for name, _, kind in call_signature(unit)[1:] if kind == "tensors"}
        return len(args) - len(lists & set(args))
    if isinstance(edges, dict):
        signature = call_signature(unit)
        if isinstance(edges.get("args"), tuple) and "args" not in (
            name for name, _, _ in signature
        ):
            return len(edges["args"])
        return int(bool(signature) and signature[0][0] == next(iter(args), None))
    return 1


def single_tensors(entry: Any, unit: Unit) -> frozenset[str]:
    """The arguments that take a list of tensors, and that the document gives as one tensor."""
    edges = edges_of(entry)
    if not isinstance(edges, dict) or unit.graph is not None:
        return frozenset()
    lists = (name for name, _, kind in call_signature(unit) if kind == "tensors")
    return frozenset(name for name in lists if isinstance(edges.get(name), str))


def edges_of(entry: Any) -> Any:
    """The inputs as written in the document: ``call:`` of a nested model, else ``inputs:``."""
    return entry.call if isinstance(entry, Model) else entry.inputs


def reads_previous(entry: Any) -> bool:
    """Whether an entry names no inputs, so that it takes the output of the entry before it."""
    edges = edges_of(entry)
    return edges is None or (isinstance(entry, Op) and edges == ())


def names_read(item: Any) -> Any:
    """The tensor names in a structure of operands or arguments."""
    if isinstance(item, str):
        yield item
    elif isinstance(item, (list, tuple)):
        for inner in item:
            yield from names_read(inner)
    elif isinstance(item, dict) and not SPECIAL & set(item):
        for inner in item.values():
            yield from names_read(inner)


def constant(value: Any) -> Any:
    """A constant operand: ``{value: [...], dtype: float32}`` is an array."""
    if isinstance(value, dict) and "value" in value and isinstance(value.get("dtype"), str):
        return Array(value["value"], value["dtype"], value.get("tensor") is True)
    return value


def is_one(args: Any) -> bool:
    """Whether it is a list of one item."""
    return isinstance(args, (list, tuple)) and len(args) == 1


def open_arguments(values: list[Any]) -> dict[str, Any]:
    """Positional arguments of a call with an unknown signature: the first is called ``inputs``."""
    return {"inputs" if i == 0 else f"*{i}": value for i, value in enumerate(values)}


def names_in(nest: Any, path: Path = ()) -> list[tuple[str, Path]]:
    """Every name in a structure, with its path."""
    if isinstance(nest, str):
        return [(nest, path)]
    items = nest.items() if isinstance(nest, dict) else enumerate(nest)
    return [found for key, item in items for found in names_in(item, (*path, key))]


def edges_of_broken(entry: Any) -> list[tuple[str, Path]]:
    """The names of tensors that an invalid entry certainly reads, with their paths.

    In a mapping, only tensor arguments of the layer's call count: others may be any text.
    """
    edges = entry.inputs
    if not isinstance(edges, dict):
        return _strings(edges, ())
    cls = layer_class(entry.type_name) if isinstance(entry, InvalidEntry) else None
    kinds = {} if cls is None else {name: kind for name, _, kind in _layer_signature(cls)}
    given = [(key, item) for key, item in edges.items() if kinds.get(key) in ("tensor", "tensors")]
    return [found for key, item in given for found in _strings(item, (key,))]


def _strings(nest: Any, path: Path) -> list[tuple[str, Path]]:
    """Every string in nested lists, with its path."""
    if isinstance(nest, str):
        return [(nest, path)]
    items = enumerate(nest) if isinstance(nest, (list, tuple)) else ()
    return [found for i, item in items for found in _strings(item, (*path, i))]


def leaves(args: Any) -> Any:
    """The leaves of nested lists and mappings."""
    if isinstance(args, dict):
        args = list(args.values())
    if isinstance(args, (list, tuple)):
        for item in args:
            yield from leaves(item)
    else:
        yield args


Signature = Sequence[tuple[str, bool, str]]
"""Call arguments as (name, required, kind)."""


def call_signature(unit: Unit) -> Signature:
    """The call arguments of a layer or nested model."""
    if unit.graph is not None:
        extra = [("training", False, "value"), ("mask", False, "tensor")]
        return [
            (name, not spec.optional, "tensor") for name, spec in unit.graph.input_specs.items()
        ] + extra
    return _layer_signature(type(unit.layer))


@cache
def _layer_signature(cls: type[Layer]) -> Signature:
    return tuple((a.name, a.required, a.kind) for a in cls.call_arguments)


def only_tensor(unit: Unit) -> str | None:
    """The first argument of a layer's call if it is a tensor and the only required one.

    None for operations, whose operands have no names.
    """
    return None if unit.graph is not None else _only_tensor(type(unit.layer))


@cache
def _only_tensor(cls: type[Layer]) -> str | None:
    first, *others = _layer_signature(cls) or (("", False, ""),)
    if cls.is_operation or cls.takes_any_arguments or any(required for _, required, _ in others):
        return None
    return first[0] if first[2] == "tensor" else None


def has_open_signature(unit: Unit) -> bool:
    """Whether the call takes arguments that specfmt does not know (a custom layer)."""
    return unit.graph is None and unit.layer.takes_any_arguments


def some_of(names: Any) -> str:
    """The first twelve names, for a message."""
    shown = list(islice((name for name in names if name and ":" not in name), 13))
    return ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "")
