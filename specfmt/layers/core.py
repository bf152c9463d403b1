"""Core layers: Dense, Activation and their like."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from specfmt.spec.fields import Bool, PositiveInt
from specfmt.spec.layer import Layer, Shape, ShapeError, Weight
from specfmt.spec.registry import layer
from specfmt.vocab.fields import (
    GLOROT_UNIFORM,
    LINEAR,
    ZEROS,
    Activation as ActivationName,
    Constraint,
    Initializer,
    Regularizer,
)


@layer
class Dense(Layer):
    """Fully connected layer: `activation(x @ kernel + bias)` over the last axis."""

    units: PositiveInt
    activation: ActivationName = LINEAR
    use_bias: Bool = True
    kernel_initializer: Initializer = GLOROT_UNIFORM
    bias_initializer: Initializer = ZEROS
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None

    def output_shape(self, x: Shape) -> Shape:
        if len(x) < 2 or x[-1] is None:
            raise ShapeError(
                "a last axis of known size",
                f"shape {x}",
                "give the size of the last axis",
            )
        return (*x[:-1], self.units)

    def weights(self, x: Shape) -> Iterator[Weight]:
        features = x[-1] or 0
        yield Weight(
            "kernel",
            (features, self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if self.use_bias:
            yield Weight(
                "bias",
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def macs(self, output: Shape, x: Shape) -> int:
        return prod(size or 1 for size in output[1:]) * (x[-1] or 1)


@layer
class Activation(Layer):
    """Applies an activation function."""

    activation: ActivationName
