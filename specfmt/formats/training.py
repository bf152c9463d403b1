"""How a model was compiled, of every generation, as the ``train:`` section of a spec."""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.context import KERAS_1, KERAS_2, Context
from specfmt.formats.defaults import same, word_defaults, word_name, word_type
from specfmt.formats.floats import clean_float, clean_numbers
from specfmt.formats.reading import Json, as_map, as_text, fail, show
from specfmt.spec.diagnostics import Path
from specfmt.spec.naming import to_snake_case

COMPILE_DEFAULTS: Final = {"run_eagerly": False, "steps_per_execution": 1, "jit_compile": False}
"""What Keras 3 writes for arguments of `compile` that were not given (``jit_compile`` as
resolved on a machine without XLA)."""

LEGACY_LOSSES: Final = {
    "kullback_leibler_divergence": "kl_divergence",
    "cosine_proximity": "cosine_similarity",
    "cosine": "cosine_similarity",
    "logcosh": "log_cosh",
}
ACCURACIES: Final = (
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
)

OPTIMIZER_DROPPED: Final = frozenset({"jit_compile", "is_legacy_optimizer"})
LEGACY_ARGUMENTS: Final = {"lr": "learning_rate"}
FLOAT32_ARGUMENTS: Final = ("learning_rate",)
"""Arguments that Keras 3 itself rounds to float32 before it writes them."""

CLASS_NAMES: Final = {
    "optimizer": {
        name.lower(): name
        for name in [
            "SGD",
            "RMSprop",
            "Adam",
            "AdamW",
            "Adadelta",
            "Adagrad",
            "Adamax",
            "Nadam",
            "Ftrl",
            "Adafactor",
            "Lion",
        ]
    }
}
"""tf.js and Keras 1 wrote some class names in lower case."""


def read_compile_config(value: Any, path: Path, context: Context) -> Json:
    """Keras 3's ``compile_config`` (2.13 to 2.15: the same keys).

    Raises:
        SpecError: SF4xx for anything that is no such configuration.
    """
    config = as_map(value, path, "compile_config")
    if not config.get("optimizer") and not config.get("loss"):
        return {}
    train = _section(config, config.get("optimizer"), path, "optimizer", context)
    for key, default in COMPILE_DEFAULTS.items():
        given = config.get(key)
        if given is not None and not same(given, default):
            train[key] = given
    if config.get("auto_scale_loss") is False:
        train["auto_scale_loss"] = False
    return train


def read_training_config(value: Any, path: Path, context: Context) -> Json:
    """Keras 1's and 2's ``training_config``, tf.js's the same; Keras 0 wrote it at the top.

    Raises:
        SpecError: SF4xx for anything that is no such configuration.
    """
    config = as_map(value, path, "the training configuration")
    key = "optimizer_config" if "optimizer_config" in config else "optimizer"
    return _section(config, config.get(key), path, key, context)


def _section(config: Json, optimizer: Any, path: Path, key: str, context: Context) -> Json:
    train: Json = {}
    if config.get("loss"):
        train["loss"] = _loss(config["loss"], (*path, "loss"), context)
    if config.get("loss_weights"):
        train["loss_weights"] = clean_numbers(config["loss_weights"])
    if optimizer:
        train["optimizer"] = _optimizer(optimizer, (*path, key), context)
    for name in ("metrics", "weighted_metrics"):
        if config.get(name):
            found = _metrics(config[name], (*path, name), context)
            if found:
                train[name] = found
    return train


def _loss(value: Any, path: Path, context: Context) -> Any:
    """A loss, or lists and mappings of them by output."""
    if value is None:
        return None
    if isinstance(value, str):
        return LEGACY_LOSSES.get(value, value) if context.legacy else value
    if isinstance(value, list):
        return [_loss(item, (*path, i), context) for i, item in enumerate(value)]
    mapping = as_map(value, path, "a loss")
    if "class_name" in mapping:
        return _object(mapping, "loss", path, context)
    return {key: _loss(item, (*path, key), context) for key, item in mapping.items()}


def _metrics(value: Any, path: Path, context: Context) -> Any:
    found = _metric(value, path, context)
    if (
        context.legacy
        and isinstance(found, list)
        and len(found) == 1
        and isinstance(found[0], list)
    ):
        return found[0]  # Keras 2 wrote a list for each output, for a single one too
    return found


def _metric(value: Any, path: Path, context: Context) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return [_metric(item, (*path, i), context) for i, item in enumerate(value)]
    mapping = as_map(value, path, "a metric")
    if "class_name" not in mapping:
        return {key: _metric(item, (*path, key), context) for key, item in mapping.items()}
    if mapping["class_name"] == "MeanMetricWrapper" and context.legacy:
        return _wrapped_metric(mapping, path)
    return _object(mapping, "metric", path, context)


def _wrapped_metric(mapping: Json, path: Path) -> str:
    """Keras 2's wrapper around a function: the function, or the ``accuracy`` it stood for."""
    config = as_map(mapping.get("config"), (*path, "config"), "the config of a metric")
    function = config.get("fn")
    if isinstance(function, dict):
        function = function.get("config")
    function = as_text(function, (*path, "config", "fn"), "the function of a metric")
    name = config.get("name")
    if not isinstance(name, str) or not name.endswith(("acc", "accuracy")):
        return LEGACY_LOSSES.get(function, function)
    if function in ACCURACIES and not (name.endswith(function) and "_" in function):
        return "accuracy"
    return LEGACY_LOSSES.get(function, function)


