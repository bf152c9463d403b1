"""Simplifying configs of Keras 3 layers, and the inverse.

Keras normalizes arguments before it writes them: a kernel size of 3 becomes ``[3, 3]``, omitted
strides become the pool size, a factor of 0.1 becomes ``[-0.1, 0.1]``.  `simplify` undoes this for an
import; `complete` does it for an export.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.config.reading import Json
from specfmt.layers.base import Layer

SIZE_FIELDS: Final = frozenset(
    (
        "kernel_size strides pool_size dilation_rate size padding cropping output_padding "
        "output_size"
    ).split()
)
"""Fields with one number (or pair) per axis, for which a single number means all axes."""

POOL_STRIDES: Final = ("strides", "pool_size")
"""Fields of pooling layers: the default of the strides is the pool size."""

RESOLVED_DATA_FORMAT: Final = "channels_last"

NOT_ARGUMENTS: Final = frozenset({"vocabulary_size", "bounding_box_format"})
"""Keys that Keras 3 writes for information, or for inputs other than images."""

HIDDEN_DEFAULTS: Final[dict[str, Any]] = {"oov_method": "floormod"}
"""Arguments at their defaults that a class only passes on to its base class."""

LAYER_FIELDS: Final = ("layer", "backward_layer", "cell")
LAYER_LIST_FIELDS: Final = ("cells", "layers")
"""Fields that contain layers."""


def simplify(cls: type[Layer], config: Json, query: int | None = None) -> Json:
    """A layer's config in its shortest form, as an author would write it.

    Args:
        cls: The layer's class.
        config: The fields, with activations, initializers etc. already read.
        query: The rank of an attention layer's query, if the source has it (see `query_rank`).
    """
    result: Json = {}
    for key, value in config.items():
        if key in NOT_ARGUMENTS or (key == "data_format" and value == RESOLVED_DATA_FORMAT):
            continue
        if (key in SIZE_FIELDS and not cls.is_operation) or key == "salt":
            value = shortest_size(value)  # operations keep sizes as they were given
        elif key == "axis" and cls.lists_axes and isinstance(value, (list, tuple)):
            value = value[0] if len(value) == 1 else list(value)
        elif key in cls.factor_fields and cls.factor_from:
            value = single_factor(value, cls.factor_from)
        result[key] = value
    strides, pool = POOL_STRIDES
    if pool in result and result.get(strides) == result[pool]:
        result.pop(strides, None)
    _remove_derived(result, query)
    cls.remove_derived(result)
    for key in AXES:
        if isinstance(result.get(key), list) and len(result[key]) == 1:
            result[key] = result[key][0]
    return result


def shortest_size(value: Any) -> Any:
    """``[3, 3]`` as ``3``, ``[[1, 1], [2, 2]]`` as ``[1, 2]``; anything else unchanged."""
    if not isinstance(value, (list, tuple)) or not value:
        return value
    items = list(value)
    if all(isinstance(item, (list, tuple)) for item in items):
        inner = [shortest_size(item) for item in items]
        if all(type(item) is int for item in inner):
            items = inner
    if all(type(item) is int for item in items) and len(set(items)) == 1:
        return items[0]
    return items


def single_factor(value: Any, low: str) -> Any:
    """``[-0.1, 0.1]`` as ``0.1`` if Keras expands the latter to the former."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return value
    first, last = value
    if not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in value):
        return value
    return last if first == range_start(low, last) else value


def range_start(low: str, last: float) -> float:
    """Where a range starts that one number stands for (see `Layer.factor_from`)."""
    return {"zero": 0, "one": 1}.get(low, -last)


def _remove_derived(config: Json, query: int | None) -> None:
    """Remove arguments that Keras fills in from other arguments or from the input shape."""
    if "key_dim" in config and config.get("value_dim") == config["key_dim"]:
        del config["value_dim"]
    if query is not None and config.get("attention_axes") == list(range(1, query - 1)):
        del config["attention_axes"]


def query_rank(build_config: Any) -> int | None:
    """The rank of an attention layer's query, from the shapes that the layer was built with."""
    if not isinstance(build_config, dict):
        return None
    shapes = build_config.get("shapes_dict")
    shape = shapes.get("query_shape") if isinstance(shapes, dict) else None
    return len(shape) if isinstance(shape, list) else None


def resolve(cls: type[Layer], config: Json) -> None:
    """Normalize, in place, arguments as all Keras versions do: sizes, factors, strides, formats."""
    rank = cls.rank
    for key, value in config.items():
        if key == "data_format" and value is None:
            config[key] = RESOLVED_DATA_FORMAT
        elif key in cls.paired_sizes:
            config[key] = per_axis(value, rank if rank > 1 else 2, pairs=rank > 1)
        elif key in SIZE_FIELDS and rank and _is_size(cls, key, value):
            config[key] = per_axis(value, rank, pairs=False)
        elif cls.lists_axes and key == "axis" and isinstance(value, int):
            config[key] = [value]
        elif key == "salt" and value is not None:
            config[key] = per_axis(value, 2, pairs=False)
        elif key in cls.factor_fields and cls.factor_from and isinstance(value, (int, float)):
            config[key] = [range_start(cls.factor_from, value), value]
    cls.convert_arguments(config)
    strides, pool = POOL_STRIDES
    if pool in config and config.get(strides) is None:
        config[strides] = config[pool]


def _is_size(cls: type[Layer], key: str, value: Any) -> bool:
    """Whether the value of a field is a size per axis, not a mode or a single number."""
    is_number = key in cls.model_fields and cls.model_fields[key].annotation is int
    return value is not None and not isinstance(value, str) and not is_number


def complete(cls: type[Layer], config: Json, args: dict[str, Any] | None) -> None:
    """Normalize, in place, a layer's config as Keras does: the inverse of `simplify`.

    Args:
        cls: The layer's class.
        config: All arguments, in the form of the spec.
        args: The arguments of the layer's first call; None if it is not built.
    """
    resolve(cls, config)
    for key in AXES:
        if type(config.get(key)) is int:
            config[key] = [config[key]]
    if cls.sorts_axes:
        config["axis"] = sorted(config["axis"])
    if config.get("groups") == -1 and args is not None:
        config["groups"] = next(iter(args.values())).shape[config["axis"]]
    if config.get("renorm") and config.get("renorm_clipping") is None:
        config["renorm_clipping"] = {}
    if config.get("lora_rank") and args is not None and not cls.applies_lora_alpha:
        config["lora_alpha"] = config["lora_rank"]  # `enable_lora`, which `build` calls
    if "value_dim" in config and not config["value_dim"]:
        config["value_dim"] = config["key_dim"]
    query = (args or {}).get("query")
    if "attention_axes" in config and config["attention_axes"] is None and query is not None:
        config["attention_axes"] = list(range(1, len(query.shape) - 1))
    elif config.get("attention_axes") and query is not None:
        config["attention_axes"] = [axis % len(query.shape) for axis in config["attention_axes"]]


def per_axis(value: Any, rank: int, *, pairs: bool) -> Any:
    """A single number as a list with one number per axis, or one (before, after) pair per axis."""
    items = list(value) if isinstance(value, (list, tuple)) else [value] * rank
    if not pairs:
        return items
    return [list(item) if isinstance(item, (list, tuple)) else [item, item] for item in items]


AXES: Final = ("shared_axes", "attention_axes", "output_shape")
"""Fields of which a single number is written as a list."""

WRITTEN_WHERE_SET: Final = frozenset({"lora_rank", "lora_alpha", "gptq_unpacked_column_size"})
"""Arguments that are written only if they are not None."""
