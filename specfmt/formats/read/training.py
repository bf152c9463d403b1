"""Reading training configurations of any Keras version as the ``train:`` section of a spec."""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.fields.errors import FieldError, NestedError
from specfmt.fields.validation import rules_of, validate
from specfmt.formats.config.context import KERAS_1, KERAS_2, Context
from specfmt.formats.config.defaults import same, word_defaults, word_name, word_type
from specfmt.formats.config.floats import clean_float, clean_numbers
from specfmt.formats.config.former_arguments import current_arguments
from specfmt.formats.config.lenient import fitted, unboxed
from specfmt.formats.config.reading import Json, as_map, as_text, show
from specfmt.formats.read.word_objects import (
    FUNCTION,
    custom_function,
    custom_object,
    known_name,
    plain_arguments,
    settled,
    wrapped_function,
)
from specfmt.spec.train import TrainSpec
from specfmt.vocab.base import term_class
from specfmt.vocab.former_names import inverse_time_decay
from specfmt.vocab.index import CONSTRUCTED
from specfmt.vocab.naming import to_snake_case

COMPILE_DEFAULTS: Final = {"run_eagerly": False, "steps_per_execution": 1, "jit_compile": False}
"""The values that Keras 3 writes for arguments of `compile` that were not given (``jit_compile``
on a machine without XLA)."""

ACCURACIES: Final = (
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
)

OPTIMIZER_DROPPED: Final = frozenset({"jit_compile", "is_legacy_optimizer", "mesh"})
FLOAT32_ARGUMENTS: Final = ("learning_rate",)
"""Arguments that Keras 3 itself rounds to float32 before it writes them."""

DYNAMIC_SCALE: Final = {
    "initial_loss_scale": "initial_scale",
    "increment_period": "dynamic_growth_steps",
}
"""Arguments of TensorFlow's DynamicLossScale -> those of the current LossScaleOptimizer."""


def read_compile_config(value: Any, path: Path, context: Context) -> Json:
    """Read a ``compile_config`` of Keras 3, or of Keras 2.13 to 2.15.

    Raises:
        SpecError: SF403 or SF404 if it is not a valid configuration.
    """
    config = as_map(value, path, "compile_config")
    if not config.get("optimizer") and not config.get("loss"):
        return {}
    train = _section(config, config.get("optimizer"), path, "optimizer", context)
    rules = rules_of(TrainSpec)
    for key, default in COMPILE_DEFAULTS.items():
        given = config.get(key)
        if given is None or same(given, default):
            continue
        try:
            given = fitted(rules[key], given)
        except (FieldError, NestedError):
            context.warn("SF432", f"left out {key}: {show(given)}", (*path, key))
            continue
        if not same(given, default):
            train[key] = given
    if config.get("auto_scale_loss") is False:
        train["auto_scale_loss"] = False
    return train


def read_training_config(value: Any, path: Path, context: Context) -> Json:
    """Read a ``training_config`` of Keras 1 or 2 or tf.js, or the top-level keys of Keras 0.

    Raises:
        SpecError: SF403 or SF404 if it is not a valid configuration.
    """
    config = as_map(value, path, "the training configuration")
    key = "optimizer_config" if "optimizer_config" in config else "optimizer"
    return _section(config, config.get(key), path, key, context)


def _section(config: Json, optimizer: Any, path: Path, key: str, context: Context) -> Json:
    train: Json = {}
    if config.get("loss"):
        train["loss"] = _loss(config["loss"], (*path, "loss"), context)
    if config.get("loss_weights"):
        train["loss_weights"] = clean_numbers(unboxed(config["loss_weights"]))
    if optimizer:
        train["optimizer"] = _optimizer(optimizer, (*path, key), context)
    for name in ("metrics", "weighted_metrics"):
        if config.get(name):
            found = _metrics(config[name], (*path, name), context)
            if found:
                train[name] = found
    return _fitting(train, path, context)


