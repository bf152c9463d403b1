"""Detecting the Keras version that wrote a file, by its version field or else by its structure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from specfmt.formats.config.context import KERAS_0, KERAS_1, KERAS_2, KERAS_3
from specfmt.formats.source.locate import Located

KERAS_1_KEYS: Final = frozenset(
    (
        "nb_filter border_mode W_regularizer U_regularizer b_regularizer W_constraint "
        "b_constraint U_constraint inner_activation inner_init dim_ordering subsample "
        "nb_row input_dtype pool_length dropout_W consume_less concat_axis"
    ).split()
)
KERAS_1_CLASSES: Final = frozenset(["Merge", "TimeDistributedDense", "Highway", "MaxoutDense"])
MAX_LOOK: Final = 20_000
"""The most mappings and lists that are inspected before Keras 2 is assumed."""


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
    """The global ``dim_ordering`` of Keras 1, from the first layer that has it."""
    for mapping in _mappings(source.topology):
        if mapping.get("dim_ordering") in ("th", "tf"):
            return str(mapping["dim_ordering"])
    return "th" if generation == KERAS_0 else "tf"


def _by_looks(topology: Any) -> int:
    if _starts_with_batch_shape(topology):
        return KERAS_3
    signs = (_sign(mapping) for mapping in _mappings(topology))
    return next((sign for sign in signs if sign is not None), KERAS_2)


def _starts_with_batch_shape(topology: Any) -> bool:
    """Whether the first layer is an InputLayer of Keras 3, which makes a search unnecessary."""
    try:
        first = topology["config"]["layers"][0]
        return first["class_name"] == "InputLayer" and "batch_shape" in first["config"]
    except (KeyError, IndexError, TypeError):
        return False


def _mappings(topology: Any) -> Iterator[dict[str, Any]]:
    """All mappings, breadth-first, so that the layers of the outermost model come first."""
    queue = deque([topology])
    for _ in range(MAX_LOOK):
        if not queue:
            return
        value = queue.popleft()
        if isinstance(value, dict):
            yield value
        inner = value.values() if isinstance(value, dict) else value
        queue.extend(item for item in inner if isinstance(item, (dict, list)))


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
