"""Regularizers of `keras.regularizers`: penalties that are added to the loss."""

from __future__ import annotations

from typing import ClassVar

from specfmt.fields.spellings import FormerArguments
from specfmt.fields.types import Literal, NaturalFloat
from specfmt.vocab.base import TermSpec


class RegularizerSpec(TermSpec):
    """Base of the regularizers, penalties on a weight or an output."""

    kind: ClassVar[str] = "regularizer"


class L1(RegularizerSpec):
    """`l1 * sum(|x|)`."""

    former_arguments: ClassVar[FormerArguments] = {"l": "l1"}

    l1: NaturalFloat = 0.01


class L2(RegularizerSpec):
    """`l2 * sum(x^2)`; the gradient is `2 * l2 * x`."""

    former_arguments: ClassVar[FormerArguments] = {"l": "l2"}

    l2: NaturalFloat = 0.01


class L1L2(RegularizerSpec):
    """`l1 * sum(|x|) + l2 * sum(x^2)`."""

    l1: NaturalFloat = 0.0
    l2: NaturalFloat = 0.0


class OrthogonalRegularizer(RegularizerSpec):
    """`factor` times the mean absolute cosine between different rows (or columns)."""

    factor: NaturalFloat = 0.01
    mode: Literal["rows", "columns"] = "rows"
