"""Layers of Keras 0 and 1: conversions beyond renaming.

Sources: keras/layers of releases 0.3.3, 1.0.8 and 1.2.2, and keras/legacy/interfaces.py of
2.0, in which Keras itself converted the old arguments.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.fields.validation import keys_of
from specfmt.formats.config.context import Context
from specfmt.formats.config.reading import Json, fail, show
from specfmt.layers.base import Layer
from specfmt.layers.convolutional import Conv2D
from specfmt.layers.former_types import WITHOUT_SUCCESSOR, no_successor

_HINT: Final = "rebuild this part of the model in Keras 3"


def checked(class_name: str, config: Json, path: Path) -> Json:
    """The config of a layer without arguments that do not affect the result.

    Raises:
        SpecError: SF420 or SF422 if Keras 3 has no equivalent.
    """
    if class_name in WITHOUT_SUCCESSOR:
        fail("SF422", no_successor(class_name), path, _HINT)
    config = dict(config)
    if class_name.startswith("Deconvolution"):
        config.pop("output_shape", None)
        steps = config.get("subsample", 1)
        if any(step != 1 for step in (steps if isinstance(steps, (list, tuple)) else [steps])):
            fail(
                "SF420",
                "expected subsample to be 1 (with larger strides, output_shape decides between "
                f"two paddings), received {show(steps)}",
                (*path, "subsample"),
                _HINT,
            )
    if config.get("activity_regularizer") in ({}, ""):
        config["activity_regularizer"] = None
    return config


# Keras 1 stored the kernels of 'th' convolutions as (out, in, rows, columns).
_TH_AXES: Final = {0: 3, 1: 2, 2: 0, 3: 1}


def settle_axes(cls: type[Layer], config: Json, context: Context) -> None:
    """Convert, in place, the axis order of a layer to current arguments."""
    if cls.rank > 1 and "data_format" in keys_of(cls):
        order = "channels_first" if context.dim_ordering == "th" else "channels_last"
        config.setdefault("data_format", order)
    constraint: Any = config.get("kernel_constraint")
    if cls is not Conv2D or config.get("data_format") != "channels_first":
        return
    if isinstance(constraint, dict) and isinstance(constraint.get("axis", 0), int):
        axis = constraint.get("axis", 0)
        if "m" in constraint or "axis" in constraint:
            config["kernel_constraint"] = {**constraint, "axis": _TH_AXES.get(axis, axis)}
