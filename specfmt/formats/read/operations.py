"""Reading operations of `keras.ops` that Keras 3 recorded in a graph."""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.config.defaults import op_defaults, same
from specfmt.formats.config.reading import Json
from specfmt.formats.read.nodes import Call
from specfmt.layers.index import IRREGULAR_CLASSES, OPERATIONS
from specfmt.layers.naming import is_automatic
from specfmt.layers.registry import op_class
from specfmt.vocab.naming import to_snake_case

MODULE_PREFIX: Final = "keras.src.ops."

IRREGULAR: Final = {
    **{class_name: function for function, class_name in IRREGULAR_CLASSES.items()},
    "JVP": "jvp",
    "SSIM": "ssim",
}
"""Class -> function of `keras.ops`, where that is not the class name in snake case."""

FLOAT_DTYPE: Final = frozenset({"one_hot", "multi_hot"})
"""Operations whose functions in `keras.ops` fill in the default float dtype."""


def is_operation(item: Any) -> bool:
    """Whether a serialized layer is an operation of `keras.ops`."""
    if not isinstance(item, dict):
        return False
    module = item.get("module")
    if isinstance(module, str):
        return module.startswith(MODULE_PREFIX)
    return "module" not in item and _is_called_as_one(item)


def _is_called_as_one(item: Json) -> bool:
    """Whether an object in an ``.h5`` file of Keras 3, which has no modules, is an operation.

    Several operations have the class name of a layer: every layer writes whether it is trainable.
    """
    class_name, nodes, config = (
        item.get("class_name"),
        item.get("inbound_nodes"),
        item.get("config"),
    )
    if not isinstance(class_name, str) or not isinstance(nodes, list) or not nodes:
        return False
    if not isinstance(config, dict) or "trainable" in config or not knows_operation(class_name):
        return False
    return all(isinstance(node, dict) and isinstance(node.get("args"), list) for node in nodes)


def knows_operation(class_name: str) -> bool:
    """Whether specfmt defines the operation of this class."""
    return op_defaults(operation_name(class_name)) is not None


def operation_name(class_name: str) -> str:
    """``ExpandDims`` -> ``expand_dims``."""
    return IRREGULAR.get(class_name) or to_snake_case(class_name)


def operation_class(name: str) -> str:
    """The class name from which the automatic name of an operation is formed."""
    return OPERATIONS.get(name) or next(
        (class_name for class_name, function in IRREGULAR.items() if function == name), name
    )


def operation_entry(class_name: str, config: Json) -> Json:
    """The entry of an operation without connections: its name and constructor arguments."""
    name = operation_name(class_name)
    arguments = {key: value for key, value in config.items() if key not in ("name", "dtype")}
    if "dtype" in config and not isinstance(config["dtype"], dict):
        arguments["dtype"] = config["dtype"]
    if name in FLOAT_DTYPE and is_automatic(str(config.get("name")), class_name):
        arguments = {k: v for k, v in arguments.items() if (k, v) != ("dtype", "float32")}
    return {"op": name, **drop_op_defaults(name, arguments)}


def drop_op_defaults(name: str, arguments: Json) -> Json:
    """Arguments that differ from the operation's defaults; None counts as not given."""
    defaults = op_defaults(name) or {}
    return {
        key: value
        for key, value in arguments.items()
        if not (same(value, defaults[key]) if key in defaults else value is None)
    }


def settle_call(name: str, call: Call) -> None:
    """Move positional arguments that are not operands to keywords, and drop those not given."""
    cls = op_class(name)
    if cls is not None and cls.positional_fields:
        count = len(cls.operands)
        rest, call.args = call.args[count:], call.args[:count]
        call.kwargs |= dict(zip(cls.positional_fields, rest, strict=False))
    optional = cls.optional_operands if cls is not None else ()
    while optional and call.args and call.args[-1] is None:
        call.args.pop()
    if any(call.kwargs.get(key) is not None for key in optional):
        missing = len(cls.operands) + len(optional) - len(call.args) if cls is not None else 0
        call.args += [call.kwargs.pop(key, None) for key in optional[-missing:]]
        while call.args[-1] is None:
            call.args.pop()
    call.kwargs = {
        key: value for key, value in call.kwargs.items() if value is not None or key == "key"
    }
