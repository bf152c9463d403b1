"""Keras optimizers as PyTorch training code.

By default this is PyTorch's optimizer, with every hyperparameter that differs from PyTorch's
default, and a comment if it computes something slightly different.  With ``fidelity="exact"`` it is
then a small optimizer class instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from specfmt.targets.source import number
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.training.schedules import ScheduleCode, schedule_code
from specfmt.targets.torch.training.scores import Registry, changed_arguments
from specfmt.targets.user_objects import python_name
from specfmt.vocab.base import CUSTOM, Term

DEFAULT_RATE = 0.001
"""The learning rate of a user-defined optimizer whose config has none."""


@dataclass(frozen=True)
class OptimizerCode:
    """The optimizer of a training script.

    Attributes:
        create: The expression that creates ``optimizer``.
        comment: How it differs from Keras's; empty if it does not.
        learning_rate: The learning rate in ``create``; with a schedule, the highest or first.
        before_step: The calls between ``loss.backward()`` and ``optimizer.step()``.
        average: The expression that creates ``average``, an exponential moving average of the
            weights, which replaces them after training; empty if there is none.
        ema_overwrite_frequency: The number of steps after which the average also replaces the
            weights during training; 0 for never.
        schedule: The schedule; ``scheduler.step()`` follows ``optimizer.step()``.
        accumulation_steps: The number of batches whose mean gradient is used for one step; None
            for one.  The scheduler still steps every batch.
        helpers: The helper functions and classes in the code.
    """

    create: str
    comment: str
    learning_rate: float
    before_step: tuple[str, ...] = ()
    average: str = ""
    ema_overwrite_frequency: int = 0
    schedule: ScheduleCode | None = None
    accumulation_steps: int | None = None
    helpers: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Form:
    """A constructor call of an optimizer.

    Attributes:
        name: The class.
        arguments: The arguments after the parameters and the learning rate.
        comment: How it differs from Keras's optimizer.
        decays: Whether it has an argument ``weight_decay`` that is decoupled, as in Keras.
        default_decay: The default of that argument.
        helper: Whether it is a helper class.
    """

    name: str
    arguments: Sequence[str] = ()
    comment: str = ""
    decays: bool = False
    default_decay: float = 0.0
    helper: bool = False


def optimizer_code(
    term: Term,
    *,
    fidelity: str = "idiomatic",
    model: str = "model",
    learning_rate: str = "",
    varying_rate: bool = False,
) -> OptimizerCode:
    """The code of a Keras optimizer.

    Args:
        term: The optimizer.
        fidelity: ``idiomatic``, or ``exact``: weights equal Keras's up to float32 rounding.
        model: The variable of the model.
        learning_rate: The expression for the learning rate, such as ``args.learning_rate``; by
            default its value.
        varying_rate: Whether something besides a schedule changes the learning rate
            (ReduceLROnPlateau).

    Raises:
        TargetError: PyTorch code cannot express the optimizer (SF304).
    """
    spec = term.spec
    if term.type == CUSTOM:
        given = spec.config.get("learning_rate") if isinstance(spec.config, dict) else None
        known = isinstance(given, (int, float)) and not isinstance(given, bool)
        first = float(given or 0) if known else DEFAULT_RATE
        source = learning_rate or number(first)
        return OptimizerCode(f"{python_name(term)}({model}.parameters(), {source})", "", first)
    if not getattr(spec, "in_torch", False):
        raise TargetError(
            f"the optimizer {term.type} has no PyTorch form",
            f"use one of {', '.join(OPTIMIZERS)}, or generate the Keras target",
            code="SF304",
        )
    schedule = schedule_code(spec.learning_rate) if isinstance(spec.learning_rate, Term) else None
    rate: float = schedule.learning_rate if schedule else spec.learning_rate
    varies = schedule is not None or varying_rate
    form = OPTIMIZERS[term.type](spec, fidelity == "exact", varies)
    decay = spec.weight_decay or 0.0
    arguments = [f"{model}.parameters()", f"lr={learning_rate or number(rate)}", *form.arguments]
    helpers = [form.name] if form.helper else []
    before, clip_helpers = _clipping(spec, model)
    helpers += clip_helpers
    if form.decays:
        if decay != form.default_decay:
            arguments.append(f"weight_decay={number(decay)}")
    elif decay:
        before.append(f"decay_weights(optimizer, {number(decay)})")
        helpers.append("decay_weights")
    keep = f"lambda average, value, _: average.lerp(value, 1 - {number(spec.ema_momentum)})"
    average = f"torch.optim.swa_utils.AveragedModel({model}, avg_fn={keep})"
    return OptimizerCode(
        f"{form.name}({', '.join(arguments)})",
        form.comment,
        rate,
        tuple(before),
        average if spec.use_ema else "",
        spec.ema_overwrite_frequency or 0,
        schedule,
        spec.gradient_accumulation_steps,
        (*helpers, *(schedule.helpers if schedule else ())),
    )


def _clipping(spec: Any, model: str) -> tuple[list[str], list[str]]:
    """The statements that clip gradients, and their helpers; Keras allows at most one kind."""
    given = [
        k for k in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(spec, k) is not None
    ]
    if len(given) > 1:
        raise TargetError(
            f"expected one kind of gradient clipping, received {' and '.join(given)}",
            "keep one of them",
            given[1],
            "SF304",
        )
    parameters = f"{model}.parameters()"
    if spec.clipnorm:
        line = f"clip_each_norm({parameters}, {number(spec.clipnorm)})"
        return [line], ["clip_each_norm"]
    if spec.global_clipnorm:
        return [f"nn.utils.clip_grad_norm_({parameters}, {number(spec.global_clipnorm)})"], []
    if spec.clipvalue:
        return [f"nn.utils.clip_grad_value_({parameters}, {number(spec.clipvalue)})"], []
    return [], []


OPTIMIZERS: Registry[Callable[[Any, bool, bool], _Form]] = Registry()


@OPTIMIZERS("SGD")
def _sgd(spec: Any, exact: bool, varies: bool) -> _Form:
    arguments = changed_arguments(
        momentum=(spec.momentum, 0.0), nesterov=(spec.nesterov and spec.momentum > 0, False)
    )
    differs = varies and spec.momentum > 0
    if exact and differs:
        return _Form("KerasSGD", arguments, decays=True, helper=True)
    comment = (
        "Keras keeps the learning rate inside the velocity: they differ while it changes."
        if differs
        else ""
    )
    # Without momentum, PyTorch's coupled weight decay equals decoupled weight decay.
    return _Form("torch.optim.SGD", arguments, comment, decays=not spec.momentum)


@OPTIMIZERS("RMSprop")
def _rmsprop(spec: Any, exact: bool, varies: bool) -> _Form:
    rest = changed_arguments(momentum=(spec.momentum, 0.0), centered=(spec.centered, False))
    if exact:
        own = changed_arguments(alpha=(spec.rho, 0.9), eps=(spec.epsilon, 1e-7))
        return _Form("KerasRMSProp", (*own, *rest), decays=True, helper=True)
    own = changed_arguments(alpha=(spec.rho, 0.99), eps=(spec.epsilon, 1e-8))
    comment = "Keras adds epsilon under the square root, torch after it."
    return _Form("torch.optim.RMSprop", (*own, *rest), comment)


@OPTIMIZERS("Adagrad")
def _adagrad(spec: Any, exact: bool, varies: bool) -> _Form:
    start = spec.initial_accumulator_value
    if exact:
        own = changed_arguments(initial_accumulator_value=(start, 0.1), eps=(spec.epsilon, 1e-7))
        return _Form("KerasAdagrad", own, decays=True, helper=True)
    arguments = changed_arguments(initial_accumulator_value=(start, 0.0), eps=(spec.epsilon, 1e-10))
    comment = "" if start else "Keras adds epsilon under the square root, torch after it."
    return _Form("torch.optim.Adagrad", arguments, comment)


@OPTIMIZERS("Adadelta")
def _adadelta(spec: Any, exact: bool, varies: bool) -> _Form:
    return _Form(
        "torch.optim.Adadelta", changed_arguments(rho=(spec.rho, 0.9), eps=(spec.epsilon, 1e-6))
    )


ADAM_COMMENT = (
    "Keras adds epsilon before the bias correction, torch after: the first steps differ slightly."
)


def _betas(spec: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    return (spec.beta_1, spec.beta_2), (0.9, 0.999)


@OPTIMIZERS("Adam", "AdamW")
def _adam(spec: Any, exact: bool, varies: bool) -> _Form:
    rest = {"amsgrad": (spec.amsgrad, False)}
    if exact:
        own = changed_arguments(betas=_betas(spec), eps=(spec.epsilon, 1e-7), **rest)
        return _Form("KerasAdam", own, decays=True, helper=True)
    arguments = changed_arguments(betas=_betas(spec), eps=(spec.epsilon, 1e-8), **rest)
    if spec.weight_decay:
        return _Form("torch.optim.AdamW", arguments, ADAM_COMMENT, True, default_decay=0.01)
    return _Form("torch.optim.Adam", arguments, ADAM_COMMENT, decays=True)


@OPTIMIZERS("Adamax")
def _adamax(spec: Any, exact: bool, varies: bool) -> _Form:
    if exact:
        own = changed_arguments(betas=_betas(spec), eps=(spec.epsilon, 1e-7))
        return _Form("KerasAdamax", own, decays=True, helper=True)
    own = changed_arguments(betas=_betas(spec), eps=(spec.epsilon, 1e-8))
    # The difference is only noticeable with a large epsilon.
    large = spec.epsilon > 1e-6
    comment = "Keras adds epsilon to the norm, torch to each gradient." if large else ""
    return _Form("torch.optim.Adamax", own, comment)


@OPTIMIZERS("Nadam")
def _nadam(spec: Any, exact: bool, varies: bool) -> _Form:
    # Keras's momentum schedule is PyTorch's with a decay of 1 (PyTorch's default is 0.004).
    own = changed_arguments(betas=_betas(spec), eps=(spec.epsilon, 1e-8))
    decoupled = ("decoupled_weight_decay=True",) if spec.weight_decay else ()
    return _Form("torch.optim.NAdam", (*own, "momentum_decay=1.0", *decoupled), decays=True)


@OPTIMIZERS("Lion")
def _lion(spec: Any, exact: bool, varies: bool) -> _Form:
    own = changed_arguments(betas=((spec.beta_1, spec.beta_2), (0.9, 0.99)))
    return _Form("Lion", own, decays=True, helper=True)


@OPTIMIZERS("Adafactor")
def _adafactor(spec: Any, exact: bool, varies: bool) -> _Form:
    # relative_step has no effect: Keras always uses the smaller of both learning rates.
    decay, limit = (spec.beta_2_decay, -0.8), (spec.clip_threshold, 1.0)
    eps = (spec.epsilon_1, spec.epsilon_2)
    if exact or spec.clip_threshold < 1:  # PyTorch's optimizer does not allow it
        own = changed_arguments(beta2_decay=decay, eps=(eps, (1e-30, 0.001)), d=limit)
        return _Form("KerasAdafactor", own, decays=True, helper=True)
    own = changed_arguments(beta2_decay=decay, eps=(eps, None), d=limit)
    comment = "For convolutions Keras averages over channels, torch over the kernel's window."
    return _Form("torch.optim.Adafactor", own, comment, decays=True)
