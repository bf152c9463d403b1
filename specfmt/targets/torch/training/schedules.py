"""Keras learning rate schedules as PyTorch schedulers, with one step per batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from specfmt.targets.source import number
from specfmt.targets.user_objects import python_name
from specfmt.vocab.base import CUSTOM, Term


@dataclass(frozen=True)
class ScheduleCode:
    """A schedule in a training script.

    Attributes:
        create: The expression that creates ``scheduler`` from ``optimizer``;
            ``scheduler.step()`` follows every ``optimizer.step()``.
        learning_rate: The optimizer's learning rate, which the schedule multiplies.
        helpers: The helper functions in ``create``.
    """

    create: str
    learning_rate: float
    helpers: tuple[str, ...] = ()


def schedule_code(term: Term) -> ScheduleCode:
    """The scheduler with the same learning rate at every step as a Keras schedule.

    Formulas: keras/src/optimizers/schedules/learning_rate_schedule.py.
    """
    if term.type == CUSTOM:
        # LambdaLR multiplies the optimizer's learning rate, which must therefore be 1.
        create = f"torch.optim.lr_scheduler.LambdaLR(optimizer, {python_name(term)})"
        return ScheduleCode(create, 1.0)
    return SCHEDULES[term.type](term.spec)


def _factor(expression: str, learning_rate: float, *helpers: str) -> ScheduleCode:
    """A schedule by its factor to ``learning_rate``, an expression over ``step``."""
    create = f"torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: {expression})"
    return ScheduleCode(create, learning_rate, helpers)


def _plain(value: float) -> str:
    """A number without rounding errors and trailing zeros: 100, not 100.0."""
    return number(float(f"{value:.12g}")).removesuffix(".0")


def _exponential(spec: Any) -> ScheduleCode:
    steps, rate = _plain(spec.decay_steps), number(spec.decay_rate)
    if spec.staircase and spec.decay_steps.is_integer():
        create = f"torch.optim.lr_scheduler.StepLR(optimizer, step_size={steps}, gamma={rate})"
        return ScheduleCode(create, spec.initial_learning_rate)
    exponent = f"(step // {steps})" if spec.staircase else f"(step / {steps})"
    return _factor(f"{rate} ** {exponent}", spec.initial_learning_rate)


def _inverse_time(spec: Any) -> ScheduleCode:
    operator = "//" if spec.staircase else "/"
    done = f"(step {operator} {_plain(spec.decay_steps)})"
    return _factor(f"1 / (1 + {_plain(spec.decay_rate)} * {done})", spec.initial_learning_rate)


def _piecewise(spec: Any) -> ScheduleCode:
    first = next((value for value in spec.values if value), 1.0)
    values = ", ".join(_plain(value / first) for value in spec.values)
    boundaries = ", ".join(_plain(boundary) for boundary in spec.boundaries)
    comma = "," if len(spec.boundaries) == 1 else ""
    index = f"sum(step > boundary for boundary in ({boundaries}{comma}))"
    return _factor(f"({values})[{index}]", first)


def _polynomial(spec: Any) -> ScheduleCode:
    first = spec.initial_learning_rate
    steps = _plain(spec.decay_steps)
    if not first:
        return _factor(_polynomial_to(1.0, spec, steps, start=0.0), spec.end_learning_rate)
    return _factor(_polynomial_to(spec.end_learning_rate / first, spec, steps), first)


def _polynomial_to(end: float, spec: Any, steps: str, start: float = 1.0) -> str:
    """``(start - end) * (1 - done) ^ power + end``."""
    if spec.cycle:
        length = f"({steps} * max(math.ceil(step / {steps}), 1))"
        left = f"(1 - step / {length})"
    else:
        left = f"(1 - min(step / {steps}, 1))"
    if spec.power != 1:
        left += f" ** {_plain(spec.power)}"
    span = start - end
    scaled = left if span == 1 else f"{_plain(span)} * {left}"
    return scaled if not end else f"{_plain(end)} + {scaled}"


def _cosine(spec: Any) -> ScheduleCode:
    steps, alpha = _plain(spec.decay_steps), spec.alpha
    if spec.warmup_target is None:
        cosine = f"0.5 * (1 + math.cos(math.pi * min(step / {steps}, 1)))"
        factor = f"{_plain(alpha)} + {_plain(1 - alpha)} * {cosine}" if alpha else cosine
        return _factor(factor, spec.initial_learning_rate)
    start = spec.initial_learning_rate / spec.warmup_target if spec.warmup_target else 0.0
    floor = f", alpha={_plain(alpha)}" if alpha else ""
    arguments = f"{_plain(start)}, {_plain(spec.warmup_steps)}, {steps}{floor}"
    call = f"warmup_cosine_decay(step, {arguments})"
    return _factor(call, spec.warmup_target, "warmup_cosine_decay")


def _restarts(spec: Any) -> ScheduleCode:
    arguments = [_plain(spec.first_decay_steps)]
    for key, default in (("t_mul", 2.0), ("m_mul", 1.0), ("alpha", 0.0)):
        value = getattr(spec, key)
        if value != default:
            arguments.append(f"{key}={_plain(value)}")
    call = f"cosine_decay_restarts(step, {', '.join(arguments)})"
    return _factor(call, spec.initial_learning_rate, "cosine_decay_restarts")


SCHEDULES: dict[str, Callable[[Any], ScheduleCode]] = {
    "ExponentialDecay": _exponential,
    "InverseTimeDecay": _inverse_time,
    "PiecewiseConstantDecay": _piecewise,
    "PolynomialDecay": _polynomial,
    "CosineDecay": _cosine,
    "CosineDecayRestarts": _restarts,
}
