"""Keras source of the values in a spec: layers, vocabulary terms, plain data."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from specfmt.fields.model import COMMON_FIELDS, SpecModel
from specfmt.graph.held import HeldModel
from specfmt.graph.model import Graph
from specfmt.layers.base import KERAS_LAYERS, Layer
from specfmt.layers.naming import inner_name, inner_names
from specfmt.layers.policies import name_of_policy
from specfmt.targets.keras.custom import custom_call
from specfmt.targets.keras.user_objects import keras_call
from specfmt.targets.source import literal
from specfmt.vocab.activations import HardSigmoid
from specfmt.vocab.base import CUSTOM, Term, must_construct, terms_in

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
"""Kind of term -> its module in `keras`."""

Builders = Mapping[Graph, str]
"""Graph of a model inside a layer -> the name of the function that builds it."""


def value_source(value: Any, policy: Any = None, builders: Builders | None = None) -> str:
    """Python source of a field's value.

    Args:
        value: The value.
        policy: The dtype policy of the model.
        builders: The functions that build models inside layers.
    """
    if isinstance(value, HeldModel):
        return f"{(builders or {})[value.graph]}()"
    if isinstance(value, Term):
        return term_source(value)
    if isinstance(value, Layer):
        # Keras would number an unnamed inner layer, and its name is part of the weights' paths.
        return layer_source(value, inner_name(value), policy, builders)
    if isinstance(value, (list, tuple)) and any(isinstance(v, (Term, Layer)) for v in value):
        if isinstance(value[0], Layer):
            named = zip(value, inner_names(value), strict=True)
            inner = ", ".join(layer_source(item, name, policy, builders) for item, name in named)
        else:
            inner = ", ".join(value_source(item, policy, builders) for item in value)
        return f"[{inner}]"
    if isinstance(value, tuple) and value and all(isinstance(item, str) for item in value):
        return literal(list(value))
    if isinstance(value, dict) and value.get("module") in SERIALIZED:
        if name := name_of_policy(value):
            return literal(name)
        return f"keras.utils.deserialize_keras_object({literal(value)})"
    return literal(value)


SERIALIZED = ("keras.quantizers", "keras.dtype_policies")
"""Modules of Keras whose objects are in fields in serialized form."""


def term_source(term: Term) -> str:
    """The source of a vocabulary term: its name, or a call of its class if it has arguments.

    Activations are functions in Keras; one with arguments is a function of the file, see
    `activation_functions`.
    """
    if term.layer:
        from specfmt.layers.activations import activation_layer

        return layer_source(activation_layer(term), term.layer)
    if is_function(term):
        return activation_name(term)
    if not term.constructed and not term.args and not must_construct(term.kind, term.type):
        return literal(term.name)
    return construction(term)


def is_function(term: Term) -> bool:
    """Whether a term is an activation for which the file must define a function."""
    return term.kind == "activation" and bool(term.args) and term.type != CUSTOM and not term.layer


def construction(term: Term, also: Collection[str] = ()) -> str:
    """The call that constructs a term's object, with or without arguments.

    Args:
        term: The term.
        also: Arguments that are written even if they have their defaults.
    """
    if term.type == CUSTOM:
        return keras_call(term)
    arguments = ", ".join(term_arguments(term, also))
    return f"keras.{NAMESPACES[term.kind]}.{term.type}({arguments})"


def term_arguments(term: Term, also: Collection[str] = ()) -> list[str]:
    """The constructor arguments of a term that differ from Keras's defaults, as source.

    Args:
        term: The term.
        also: Arguments that are written even if they have their defaults.
    """
    spec: SpecModel = term.spec
    fields = type(spec).model_fields
    given = spec.explicit_arguments()
    given |= {key: getattr(spec, key) for key in fields if key in also and key not in given}
    sources = []
    positional = True
    for key, value in given.items():
        positional = positional and fields[key].is_required()
        # Keras does not resolve names inside of terms: `LossScaleOptimizer("adam")` fails.
        source = construction(value) if isinstance(value, Term) else literal(_as_lists(value))
        sources.append(source if positional else f"{fields[key].alias or key}={source}")
    return sources


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value


def activation_name(term: Term) -> str:
    """The name of the function of an activation with arguments: ``relu_max_value_6``."""
    parts = [term.name]
    for key, value in term.args.items():
        if value is True:
            parts.append(key)
        else:
            # `1e+17` becomes `1e17`; other values keep their letters and digits.
            number = re.sub(r"\.0$", "", repr(value)).replace("-", "minus_").replace("+", "")
            parts.append(f"{key}_{re.sub(r'[^0-9A-Za-z]+', '_', number)}")
    return "_".join(parts)


@dataclass(frozen=True)
class ActivationFunction:
    """The function of an activation with arguments; every value is Python source.

    Attributes:
        name: The function's name.
        keras_name: The activation's name in Keras.
        arguments: The arguments of Keras's function besides ``x``.
        slope: The slope of a hard sigmoid, which is not an argument in Keras; empty for others.
    """

    name: str
    keras_name: str
    arguments: list[str]
    slope: str


def activation_functions(values: Iterable[Any]) -> list[ActivationFunction]:
    """The functions of activations with arguments that a file must define.

    Args:
        values: Layers, terms, or lists and mappings of them.

    Returns:
        The functions without duplicates, in the order of first use; they only need the import of
        ``keras``.  Their names in layers are those of `activation_name`.
    """
    terms = {activation_name(term): term for term in terms_in(values) if is_function(term)}
    return [
        ActivationFunction(
            name,
            term.name,
            [f"{key}={literal(value)}" for key, value in term.args.items()],
            literal(term.spec.slope) if isinstance(term.spec, HardSigmoid) else "",
        )
        for name, term in terms.items()
    ]


def argument_sources(
    model: SpecModel,
    *,
    name: str | None,
    policy: Any = None,
    builders: Builders | None = None,
    constants: Mapping[str, str] | None = None,
) -> list[str]:
    """The constructor arguments that differ from defaults; required ones first, positional.

    Args:
        model: A layer.
        name: Its name; empty or None if Keras chooses it.
        policy: The dtype policy of the model, which Keras applies to no layer by itself.
        builders: The functions that build models inside the layer.
        constants: Field -> the constant with its value.
    """
    sources = []
    for key, value, keyword in given_arguments(model, policy):
        source = (constants or {}).get(key) or value_source(value, policy, builders)
        sources.append(f"{keyword}={source}" if keyword else source)
    if name:
        sources.append(f"name={literal(name)}")
    return sources


def given_arguments(model: SpecModel, policy: Any = None) -> list[tuple[str, Any, str]]:
    """The constructor arguments that differ from defaults, without the name.

    Args:
        model: A layer.
        policy: The dtype policy of the model.

    Returns:
        The field, its value, and the keyword, which is empty for a positional argument.
    """
    given = model.explicit_arguments()
    own = isinstance(model, Layer) and model.own_dtype(vars(model)) is not None
    if policy not in (None, "float32") and not own and getattr(model, "takes_base_arguments", True):
        given.setdefault("dtype", policy)
    fields = type(model).model_fields
    takes_no_flag = isinstance(model, Layer) and not model.takes_trainable
    found = []
    positional = True
    for key, value in given.items():
        if key in ("inputs", "name") or (key == "trainable" and takes_no_flag):
            continue
        positional = positional and fields[key].is_required() and key not in COMMON_FIELDS
        found.append((key, value, "" if positional else fields[key].alias or key))
    return found


def layer_call(
    layer: Layer,
    name: str | None = None,
    policy: Any = None,
    builders: Builders | None = None,
    constants: Mapping[str, str] | None = None,
) -> tuple[str, list[str]]:
    """The callee and arguments that create a layer: ``layers.Dense``, ``50``, ``name="hidden"``.

    Args:
        layer: The layer.
        name: Its name; by default the one in the spec, and if empty, Keras chooses it.
        policy, builders, constants: As for `argument_sources`.
    """
    name = layer.name if name is None else name
    if layer.type_name == "Custom":
        return custom_call(layer, name, policy)
    space = "layers." if layer.keras_module == KERAS_LAYERS else ""
    return f"{space}{layer.type_name}", argument_sources(
        layer, name=name, policy=policy, builders=builders, constants=constants
    )


def layer_source(
    layer: Layer, name: str | None = None, policy: Any = None, builders: Builders | None = None
) -> str:
    """The call that creates a layer: ``layers.Dense(50, activation="relu", name="hidden")``."""
    callee, arguments = layer_call(layer, name, policy, builders)
    return f"{callee}({', '.join(arguments)})"
