"""Keeping the masks of a Keras 2 model in Keras 3, by passing them as arguments.

Keras 2 and 3 propagate masks with tensors by different rules (`specfmt.formats.keras2.masks`).
Where a layer would get another mask in Keras 3, its call gets the mask of Keras 2 as an argument,
computed by operations of the spec.  A layer that skips masked steps only in Keras 3 becomes an
operation, which ignores masks.  Both targets then compute what the imported model computes.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.formats.keras2.masks import Change, Follower, follow, is_along_last_axis
from specfmt.graph.model import Graph, Node, Value, map_leaves
from specfmt.layers.base import Layer, is_floating
from specfmt.layers.merging import Concatenate, Merge

Entry = dict[str, Any]

AND: Final = "logical_and"


def keep_masks(document: dict[str, Any], graph: Graph) -> tuple[dict[str, Any], list[Change]]:
    """A document whose masks in Keras 3 are those of Keras 2.

    Args:
        document: A spec as imported from Keras 1 or 2.
        graph: Its graph.

    Returns:
        The document, and the differences that remain.
    """
    found: list[Change] = []
    keeper = _Keeper(found, _Names(graph))
    follow(keeper, graph)
    if not keeper.edits:
        return document, found
    document = deepcopy(document)
    # From last to first, so that earlier paths stay valid.
    for path, edit in sorted(keeper.edits.items(), key=lambda item: item[0], reverse=True):
        entries: Any = document
        for part in path[:-1]:
            entries = entries[part]
        at: Any = path[-1]
        entry = [] if edit.fields is None else [entries[at] | edit.fields]
        entries[at : at + 1] = [*edit.before, *entry]
    return document, found


@dataclass(eq=False)
class _Mask:
    """A mask of Keras 2 as an operation of the spec.

    Attributes:
        name: The name of its entry.
        function: The operation; empty for a tensor that the document already has.
        operands: Names of tensors, masks, numbers, or lists of them.
        fields: Fields of the operation.
    """

    name: str
    function: str = ""
    operands: tuple[Any, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Edit:
    """The change of an entry.

    Attributes:
        before: Entries to insert before it.
        fields: Fields to set; None to remove the entry.
    """

    before: list[Entry]
    fields: dict[str, Any] | None


class _Names:
    """Unused names for new entries."""

    def __init__(self, graph: Graph) -> None:
        self.taken = {*graph.inputs, *(node.name for node in graph.nodes)}

    def claim(self, name: str) -> str:
        free, count = name, 1
        while free in self.taken:
            count += 1
            free = f"{name}_{count}"
        self.taken.add(free)
        return free


class _Keeper(Follower):
    """Tracks masks of both versions, and passes the mask of Keras 2 to each call that differs.

    Attributes:
        edits: Path of an entry -> its change.
    """

    def __init__(self, found: list[Change], names: _Names) -> None:
        super().__init__(found)
        self.names = names
        self.masks: dict[Value, _Mask] = {}
        self.edits: dict[Path, _Edit] = {}
        self.written: set[_Mask] = set()
        self.explicit: set[Node] = set()
        self.operations: set[Node] = set()

    def inside(self, graph: Graph) -> Follower:
        keeper = _Keeper(self.found, _Names(graph))
        keeper.edits, keeper.explicit, keeper.operations = (
            self.edits,
            self.explicit,
            self.operations,
        )
        return keeper

    def follow(self, node: Node) -> None:
        super().follow(node)
        for value in node.outputs:
            if node in self.operations:
                self.keras_3.pop(value, None)
            elif node in self.explicit:
                self.keras_3.pop(value, None)
                if value in self.keras_2:
                    self.keras_3[value] = self.keras_2[value]
        if node.unit.graph is None and any(value in self.keras_2 for value in node.outputs):
            mask = self._mask_of(node)
            if mask is not None:
                self.masks.update((v, mask) for v in node.outputs if v in self.keras_2)

    def refuse(self, node: Node) -> None:
        if node.path not in self.edits and not self._keep(node):
            super().refuse(node)

    # -- the masks of Keras 2 ------------------------------------------------------------------

    def _mask_of(self, node: Node) -> _Mask | None:
        """The mask of a call's outputs in Keras 2; None if it cannot be expressed."""
        layer = node.layer
        given = node.args.get("mask")
        if isinstance(given, Value):
            return _Mask(given.name)
        inputs = list(node.inputs())
        masks = [self.masks.get(value) for value in inputs]
        known = {value for value, mask in zip(inputs, masks, strict=True) if mask is not None}
        if any(self.keras_2.get(value) is not None for value in set(inputs) - known):
            return None
        there = [mask for mask in masks if mask is not None]
        name = f"{node.name}_mask"
        if isinstance(layer, Merge) and there:
            if isinstance(layer, Concatenate) and not is_along_last_axis(layer, node):
                if len(there) < len(masks):
                    return None
                return _Mask(name, "concatenate", (tuple(there),), {"axis": layer.axis})
            together = list(dict.fromkeys(there))
            return reduce(lambda one, other: _Mask(name, AND, (one, other)), together)
        if there:
            return there[0]
        if type(layer).mask_operations is Layer.mask_operations:
            return None
        made: Any = layer.mask_operations(
            lambda function, *operands, **fields: _Mask(
                f"{node.name}_{function}", function, operands, fields
            ),
            inputs[0],
            None,
        )
        if not isinstance(made, _Mask):
            return None
        made.name = name
        return made

    # -- the entries ---------------------------------------------------------------------------

    def _keep(self, node: Node) -> bool:
        """Change a call so that it behaves as in Keras 2; returns whether that was possible."""
        if node.unit.graph is not None or self.reads_otherwise(node):
            return False
        if isinstance(node.layer, Merge):
            return self._as_operation(node, node.layer)
        names = [argument.name for argument in node.layer.call_arguments]
        before: list[Entry] = []
        inputs = {name: map_leaves(item, _reference) for name, item in node.args.items()}
        for name, value in node.args.items():
            mask = "mask" if name == names[0] and "mask" in names else f"{name}_mask"
            if mask in node.args or not self.differs_in(value, node):
                continue
            if not isinstance(value, Value):
                return False
            if self.keras_2.get(value) is None:
                if not is_floating(value.dtype):
                    return False
                inputs[name] = self.names.claim(f"{value.name}_unmasked")
                # The result of an operation has no mask.
                entry = {"op": "multiply", "name": inputs[name], "inputs": [value.name, 1]}
                before.append(entry)
            elif mask in names and value in self.masks:
                self._write(self.masks[value], before)
                inputs[mask] = self.masks[value].name
            else:
                return False
        self.explicit.add(node)
        self.edits[node.path] = _Edit(before, {"inputs": inputs})
        return True

    def _as_operation(self, node: Node, layer: Merge) -> bool:
        """Replace a merging layer that skips masked steps only in Keras 3 by an operation."""
        values = list(node.inputs())
        alone = len(node.unit.calls) == 1 and not layer.model_fields_set - {"name", "inputs"}
        ranks = {len(value.shape or ()) for value in values}
        if not alone or len(ranks) > 1 or any(v.dtype != "float32" for v in values):
            return False
        function = layer.type_name.lower()
        entries: list[Entry] = []
        left = values[0].name
        for count, value in enumerate(values[1:], 2):
            last = count == len(values)
            name = node.name if last else self.names.claim(f"{node.name}_of_{count}")
            entries.append({"op": function, "name": name, "inputs": [left, value.name]})
            left = name
        self.operations.add(node)
        self.edits[node.path] = _Edit(entries, None)
        return True

    def _write(self, mask: _Mask, entries: list[Entry]) -> None:
        """Add the entries of a mask that do not exist yet, operands first."""
        if not mask.function or mask in self.written:
            return
        self.written.add(mask)
        for operand in mask.operands:
            for item in operand if isinstance(operand, tuple) else (operand,):
                if isinstance(item, _Mask):
                    self._write(item, entries)
        mask.name = self.names.claim(mask.name)
        inputs = [map_leaves(operand, _reference) for operand in mask.operands]
        entries.append({"op": mask.function, "name": mask.name, "inputs": inputs, **mask.fields})


def _reference(item: Any) -> Any:
    """The name by which an entry refers to a tensor or a mask; anything else is unchanged."""
    return item.name if isinstance(item, (Value, _Mask)) else item
