"""Learning-rate schedules by the names of `keras.optimizers.schedules`.

A schedule gives the learning rate of a step; steps are batches, counted from 0.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from specfmt.fields.rules import Number, Tuple
from specfmt.fields.types import Bool, Float, OptionalFloat, PositiveFloat, Str
from specfmt.vocab.base import Word

Steps = Annotated[float, Number(above=0)]


class ScheduleWord(Word):
    """A learning rate that changes from step to step."""

    kind: ClassVar[str] = "schedule"


class ExponentialDecay(ScheduleWord):
    """`initial_learning_rate * decay_rate ^ (step / decay_steps)`; ``staircase`` rounds the
    exponent down."""

    initial_learning_rate: Float
    decay_steps: Steps
    decay_rate: Float
    staircase: Bool = False
    name: Str = "ExponentialDecay"


class PiecewiseConstantDecay(ScheduleWord):
    """`values[i]` up to and including step `boundaries[i]`, the last value from there on."""

    boundaries: Annotated[tuple[float, ...], Tuple(Number(), 1)]
    values: Annotated[tuple[float, ...], Tuple(Number(), 2)]
    name: Str = "PiecewiseConstant"


class PolynomialDecay(ScheduleWord):
    """From ``initial_learning_rate`` to ``end_learning_rate`` in ``decay_steps`` along
    `(1 - step / decay_steps) ^ power`; ``cycle`` starts again with longer decays."""

    initial_learning_rate: Float
    decay_steps: Steps
    end_learning_rate: Float = 0.0001
    power: Float = 1.0
    cycle: Bool = False
    name: Str = "PolynomialDecay"


class InverseTimeDecay(ScheduleWord):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`; ``staircase`` rounds
    `step / decay_steps` down."""

    initial_learning_rate: Float
    decay_steps: Steps
    decay_rate: Float
    staircase: Bool = False
    name: Str = "InverseTimeDecay"


class CosineDecay(ScheduleWord):
    """Half a cosine from ``initial_learning_rate`` (or ``warmup_target``, reached linearly in
    ``warmup_steps``) down to ``alpha`` times it."""

    initial_learning_rate: Float
    decay_steps: Steps
    alpha: Float = 0.0
    name: Str = "CosineDecay"
    warmup_target: OptionalFloat = None
    warmup_steps: Annotated[float, Number(minimum=0)] = 0.0


class CosineDecayRestarts(ScheduleWord):
    """Cosine decays one after the other, each ``t_mul`` times as long as the last and starting
    ``m_mul`` times as high."""

    initial_learning_rate: Float
    first_decay_steps: Steps
    t_mul: PositiveFloat = 2.0
    m_mul: Float = 1.0
    alpha: Float = 0.0
    name: Str = "SGDRDecay"
