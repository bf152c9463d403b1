"""Keras 3's defaults, from the classes in `specfmt.layers` and `specfmt.vocab`.

Arguments that have their default value are left out of an imported spec.  Values are compared in
the form of the spec, so that ``[1, 1]`` equals ``1`` and ``Zeros`` equals ``zeros``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from specfmt.fields.model import COMMON_FIELDS, to_data
from specfmt.formats.config.reading import Json
from specfmt.layers.base import Layer
from specfmt.layers.registry import layer_class, op_class
from specfmt.vocab.base import CUSTOM, bare_names, term_class
from specfmt.vocab.index import INDEX as WORDS

MISSING: Any = object()
SCALARS = frozenset((str, int, float, bool, type(None)))


def known_layer(type_name: str) -> type[Layer] | None:
    """The class of a layer that specfmt or a plugin defines; None for a user-defined layer."""
    return None if type_name == CUSTOM else layer_class(type_name)


def unsupported_config(type_name: str, config: Json) -> str:
    """Why a layer's config cannot be expressed by its class; empty if it can."""
    if is_without_casts(config):
        return "it does not cast its inputs (`autocast: false`)"
    cls = layer_class(type_name)
    return "" if cls is None else cls.unsupported_config(config)


def is_without_casts(config: Json) -> bool:
    """Whether a layer's config turns off casts to the layer's dtype.  Keras accepts that in a
    config, but writes it in none."""
    return config.get("autocast") is False


@cache
def layer_defaults(type_name: str) -> Json:
    """Field -> default as data, in the class's order; `MISSING` for a required field."""
    cls = layer_class(type_name)
    if cls is None:
        return {}
    return _defaults(cls, (*cls.own_fields(), *COMMON_FIELDS))


@cache
def op_defaults(name: str) -> Json | None:
    """The same for an operation by its `keras.ops` name; None if specfmt does not define it."""
    cls = op_class(name)
    return None if cls is None else _defaults(cls, cls.own_fields())


def _defaults(cls: Any, names: tuple[str, ...]) -> Json:
    fields = {field.alias or name: field for name, field in cls.model_fields.items()}
    return {
        name: MISSING if fields[name].is_required() else canonical(to_data(fields[name].default))
        for name in names
        if name in fields
    }


@cache
def word_defaults(kind: str, type_name: str) -> Json:
    """Argument -> default of an object of the vocabulary; empty if specfmt does not define it."""
    canonical_name = WORDS.get(kind, {}).get(type_name)
    if canonical_name is None:
        return {}
    cls = term_class(kind, canonical_name)
    return _defaults(cls, tuple(cls.model_fields))


@cache
def word_name(kind: str, spelling: str) -> str | None:
    """The lower-case name of an object (``GlorotUniform`` -> ``glorot_uniform``), or None if unknown."""
    type_name = WORDS.get(kind, {}).get(spelling)
    return None if type_name is None else bare_names(kind)[type_name]


@cache
def activation_defaults(cls: type[Layer]) -> Json:
    """The defaults of a layer that applies an activation, where they differ from the function's."""
    of_layer = layer_defaults(cls.type_name)
    return {
        name: of_layer[name]
        for name, default in word_defaults("activation", cls.activation_function).items()
        if name in of_layer and of_layer[name] != default
    }


def word_type(kind: str, spelling: str) -> str:
    """The value of ``type`` for an object: its class name, for an activation its function name.

    An unknown name is returned unchanged.
    """
    if kind == "activation":
        return word_name(kind, spelling) or spelling
    return WORDS.get(kind, {}).get(spelling, spelling)


def canonical(value: Any) -> Any:
    """``value`` with lists of equal items as one item, so that ``[[1, 1], [1, 1]]`` is ``1``."""
    if isinstance(value, (list, tuple)):
        items = [canonical(item) for item in value]
        if items and all(type(item) is int and item == items[0] for item in items):
            return items[0]
        return items
    return value


def same(value: Any, default: Any) -> bool:
    """Whether a value is its field's default, which is in `canonical` form."""
    kind = value.__class__
    if kind is default.__class__ and kind in SCALARS:
        return bool(value == default)
    value = canonical(value)
    if isinstance(value, bool) is not isinstance(default, bool):
        return False
    return bool(value == default)


def drop_defaults(type_name: str, config: Json) -> Json:
    """The fields of ``config`` that differ from the layer's defaults, in the class's order.

    Fields that the class does not have come last; those that are off (None, False) are left out.
    """
    defaults = layer_defaults(type_name)
    kept = {
        name: config[name]
        for name, default in defaults.items()
        if name in config
        and (not same(config[name], default) or (name == "axis" and isinstance(config[name], list)))
    }
    extra = {
        name: value
        for name, value in config.items()
        if name not in defaults and value is not None and value is not False
    }
    return {**kept, **extra}
