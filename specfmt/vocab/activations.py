"""Activations by the names of `keras.activations`."""

from __future__ import annotations

from typing import ClassVar

from specfmt.spec.fields import Axis, Float
from specfmt.vocab.base import Word


class ActivationWord(Word):
    """An element-wise function, or one over an axis."""

    kind: ClassVar[str] = "activation"


class Linear(ActivationWord):
    """`x`."""


class Relu(ActivationWord):
    """`max(x, 0)`, with a slope below ``threshold`` and a ceiling where given."""

    negative_slope: Float = 0.0


class Sigmoid(ActivationWord):
    """`1 / (1 + exp(-x))`."""


class Tanh(ActivationWord):
    """`tanh(x)`."""


class Softmax(ActivationWord):
    """`exp(x) / sum(exp(x))` over ``axis``."""

    axis: Axis = -1
