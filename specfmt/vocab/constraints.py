"""Constraints by the names of `keras.constraints`: what a weight is brought back to after
every update.

``axis`` counts the weight's axes in Keras's order; norms are taken over it.
"""

from __future__ import annotations

from typing import ClassVar

from specfmt.fields.spellings import FormerArguments
from specfmt.fields.types import Axes, Fraction, NaturalFloat
from specfmt.vocab.base import Word


class ConstraintWord(Word):
    """A projection applied to a weight after every update."""

    kind: ClassVar[str] = "constraint"


class MaxNorm(ConstraintWord):
    """Norms over ``axis`` at most ``max_value``."""

    former_arguments: ClassVar[FormerArguments] = {"m": "max_value"}

    max_value: NaturalFloat = 2.0
    axis: Axes = 0


class MinMaxNorm(ConstraintWord):
    """Norms over ``axis`` moved by ``rate`` of the way into ``min_value`` to ``max_value``."""

    former_arguments: ClassVar[FormerArguments] = {"low": "min_value", "high": "max_value"}

    min_value: NaturalFloat = 0.0
    max_value: NaturalFloat = 1.0
    rate: Fraction = 1.0
    axis: Axes = 0


class NonNeg(ConstraintWord):
    """No element below 0."""


class UnitNorm(ConstraintWord):
    """Norms over ``axis`` equal to 1."""

    axis: Axes = 0
