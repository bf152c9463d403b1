"""Layers that specfmt does not know, as generated code shows them: names, configs, signatures."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from specfmt.graph.model import Unit
from specfmt.layers.custom import Custom
from specfmt.layers.index import INDEX
from specfmt.layers.naming import is_identifier
from specfmt.targets.naming import class_name, identifier
from specfmt.targets.source import comment, literal

COMMON = ("name", "trainable", "dtype", "batch_input_shape", "batch_shape")
"""What every Keras config holds beside the class's own arguments."""

TENSORFLOW = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod", "InstanceMethod")
"""Classes of tf.keras that stand for a function of TensorFlow."""

LONGEST = 60
"""Characters of a config value that are shown."""


CODE = (
    "function",
    "function_type",
    "module",
    "output_shape",
    "output_shape_type",
    "output_shape_module",
    "mask",
    "mask_type",
    "mask_module",
)
"""What a Lambda's config holds of its Python code, which is never read."""


def own_config(layer: Custom) -> dict[str, Any]:
    """The config without what every layer has, and without a Lambda's code."""
    hidden = (*COMMON, *(CODE if layer.class_name == "Lambda" else ()))
    config = {key: value for key, value in layer.config.items() if key not in hidden}
    return {} if config == {"arguments": {}} else config


def wished_class(layer: Custom, unit: Unit) -> str:
    """What a class that stands for the layer is called.

    A Lambda and a function of TensorFlow have no class that says what they are: the first is
    named after the layer, the other after the function.
    """
    if layer.class_name == "Lambda":
        name = class_name(unit.name, "Lambda")
        return name if "lambda" in name.lower() else f"{name}Lambda"
    function = layer.config.get("function")
    if layer.class_name in TENSORFLOW and isinstance(function, str):
        return f"Tf{class_name(function, 'Function')}"
    if layer.class_name in TENSORFLOW:
        return class_name(unit.name, "Layer")
    inner = layer.config.get("layer")
    if layer.class_name in INDEX and isinstance(inner, dict):  # around one that is not known
        return class_name(f"{layer.class_name}{inner.get('class_name', '')}", "Layer")
    return class_name(layer.class_name, "Layer")


def what_it_is(layer: Custom, unit: Unit) -> str:
    """``the Keras layer my_layers.Scale``, for a docstring."""
    function = layer.config.get("function")
    if layer.class_name in TENSORFLOW and isinstance(function, str):
        return f"the TensorFlow function tf.{comment(function)}"
    if layer.class_name == "Lambda":
        return f"the Lambda layer {comment(unit.name)}"
    return f"the Keras layer {comment(layer.class_)}"


def config_text(config: dict[str, Any]) -> str:
    """``units=3, activation="relu"``; long values are cut."""
    return ", ".join(f"{comment(str(key))}={_short(value)}" for key, value in config.items())


def _short(value: Any) -> str:
    text = comment(literal(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def paragraph(text: str, width: int) -> list[str]:
    """Text as lines of a docstring."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def is_keyword(key: Any) -> bool:
    """Whether a config's key can be a keyword of a call."""
    return is_identifier(key)


def attribute_names(names: Iterator[str] | list[str]) -> dict[str, str]:
    """An attribute for each weight: ``dense/kernel`` -> ``dense_kernel``."""
    from specfmt.targets.naming import Scope

    scope = Scope(RESERVED)
    return {name: scope.claim(identifier(name, "weight")) for name in names}


RESERVED = frozenset(
    "training forward call build weights trainable name dtype bias_ self parameters buffers".split()
)
"""Attributes of modules and layers that no weight may hide."""