def _fitting(train: Json, path: Path, context: Context) -> Json:
    """The section without invalid values: mistakes in the training configuration must not prevent
    the import of the model."""
    for key in list(train):
        try:
            validate(TrainSpec, {key: train[key]}, "train")
        except NestedError as error:
            reason = error.diagnostics[0]
            context.warn(
                "SF432",
                f"left out {key} of the training configuration: {reason.message}",
                (*path, key, *reason.path[1:]),
            )
            del train[key]
    return train


def _loss(value: Any, path: Path, context: Context) -> Any:
    """A loss, or lists and mappings of them by output."""
    if value is None:
        return None
    if isinstance(value, str):
        return _named(value, "loss", path, context)
    if isinstance(value, list):
        return [_loss(item, (*path, i), context) for i, item in enumerate(value)]
    mapping = as_map(value, path, "a loss")
    if "class_name" in mapping:
        return _object(mapping, "loss", path, context)
    return {key: _loss(item, (*path, key), context) for key, item in mapping.items()}


def _metrics(value: Any, path: Path, context: Context) -> Any:
    found = _metric(value, path, context)
    if isinstance(found, str) or (isinstance(found, dict) and "type" in found):
        return [found]
    if (
        context.legacy
        and isinstance(found, list)
        and len(found) == 1
        and isinstance(found[0], list)
    ):
        return found[0]  # Keras 2 wrote a list per output, even for a single output
    return found


def _metric(value: Any, path: Path, context: Context) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        return _named(value, "metric", path, context)
    if isinstance(value, (list, tuple)):
        return [_metric(item, (*path, i), context) for i, item in enumerate(value)]
    mapping = as_map(value, path, "a metric")
    if "class_name" not in mapping:
        return {key: _metric(item, (*path, key), context) for key, item in mapping.items()}
    function = wrapped_function(mapping)
    if function is not None:
        return _wrapped(mapping, function, "metric", path, context)
    return _object(mapping, "metric", path, context)


def _named(name: str, kind: str, path: Path, context: Context, module: Any = None) -> Any:
    """A loss or metric given by name; the name is kept, since it is the one in logs."""
    if not name.strip():
        return None
    known = known_name(kind, name, module)
    if known is None:
        return custom_function(name, kind, path, context, module)
    if kind == "loss" and (kind, known) in CONSTRUCTED:
        known = {"type": known}
    return settled(known, kind, name, path, context)


def _wrapped(mapping: Json, function: Any, kind: str, path: Path, context: Context) -> Any:
    """A wrapper around a function: the function, or ``accuracy`` if Keras chose the function for it."""
    module = None
    if isinstance(function, dict):
        module, function = function.get("module"), function.get("config")
    if isinstance(function, dict):
        function = function.get("name")
    if not isinstance(function, str) or not function.strip():
        return custom_object(mapping, kind, path, context)
    name = as_map(mapping.get("config"), (*path, "config"), "a config").get("name")
    if (
        context.legacy
        and isinstance(name, str)
        and name.endswith(("acc", "accuracy"))
        and function in ACCURACIES
        and not (name.endswith(function) and "_" in function)
    ):
        return "accuracy"
    return _named(function, kind, path, context, module)


