"""Layer types of earlier releases of Keras, and the current type of each.

A table of names, so that a look-up imports nothing.  Sources: `keras.layers` of releases
0.3 to 3 and of tf_keras 2.21, their aliases and the classes behind them.
"""

from __future__ import annotations

import re
from typing import Any, Final

from specfmt.fields.spellings import Replacement

FORMER_TYPES: Final[dict[str, str]] = {
    **{f"Convolution{n}D": f"Conv{n}D" for n in (1, 2, 3)},
    **{f"Convolution{n}DTranspose": f"Conv{n}DTranspose" for n in (1, 2, 3)},
    **{f"AtrousConvolution{n}D": f"Conv{n}D" for n in (1, 2)},
    **{f"AtrousConv{n}D": f"Conv{n}D" for n in (1, 2)},
    **{f"Deconvolution{n}D": f"Conv{n}DTranspose" for n in (2, 3)},
    **{f"Deconv{n}D": f"Conv{n}DTranspose" for n in (2, 3)},
    **{f"SeparableConvolution{n}D": f"SeparableConv{n}D" for n in (1, 2)},
    **{f"DepthwiseConvolution{n}D": f"DepthwiseConv{n}D" for n in (1, 2)},
    **{f"MaxPool{n}D": f"MaxPooling{n}D" for n in (1, 2, 3)},
    **{f"AvgPool{n}D": f"AveragePooling{n}D" for n in (1, 2, 3)},
    **{f"GlobalMaxPool{n}D": f"GlobalMaxPooling{n}D" for n in (1, 2, 3)},
    **{f"GlobalAvgPool{n}D": f"GlobalAveragePooling{n}D" for n in (1, 2, 3)},
    **{f"BatchNormalizationV{n}": "BatchNormalization" for n in (1, 2)},
    "SyncBatchNormalization": "BatchNormalization",
    **{f"{name}V{n}": name for name in ("LSTM", "GRU", "LSTMCell", "GRUCell") for n in (1, 2)},
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "TimeDistributedDense": "Dense",
    "ThresholdedReLU": "ReLU",
    **dict.fromkeys(
        ("Sequential", "Functional", "Container", "Graph", "ModelV2", "Network"), "Model"
    ),
}
"""Former type -> current type."""

EXPORTED_AS: Final = {"GroupedQueryAttention": "GroupQueryAttention"}
"""Class -> the name under which Keras exports it; ``.h5`` files of Keras 3 have the former."""

FORMER_TYPE_ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "SyncBatchNormalization": {"synchronized": True},
    "CuDNNLSTM": {"recurrent_activation": "sigmoid"},
    "CuDNNGRU": {"recurrent_activation": "sigmoid", "reset_after": True},
    "ThresholdedReLU": {"threshold": 1.0},
}
"""Former type -> the defaults that it had for arguments of the current type."""

WITHOUT_SUCCESSOR: Final[dict[str, str]] = {
    "Highway": "a gated layer of four weights",
    "MaxoutDense": "a maximum over several Dense layers in one",
    "ParametricSoftplus": "a learned softplus",
    "SReLU": "a learned piecewise linear function",
    "TimeDistributedMerge": "a reduction over time",
    "Siamese": "a layer over several models",
    "SiameseHead": "a layer over several models",
}
"""Former types that have no successor -> what they computed."""

MERGE_MODES: Final[dict[str, str]] = {
    "sum": "Add",
    "mul": "Multiply",
    "concat": "Concatenate",
    "ave": "Average",
    "max": "Maximum",
    "min": "Minimum",
    "dot": "Dot",
    "cos": "Dot",
}
"""Modes of Keras 1's ``Merge`` -> the layers that replaced them."""

INPUT_TYPES: Final = ("Input", "InputLayer")

_PATH: Final = re.compile(r"(?:tf|tensorflow|keras|tf_keras|layers)\.(?:\w+\.)*(\w+)\Z")


def current_type(type_name: str) -> str:
    """The current name of a layer type, without its module."""
    path = _PATH.match(type_name)
    bare = path[1] if path else type_name
    return FORMER_TYPES.get(bare, bare)


def former_type(type_name: object) -> Replacement | None:
    """What replaced a former layer type; None for a current or unknown type."""
    if not isinstance(type_name, str):
        return None
    today = current_type(type_name)
    if today in INPUT_TYPES:
        return Replacement(message=f"expected the model's `inputs:`, received a layer {today}")
    if today in WITHOUT_SUCCESSOR:
        return Replacement(
            message=no_successor(today),
            hint="build it from current layers, or write {type: Custom, ...}",
        )
    received = f'received the old spelling "{type_name}"'
    if today == "Merge":
        return Replacement(
            message=f"expected Add, Concatenate or another merging layer, {received}"
        )
    return (
        Replacement(today, message=f"expected {today}, {received}") if today != type_name else None
    )


def no_successor(type_name: str) -> str:
    """The message about a type that has no successor."""
    what = WITHOUT_SUCCESSOR[type_name]
    return f"expected a layer that Keras 3 has, received {type_name}, {what}"
