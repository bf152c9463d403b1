"""Reading activations, initializers, regularizers and constraints of any Keras version.

The source is a name, ``{class_name, config}``, or (Keras 0 and 1) ``{name, ...}``; the result is a
name, or ``{type: Name, ...}`` without default values.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.fields.errors import FieldError, NestedError
from specfmt.formats.config.context import KERAS_1, Context
from specfmt.formats.config.defaults import same, word_defaults, word_name, word_type
from specfmt.formats.config.floats import clean_numbers
from specfmt.formats.config.former_arguments import current_arguments
from specfmt.formats.config.lenient import unboxed
from specfmt.formats.config.reading import Json, as_map, as_text
from specfmt.formats.read.word_objects import (
    FUNCTION,
    custom_function,
    custom_object,
    known_name,
    plain_arguments,
    settled,
)
from specfmt.vocab.base import Term, TermRule, term_class
from specfmt.vocab.index import INDEX

FIELD_KINDS: Final = {
    "initializer": "initializer",
    "regularizer": "regularizer",
    "constraint": "constraint",
    "activation": "activation",
}

KERAS_2_HARD_SIGMOID: Final = {"type": "hard_sigmoid", "slope": 0.2}
"""Keras 1 and 2 compute ``clip(0.2 x + 0.5)``, Keras 3 ``clip(x / 6 + 0.5)``."""

# Keras 1 wrote what Keras 2 calls he_normal and glorot_normal as untruncated normals, and
# gave `orthogonal` a gain of 1.1 (keras/initializations.py of 1.2.2).
KERAS_1_INITIALIZERS: Final[dict[str, Any]] = {
    "orthogonal": {"type": "Orthogonal", "gain": 1.1},
    "glorot_normal": {
        "type": "VarianceScaling",
        "scale": 1.0,
        "mode": "fan_avg",
        "distribution": "untruncated_normal",
    },
    "he_normal": {"type": "VarianceScaling", "scale": 2.0, "distribution": "untruncated_normal"},
}

SCALINGS: Final = {
    (1.0, "fan_avg", "uniform"): "GlorotUniform",
    (1.0, "fan_avg", "truncated_normal"): "GlorotNormal",
    (1.0, "fan_in", "uniform"): "LecunUniform",
    (1.0, "fan_in", "truncated_normal"): "LecunNormal",
    (2.0, "fan_in", "uniform"): "HeUniform",
    (2.0, "fan_in", "truncated_normal"): "HeNormal",
}
"""The names of initializers that Keras 2 wrote as VarianceScaling."""

REGISTERED: Final = "Custom>"
"""The prefix of the name of a function that is registered without a package."""

PLAIN_MODULES: Final = ("keras.initializers", "keras.regularizers", "keras.constraints")
"""The modules of Keras 3 in which objects of each kind are defined."""


@cache
def field_kind(name: str) -> str | None:
    """The kind of object in a layer's field, by the field's name."""
    return FIELD_KINDS.get(name.rpartition("_")[2])


def read_word(value: Any, kind: str, path: Path, context: Context) -> Any:
    """Read an object in a layer's field.

    Args:
        value: The word as the source writes it; None stays None.
        kind: ``activation``, ``initializer``, ``regularizer`` or ``constraint``.
        path: Its path in the source.
        context: The import.

    Raises:
        SpecError: SF403 if it is not a name or an object.
    """
    if value is None or (value is False and kind != "activation"):
        return None
    if isinstance(value, str):
        return _read_name(value, kind, path, context)
    if not context.legacy and isinstance(value, dict) and value.get("module") in PLAIN_MODULES:
        known = _plain_object(kind, value)
        if known is not None:
            return known
    mapping = as_map(value, path, f"{'an' if kind[0] in 'ai' else 'a'} {kind}")
    if context.legacy and "class_name" not in mapping and "name" in mapping:
        config = {key: item for key, item in mapping.items() if key != "name"}
        mapping = {"class_name": mapping["name"], "config": config}
    class_name = as_text(
        mapping.get("class_name"), (*path, "class_name"), f"the class of the {kind}"
    )
    if class_name == FUNCTION:
        return _read_function(mapping, kind, path, context)
    known = known_name(kind, class_name, mapping.get("module"))
    raw = mapping.get("config")
    if known is None or not (raw is None or isinstance(raw, dict)):
        return custom_object(mapping, kind, path, context)
    if isinstance(known, dict):
        return known
    config = plain_arguments(raw or {})
    type_name = word_type(kind, known)
    if context.legacy:
        config = current_arguments(term_class(kind, INDEX[kind][known]), config, path, context)
        type_name, config = _to_keras_3(type_name, config)
        if type_name == "":
            return None
    arguments = {
        key: _argument(item, context)
        for key, item in config.items()
        if not (context.legacy and item is None)
    }
    return settled(plain_word(kind, type_name, arguments), kind, mapping, path, context)


def _plain_object(kind: str, value: Json) -> Any:
    """Read an object of Keras 3 whose arguments are numbers and names; None for any other.

    The same few objects occur in every layer of a model, so results are cached.
    """
    config = value.get("config")
    if not isinstance(config, dict):
        return None
    try:
        items = tuple((key, item.__class__, item) for key, item in config.items())
        found = _plain_word(kind, value.get("class_name"), items)
    except TypeError:  # a list or a mapping among the arguments
        return None
    return dict(found) if isinstance(found, dict) else found


@lru_cache(maxsize=4096)
def _plain_word(kind: str, class_name: Any, items: tuple[tuple[str, type, Any], ...]) -> Any:
    if not isinstance(class_name, str) or word_name(kind, class_name) is None:
        return None
    word = plain_word(kind, class_name, {key: item for key, _, item in items})
    try:
        TermRule(kind).check(word)
    except (FieldError, NestedError):
        return None
    return word


def plain_word(kind: str, type_name: str, arguments: Json) -> Any:
    """``{type: Name, ...}`` without default values, or the name if no arguments are left."""
    name = word_name(kind, type_name)
    defaults = word_defaults(kind, type_name)
    kept = {
        key: item
        for key, item in arguments.items()
        if not (key in defaults and same(item, defaults[key]))
        and not (item is None and key not in defaults)
    }
    if not kept and name is not None:
        return name
    return {"type": word_type(kind, type_name), **kept}


def _argument(item: Any, context: Context) -> Any:
    return clean_numbers(item) if context.legacy else item


def _read_name(value: str, kind: str, path: Path, context: Context) -> Any:
    known = known_name(kind, value)
    if context.legacy and (kind, known) == ("activation", "hard_sigmoid"):
        known = KERAS_2_HARD_SIGMOID
    if context.generation <= KERAS_1 and kind == "initializer":
        known = KERAS_1_INITIALIZERS.get(value, known)
    if known is None:
        return custom_function(value, kind, path, context)
    if isinstance(known, str):
        known = word_name(kind, known)
    return settled(known, kind, value, path, context)


def _read_function(mapping: Json, kind: str, path: Path, context: Context) -> Any:
    name = mapping.get("config")
    module = mapping.get("module")
    if isinstance(name, str) and known_name(kind, name, module) is not None:
        return _read_name(name, kind, path, context)
    if kind == "activation" and isinstance(name, str) and name.startswith(REGISTERED):
        known = _with_arguments(name.removeprefix(REGISTERED))
        if known is not None:
            return known
    return custom_object(mapping, kind, path, context)


def _with_arguments(name: str) -> Any:
    """An activation with arguments encoded in its name, as generated code names it; else None."""
    from specfmt.targets.keras.values import activation_name

    text = name.replace("minus_", "-")
    for function, type_name in INDEX["activation"].items():
        cls = term_class("activation", type_name)
        fields = "|".join(cls.model_fields)
        if not fields or not text.startswith(f"{function}_"):
            continue
        pairs = re.findall(rf"_({fields})(?:_(-?\d[\d_e-]*?))?(?=_(?:{fields})|$)", text)
        try:
            arguments = {key: float(v.replace("_", ".")) if v else True for key, v in pairs}
        except ValueError:
            continue
        if arguments and activation_name(Term("activation", type_name, arguments)) == name:
            whole = {
                k: int(v) if cls.model_fields[k].annotation is int else v
                for k, v in arguments.items()
            }
            return {"type": function, **whole}
    return None


def _to_keras_3(type_name: str, config: Json) -> tuple[str, Json]:
    """The Keras 3 class and config of an object of Keras 0 to 2; an empty class means none."""
    if type_name == "VarianceScaling":
        return _named_scaling(config)
    if type_name in ("L1L2", "L1", "L2"):
        return _single_regularizer(type_name, config)
    return type_name, config


def _named_scaling(config: Json) -> tuple[str, Json]:
    distribution = config.get("distribution")
    if distribution in (None, "normal"):  # None: tf.js did not write it
        distribution = "truncated_normal"
    scale, mode = config.get("scale") or 1.0, config.get("mode") or "fan_in"
    known = isinstance(scale, (int, float)) and isinstance(mode, str)
    name = (
        SCALINGS.get((scale, mode, distribution))
        if known and isinstance(distribution, str)
        else None
    )
    if name is None:
        return "VarianceScaling", {**config, "distribution": distribution}
    return name, {"seed": config.get("seed")}


def _single_regularizer(type_name: str, config: Json) -> tuple[str, Json]:
    amounts = {}
    for key in ("l1", "l2"):
        amount = unboxed(config.get(key, 0.0))
        amounts[key] = 0.0 if amount is None else amount
    if type_name != "L1L2":
        return type_name, {type_name.lower(): amounts[type_name.lower()]}
    given = {key: amount for key, amount in amounts.items() if amount}
    if not given:
        return "", {}
    return (next(iter(given)).upper() if len(given) == 1 else "L1L2"), given