def _object(mapping: Json, kind: str, path: Path, context: Context) -> Any:
    """``{class_name, config}`` as ``{type: Name, ...}``, without default values."""
    type_name = as_text(mapping["class_name"], (*path, "class_name"), f"the class of a {kind}")
    config = mapping.get("config")
    module = mapping.get("module")
    if type_name == FUNCTION:
        if isinstance(config, str) and known_name(kind, config, module) is not None:
            return _named(config, kind, path, context, module)
        return custom_object(mapping, kind, path, context)
    function = wrapped_function(mapping)
    if function is not None:
        return _wrapped(mapping, function, kind, path, context)
    known = known_name(kind, type_name, module)
    if not isinstance(known, str) or not (config is None or isinstance(config, dict)):
        return custom_object(mapping, kind, path, context)
    type_name = word_type(kind, known)
    defaults = word_defaults(kind, type_name)
    kept: Json = {}
    for key, value in plain_arguments(config or {}).items():
        if key == "fn" or (context.legacy and key == "reduction" and value in ("auto", None)):
            continue
        if key == "name" and isinstance(value, str) and _automatic(value, type_name, context):
            continue
        if key == "dtype":
            value = policy_name(value)
            if value in ("float32", None):
                continue
        if value is None if key not in defaults else same(value, defaults[key]):
            continue
        kept[key] = clean_numbers(value) if context.legacy else value
    return settled({"type": type_name, **kept}, kind, mapping, path, context)


def policy_name(value: Any) -> Any:
    """The name of a dtype policy; a dtype unchanged."""
    config = value.get("config") if isinstance(value, dict) else None
    return config.get("name") if isinstance(config, dict) else value


def _automatic(name: str, type_name: str, context: Context) -> bool:
    """Whether a loss or metric has its automatic name (in Keras 2 prefixed by that of its output)."""
    own = to_snake_case(type_name)
    return name == own or (context.legacy and name.endswith("_" + own))


def _optimizer(value: Any, path: Path, context: Context) -> Any:
    if isinstance(value, str):
        known = known_name("optimizer", value)
        if isinstance(known, str):
            bare = word_name("optimizer", known)
            return settled(bare or known, "optimizer", value, path, context)
        return custom_object({"class_name": value}, "optimizer", path, context)
    mapping = as_map(value, path, "an optimizer")
    if "class_name" not in mapping and "name" in mapping:  # Keras 0 and 1.0
        config = {key: item for key, item in mapping.items() if key != "name"}
        mapping = {"class_name": mapping["name"], "config": config}
    type_name = as_text(
        mapping.get("class_name"), (*path, "class_name"), "the class of an optimizer"
    )
    known = known_name("optimizer", type_name, mapping.get("module"))
    raw = mapping.get("config")
    if not isinstance(known, str) or not (raw is None or isinstance(raw, dict)):
        return custom_object(mapping, "optimizer", path, context)
    type_name = word_type("optimizer", known)
    config = plain_arguments(raw or {})
    if type_name == "LossScaleOptimizer":
        found = _loss_scale(config, (*path, "config"), context)
        if found is not None:
            return found
    if context.legacy:
        config = _optimizer_to_keras_3(type_name, config, (*path, "config"), context)
    defaults = word_defaults("optimizer", type_name)
    kept: Json = {}
    for key, item in config.items():
        if key == "name" and item == to_snake_case(type_name):
            continue
        if key in OPTIMIZER_DROPPED or (key == "name" and item is None):
            continue
        item = _optimizer_argument(key, item, (*path, "config", key), context)
        if item is None if key not in defaults else same(item, defaults[key]):
            continue
        if item is False and key not in defaults:
            continue
        kept[key] = item
    bare = word_name("optimizer", type_name)
    word = bare if not kept and bare is not None else {"type": type_name, **kept}
    return settled(word, "optimizer", mapping, path, context)


