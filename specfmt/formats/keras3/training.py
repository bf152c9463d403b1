"""``compile_config``: the training configuration, as Keras 3 serializes it."""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.config.reading import Json
from specfmt.formats.keras3.words import MODULES, float32, plain, serialized, write_custom
from specfmt.spec.train import TrainSpec
from specfmt.vocab.base import CUSTOM, Term
from specfmt.vocab.naming import to_snake_case

JIT_COMPILE: Final = False
"""The value of ``auto`` on a machine without an accelerator."""

LOSS_CONFIGS: Final[dict[str, tuple[str, ...]]] = {
    "BinaryCrossentropy": ("from_logits", "label_smoothing", "axis"),
    "CategoricalCrossentropy": ("from_logits", "label_smoothing", "axis"),
    "BinaryFocalCrossentropy": (
        "from_logits",
        "label_smoothing",
        "axis",
        "apply_class_balancing",
        "alpha",
        "gamma",
    ),
    "CategoricalFocalCrossentropy": ("from_logits", "label_smoothing", "axis", "alpha", "gamma"),
    "SparseCategoricalCrossentropy": ("from_logits", "ignore_class", "axis"),
    "Tversky": ("alpha", "beta", "axis"),
    "Dice": ("axis",),
    "Circle": ("gamma", "margin", "remove_diagonal"),
    "CategoricalGeneralizedCrossEntropy": ("q",),
}
"""Arguments that losses write besides ``name`` and ``reduction``."""


def compile_config(train: TrainSpec | None) -> Json:
    """The ``compile_config`` of a ``train:`` section; empty if there is none."""
    if train is None:
        return {}
    jit = JIT_COMPILE if train.jit_compile == "auto" else train.jit_compile
    return {
        "optimizer": write_optimizer(train.optimizer),
        "loss": words(train.loss),
        "loss_weights": plain(train.loss_weights),
        "metrics": words(train.metrics),
        "weighted_metrics": words(train.weighted_metrics),
        "run_eagerly": train.run_eagerly,
        "steps_per_execution": train.steps_per_execution,
        "jit_compile": jit,
    }


def words(value: Any) -> Any:
    """Losses or metrics: a name as it was written, an object if it was given with arguments."""
    if isinstance(value, Term):
        if value.type == CUSTOM:
            return write_custom(value)
        return write_named(value) if value.constructed else value.name
    if isinstance(value, dict):
        return {key: words(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [words(item) for item in value]
    return value


def write_named(term: Term) -> Json:
    """A loss or metric as an object."""
    spec = term.spec
    config = {
        field.alias or name: plain(getattr(spec, name))
        for name, field in type(spec).model_fields.items()
        if name not in spec.extra_fields
    }
    if term.kind == "loss":
        kept = ("name", "reduction", *LOSS_CONFIGS.get(term.type, ()))
        config = {key: config[key] for key in kept if key in config}
    elif config.get("dtype") is None:
        config["dtype"] = "float32"
    return serialized(MODULES[term.kind], term.type, config)


def write_optimizer(term: Term) -> Json:
    """An optimizer as an object with all its arguments."""
    if term.type == CUSTOM:
        return write_custom(term)
    spec = term.spec
    config: Json = {}
    for name, field in type(spec).model_fields.items():
        if name in spec.extra_fields:
            continue
        value = getattr(spec, name)
        if isinstance(value, Term):
            value = write_optimizer(value) if value.kind == "optimizer" else write_schedule(value)
        elif name == "learning_rate":
            value = float32(value)
        config[field.alias or name] = plain(value)
    config["name"] = config.get("name") or to_snake_case(term.type)
    return serialized(MODULES["optimizer"], term.type, config)


def write_schedule(term: Term) -> Json:
    """A learning rate schedule as an object."""
    if term.type == CUSTOM:
        return write_custom(term)
    spec = term.spec
    config = {
        field.alias or name: plain(getattr(spec, name))
        for name, field in type(spec).model_fields.items()
    }
    config["name"] = config.get("name") or term.type
    return serialized(MODULES["schedule"], term.type, config)
