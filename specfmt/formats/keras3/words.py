"""Writing activations, initializers, regularizers and constraints as Keras 3 does."""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.config.floats import to_float32
from specfmt.formats.config.reading import Json
from specfmt.formats.read.words import REGISTERED
from specfmt.vocab.base import CUSTOM, Term

MODULES: Final = {
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "constraint": "keras.constraints",
    "loss": "keras.losses",
    "metric": "keras.metrics",
    "optimizer": "keras.optimizers",
    "schedule": "keras.optimizers.schedules",
}
"""The module of each kind of objects in Keras 3."""

NAMED_ONLY: Final = frozenset({"activation"})
"""Kinds of which Keras writes its own objects as a name."""

FLOAT32_ARGUMENTS: Final = ("learning_rate", "l1", "l2")
"""Arguments that Keras stores in float32."""

UNWRITTEN: Final = {("initializer", "Identity"): ("gain",)}
"""Arguments that a class does not write (`Identity` has no `get_config`)."""


def write_word(term: Term | None) -> Any:
    """An object in a layer's field, except activations that are layers; None stays None."""
    if term is None:
        return None
    if term.type == CUSTOM:
        return write_custom(term)
    if term.kind in NAMED_ONLY:
        return term.name if not term.args else write_function(term)
    return write_object(term)


def write_object(term: Term) -> Json:
    """An object with all its arguments."""
    spec = term.spec
    config = {
        field.alias or name: plain(getattr(spec, name))
        for name, field in type(spec).model_fields.items()
        if name not in (*spec.extra_fields, *UNWRITTEN.get((term.kind, term.type), ()))
    }
    return serialized(MODULES[term.kind], term.type, config)


def write_function(term: Term) -> Json:
    """An activation with arguments: the function that generated code defines and registers."""
    from specfmt.targets.keras.values import activation_name

    name = REGISTERED + activation_name(term)
    return {
        "module": "builtins",
        "class_name": "function",
        "config": name,
        "registered_name": "function",
    }


def write_custom(term: Term) -> Json:
    """A user-defined object, unchanged."""
    spec = term.spec
    module, _, class_name = spec.class_.rpartition(".")
    return {
        "module": module or None,
        "class_name": class_name,
        "config": spec.config,
        "registered_name": spec.registered_name or class_name,
    }


def serialized(
    module: str | None, class_name: str, config: Any, registered: str | None = None
) -> Json:
    """An object in the form of `keras.saving.serialize_keras_object`."""
    return {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": registered,
    }


def plain(value: Any) -> Any:
    """A field's value as JSON: tuples as lists, vocabulary objects as serialized objects."""
    if isinstance(value, Term):
        return write_word(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def float32(value: Any) -> Any:
    """A number after conversion to float32 and back."""
    return to_float32(value) if isinstance(value, (int, float)) else value
