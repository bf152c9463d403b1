"""Converting layers of Keras 0 to 2 (and tf.keras 1.4 to 2.15) to Keras 3's names.

Sources: tf_keras 2.21 (`tf_keras.src.layers`) for the meaning of the arguments, and files of 2.0 to
2.15 for the config keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.fields.validation import keys_of
from specfmt.formats.config.context import KERAS_1, Context
from specfmt.formats.config.former_arguments import current_arguments, with_former_defaults
from specfmt.formats.config.reading import Json, fail
from specfmt.formats.read import keras1
from specfmt.layers.base import Layer
from specfmt.layers.categorical import Lookup
from specfmt.layers.former_types import FORMER_TYPE_ARGUMENTS, FORMER_TYPES
from specfmt.layers.preprocessing_categories import Discretization
from specfmt.layers.registry import layer_class

OUTPUT_MODES: Final = {"binary": "multi_hot", "tf-idf": "tf_idf"}
"""Names of output modes in the first releases of the preprocessing layers."""

DERIVED: Final = frozenset(
    (
        "query_shape key_shape value_shape rng_type input_spec has_static_table has_input_vocabulary "
        "vocabulary_size _output_shape"
    ).split()
)
"""Config keys that are not arguments; Keras 3 determines their values itself."""


def to_keras_3(class_name: str, config: Json, context: Context, path: Path) -> tuple[str, Json]:
    """A layer of Keras 0 to 2 with Keras 3's class and argument names.

    Raises:
        SpecError: SF420 or SF422 if Keras 3 has no equivalent.
    """
    type_name = FORMER_TYPES.get(class_name, class_name)
    if context.generation <= KERAS_1:
        config = keras1.checked(class_name, config, path)
    cls = layer_class(type_name)
    if cls is None:
        return type_name, config
    if cls.keras_2_differs:
        fail(
            "SF422", f"{class_name} of Keras 2 {cls.keras_2_differs}, unlike that of Keras 3", path
        )
    keys = keys_of(cls)
    fields = {
        key: _plain(value)
        for key, value in config.items()
        if key not in DERIVED and not _belongs_elsewhere(cls, keys, key, config)
    }
    result = current_arguments(cls, fields, path, context)
    for key, value in FORMER_TYPE_ARGUMENTS.get(class_name, {}).items():
        result.setdefault(key, value)
    with_former_defaults(cls, result, context.generation)
    if context.generation <= KERAS_1:
        keras1.settle_axes(cls, result, context)
    axis = result.get("axis")
    if isinstance(axis, (list, tuple)) and len(axis) == 1:
        result["axis"] = axis[0]
    factor = result.get("factor")
    if cls.factor_from == "zero" and isinstance(factor, int | float):
        result["factor"] = [factor, factor]  # in Keras 3 a single number is only the upper limit
    mode = result.get("output_mode")
    if isinstance(mode, str):
        result["output_mode"] = OUTPUT_MODES.get(mode, mode)
    return type_name, result


def _belongs_elsewhere(
    cls: type[Layer], keys: Mapping[str, str], key: str, config: Mapping[str, Any]
) -> bool:
    """Whether a class only inherits an argument, or Keras 2 wrote something else under its name."""
    if key == "dtype":  # Keras 2 wrote the dtype of these layers' input or output
        counts = config.get("output_mode") not in (None, "int") and "int" in str(config[key])
        return issubclass(cls, Lookup) or (issubclass(cls, Discretization) and not counts)
    if key.startswith("kernel_") or key == "noise_shape":
        return key not in keys and ("depthwise_initializer" in keys or key == "noise_shape")
    return False


def _plain(value: Any) -> Any:
    """A number that Keras 2.2 wrote as ``{"type": ..., "value": ...}``."""
    if isinstance(value, dict) and set(value) == {"type", "value"}:
        return value["value"]
    return value
