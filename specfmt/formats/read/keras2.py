"""Keras 2 (and tf.keras 1.4 to 2.15): layers in Keras 3's class and argument names.

Sources: tf_keras 2.21 (`tf_keras.src.layers`) for what the arguments mean, and the config keys
of 2.0 to 2.15 as files of those years hold them.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.formats.config.reading import Json, fail, show

CLASSES: Final = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "LSTMV1": "LSTM",
    "LSTMV2": "LSTM",
    "GRUV1": "GRU",
    "GRUV2": "GRU",
    "LSTMCellV1": "LSTMCell",
    "LSTMCellV2": "LSTMCell",
    "GRUCellV1": "GRUCell",
    "GRUCellV2": "GRUCell",
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "ThresholdedReLU": "ReLU",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3DTranspose": "Conv3DTranspose",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
    "AvgPool3D": "AveragePooling3D",
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "MaxPool3D": "MaxPooling3D",
    "GlobalAvgPool1D": "GlobalAveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalAvgPool3D": "GlobalAveragePooling3D",
    "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "GlobalMaxPool3D": "GlobalMaxPooling3D",
}

ARGUMENTS: Final[dict[str, dict[str, str]]] = {
    "LeakyReLU": {"alpha": "negative_slope"},
    "ThresholdedReLU": {"theta": "threshold"},
    "Discretization": {"bins": "bin_boundaries"},
    "CategoryEncoding": {"max_tokens": "num_tokens"},
}

RECURRENT: Final = frozenset(
    [
        "RNN",
        "SimpleRNN",
        "LSTM",
        "GRU",
        "ConvLSTM1D",
        "ConvLSTM2D",
        "ConvLSTM3D",
        "SimpleRNNCell",
        "LSTMCell",
        "GRUCell",
        "StackedRNNCells",
    ]
)
LOOKUPS: Final = frozenset(["StringLookup", "IntegerLookup", "TextVectorization", "Discretization"])
OUTPUT_MODES: Final = {"binary": "multi_hot", "tf-idf": "tf_idf"}
"""What the first preprocessing layers called what they give."""

NO_KERNEL: Final = frozenset(
    ["SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D"]
)

DROPPED: Final = frozenset(
    [
        "batch_input_shape",
        "input_length",
        "implementation",
        "query_shape",
        "key_shape",
        "value_shape",
        "rng_type",
        "autocast",
        "dynamic",
        "input_spec",
        "has_static_table",
        "vocabulary_size",
        "_output_shape",
    ]
)
"""How the layer was fed or computed; Keras 3 finds it out by itself."""

SWITCHED_OFF: Final[dict[str, Any]] = {
    "time_major": False,
    "softmax_robust_masking": False,
    "causal": False,
    "reverse_state_order": False,
    "virtual_batch_size": None,
    "adjustment": None,
}
"""Options that Keras 3 does not have: fine at this value, refused at any other."""

_HINT = "rebuild this layer in Keras 3"


def modernise(class_name: str, config: Json, path: Path) -> tuple[str, Json]:
    """A layer of Keras 2 with Keras 3's class and argument names.

    Raises:
        SpecError: SF420 for an option that Keras 3 does not have.
    """
    old_class, class_name = class_name, CLASSES.get(class_name, class_name)
    names = ARGUMENTS.get(old_class, {})
    result: Json = {}
    for key, value in config.items():
        if key in DROPPED or _belongs_elsewhere(class_name, key):
            continue
        if key in SWITCHED_OFF:
            if value is not None and value != SWITCHED_OFF[key]:
                fail(
                    "SF420",
                    f"expected {key} to be off, received {show(value)}",
                    (*path, key),
                    _HINT,
                )
            continue
        result[names.get(key, key)] = _plain(value)
    _add_missing(old_class, class_name, result)
    _check_groups(class_name, result, path)
    if class_name in (
        "BatchNormalization",
        "LayerNormalization",
        "UnitNormalization",
        "Normalization",
    ):
        axis = result.get("axis")
        if isinstance(axis, (list, tuple)) and len(axis) == 1:
            result["axis"] = axis[0]
    factor = result.get("factor")
    if class_name == "RandomContrast" and isinstance(factor, int | float):
        result["factor"] = [factor, factor]  # Keras 3 takes one number for the upper limit alone
    mode = result.get("output_mode")
    if isinstance(mode, str):
        result["output_mode"] = OUTPUT_MODES.get(mode, mode)
    return class_name, result


def _belongs_elsewhere(class_name: str, key: str) -> bool:
    if key.startswith("kernel_") and key != "kernel_size":
        return class_name in NO_KERNEL
    if key == "noise_shape":
        return class_name.startswith("SpatialDropout")
    if key == "dtype":  # Keras 2 gave these layers the dtype of what they read or give
        return class_name in LOOKUPS
    return False


def _plain(value: Any) -> Any:
    """A number that Keras 2.2 wrote as ``{"type": ..., "value": ...}``."""
    if isinstance(value, dict) and set(value) == {"type", "value"}:
        return value["value"]
    return value


def _add_missing(old_class: str, class_name: str, config: Json) -> None:
    """Arguments that the source leaves to the defaults of its time."""
    if old_class.startswith("CuDNN"):
        config.setdefault("activation", "tanh")
        config.setdefault("recurrent_activation", "sigmoid")
        if class_name == "GRU":
            config["reset_after"] = True
    elif class_name in ("LSTM", "GRU", "LSTMCell", "GRUCell") or class_name.startswith("ConvLSTM"):
        config.setdefault("recurrent_activation", "hard_sigmoid")
        if class_name.startswith("GRU"):
            config.setdefault("reset_after", False)
    if old_class == "SyncBatchNormalization":
        config["synchronized"] = True


def _check_groups(class_name: str, config: Json, path: Path) -> None:
    """``groups`` of layers that have none in Keras 3."""
    if "Transpose" in class_name or class_name in NO_KERNEL:
        groups = config.pop("groups", 1)
        if groups not in (1, None):
            fail(
                "SF420",
                f"expected groups to be 1, received {show(groups)}",
                (*path, "groups"),
                _HINT,
            )
