"""Which Keras wrote a file: by its version if it says one, else by what it looks like."""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.context import KERAS_0, KERAS_1, KERAS_2, KERAS_3
from specfmt.formats.locate import Located

KERAS_1_KEYS: Final = frozenset(
    {
        "nb_filter",
        "border_mode",
        "W_regularizer",
        "U_regularizer",
        "b_regularizer",
        "W_constraint",
        "b_constraint",
        "U_constraint",
        "inner_activation",
        "inner_init",
        "dim_ordering",
        "subsample",
        "nb_row",
        "input_dtype",
        "pool_length",
        "dropout_W",
        "consume_less",
        "concat_axis",
    }
)
KERAS_1_CLASSES: Final = frozenset(["Merge", "TimeDistributedDense", "Highway", "MaxoutDense"])
MAX_LOOK: Final = 20_000
"""How many values are looked at before Keras 2 is assumed."""


def detect_generation(source: Located) -> int:
    """Keras's major version: 0, 1, 2 or 3."""
    topology = source.topology
    if "class_name" not in topology:
        return KERAS_0
    version = source.version
    if version and version[:2] in ("0.", "1."):
        return KERAS_1
    if version and (version[:2] == "2." or version.startswith("tfjs")):
        return KERAS_2
    if version and version[:2] == "3.":
        return KERAS_3
    return _by_looks(topology)


def find_dim_ordering(source: Located, generation: int) -> str:
    """Keras 1's global ``dim_ordering``, as the first layer that writes it says."""
    level: list[Any] = [source.topology]
    looked = 0
    while level and looked < MAX_LOOK:
        below: list[Any] = []
        for value in level:
            looked += 1
            if isinstance(value, dict):
                if value.get("dim_ordering") in ("th", "tf"):
                    return str(value["dim_ordering"])
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        level = [value for value in below if isinstance(value, (dict, list))]
    return "th" if generation == KERAS_0 else "tf"


def _by_looks(topology: Any) -> int:
    """Breadth first, so that the layers of the outermost model decide."""
    level: list[Any] = [topology]
    looked = 0
    while level and looked < MAX_LOOK:
        below: list[Any] = []
        for value in level:
            looked += 1
            if isinstance(value, dict):
                found = _sign(value)
                if found is not None:
                    return found
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        level = [value for value in below if isinstance(value, (dict, list))]
    return KERAS_2


def _sign(value: dict[str, Any]) -> int | None:
    class_name = value.get("class_name")
    if class_name in ("DTypePolicy", "__keras_tensor__") or "batch_shape" in value:
        return KERAS_3
    if isinstance(class_name, str) and class_name in KERAS_1_CLASSES:
        return KERAS_1
    if (
        "batch_input_shape" in value
        and "input_dtype" not in value
        and not KERAS_1_KEYS & value.keys()
    ):
        return KERAS_2
    if KERAS_1_KEYS & value.keys():
        return KERAS_1
    return None
