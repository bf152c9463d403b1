"""How generated code shows layers that specfmt does not define: names, configs, signatures."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from specfmt.graph.model import Unit
from specfmt.layers.custom import Custom
from specfmt.layers.index import INDEX
from specfmt.targets.naming import Scope, class_name, identifier
from specfmt.targets.source import comment, literal

COMMON = ("name", "trainable", "dtype", "batch_input_shape", "batch_shape")
"""Entries of every Keras config besides the class's own arguments."""

TENSORFLOW = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod", "InstanceMethod")
"""Classes of tf.keras that wrap a TensorFlow function."""

WIDTH = 84
"""The width of a docstring line, without its indentation."""

INFERRED_SHAPE = (
    "The output shape is inferred from the layers that follow; if it is wrong, set `shape:` in "
    "the spec and generate the code again."
)
"""A note in the docstring of a stub whose output shape the spec does not specify."""

LONGEST = 60
"""How many characters of a config value are shown."""

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
"""Entries of a Lambda's config that describe its Python code, which is never read."""


def own_config(layer: Custom) -> dict[str, Any]:
    """The config without the arguments that every layer takes and without a Lambda's code."""
    hidden = (*COMMON, *(CODE if layer.class_name == "Lambda" else ()))
    config = {key: value for key, value in layer.config.items() if key not in hidden}
    return {} if config == {"arguments": {}} else config


def preferred_class(layer: Custom, unit: Unit) -> str:
    """The preferred name of the stub class for a layer.

    The class of a Lambda or of a wrapped TensorFlow function does not say what it computes: the
    first stub is named after the layer, the second after the function.
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
    if layer.class_name in INDEX and isinstance(inner, dict):  # a wrapper of an unknown layer
        return class_name(f"{layer.class_name}{inner.get('class_name', '')}", "Layer")
    return class_name(layer.class_name, "Layer")


def describe_layer(layer: Custom, unit: Unit) -> str:
    """The layer in words, for a docstring: ``the Keras layer my_layers.Scale``."""
    function = layer.config.get("function")
    if layer.class_name in TENSORFLOW and isinstance(function, str):
        return f"the TensorFlow function tf.{comment(function)}"
    if layer.class_name == "Lambda":
        return f"the Lambda layer {comment(unit.name)}"
    return f"the Keras layer {comment(layer.class_)}"


def config_text(config: dict[str, Any]) -> str:
    """The config as text, long values truncated: ``units=3, activation="relu"``."""
    return ", ".join(f"{comment(str(key))}={_short(value)}" for key, value in config.items())


def _short(value: Any) -> str:
    text = comment(literal(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def paragraph(text: str) -> list[str]:
    """Wrap text into docstring lines of at most `WIDTH` columns."""
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def claim_class(scope: Scope, preferred: str) -> str:
    """An unused class name: ``Scale``, ``Scale2``."""
    name, number = preferred, 1
    while name in scope.used:
        number += 1
        name = f"{preferred}{number}"
    scope.used.add(name)
    return name


@dataclass(frozen=True)
class StubWeight:
    """A weight of a stub class.

    Attributes:
        owner: The layer that has it, as source: ``self`` or a sublayer.
        attribute: Its attribute name in that layer.
        name: Its name in Keras in that layer.
        shape: Its shape, as source.
        dtype: Its dtype; empty for the layer's.
        trainable: Whether it is trained.
    """

    owner: str
    attribute: str
    name: str
    shape: str
    dtype: str
    trainable: bool


def attribute_names(names: Iterator[str] | list[str]) -> dict[str, str]:
    """The attribute name of each weight: ``dense/kernel`` -> ``dense_kernel``."""
    scope = Scope(RESERVED)
    return {name: scope.claim(identifier(name, "weight")) for name in names}


RESERVED = frozenset(
    "training forward call build weights trainable name dtype bias_ self parameters buffers".split()
)
"""Attributes of modules and layers that no weight's name may shadow."""
