"""Optimizers of `keras.optimizers`; `g` is the gradient, `w` the weight."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from specfmt.fields.rules import Integer, Nullable, Text, Tuple
from specfmt.fields.spellings import REMOVED, FormerArguments, Replacement, removed
from specfmt.fields.types import (
    Bool,
    Float,
    Fraction,
    NaturalFloat,
    OptionalPositiveInt,
    OptionalStr,
    PositiveFloat,
    PositiveInt,
)
from specfmt.vocab.base import TermSpec
from specfmt.vocab.fields import LearningRate, Optimizer

OptionalNaturalFloat = Annotated[float | None, Nullable(NaturalFloat.__metadata__[0])]
AccumulationSteps = Annotated[int | None, Nullable(Integer(2))]

COMMON: Final = (
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
    "name",
)
"""Arguments of every optimizer in Keras's order; an optimizer's own come before them."""


class OptimizerSpec(TermSpec):
    """Base of the optimizers.

    The common arguments: ``weight_decay`` subtracts `weight_decay * learning_rate * w` from each
    weight before its update; at most one of ``clipnorm`` (each weight's gradient),
    ``global_clipnorm`` (all gradients together) and ``clipvalue`` (each element) may be given;
    ``use_ema`` keeps moving averages of the weights, which replace the weights in the end.

    Class attributes:
        in_torch: Whether the PyTorch target supports it.
    """

    kind: ClassVar[str] = "optimizer"
    in_torch: ClassVar[bool] = True
    former_arguments: ClassVar[FormerArguments] = {
        "lr": "learning_rate",
        "decay": Replacement(
            values={},
            message="expected a schedule such as InverseTimeDecay as `learning_rate`, received "
            "the old spelling `{key}`",
        ),
        "jit_compile": REMOVED,
    }

    weight_decay: OptionalNaturalFloat = None
    clipnorm: OptionalNaturalFloat = None
    clipvalue: OptionalNaturalFloat = None
    global_clipnorm: OptionalNaturalFloat = None
    use_ema: Bool = False
    ema_momentum: Fraction = 0.99
    ema_overwrite_frequency: OptionalPositiveInt = None
    loss_scale_factor: OptionalNaturalFloat = None
    gradient_accumulation_steps: AccumulationSteps = None
    name: OptionalStr = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Put the class's own arguments before the common ones, as in Keras."""
        fields = cls.__pydantic_fields__
        own = [name for name in cls.__annotations__ if name in fields]
        for name in (*own, *(name for name in COMMON if name not in own)):
            fields[name] = fields.pop(name)


class SGD(OptimizerSpec):
    """`w -= learning_rate * g`; with momentum `v = momentum * v - learning_rate * g`, `w += v`
    (``nesterov``: `w += momentum * v - learning_rate * g`)."""

    learning_rate: LearningRate = 0.01
    momentum: Fraction = 0.0
    nesterov: Bool = False


class RMSprop(OptimizerSpec):
    """`w -= learning_rate * g / sqrt(v + epsilon)`, where `v` is a moving average of `g^2`
    (``centered``: of the variance)."""

    learning_rate: LearningRate = 0.001
    rho: Fraction = 0.9
    momentum: NaturalFloat = 0.0
    epsilon: NaturalFloat = 1e-7
    centered: Bool = False


class Adagrad(OptimizerSpec):
    """`w -= learning_rate * g / sqrt(a + epsilon)`, where `a` is the sum of all `g^2` so far."""

    learning_rate: LearningRate = 0.001
    initial_accumulator_value: NaturalFloat = 0.1
    epsilon: NaturalFloat = 1e-7


class Adadelta(OptimizerSpec):
    """`w -= learning_rate * u`, `u = g * sqrt(d + epsilon) / sqrt(a + epsilon)`, where `a` and `d`
    are moving averages of `g^2` and `u^2`."""

    learning_rate: LearningRate = 0.001
    rho: Fraction = 0.95
    epsilon: NaturalFloat = 1e-7


class Adam(OptimizerSpec):
    """`w -= learning_rate * m / (sqrt(v) + epsilon)` with bias-corrected moving averages `m` of `g`
    and `v` of `g^2`."""

    learning_rate: LearningRate = 0.001
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: NaturalFloat = 1e-7
    amsgrad: Bool = False


class AdamW(OptimizerSpec):
    """Adam with decoupled weight decay."""

    learning_rate: LearningRate = 0.001
    weight_decay: NaturalFloat = 0.004
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: NaturalFloat = 1e-7
    amsgrad: Bool = False


class Adamax(OptimizerSpec):
    """Adam with the infinity norm: the largest `|g|` so far, decayed by ``beta_2``, replaces
    `sqrt(v)`."""

    learning_rate: LearningRate = 0.001
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: NaturalFloat = 1e-7


class Nadam(OptimizerSpec):
    """Adam with Nesterov momentum."""

    former_arguments: ClassVar[FormerArguments] = {
        "schedule_decay": removed(0.004, left_out="which Keras 3 fixes at 0.004"),
    }

    learning_rate: LearningRate = 0.001
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: NaturalFloat = 1e-7


class Lion(OptimizerSpec):
    """`w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g)` with a moving average `m` of
    `g`."""

    learning_rate: LearningRate = 0.001
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.99


class Adafactor(OptimizerSpec):
    """Adam with less memory: of the second moment `v` of a matrix only row and column averages are
    kept."""

    learning_rate: LearningRate = 0.001
    beta_2_decay: Float = -0.8
    epsilon_1: NaturalFloat = 1e-30
    epsilon_2: NaturalFloat = 0.001
    clip_threshold: PositiveFloat = 1.0
    relative_step: Bool = True


class Ftrl(OptimizerSpec):
    """FTRL (follow the regularized leader), for sparse linear models."""

    in_torch: ClassVar[bool] = False

    learning_rate: LearningRate = 0.001
    learning_rate_power: Float = -0.5
    initial_accumulator_value: NaturalFloat = 0.1
    l1_regularization_strength: NaturalFloat = 0.0
    l2_regularization_strength: NaturalFloat = 0.0
    l2_shrinkage_regularization_strength: NaturalFloat = 0.0
    beta: Float = 0.0


class Lamb(OptimizerSpec):
    """LAMB: Adam whose update is scaled by the norm of each weight, for large batches."""

    in_torch: ClassVar[bool] = False

    learning_rate: LearningRate = 0.001
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: NaturalFloat = 1e-7


class Muon(OptimizerSpec):
    """Muon: momentum orthogonalized by a Newton-Schulz iteration for matrices, Adam for other
    weights."""

    in_torch: ClassVar[bool] = False

    learning_rate: LearningRate = 0.001
    adam_beta_1: Fraction = 0.9
    adam_beta_2: Fraction = 0.999
    adam_weight_decay: OptionalNaturalFloat = 0.004
    epsilon: NaturalFloat = 1e-7
    weight_decay: OptionalNaturalFloat = 0.004
    clipnorm: OptionalNaturalFloat = None
    clipvalue: OptionalNaturalFloat = None
    global_clipnorm: OptionalNaturalFloat = None
    use_ema: Bool = False
    ema_momentum: Fraction = 0.99
    ema_overwrite_frequency: OptionalPositiveInt = None
    loss_scale_factor: OptionalNaturalFloat = None
    gradient_accumulation_steps: AccumulationSteps = None
    name: OptionalStr = None
    exclude_layers: Annotated[tuple[str, ...] | None, Nullable(Tuple(Text()))] = None
    exclude_embeddings: Bool = True
    muon_a: Float = 3.4445
    muon_b: Float = -4.775
    muon_c: Float = 2.0315
    adam_lr_ratio: Float = 1.0
    momentum: Fraction = 0.95
    ns_steps: PositiveInt = 5
    nesterov: Bool = True
    rms_rate: Float = 0.2


class ScheduleFreeAdamW(OptimizerSpec):
    """AdamW that averages its iterates instead of following a learning rate schedule."""

    in_torch: ClassVar[bool] = False

    learning_rate: LearningRate = 0.0025
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: NaturalFloat = 1e-8
    warmup_steps: Annotated[int, Integer(0)] = 0


class LossScaleOptimizer(TermSpec):
    """Applies another optimizer with dynamic loss scaling, for training in float16."""

    kind: ClassVar[str] = "optimizer"
    in_torch: ClassVar[bool] = False

    inner_optimizer: Optimizer
    initial_scale: PositiveFloat = 32768.0
    dynamic_growth_steps: PositiveInt = 2000
    name: OptionalStr = None
