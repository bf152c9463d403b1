"""Inputs of models: from an InputLayer, or (before Keras 3) from the config of the first layer."""

from __future__ import annotations

from typing import Any

from specfmt.diagnostics import Path
from specfmt.formats.config.context import KERAS_1, Context
from specfmt.formats.config.reading import Json, as_list, fail, show
from specfmt.layers.former_types import current_type
from specfmt.layers.registry import layer_class

TIMED = "TimeDistributedDense"
"""The class of a Keras 0 Dense whose ``input_dim`` is the feature size of a time step."""

OLD_DTYPES = {"float": "float32", "double": "float64", "half": "float16", "int": "int32"}
"""Names of dtypes in files of Keras 1 and 2."""


def input_spec(batch_shape: Any, dtype: Any, path: Path) -> Json:
    """An input from its shape with the batch axis.

    Raises:
        SpecError: SF403 if the shape is invalid.
    """
    sizes = as_list(batch_shape, path, "a shape")
    if not sizes:
        fail("SF403", "expected a shape with a batch axis, received an empty list", path)
    batch, *shape = [_size(size, (*path, i)) for i, size in enumerate(sizes)]
    spec: Json = {"shape": shape}
    if dtype is not None and not isinstance(dtype, str):
        fail("SF403", f"expected a dtype, received {show(dtype)}", path)
    if dtype and OLD_DTYPES.get(dtype, dtype) != "float32":
        spec["dtype"] = OLD_DTYPES.get(dtype, dtype)
    if batch is not None:
        spec["batch_size"] = batch
    return spec


def _size(size: Any, path: Path) -> int | None:
    if isinstance(size, float) and size.is_integer():
        size = int(size)
    if size is None or size == -1:
        return None
    if not isinstance(size, int) or isinstance(size, bool) or size < 0 or size >= 2**63:
        fail("SF403", f"expected a size from 0, received {show(size)}", path)
    return size


def layer_input(
    class_name: str, config: Any, path: Path, context: Context, build_shape: Any
) -> Json | None:
    """The input of a Sequential whose first layer is this one; None if it has no input shape."""
    if not isinstance(config, dict):
        return None
    dtype = _input_dtype(config)
    for key in ("batch_input_shape", "batch_shape", "batchInputShape"):
        if config.get(key) is not None:
            return input_spec(config[key], dtype, (*path, key))
    if context.legacy and config.get("input_shape") is not None:
        shape = as_list(config["input_shape"], (*path, "input_shape"), "a shape")
        return input_spec([None, *shape], dtype, (*path, "input_shape"))
    if build_shape is not None:
        return input_spec(build_shape, dtype, path)
    if context.generation > KERAS_1:
        return None
    length = config.get("input_length")
    cls = layer_class(current_type(class_name))
    if cls is not None and cls.reads_indices:
        return input_spec([None, length], dtype, path)
    if config.get("input_dim") is not None:
        timed = class_name == TIMED or (cls is not None and cls.reads_sequences)
        sizes = [length, config["input_dim"]] if timed else [config["input_dim"]]
        return input_spec([None, *sizes], dtype, (*path, "input_dim"))
    return None


def _input_dtype(config: Json) -> Any:
    """A layer's input dtype; None for a policy such as mixed_float16."""
    dtype = config.get("input_dtype", config.get("dtype"))
    if not isinstance(dtype, str) or dtype.startswith("mixed_"):
        return None
    return dtype
