"""Spec values -> Keras source: layers, vocabulary words, plain data."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from specfmt.spec.layer import COMMON_FIELDS, Layer, explicit_arguments
from specfmt.targets.keras.custom import custom_call
from specfmt.targets.source import literal
from specfmt.vocab.base import Term

NAMESPACES = {
    "activation": "activations",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
    "loss": "losses",
    "optimizer": "optimizers",
    "schedule": "optimizers.schedules",
    "metric": "metrics",
    "callback": "callbacks",
}
"""Where `keras` keeps each kind of word."""


def value_source(value: Any) -> str:
    """Python source of a field's value."""
    if isinstance(value, Term):
        return term_source(value)
    if isinstance(value, Layer):
        return layer_source(value)
    if isinstance(value, (list, tuple)) and any(isinstance(v, (Term, Layer)) for v in value):
        inner = ", ".join(value_source(item) for item in value)
        return f"[{inner}]"
    return literal(value)


def term_source(term: Term) -> str:
    """A word of the vocabulary: its bare name, or a call of its class where it has arguments."""
    if not term.args:
        return literal(term.name)
    arguments = ", ".join(argument_sources(term.spec, name=None))
    return f"keras.{NAMESPACES[term.kind]}.{term.type}({arguments})"


def argument_sources(model: BaseModel, *, name: str | None) -> list[str]:
    """Constructor arguments that differ from defaults; required ones first, by position."""
    given = explicit_arguments(model)
    fields = type(model).model_fields
    sources = []
    positional = True
    for key, value in given.items():
        if key in ("inputs", "name"):
            continue
        positional = positional and fields[key].is_required() and key not in COMMON_FIELDS
        source = value_source(value)
        sources.append(source if positional else f"{fields[key].alias or key}={source}")
    if name is not None:
        sources.append(f"name={literal(name)}")
    return sources


def layer_source(layer: Layer, name: str | None = None) -> str:
    """``layers.Dense(50, activation="relu", name="hidden")``."""
    head, arguments = layer_call(layer, name or layer.name)
    return f"{head}({', '.join(arguments)})"


def layer_call(layer: Layer, name: str | None) -> tuple[str, list[str]]:
    """Callee and arguments that create a layer."""
    if hasattr(layer, "class_"):
        return custom_call(layer, name)
    return f"layers.{layer.type_name}", argument_sources(layer, name=name)
