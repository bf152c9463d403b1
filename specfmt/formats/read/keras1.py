"""Keras 0 and 1: their layer names, argument names and defaults, said in Keras 2's.

Sources: keras/layers of releases 0.3.3, 1.0.8 and 1.2.2, and keras/legacy/interfaces.py of
2.0, in which Keras itself converted the old arguments.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.formats.config.context import KERAS_0, Context
from specfmt.formats.config.reading import Json, fail, show

CLASSES: Final = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AtrousConv1D": "Conv1D",
    "AtrousConv2D": "Conv2D",
    "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "TimeDistributedDense": "Dense",
    "TimeDistributedMerge": "TimeDistributedMerge",
}
"""Keras 1's class names; a Dense applies to the last axis at any rank, as TimeDistributedDense."""

ARGUMENTS: Final = {
    "output_dim": "units",
    "nb_filter": "filters",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "filter_length": "kernel_size",
    "atrous_rate": "dilation_rate",
    "pool_length": "pool_size",
    "stride": "strides",
    "length": "size",
    "dim_ordering": "data_format",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "bias": "use_bias",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "U_constraint": "recurrent_constraint",
    "b_constraint": "bias_constraint",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "dims": "target_shape",
    "p": "rate",
    "sigma": "stddev",
}
"""Keras 1's argument names, where a class has no others in `CLASS_ARGUMENTS`."""

