"""Serialized words of any kind: the one way from a file's name or object to a word of a spec.

A word that today's Keras has, under whatever name a release gave it, becomes that word; any
other is kept as the user's own, with a warning, and never stops an import.
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
from specfmt.vocab.base import CUSTOM, TermRule, required_arguments, word_class
from specfmt.vocab.history import ELSEWHERE, todays
from specfmt.vocab.index import INDEX

FUNCTION: Final = "function"
"""The class that Keras writes for functions."""

KERAS_PACKAGES: Final = ("keras", "tf_keras", "tensorflow", "tensorflow_core")
"""Whose words are Keras's own, as far as they are known."""

WRAPPERS: Final = (
    "MeanMetricWrapper",
    "SumOverBatchSizeMetricWrapper",
    "LossFunctionWrapper",
    "LossFunctionWrapperV2",
)
"""Objects around a function, which is what is meant."""

CLASS_PATH: Final = re.compile(r"[A-Za-z_][\w.>]*\Z")


def is_keras_module(module: Any) -> bool:
    """Whether a module is Keras's own, or the file does not say (as before 2.13)."""
    if module is None or module == "builtins":
        # A function of the user's own says `builtins` as well, and Keras too looks among its own.
        return True
    return isinstance(module, str) and module.partition(".")[0] in KERAS_PACKAGES


def known_name(kind: str, name: str, module: Any = None) -> Any:
    """Today's name of a word (or a mapping, where it takes arguments); None if it has none."""
    return todays(kind, name, INDEX[kind]) if is_keras_module(module) else None


def own_function(name: str, kind: str, path: Path, context: Context, module: Any = None) -> Json:
    """A function that specfmt does not know, by its name."""
    module = ELSEWHERE.get((kind, name)) or (module if module != "builtins" else None)
    where = f" of {module}" if module else ""
    _note(kind, name, where, path, context)
    dotted = f"{module}.{FUNCTION}" if isinstance(module, str) and module else FUNCTION
    if not CLASS_PATH.match(dotted):
        dotted = FUNCTION
    return {"type": CUSTOM, "class": dotted, "config": name}


def own_object(mapping: Json, kind: str, path: Path, context: Context) -> Json:
    """A word that specfmt does not know, kept whole."""
    name, config = mapping["class_name"], mapping.get("config")
    module = ELSEWHERE.get((kind, name)) or mapping.get("module")
    if name == FUNCTION and isinstance(config, str) and config.strip():
        return own_function(config, kind, path, context, module)
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
        f"kept the {kind} {show(name)}{where} as it is: it is not Keras's own",
        path,
        "trained weights do not need it; `specfmt explain SF431` says how to give its code",
    )


def settled(word: Any, kind: str, source: Json | str, path: Path, context: Context) -> Any:
    """A word as the spec takes it: its arguments in the form of their fields, or else kept.

    Args:
        word: What was made of the source: a name, or a mapping with ``type``.
        kind: The kind of word.
        source: The word as the file has it, to be kept where it is no word of today.
        path: Where it stands.
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
        cls = word_class(kind, type_name)
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
                        f"left out {key}: {show(given[key])} of {type_name}, which today's "
                        f"{type_name} does not take",
                        path,
                    )
                return fixed
    if isinstance(source, str):
        return own_function(source, kind, path, context)
    return own_object(source, kind, path, context)


def plain_arguments(config: Json) -> Json:
    """A config without the objects around tuples and arrays."""
    return {key: unboxed(value) for key, value in config.items()}


def wrapped_function(mapping: Json) -> Any:
    """The function of one of `WRAPPERS`: a name or an object; None for anything else."""
    config = mapping.get("config")
    if mapping.get("class_name") not in WRAPPERS or not isinstance(config, dict):
        return None
    return config.get("fn") or None
