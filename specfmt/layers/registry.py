"""The class of a layer type or operation; only the module that defines it is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from specfmt.diagnostics import Diagnostic
from specfmt.extras import plugins
from specfmt.fields.errors import FieldError, NestedError, did_you_mean
from specfmt.fields.spellings import FIX_HINT
from specfmt.fields.validation import unknown_key, validate
from specfmt.layers.base import KERAS_LAYERS as KERAS_LAYERS_MODULE
from specfmt.layers.base import Layer
from specfmt.layers.former_types import former_type
from specfmt.layers.index import INDEX, OPERATION_MODULES, OPERATIONS
from specfmt.layers.kept import kept_layer
from specfmt.layers.keras_names import KERAS_LAYERS, NOT_IN_GRAPHS
from specfmt.layers.op import Op

MODEL = "Model"
"""The type of a nested model, which is not a layer."""

PLUGIN_GROUP = "specfmt.layers"

L = TypeVar("L", bound=type[Layer])
OpType = TypeVar("OpType", bound=type[Op])


def operation(name: str, module: str = "numpy") -> Callable[[OpType], OpType]:
    """Class decorator of an `Op`.

    Args:
        name: Its name in `keras.ops`.
        module: The module of `keras.src.ops` that holds Keras's class of the same name.
    """

    def register(cls: OpType) -> OpType:
        layer(cls)
        cls.function = name
        cls.keras_module = f"keras.src.ops.{module}"
        return cls

    return register


def layer(cls: L) -> L:
    """Class decorator: names the type after the class and the family after its module."""
    cls.type_name = cls.__name__
    cls.family = cls.__module__.rpartition(".")[2]
    return cls


@cache
def layer_class(type_name: str) -> type[Layer] | None:
    """The class of a layer type, or None if neither specfmt nor a plugin defines it."""
    family = INDEX.get(type_name)
    if family is not None:
        found: type[Layer] = getattr(import_module(f"specfmt.layers.{family}"), type_name)
        return found
    return _plugins().get(type_name)


@cache
def _plugins() -> dict[str, type[Layer]]:
    """Layers that installed packages register in the entry point group ``specfmt.layers``."""
    return plugins(PLUGIN_GROUP)


def layer_types() -> list[str]:
    """All known type names, plugins included, in the index's order."""
    return [*INDEX, *(name for name in _plugins() if name not in INDEX)]


def build_layer(data: dict[str, Any]) -> Layer:
    """A layer from a mapping with ``type``.

    Raises:
        NestedError: With every finding, paths relative to ``data``.
    """
    type_name = data.get("type")
    cls = layer_class(type_name) if isinstance(type_name, str) else None
    if cls is None:
        raise NestedError(_unknown_type(data))
    return validate(cls, _fields(data), cls.type_name)


def _fields(data: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in data.items() if key != "type"}


def _unknown_type(data: dict[str, Any]) -> Iterator[Diagnostic]:
    """The findings about a layer whose type is not known.

    If it is a former type, or a known type in other capitals, its fields are checked too.
    """
    if "type" not in data:
        yield Diagnostic("SF122", "a layer is missing the required field `type`")
        return
    type_name = data["type"]
    old = former_type(type_name)
    cls = layer_class(old.current) if old is not None and old.current else None
    if old is not None and (cls is not None or old.current in ("", "Model")):
        yield Diagnostic("SF124", old.message, ("type",), old.hint or FIX_HINT)
    else:
        known = [*layer_types(), "Model"]
        hint = (
            _kept_whole(type_name)
            or _not_defined_yet(type_name)
            or did_you_mean(type_name, known)
            or "`specfmt layers` lists all types"
        )
        message = FieldError("the type of a layer", type_name).message
        yield Diagnostic("SF120", message, ("type",), hint)
        folded = str(type_name).lower()
        cls = layer_class(next((name for name in known if name.lower() == folded), ""))
    if cls is not None:
        try:
            validate(cls, _fields(data), cls.type_name)
        except NestedError as error:
            yield from error.diagnostics


def _kept_whole(name: object) -> str:
    """The hint for a layer of Keras that specfmt keeps whole; empty for other names."""
    found = kept_layer(name) if isinstance(name, str) else None
    if found is None:
        return ""
    path = f"{KERAS_LAYERS_MODULE}.{name}"
    return f"write {{type: Custom, class: {path}, config: {{...}}}}; for PyTorch, {found.advice}"


def _not_defined_yet(name: object) -> str:
    """The hint for a layer that Keras has and specfmt does not; empty for other names."""
    if not isinstance(name, str) or name not in KERAS_LAYERS:
        return ""
    return (
        "Keras has this layer, but specfmt does not define it yet: write {type: Custom, class: "
        f"{KERAS_LAYERS_MODULE}.{name}, config: {{...}}}}, which Keras code imports"
    )


def op_class(name: str) -> type[Op] | None:
    """The class of an operation by its `keras.ops` name, or None."""
    type_name = OPERATIONS.get(name)
    if type_name is None:
        return None
    module = import_module(f"specfmt.layers.{OPERATION_MODULES[type_name]}")
    found: type[Op] = getattr(module, type_name)
    return found


def build_op(data: dict[str, Any]) -> Op:
    """An operation from a mapping with ``op``.

    Raises:
        NestedError: With every finding, paths relative to ``data``.
    """
    name = data.get("op")
    cls = op_class(name) if isinstance(name, str) else None
    if cls is None:
        text = FieldError("the name of an operation of keras.ops", name).message
        reason = NOT_IN_GRAPHS.get(name) if isinstance(name, str) else None
        hint = f"Keras has this operation, but {reason}" if reason else ""
        hint = hint or did_you_mean(name, OPERATIONS) or "https://keras.io/api/ops lists them all"
        raise NestedError([Diagnostic("SF120", text, ("op",), hint)])
    absent = cls.absent_fields()
    problems = [unknown_key(key, (key,), cls, str(name)) for key in data if key in absent]
    fields = {key: item for key, item in data.items() if key != "op" and key not in absent}
    try:
        found = validate(cls, fields, str(name))
    except NestedError as error:
        raise NestedError([*problems, *error.diagnostics]) from None
    if problems:
        raise NestedError(problems)
    return found
