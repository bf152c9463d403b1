"""Old spellings that textbooks still print, and what they are called today.

The reader reports them as SF124; `fixes` rewrites them.  Both read the tables of this module.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from specfmt.vocab.history import FORMER

FIX_HINT: Final = "`specfmt fmt --fix` rewrites it"

INPUT_KEYS: Final = (
    "input_shape",
    "batch_input_shape",
    "batch_shape",
    "input_dim",
    "input_length",
    "input_dtype",
)
"""Keys by which the first layer of an older Keras told the model's input."""

KERNEL_KEYS: Final = ("nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3")
"""Keras 1's kernel sizes, one key an axis."""

RENAMED: Final[dict[str, tuple[str, ...]]] = {
    "output_dim": ("units",),
    "init": ("kernel_initializer", "embeddings_initializer", "alpha_initializer"),
    "inner_init": ("recurrent_initializer",),
    "inner_activation": ("recurrent_activation",),
    "forget_bias_init": ("unit_forget_bias",),
    "bias": ("use_bias",),
    "W_regularizer": ("kernel_regularizer", "embeddings_regularizer"),
    "U_regularizer": ("recurrent_regularizer",),
    "b_regularizer": ("bias_regularizer",),
    "W_constraint": ("kernel_constraint", "embeddings_constraint"),
    "b_constraint": ("bias_constraint",),
    "dropout_W": ("dropout",),
    "dropout_U": ("recurrent_dropout",),
    "nb_filter": ("filters",),
    "nb_filters": ("filters",),
    "filter_length": ("kernel_size",),
    "border_mode": ("padding",),
    "subsample": ("strides",),
    "subsample_length": ("strides",),
    "stride": ("strides",),
    "pool_length": ("pool_size",),
    "dim_ordering": ("data_format",),
    "atrous_rate": ("dilation_rate",),
    "depthwise_init": ("depthwise_initializer",),
    "pointwise_init": ("pointwise_initializer",),
    "beta_init": ("beta_initializer",),
    "gamma_init": ("gamma_initializer",),
    "length": ("size",),
    "dims": ("target_shape",),
    "p": ("rate",),
    "sigma": ("stddev",),
    "alpha": ("negative_slope",),
    "theta": ("threshold",),
    "concat_axis": ("axis",),
    "dot_axes": ("axes",),
    "lr": ("learning_rate",),
    "nb_epoch": ("epochs",),
    "nb_epochs": ("epochs",),
    "epsilon": ("min_delta",),
    "m": ("max_value",),
    "l": ("l1", "l2"),
}
"""Old key -> today's; the first that a class has is meant."""

GONE: Final[dict[str, tuple[str, tuple[object, ...] | None]]] = {
    "implementation": ("recurrent_dropout", None),
    "consume_less": ("recurrent_dropout", None),
    "time_major": ("recurrent_dropout", (False,)),
    "fused": ("moving_mean_initializer", None),
    "virtual_batch_size": ("moving_mean_initializer", (None,)),
    "adjustment": ("moving_mean_initializer", (None,)),
    "mode": ("moving_mean_initializer", (0,)),
    "schedule_decay": ("beta_2", (0.004,)),
    "period": ("save_best_only", (1,)),
    "write_grads": ("write_graph", None),
    "batch_size": ("write_graph", None),
}
"""Old key -> a field of the classes that had it, and the values that today's Keras is
equal to (None for any): with these the key can simply go."""

OLD_TYPES: Final[dict[str, str]] = {
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
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "TimeDistributedDense": "Dense",
    "ThresholdedReLU": "ReLU",
    "Sequential": "Model",
    "Functional": "Model",
}
"""Layer types of earlier Keras versions and aliases of today's, and the name that is used."""

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
"""Modes of Keras 1's ``Merge`` and the layers that took their place."""

INPUT_TYPES: Final = ("Input", "InputLayer")

OLD_WORDS: Final[dict[str, dict[str, str]]] = FORMER
"""By kind: a word's old name and today's."""

_PATH = re.compile(r"(?:tf|tensorflow|keras|layers)\.(?:\w+\.)*(\w+)\Z")


@dataclass(frozen=True, slots=True)
class Old:
    """An old spelling: the field that took its place, and the message about it.

    Attributes:
        today: Today's key; empty where there is none.
        message: What was expected and what was received.
        hint: What to do.
    """

    today: str
    message: str
    hint: str = FIX_HINT


def old_key(label: str, key: str, fields: Collection[str]) -> Old | None:
    """The old spelling that ``key`` is, for a class called ``label`` with these fields."""
    today = renamed(key, fields)
    received = f"received the old spelling `{key}`"
    if today:
        return Old(today, f"expected `{today}`, {received}")
    is_layer = "activity_regularizer" in fields
    if key in INPUT_KEYS and is_layer:
        return Old("", f"expected the shape in the model's `inputs:`, received `{key}` on {label}")
    if key in KERNEL_KEYS and "kernel_size" in fields:
        return Old("kernel_size", f"expected `kernel_size`, {received}")
    if key == "decay" and "learning_rate" in fields:
        return Old(
            "", f"expected a schedule such as InverseTimeDecay as `learning_rate`, {received}"
        )
    if key == "weights" and is_layer:
        hint = "remove it; `specfmt weights` carries trained weights"
        return Old("", f"expected no weights in {label}, received `{key}`", hint)
    if key in GONE and GONE[key][0] in fields:
        return Old("", f"expected no `{key}`, which today's {label} does not take", "remove it")
    return None


def renamed(key: str, fields: Collection[str]) -> str:
    """What ``key`` of a class with these fields is called today, or nothing."""
    return next((name for name in RENAMED.get(key, ()) if name in fields), "")


def today_type(type_name: str) -> str:
    """What a layer type is called today, or nothing where it is no old spelling."""
    path = _PATH.match(type_name)
    bare = path[1] if path else type_name
    today = OLD_TYPES.get(bare, bare)
    return today if today != type_name else ""


def old_type(type_name: object) -> Old | None:
    """The old spelling that the type of an entry is."""
    if not isinstance(type_name, str):
        return None
    received = f'received the old spelling "{type_name}"'
    today = today_type(type_name)
    bare = today or type_name
    if bare in INPUT_TYPES:
        return Old("", f"expected the model's `inputs:`, received a layer {bare}")
    if bare == "Merge":
        return Old("", f"expected Add, Concatenate or another merging layer, {received}")
    return Old(today, f"expected {today}, {received}") if today else None


def today_word(kind: str, name: str) -> str:
    """What a word is called today, or nothing where it is no old spelling."""
    path = _PATH.match(name)
    bare = path[1] if path else name
    today = OLD_WORDS.get(kind, {}).get(bare, bare)
    return today if today != name else ""