CLASS_ARGUMENTS: Final[dict[str, dict[str, str]]] = {
    "Embedding": {
        "output_dim": "output_dim",
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    "SeparableConv2D": {
        "init": "depthwise_initializer",
        "W_regularizer": "kernel_regularizer",
    },
    "PReLU": {"init": "alpha_initializer"},
    "BatchNormalization": {
        "beta_init": "beta_initializer",
        "gamma_init": "gamma_initializer",
    },
    "Permute": {"dims": "dims"},
}

DROPPED: Final = frozenset(
    [
        "input_dtype",
        "input_dim",
        "input_length",
        "input_shape",
        "batch_input_shape",
        "consume_less",
        "truncate_gradient",
        "target",
        "beta",
        "weights",
        "cache_enabled",
    ]
)
"""Not a property of the layer: how it was fed, computed or once debugged."""

RECURRENT: Final = ("SimpleRNN", "LSTM", "GRU", "ConvLSTM2D")
FORGETTING: Final = ("LSTM", "ConvLSTM2D")
"""Layers whose forget gate has a start of its own."""
KERNELS: Final = {
    "Conv2D": ("nb_row", "nb_col"),
    "Conv3D": ("kernel_dim1", "kernel_dim2", "kernel_dim3"),
}
NO_EQUIVALENT: Final = {
    "Highway": "a gated layer of four weights",
    "MaxoutDense": "a maximum over several Dense layers in one",
    "ParametricSoftplus": "a learned softplus",
    "SReLU": "a learned piecewise linear function",
    "TimeDistributedMerge": "a reduction over time",
    "Siamese": "a layer over several models",
    "SiameseHead": "a layer over several models",
}

_HINT = "rebuild this part of the model in Keras 3"


def modernise(class_name: str, config: Json, context: Context, path: Path) -> tuple[str, Json]:
    """A layer of Keras 0 or 1 with Keras 2's class and argument names.

    Raises:
        SpecError: SF420 or SF422 where Keras 3 has nothing with the same meaning.
    """
    if class_name in NO_EQUIVALENT:
        what = NO_EQUIVALENT[class_name]
        fail(
            "SF422",
            f"expected a layer that Keras 3 has, received {class_name}, {what}",
            path,
            _HINT,
        )
    config = dict(config)
    old_class, class_name = class_name, CLASSES.get(class_name, class_name)
    _add_missing(class_name, config, context)
    _check_meaning(old_class, config, context, path)
    own = CLASS_ARGUMENTS.get(class_name, {})
    result: Json = {}
    for key, value in config.items():
        if key in DROPPED and not (class_name == "Embedding" and key == "input_dim"):
            continue
        result[own.get(key) or _renamed(key, class_name)] = _value(key, value)
    _kernel_size(class_name, result)
    _remap_constraints(class_name, result)
    return class_name, result


def _renamed(key: str, class_name: str) -> str:
    if key == "p" and class_name.startswith(("Reshape", "Merge")):
        return key
    return ARGUMENTS.get(key, key)


def _value(key: str, value: Any) -> Any:
    if key == "dim_ordering" and value in ("th", "tf"):
        return "channels_first" if value == "th" else "channels_last"
    return value


def _add_missing(class_name: str, config: Json, context: Context) -> None:
    """Arguments that the source leaves to the defaults of its time."""
    if class_name in RECURRENT:
        config.setdefault("inner_init", "orthogonal")
        config.setdefault("unroll", False)
        if class_name != "SimpleRNN":
            config.setdefault("inner_activation", "hard_sigmoid")
    if class_name in FORGETTING:
        config["unit_forget_bias"] = config.pop("forget_bias_init", "one") in ("one", "ones")
    if class_name == "GRU":
        config["reset_after"] = False
    if class_name == "BatchNormalization" and context.generation == KERAS_0:
        config.setdefault("epsilon", 1e-6)
        config.setdefault("momentum", 0.9)
    if class_name.endswith(("2D", "3D", "2DTranspose")):
        config.setdefault("dim_ordering", context.dim_ordering)


def _check_meaning(class_name: str, config: Json, context: Context, path: Path) -> None:
    """Refuse what Keras 3 would compute differently."""
    forget = config.get("forget_bias_init", "one")
    if class_name in FORGETTING and forget not in ("one", "ones", "zero", "zeros"):
        _refuse("forget_bias_init", "one or zero", forget, path)
    if class_name == "BatchNormalization":
        mode = config.pop("mode", 0)
        if mode != 0:
            _refuse(
                "mode", "0 (statistics of each feature, moving averages at inference)", mode, path
            )
        config.pop("running_mean", None)
    if class_name == "Embedding":
        dropout = config.pop("dropout", 0)
        if dropout:
            context.warn(
                "SF432",
                f"left out dropout: {show(dropout)} of an Embedding, which dropped whole words "
                "while it trained; Keras 3 has no such option",
                (*path, "dropout"),
                "it does nothing once a model is trained; SpatialDropout1D behind it is close",
            )
    if config.get("border_mode") == "full":
        _refuse("border_mode", "valid or same", "full", path)
    if class_name.startswith("Deconvolution"):
        config.pop("output_shape", None)
        if any(step != 1 for step in _numbers(config.get("subsample", 1))):
            _refuse(
                "subsample",
                "1 (with larger strides, output_shape decides between two paddings)",
                config.get("subsample"),
                path,
            )
    if config.get("activity_regularizer") in ({}, ""):
        config["activity_regularizer"] = None


def _refuse(key: str, expected: str, received: object, path: Path) -> None:
    fail(
        "SF420", f"expected {key} to be {expected}, received {show(received)}", (*path, key), _HINT
    )


def _numbers(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _kernel_size(class_name: str, config: Json) -> None:
    """``nb_row`` and ``nb_col``, ``kernel_dim1`` ... become one ``kernel_size``."""
    keys = KERNELS["Conv3D" if "3D" in class_name else "Conv2D"]
    if all(key in config for key in keys):
        config["kernel_size"] = [config.pop(key) for key in keys]


# Keras 1 kept the kernels of 'th' convolutions as (out, in, rows, columns).
_TH_AXES: Final = {0: 3, 1: 2, 2: 0, 3: 1}


def _remap_constraints(class_name: str, config: Json) -> None:
    """Axes of a kernel constraint, where the kernel's own axes were in another order."""
    constraint = config.get("kernel_constraint")
    if class_name != "Conv2D" or config.get("data_format") != "channels_first":
        return
    if isinstance(constraint, dict) and isinstance(constraint.get("axis", 0), int):
        axis = constraint.get("axis", 0)
        if "m" in constraint or "axis" in constraint:
            config["kernel_constraint"] = {**constraint, "axis": _TH_AXES.get(axis, axis)}
