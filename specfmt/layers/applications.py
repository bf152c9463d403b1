"""Layers that are defined by models of `keras.applications`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from specfmt.fields.types import Float, PositiveInt
from specfmt.layers.base import Argument, FloatLayer, Shape, ShapeError, Weight
from specfmt.layers.registry import layer
from specfmt.vocab.base import Term


@layer
class LayerScale(FloatLayer):
    """Multiplies each channel by a learned factor (used by ConvNeXt)."""

    call_arguments = (Argument("x"),)
    supports_masking = False
    keras_module: ClassVar[str] = "keras.src.applications.convnext"

    init_values: Float
    projection_dim: PositiveInt

    def output_shape(self, x: Shape) -> Shape:
        if x[-1] not in (None, 1, self.projection_dim):
            raise ShapeError(
                f"{self.projection_dim} channels",
                f"shape {x}",
                "set `projection_dim` to the size of the last axis",
                field="projection_dim",
            )
        return (*x[:-1], self.projection_dim)

    def weights(self, x: Shape) -> Iterator[Weight]:
        # Keras's class leaves its variable without a name, so Keras calls it `variable`.
        init = Term("initializer", "Constant", {"value": self.init_values})
        yield Weight("variable", (self.projection_dim,), init)


@layer
class CustomScaleLayer(FloatLayer):
    """Adds the second input, multiplied by ``scale``, to the first (used by Inception-ResNet)."""

    call_arguments = (Argument("inputs", "tensors"),)
    supports_masking = False
    keras_module: ClassVar[str] = "keras.src.applications.inception_resnet_v2"

    scale: Float

    def output_shape(self, inputs: list[Shape]) -> Shape:
        if len(inputs) != 2 or inputs[0] != inputs[1]:
            raise ShapeError(
                "two inputs of the same shape",
                " and ".join(map(str, inputs)) or "none",
                "list the shortcut and the residual branch",
                field="inputs",
            )
        return inputs[0]
