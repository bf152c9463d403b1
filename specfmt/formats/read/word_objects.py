"""Reading serialized objects of the vocabulary: activations, initializers, losses, optimizers etc.

An object that current Keras has is recognized under its name in any release; any other is kept as
user-defined, with a warning, and does not prevent the import.
"""

from __future__ import annotations

import re
from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.fields.errors import FieldError, NestedError
from specfmt.formats.config.context import Context
from specfmt.formats.config.defaults import same, word_defaults, word_name
from specfmt.formats.config.lenient import fit_arguments, unboxed
from specfmt.formats.config.reading import Json, show
from specfmt.vocab.base import CUSTOM, TermRule, required_arguments, term_class
from specfmt.vocab.former_names import KERAS_ONLY, current_name
from specfmt.vocab.index import INDEX

FUNCTION: Final = "function"
"""The class that Keras writes for functions."""

KERAS_PACKAGES: Final = ("keras", "tf_keras", "tensorflow", "tensorflow_core")
"""Packages whose registered objects are Keras's own."""

WRAPPERS: Final = (
    "MeanMetricWrapper",
    "SumOverBatchSizeMetricWrapper",
    "LossFunctionWrapper",
    "LossFunctionWrapperV2",
)
"""Classes that only wrap a function."""

CLASS_PATH: Final = re.compile(r"[A-Za-z_][\w.>]*\Z")


def is_keras_module(module: Any) -> bool:
    """Whether a module is Keras's own, or not given (as before 2.13)."""
    if module is None or module == "builtins":
        # User-defined functions also have the module `builtins`; Keras too searches its own first.
        return True
    return isinstance(module, str) and module.partition(".")[0] in KERAS_PACKAGES


def known_name(kind: str, name: str, module: Any = None) -> Any:
    """The current name of an object (or a mapping, if it has arguments); None if there is none."""
    return current_name(kind, name, INDEX[kind]) if is_keras_module(module) else None


def custom_function(name: str, kind: str, path: Path, context: Context, module: Any = None) -> Json:
    """A custom entry for a function that specfmt does not know."""
    module = KERAS_ONLY.get((kind, name)) or (module if module != "builtins" else None)
    where = f" of {module}" if module else ""
    _note(kind, name, where, path, context)
    dotted = f"{module}.{FUNCTION}" if isinstance(module, str) and module else FUNCTION
    if not CLASS_PATH.match(dotted):
        dotted = FUNCTION
    return {"type": CUSTOM, "class": dotted, "config": name}


def custom_object(mapping: Json, kind: str, path: Path, context: Context) -> Json:
    """A custom entry for an object that specfmt does not know, with its config."""
    name, config = mapping["class_name"], mapping.get("config")
    module = KERAS_ONLY.get((kind, name)) or mapping.get("module")
    if name == FUNCTION and isinstance(config, str) and config.strip():
        return custom_function(config, kind, path, context, module)
    _note(kind, name, f" of {module}" if module else "", path, context)
    dotted = f"{module}.{name}" if isinstance(module, str) and module else name
    if not CLASS_PATH.match(dotted):
        dotted = re.sub(r"[^\w.>]", "_", name, flags=re.ASCII)
        dotted = dotted if CLASS_PATH.match(dotted) else f"_{dotted}"
    if isinstance(config, str) and not config.strip():
        config = None
    entry: Json = {"type": CUSTOM, "class": dotted}
    entry["config"] = config if isinstance(config, (dict, str)) else None
    registered = mapping.get("registered_name")
    if isinstance(registered, str) and registered and registered != name:
        entry["registered_name"] = registered
    return entry


def _note(kind: str, name: str, where: str, path: Path, context: Context) -> None:
    if (kind, name) in context.kept:
        return
    context.kept.add((kind, name))
    context.warn(
        "SF431",
        f"kept the {kind} {show(name)}{where} as user-defined: it is not one of Keras's",
        path,
        "trained weights do not need it; `specfmt explain SF431` describes how to provide its code",
    )


def settled(word: Any, kind: str, source: Json | str, path: Path, context: Context) -> Any:
    """An object with its arguments converted to what their fields accept; else it is kept as custom.

    Args:
        word: The object that was read: a name, or a mapping with ``type``.
        kind: The kind of object.
        source: The object in the file, to be kept if it is not valid in current Keras.
        path: Its path in the source.
        context: The import.
    """
    rule = TermRule(kind)
    try:
        rule.check(word)
    except (FieldError, NestedError):
        pass
    else:
        return word
    if isinstance(word, dict) and word.get("type") in INDEX[kind]:
        type_name = INDEX[kind][word["type"]]
        cls = term_class(kind, type_name)
        given = {key: value for key, value in word.items() if key != "type"}
        fields = word_defaults(kind, word["type"])
        unknown = [key for key in given if key not in fields]
        arguments, wrong = fit_arguments(
            cls, {key: value for key, value in given.items() if key in fields}
        )
        arguments = {
            key: value
            for key, value in arguments.items()
            if key not in fields or not same(value, fields[key])
        }
        fixed: Any = {"type": word["type"], **arguments}
        if not arguments and not required_arguments(kind, type_name):
            fixed = word_name(kind, word["type"])
        try:
            rule.check(fixed)
        except (FieldError, NestedError):
            pass
        else:
            if not wrong:
                for key in unknown:
                    context.warn(
                        "SF432",
                        f"left out {key}: {show(given[key])} of {type_name}, which the current "
                        f"{type_name} does not accept",
                        path,
                    )
                return fixed
    if isinstance(source, str):
        return custom_function(source, kind, path, context)
    return custom_object(source, kind, path, context)


def plain_arguments(config: Json) -> Json:
    """A config without the objects into which tuples and arrays are serialized."""
    return {key: unboxed(value) for key, value in config.items()}


def wrapped_function(mapping: Json) -> Any:
    """The function of one of `WRAPPERS`: a name or an object; None for anything else."""
    config = mapping.get("config")
    if mapping.get("class_name") not in WRAPPERS or not isinstance(config, dict):
        return None
    return config.get("fn") or None
