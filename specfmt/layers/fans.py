"""Initializers that depend on a kernel's fan-in and fan-out, for kernels of several axes."""

from __future__ import annotations

from typing import Final

from specfmt.vocab.base import Term

SCALING: Final = (
    "VarianceScaling",
    "GlorotUniform",
    "GlorotNormal",
    "HeUniform",
    "HeNormal",
    "LecunUniform",
    "LecunNormal",
)
"""Initializers that depend on the fan-in and fan-out of a kernel."""


def with_fans(init: Term, input_axes: tuple[int, ...], output_axes: tuple[int, ...]) -> Term:
    """The initializer with the axes of the kernel that are input and output, unless it has them."""
    if init.type not in SCALING or {"input_axes", "output_axes"} <= init.args.keys():
        return init
    axes = {"input_axes": input_axes, "output_axes": output_axes}
    return Term("initializer", init.type, {**init.args, **axes})
