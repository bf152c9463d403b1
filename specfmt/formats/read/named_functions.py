"""Reading a Lambda whose function is stored by name: it is the function of Keras with that name.

Keras writes a Python function by name if it is Keras's or registered, and resolves the name in
`keras.activations` first.  It does not write the module of a function, so one of `keras.ops` or of the
user has the name only.  Source: `_retrieve_class_or_fn` of `keras/src/saving/serialization_lib.py`,
`Lambda.get_config` of `tf_keras/src/layers/core/lambda_layer.py`.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.formats.config.context import Context
from specfmt.formats.config.defaults import MISSING, op_defaults
from specfmt.formats.config.reading import Json, show
from specfmt.formats.read.nodes import Call
from specfmt.formats.read.operations import drop_op_defaults
from specfmt.formats.read.policies import read_policy
from specfmt.layers.core import Activation
from specfmt.layers.kept import LAMBDA
from specfmt.layers.registry import op_class
from specfmt.vocab.index import INDEX

MODULES: Final = ("builtins", "keras", "tf_keras", "tensorflow")
"""Packages whose functions are meant by their names."""

OTHER_DEFAULTS: Final[dict[str, Json]] = {"gelu": {"approximate": False}}
"""Function of `keras.activations` -> defaults that differ from those of `keras.ops`."""

UNUSED: Final = ("mask", "training")
"""Arguments of a Lambda's call that it hands to its function only if that has them."""


def named_function(
    context: Context, class_name: str, config: Any, policy: Any, path: Path
) -> Json | None:
    """The operation that a Lambda calls, or an Activation; None if it is another layer.

    Args:
        context: The import.
        class_name: The class of a serialized layer.
        config: Its config.
        policy: The model's dtype policy.
        path: Its path in the source.
    """
    name, arguments = function_of(class_name, config, policy, path)
    if not name:
        return None
    is_activation = name in INDEX["activation"]
    entry = _operation(name, arguments, is_activation=is_activation)
    if entry is None and is_activation and not arguments:
        entry = {"type": Activation.type_name, "activation": name}
    if entry is not None and not is_activation:
        warn_of(context, config, f"{name} of keras.ops", path)
    return entry


def function_of(class_name: str, config: Any, policy: Any, path: Path) -> tuple[str, Json]:
    """The name of a Lambda's function and its arguments; an empty name for other layers.

    A Lambda with another dtype policy than the model's casts its input, and is not read.
    """
    if class_name != LAMBDA or not isinstance(config, dict) or config.get("mask") is not None:
        return "", {}
    name, arguments = _name(config), config.get("arguments") or {}
    dtype = config.get("dtype")
    own = None if dtype is None else read_policy(dtype, (*path, "config", "dtype"))
    if name is None or not isinstance(arguments, dict) or own not in (None, policy or "float32"):
        return "", {}
    return name, arguments


def warn_of(context: Context, config: Json, function: str, path: Path) -> None:
    """Report that a Lambda was read as a function that has no more than the name in common."""
    context.warn(
        "SF440",
        f"read {show(config.get('name'))}, a Lambda, as the function {function}",
        path,
        "its file has no more than the name: if it is a function of yours, replace the entry",
    )


def _name(config: Json) -> str | None:
    """The name of the function; None for Python code, and for a registered function of the user."""
    function = config.get("function")
    if isinstance(function, str):  # Keras 1 and 2
        module = config.get("module")
        kind, known = config.get("function_type"), module is None or _is_known(module)
        return function if kind == "function" and known else None
    if not isinstance(function, dict) or function.get("class_name") != "function":
        return None
    name, registered = function.get("config"), function.get("registered_name")
    if not isinstance(name, str) or registered not in (None, "function", name):
        return None
    module = function.get("module")
    return name if module is None or _is_known(module) else None


def _is_known(module: Any) -> bool:
    return isinstance(module, str) and module.partition(".")[0] in MODULES


def _operation(name: str, arguments: Json, *, is_activation: bool) -> Json | None:
    """The operation of one tensor with this name, if it has the arguments."""
    cls, defaults = op_class(name), op_defaults(name)
    if cls is None or defaults is None or cls.operands != ("tensor",):
        return None
    given = {**(OTHER_DEFAULTS.get(name, {}) if is_activation else {}), **arguments}
    if not given.keys() <= defaults.keys():
        return None
    if any(value is MISSING and key not in given for key, value in defaults.items()):
        return None
    return {"op": name, **drop_op_defaults(name, given)}


def settle_function(entry: Json, calls: list[Call]) -> None:
    """Leave out arguments of a Lambda's call that its function does not have."""
    if "op" in entry:
        for call in calls:
            for key in UNUSED:
                call.kwargs.pop(key, None)
            if not call.args and len(call.kwargs) == 1:
                call.args = [call.kwargs.popitem()[1]]
