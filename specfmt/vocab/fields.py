"""Field types whose values are entries of the vocabulary."""

from __future__ import annotations

from typing import Annotated, Any, Final

from specfmt.fields.errors import FieldError
from specfmt.fields.rules import Number, Rule
from specfmt.vocab.base import Term, TermRule
from specfmt.vocab.index import INDEX

LINEAR: Final = Term("activation", "Linear")
RELU: Final = Term("activation", "Relu")
TANH: Final = Term("activation", "Tanh")
SIGMOID: Final = Term("activation", "Sigmoid")
GLOROT_UNIFORM: Final = Term("initializer", "GlorotUniform")
RANDOM_UNIFORM: Final = Term("initializer", "RandomUniform")
RANDOM_NORMAL: Final = Term("initializer", "RandomNormal")
ORTHOGONAL: Final = Term("initializer", "Orthogonal")
ZEROS: Final = Term("initializer", "Zeros")
ONES: Final = Term("initializer", "Ones")

Activation = Annotated[Term, TermRule("activation", nullable=True, null=LINEAR)]
Initializer = Annotated[Term, TermRule("initializer")]
OptionalInitializer = Annotated[Term | None, TermRule("initializer", nullable=True)]
Regularizer = Annotated[Term | None, TermRule("regularizer", nullable=True)]
Constraint = Annotated[Term | None, TermRule("constraint", nullable=True)]
Loss = Annotated[Term, TermRule("loss")]
OptionalLoss = Annotated[Term | None, TermRule("loss", nullable=True)]
Optimizer = Annotated[Term, TermRule("optimizer")]
Schedule = Annotated[Term, TermRule("schedule")]
Metric = Annotated[Term, TermRule("metric")]
Callback = Annotated[Term, TermRule("callback")]


class LearningRateRule(Rule):
    """A number of at least 0, or a schedule ``{type: Name, ...}``."""

    def __init__(self) -> None:
        self.number = Number(minimum=0)
        self.schedule = TermRule("schedule")

    def check(self, value: Any) -> float | Term | None:
        named = isinstance(value, str) and value in INDEX["schedule"]
        if named or isinstance(value, (dict, Term)):
            return self.schedule.check(value)
        try:
            return self.number.check(value)
        except FieldError as error:
            raise FieldError(
                "a number of at least 0 or a schedule {type: Name, ...}", value, error.hint
            ) from None

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.number.schema(), self.schedule.schema()]}


LearningRate = Annotated[float | Term, LearningRateRule()]
