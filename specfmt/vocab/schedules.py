"""Learning rate schedules of `keras.optimizers.schedules`.

A schedule gives the learning rate at a step; steps are batches, counted from 0.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from specfmt.fields.rules import Number, Tuple
from specfmt.fields.types import Bool, Float, OptionalFloat, PositiveFloat, Str
from specfmt.vocab.base import TermSpec

Steps = Annotated[float, Number(above=0)]


class ScheduleSpec(TermSpec):
    """Base of the learning rate schedules."""

    kind: ClassVar[str] = "schedule"


class ExponentialDecay(ScheduleSpec):
    """`initial_learning_rate * decay_rate ^ (step / decay_steps)`; ``staircase`` rounds the
    exponent down."""

    initial_learning_rate: Float
    decay_steps: Steps
    decay_rate: Float
    staircase: Bool = False
    name: Str = "ExponentialDecay"


class PiecewiseConstantDecay(ScheduleSpec):
    """`values[i]` up to and including step `boundaries[i]`, the last value after the last
    boundary."""

    boundaries: Annotated[tuple[float, ...], Tuple(Number(), 1)]
    values: Annotated[tuple[float, ...], Tuple(Number(), 2)]
    name: Str = "PiecewiseConstant"


class PolynomialDecay(ScheduleSpec):
    """`(initial_learning_rate - end_learning_rate) * (1 - step / decay_steps) ^ power +
    end_learning_rate`; ``cycle`` starts again with longer decays."""

    initial_learning_rate: Float
    decay_steps: Steps
    end_learning_rate: Float = 0.0001
    power: Float = 1.0
    cycle: Bool = False
    name: Str = "PolynomialDecay"


class InverseTimeDecay(ScheduleSpec):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`; ``staircase`` rounds
    `step / decay_steps` down."""

    initial_learning_rate: Float
    decay_steps: Steps
    decay_rate: Float
    staircase: Bool = False
    name: Str = "InverseTimeDecay"


class CosineDecay(ScheduleSpec):
    """Half a cosine wave from ``initial_learning_rate`` (or from ``warmup_target``, which is
    reached linearly in ``warmup_steps``) down to ``alpha`` times that value."""

    initial_learning_rate: Float
    decay_steps: Steps
    alpha: Float = 0.0
    name: Str = "CosineDecay"
    warmup_target: OptionalFloat = None
    warmup_steps: Annotated[float, Number(minimum=0)] = 0.0


class CosineDecayRestarts(ScheduleSpec):
    """Repeated cosine decays, each ``t_mul`` times as long as the one before and starting at
    ``m_mul`` times its initial learning rate."""

    initial_learning_rate: Float
    first_decay_steps: Steps
    t_mul: PositiveFloat = 2.0
    m_mul: Float = 1.0
    alpha: Float = 0.0
    name: Str = "SGDRDecay"