def _object(mapping: Json, kind: str, path: Path, context: Context) -> Any:
    """``{class_name, config}`` as ``{type: Name, ...}`` with what differs from the defaults."""
    type_name = as_text(mapping["class_name"], (*path, "class_name"), f"the class of a {kind}")
    if type_name == "function":
        function = mapping.get("config")
        if isinstance(function, str) and str(mapping.get("module")).startswith("keras."):
            return function
        return _custom(mapping, kind, path, context)
    module = mapping.get("module")
    if isinstance(module, str) and not module.startswith(("keras", "tf_keras")):
        return _custom(mapping, kind, path, context)
    raw = mapping.get("config")
    config = {} if raw is None else as_map(raw, (*path, "config"), f"the config of {type_name}")
    if word_name(kind, type_name) is None and module is None:
        return _custom(mapping, kind, path, context)
    defaults = word_defaults(kind, type_name)
    kept: Json = {}
    for key, value in config.items():
        if key == "fn" or (context.legacy and key == "reduction" and value in ("auto", None)):
            continue
        if key == "name" and isinstance(value, str) and _automatic(value, type_name, context):
            continue
        if key == "dtype" and value in ("float32", None):
            continue
        if value is None if key not in defaults else same(value, defaults[key]):
            continue
        kept[key] = clean_numbers(value) if context.legacy else value
    return {"type": word_type(kind, type_name), **kept}


def _automatic(name: str, type_name: str, context: Context) -> bool:
    """Whether a loss or metric has the name that Keras gives it (Keras 2: with its output's)."""
    own = to_snake_case(type_name)
    return name == own or (context.legacy and name.endswith("_" + own))


def _custom(mapping: Json, kind: str, path: Path, context: Context) -> Json:
    context.warn(
        "SF431",
        f"kept the {kind} {show(mapping['class_name'])} as it is: it is not Keras's own",
        path,
    )
    dotted = ".".join(str(part) for part in (mapping.get("module"), mapping["class_name"]) if part)
    kept = {key: mapping[key] for key in ("registered_name",) if mapping.get(key) is not None}
    return {"type": "Custom", "class": dotted, "config": mapping.get("config"), **kept}


def _optimizer(value: Any, path: Path, context: Context) -> Any:
    if isinstance(value, str):
        return value
    mapping = as_map(value, path, "an optimizer")
    if "class_name" not in mapping and "name" in mapping:  # Keras 0 and 1.0
        config = {key: item for key, item in mapping.items() if key != "name"}
        mapping = {"class_name": mapping["name"], "config": config}
    type_name = as_text(
        mapping.get("class_name"), (*path, "class_name"), "the class of an optimizer"
    )
    type_name = type_name.removeprefix("Custom>")
    type_name = CLASS_NAMES["optimizer"].get(type_name, type_name)
    module = mapping.get("module")
    if (isinstance(module, str) and not module.startswith(("keras", "tf_keras"))) or (
        module is None and word_name("optimizer", type_name) is None
    ):
        return _custom(mapping, "optimizer", path, context)
    config = as_map(mapping.get("config"), (*path, "config"), f"the config of {type_name}")
    if context.legacy:
        config = _modernise_optimizer(type_name, config, (*path, "config"), context)
    defaults = word_defaults("optimizer", type_name)
    kept: Json = {}
    for key, item in config.items():
        if key == "name" and item == to_snake_case(type_name):
            continue
        item = _optimizer_argument(key, item, (*path, "config", key), context)
        if item is None if key not in defaults else same(item, defaults[key]):
            continue
        if item is False and key not in defaults:
            continue
        kept[key] = item
    bare = word_name("optimizer", type_name)
    if not kept and bare is not None:
        return bare
    return {"type": word_type("optimizer", type_name), **kept}


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
    module = item.get("module")
    if isinstance(module, str) and not module.startswith(("keras", "tf_keras")):
        return _custom(item, "schedule", path, context)
    config = as_map(item.get("config"), (*path, "config"), f"the config of {type_name}")
    defaults = word_defaults("schedule", type_name)
    kept = {
        key: clean_numbers(value) if context.legacy else value
        for key, value in config.items()
        if not (key == "name" and value in (None, type_name))
        and not (same(value, defaults[key]) if key in defaults else value is None)
    }
    return {"type": word_type("schedule", type_name), **kept}


def _modernise_optimizer(type_name: str, config: Json, path: Path, context: Context) -> Json:
    """An optimizer of Keras 0 to 2 in Keras 3's arguments."""
    result = {
        LEGACY_ARGUMENTS.get(key, key): value
        for key, value in config.items()
        if key not in OPTIMIZER_DROPPED and key != "name"
    }
    decay = result.pop("decay", 0)
    if decay:
        # Keras 2's lr / (1 + decay * iterations).
        result["learning_rate"] = {
            "class_name": "InverseTimeDecay",
            "config": {
                "initial_learning_rate": result.get("learning_rate", 0.001),
                "decay_steps": 1,
                "decay_rate": decay,
            },
        }
    if result.get("epsilon", 0) is None:
        del result["epsilon"]
    if result.get("weight_decay") in (False, 0, 0.0):
        result.pop("weight_decay", None)
    schedule_decay = result.pop("schedule_decay", 0.004)
    if schedule_decay != 0.004:
        fail("SF420", f"expected schedule_decay to be 0.004, received {show(schedule_decay)}", path)
    if type_name == "Adagrad" and _before_tf_keras(context):
        result.setdefault("initial_accumulator_value", 0.0)
    if result.get("clipnorm") is not None and _before_tf_keras(context):
        result["global_clipnorm"] = result.pop("clipnorm")
    return result


def _before_tf_keras(context: Context) -> bool:
    """Whether the multi-backend Keras wrote this, whose clipnorm is over all gradients."""
    if context.generation <= KERAS_1:
        return True
    version = context.version
    old = version.startswith(("2.0.", "2.1.", "2.2.", "2.3.")) and not version.endswith("-tf")
    return context.generation == KERAS_2 and old
