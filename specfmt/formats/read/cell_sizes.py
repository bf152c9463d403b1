"""Sizes of user-defined cells, from the shapes that Keras 3 writes into a file."""

from __future__ import annotations

from typing import Any

from specfmt.formats.config.reading import Json
from specfmt.layers.recurrent_cells import RNN, StackedRNNCells
from specfmt.layers.wrappers import Bidirectional
from specfmt.vocab.base import CUSTOM


def add_sizes_between(entries: list[Json], cells: list[Any]) -> None:
    """Set ``shape`` of user-defined cells of a stack from the shapes for which the cells behind
    them were built.

    Args:
        entries: The cells as entries of a spec; they are changed in place.
        cells: The same cells as the source has them.
    """
    for entry, following in zip(entries, cells[1:], strict=False):
        if entry.get("type") != CUSTOM or entry.get("shape") is not None:
            continue
        built = following.get("build_config") if isinstance(following, dict) else None
        shape = built.get("input_shape") if isinstance(built, dict) else None
        if isinstance(shape, list) and len(shape) == 2 and _is_size(shape[-1]):
            entry["shape"] = [shape[-1]]


def add_cell_sizes(entry: Json, shapes: list[list[Any] | None]) -> None:
    """Set ``shape`` of the user-defined cell whose output a recurrent layer returns.

    Args:
        entry: The entry of any layer; it is changed in place.
        shapes: The shape of each of its outputs without the batch axis, as far as it is known.
    """
    output = shapes[0] if shapes else None
    size: Any = output[-1] if output else None
    if entry["type"] == Bidirectional.type_name:
        if entry.get("merge_mode", "concat") == "concat" and _is_size(size):
            size = None if size % 2 else size // 2
        for side in ("layer", "backward_layer"):
            _set(entry.get(side), size, [])
    elif "layer" in entry:
        _set(entry["layer"], size, [])
    else:
        _set(entry, size, shapes[1:] if entry.get("return_state") else [])


def _set(entry: Any, size: Any, states: list[list[Any] | None]) -> None:
    if not isinstance(entry, dict) or entry.get("type") != RNN.type_name:
        return
    cell = entry.get("cell")
    while isinstance(cell, list) or (
        isinstance(cell, dict) and cell.get("type") == StackedRNNCells.type_name
    ):
        cells: list[Any] = cell if isinstance(cell, list) else cell.get("cells") or [None]
        cell, states = cells[-1], []  # they are those of all cells
    if isinstance(cell, dict) and cell.get("type") == CUSTOM and cell.get("shape") is None:
        found = [state if state and _is_size(state[-1]) else None for state in states]
        output = [size] if _is_size(size) else None
        if not found or found == [output]:
            cell["shape"] = output
        else:
            cell["shape"] = [output, *found]
        if output is None and not any(found):
            del cell["shape"]


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
