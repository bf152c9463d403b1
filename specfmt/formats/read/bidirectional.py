"""Undoing what `keras.layers.Bidirectional` changes in the configs of its two layers."""

from __future__ import annotations

from typing import Any

from specfmt.formats.config.reading import Json
from specfmt.layers.wrappers import Bidirectional
from specfmt.vocab.base import CUSTOM
from specfmt.vocab.naming import to_snake_case

FORWARD, BACKWARD = "forward_", "backward_"
"""Prefixes that `Bidirectional` adds to the names of its two layers."""


def without_forced_zeros(layer: Any) -> Any:
    """A layer of a Bidirectional without ``zero_output_for_mask``, which follows from its
    ``return_sequences``."""
    config = layer.get("config") if isinstance(layer, dict) else None
    if not isinstance(config, dict) or "zero_output_for_mask" not in config:
        return layer
    if config["zero_output_for_mask"] != config.get("return_sequences"):
        return layer
    kept = {key: value for key, value in config.items() if key != "zero_output_for_mask"}
    return {**layer, "config": kept}


def holds_known(entry: Json) -> bool:
    """Whether specfmt knows the layers of a Bidirectional; if one is user-defined, the whole
    Bidirectional is kept as a custom layer."""
    held = (entry.get("layer"), entry.get("backward_layer"))
    return entry["type"] != Bidirectional.type_name or not any(
        isinstance(layer, dict) and layer.get("type") == CUSTOM for layer in held
    )


def undo_bidirectional(values: Json) -> None:
    """Undo, in place, what `keras.layers.Bidirectional` changes in its layers."""
    forward = values.get("layer")
    if not isinstance(forward, dict):
        return
    if isinstance(forward.get("name"), str):
        name = forward["name"].removeprefix(FORWARD)
        forward = {**forward, "name": name}
        if name == to_snake_case(forward["type"]):
            del forward["name"]
        values["layer"] = forward
    backward = values.get("backward_layer")
    if not isinstance(backward, dict):
        return
    own = forward.get("name") or to_snake_case(forward["type"])
    mirrored = {**forward, "name": BACKWARD + own, "go_backwards": True}
    if backward == mirrored:
        del values["backward_layer"]
