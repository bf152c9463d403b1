"""Former names of arguments that layers of many families had in Keras 0 to 2."""

from __future__ import annotations

from typing import Final

from specfmt.fields.spellings import REMOVED, FormerArguments, Replacement

INPUT_KEYS: Final = (
    "input_shape",
    "batch_input_shape",
    "batch_shape",
    "batch_size",
    "input_dim",
    "input_length",
    "input_dtype",
)
"""Arguments of a first layer with which earlier generations of Keras declared the model's input."""

FORMER_ARGUMENTS: Final[FormerArguments] = {
    **dict.fromkeys(
        INPUT_KEYS,
        Replacement(
            values={},
            message="expected the shape in the model's `inputs:`, received `{key}` on {label}",
        ),
    ),
    "weights": Replacement(
        values={},
        message="expected no weights in {label}, received `{key}`",
        hint="remove it; `specfmt weights` carries trained weights",
    ),
    **dict.fromkeys(
        ("implementation", "autocast", "dynamic", "cache_enabled", "create_input_layer"), REMOVED
    ),
    "init": "kernel_initializer",
    "bias": "use_bias",
    **{
        f"{letter}_{word}": f"{weight}_{word}"
        for letter, weight in (("W", "kernel"), ("U", "recurrent"), ("b", "bias"))
        for word in ("regularizer", "constraint")
    },
    "border_mode": Replacement("padding", {"valid": "valid", "same": "same"}),
    "subsample": "strides",
    "atrous_rate": "dilation_rate",
    "dim_ordering": Replacement(
        "data_format", {"tf": "channels_last", "th": "channels_first", "default": None}
    ),
    "output_dim": "units",
    "nb_filter": "filters",
    "nb_filters": "filters",
}
"""Former argument -> what replaced it, for layers of all families."""
