"""Dtype policies and quantizations of layers, as Keras writes them."""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.fields.types import quantized_policy
from specfmt.formats.config.reading import Json, as_map, as_text


def is_default_quantization(value: Any) -> bool:
    """Whether a quantization config is Keras's default: int8, scaled by the largest absolute value."""
    config = value.get("config") if isinstance(value, dict) else None
    if not isinstance(config, dict) or value.get("class_name") != "Int8QuantizationConfig":
        return False
    quantizer = config.get("activation_quantizer")
    own = quantizer.get("config") if isinstance(quantizer, dict) else None
    return config.get("weight_quantizer") is None and (
        quantizer is None
        or (
            quantizer.get("class_name") == "AbsMaxQuantizer"
            and isinstance(own, dict)
            and all(own.get(key, value) == value for key, value in ABS_MAX.items())
        )
    )


ABS_MAX: Final[Json] = {
    "axis": None,
    "value_range": [-127, 127],
    "epsilon": 1e-7,
    "output_dtype": "int8",
}
"""The default arguments of `keras.quantizers.AbsMaxQuantizer`."""


def read_policy(dtype: Any, path: Path) -> Any:
    """A layer's dtype: a name, or the config of a quantized dtype policy."""
    if dtype is None or isinstance(dtype, str):
        return (quantized_policy(dtype) or current_name(dtype)) if dtype else None
    mapping = as_map(dtype, path, "a dtype")
    config = mapping.get("config")
    if mapping.get("class_name") in POLICIES:
        config = as_map(config, (*path, "config"), "a dtype policy")
        name = config.get("name")
        return current_name(as_text(name, (*path, "config", "name"), "the name of a dtype policy"))
    return mapping


POLICIES: Final = ("DTypePolicy", "FloatDTypePolicy", "Policy", "PolicyV1", "AutoPolicy")
"""Classes of policies that their name defines, in all generations of Keras."""

FLOAT32_VARIABLES: Final = "_with_float32_vars"
"""The suffix that TensorFlow 2.0 wrote for mixed precision (`keras.mixed_precision.experimental`)."""


def current_name(name: str) -> str | None:
    """The current name of a policy; None if it takes the dtype of its inputs, as TensorFlow 2.0's
    ``infer`` did."""
    start = name.removesuffix(FLOAT32_VARIABLES)
    if start in ("infer", "_infer"):
        return None
    return start if start in (name, "float32") else f"mixed_{start}"
