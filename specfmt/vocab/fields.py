"""Field types for layers whose values are words of the vocabulary."""

from __future__ import annotations

from typing import Annotated, Final

from specfmt.vocab.base import Term, TermRule

LINEAR: Final = Term("activation", "Linear")
TANH: Final = Term("activation", "Tanh")
SIGMOID: Final = Term("activation", "Sigmoid")
GLOROT_UNIFORM: Final = Term("initializer", "GlorotUniform")
RANDOM_UNIFORM: Final = Term("initializer", "RandomUniform")
ORTHOGONAL: Final = Term("initializer", "Orthogonal")
ZEROS: Final = Term("initializer", "Zeros")
ONES: Final = Term("initializer", "Ones")

Activation = Annotated[Term, TermRule("activation", nullable=True, null=LINEAR)]
Initializer = Annotated[Term, TermRule("initializer")]
OptionalInitializer = Annotated[Term | None, TermRule("initializer", nullable=True)]
Regularizer = Annotated[Term | None, TermRule("regularizer", nullable=True)]
Constraint = Annotated[Term | None, TermRule("constraint", nullable=True)]
