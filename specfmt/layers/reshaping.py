"""Layers that move elements without changing them."""

from __future__ import annotations

from math import prod

from specfmt.spec.fields import DataFormat
from specfmt.spec.layer import Layer, Shape
from specfmt.spec.registry import layer


@layer
class Flatten(Layer):
    """Flattens everything but the batch axis; channels_first inputs are read channels-last."""

    data_format: DataFormat | None = None

    def output_shape(self, x: Shape) -> Shape:
        sizes = x[1:]
        return (x[0], None if None in sizes else prod(size or 0 for size in sizes))
