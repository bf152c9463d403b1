"""Constraints of `keras.constraints`: projections of a weight after each optimizer step.

``axis`` counts the weight's axes in Keras's order; norms are taken over it.
"""

from __future__ import annotations

from typing import ClassVar

from specfmt.fields.spellings import FormerArguments
from specfmt.fields.types import Axes, Fraction, NaturalFloat
from specfmt.vocab.base import TermSpec


class ConstraintSpec(TermSpec):
    """Base of the constraints, which project a weight after each optimizer step."""

    kind: ClassVar[str] = "constraint"


class MaxNorm(ConstraintSpec):
    """Scales down norms over ``axis`` that are larger than ``max_value``."""

    former_arguments: ClassVar[FormerArguments] = {"m": "max_value"}

    max_value: NaturalFloat = 2.0
    axis: Axes = 0


class MinMaxNorm(ConstraintSpec):
    """Scales norms over ``axis`` towards the range from ``min_value`` to ``max_value``."""

    former_arguments: ClassVar[FormerArguments] = {"low": "min_value", "high": "max_value"}

    min_value: NaturalFloat = 0.0
    max_value: NaturalFloat = 1.0
    rate: Fraction = 1.0
    axis: Axes = 0


class NonNeg(ConstraintSpec):
    """Sets negative elements to 0."""


class UnitNorm(ConstraintSpec):
    """Scales norms over ``axis`` to 1."""

    axis: Axes = 0