def _loss_scale(config: Json, path: Path, context: Context) -> Any:
    """A LossScaleOptimizer of Keras 2 as the current one, or as its inner optimizer with a fixed scale.

    Returns None if the config is one of Keras 3.
    """
    inner = config.get("inner_optimizer", config.get("optimizer"))
    if not isinstance(inner, (dict, str)):
        return None
    given: Json = {key: config[key] for key in DYNAMIC_SCALE.values() if key in config}
    dynamic = config.get("dynamic", True)
    scale = config.get("loss_scale")
    if isinstance(scale, dict) and isinstance(scale.get("config"), dict):
        old = scale["config"]
        given = {new: old[name] for name, new in DYNAMIC_SCALE.items() if name in old}
        if "loss_scale_value" in old:
            dynamic, given = False, {"initial_scale": old["loss_scale_value"]}
    elif isinstance(scale, (int, float)) and not isinstance(scale, bool):
        dynamic, given = False, {"initial_scale": scale}
    place = "inner_optimizer" if "inner_optimizer" in config else "optimizer"
    optimizer = _optimizer(inner, (*path, place), context)
    if not dynamic:
        amount = given.get("initial_scale")
        if amount in (None, 1) or (isinstance(optimizer, dict) and "class" in optimizer):
            return optimizer
        fields = optimizer if isinstance(optimizer, dict) else {"type": optimizer}
        return {**fields, "loss_scale_factor": amount}
    defaults = word_defaults("optimizer", "LossScaleOptimizer")
    kept: Json = {
        key: value
        for key, value in given.items()
        if value is not None and not same(value, defaults[key])
    }
    word = {"type": "LossScaleOptimizer", "inner_optimizer": optimizer, **kept}
    source = {"class_name": "LossScaleOptimizer", "config": config}
    return settled(word, "optimizer", source, path, context)


def _optimizer_argument(key: str, item: Any, path: Path, context: Context) -> Any:
    if isinstance(item, dict) and "class_name" in item:
        if key == "inner_optimizer":
            return _optimizer(item, path, context)
        return _schedule(item, path, context)
    if key in FLOAT32_ARGUMENTS and isinstance(item, float):
        return clean_float(item)
    return clean_numbers(item) if context.legacy else item


def _schedule(item: Json, path: Path, context: Context) -> Json:
    """A learning rate schedule."""
    type_name = as_text(item["class_name"], (*path, "class_name"), "the class of a schedule")
    known = known_name("schedule", type_name, item.get("module"))
    raw = item.get("config")
    if not isinstance(known, str) or not isinstance(raw, dict):
        return custom_object(item, "schedule", path, context)
    type_name = word_type("schedule", known)
    config = plain_arguments(raw)
    defaults = word_defaults("schedule", type_name)
    kept = {
        key: clean_numbers(value) if context.legacy else value
        for key, value in config.items()
        if not (key == "name" and value in (None, type_name))
        and not (same(value, defaults[key]) if key in defaults else value is None)
    }
    found: Json = settled({"type": type_name, **kept}, "schedule", item, path, context)
    return found


def _optimizer_to_keras_3(type_name: str, config: Json, path: Path, context: Context) -> Json:
    """The config of an optimizer of Keras 0 to 2, converted to Keras 3's arguments."""
    cls = term_class("optimizer", type_name)
    result = current_arguments(cls, config, path, context)
    for key in (*OPTIMIZER_DROPPED, "name"):
        result.pop(key, None)
    decay = result.pop("decay", 0)
    if decay:
        # Keras 2's lr / (1 + decay * iterations).
        result["learning_rate"] = {
            "class_name": "InverseTimeDecay",
            "config": inverse_time_decay(result.get("learning_rate", 0.001), decay),
        }
    if result.get("epsilon", 0) is None:
        del result["epsilon"]
    if result.get("weight_decay") in (False, 0, 0.0):
        result.pop("weight_decay", None)
    if type_name == "Adagrad" and _before_tf_keras(context):
        result.setdefault("initial_accumulator_value", 0.0)
    if result.get("clipnorm") is not None and _before_tf_keras(context):
        result["global_clipnorm"] = result.pop("clipnorm")
    return result


def _before_tf_keras(context: Context) -> bool:
    """Whether multi-backend Keras wrote the file, whose `clipnorm` clips the norm of all gradients."""
    if context.generation <= KERAS_1:
        return True
    version = context.version
    old = version.startswith(("2.0.", "2.1.", "2.2.", "2.3.")) and not version.endswith("-tf")
    return context.generation == KERAS_2 and old
