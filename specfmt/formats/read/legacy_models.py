"""Features of models of Keras 0 to 2: Merge layers, the Graph model, initial states as inputs."""

from __future__ import annotations

from typing import Any

from specfmt.diagnostics import Path
from specfmt.formats.config.reading import Json, as_list, as_map, as_text, fail, show
from specfmt.formats.read.assemble import Record, call_names
from specfmt.formats.read.input_shapes import input_spec
from specfmt.layers.former_types import MERGE_MODES
from specfmt.layers.merging import Concatenate, Dot
from specfmt.layers.registry import layer_class


def merge_entry(config: Any, path: Path, name: str) -> Json:
    """The layer equivalent to ``Merge(mode, concat_axis, dot_axes)`` of Keras 1.

    Raises:
        SpecError: SF420 for a mode without an equivalent: a function, or ``cos``.
    """
    config = as_map(config, path, "the config of Merge")
    mode = config.get("mode", "sum")
    type_name = MERGE_MODES.get(mode) if isinstance(mode, str) else None
    if type_name is None or mode == "cos":  # its output has one axis more than that of Dot
        modes = ", ".join(name for name in MERGE_MODES if name != "cos")
        fail(
            "SF420",
            f"expected mode to be one of {modes}, received {show(mode)}",
            (*path, "mode"),
            "rebuild this merge with a layer of Keras 3 or operations of keras.ops",
        )
    entry: Json = {"type": type_name, "name": name}
    if type_name == Concatenate.type_name:
        axis = config.get("concat_axis", -1)
        if axis != -1:
            entry["axis"] = axis
    if type_name == Dot.type_name:
        axes = config.get("dot_axes", -1)
        while (
            isinstance(axes, list)
            and axes
            and all(isinstance(a, list) and len(a) == 1 for a in axes)
        ):
            axes = [a[0] for a in axes]
        entry["axes"] = axes
    return entry


def graph_input(item: Any, path: Path) -> tuple[str, Json]:
    """An input of a Graph of Keras 0."""
    config = as_map(item, path, "an input")
    name = as_text(config.get("name"), (*path, "name"), "the name of an input")
    shape = as_list(config.get("input_shape"), (*path, "input_shape"), "a shape")
    dtype = config.get("dtype")
    return name, input_spec([None, *shape], None if dtype == "float" else dtype, path)


def bind_states(record: Record) -> None:
    """Keras 1 and 2 pass initial states in one list with the input; Keras 3 by name."""
    cls = layer_class(record.entry["type"]) if "type" in record.entry else None
    if cls is None or all(argument.name != "initial_state" for argument in cls.call_arguments):
        return
    for call in record.calls:
        if len(call.args) == 1 and isinstance(call.args[0], list) and len(call.args[0]) > 1:
            first, *states = call.args[0]
            call.args = [first]
            others = {k: v for k, v in call.kwargs.items() if k != "initial_state"}  # None there
            call.kwargs = {"initial_state": states, **others}


def place_required(record: Record) -> None:
    """Pass required arguments by position; Keras 2 writes all but the first by name."""
    required = [name for name, _, required in call_names(record.entry) if required]
    for call in record.calls:
        for name in required[len(call.args) :]:
            if name not in call.kwargs:
                break
            call.args.append(call.kwargs.pop(name))
