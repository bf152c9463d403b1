"""Every accepted name of every vocabulary entry, without importing the classes.

``INDEX[kind]`` maps a spelling to the class name; the first spelling of a class is the bare
name that Keras writes.  `module_of` returns the module.  Tests compare the index with the
modules and with Keras's own tables, both ways.
"""

from __future__ import annotations

from typing import Final

from specfmt.vocab.naming import to_snake_case

MODULES: Final[dict[str, str]] = {
    "activation": "activations",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
    "loss": "losses",
    "optimizer": "optimizers",
    "schedule": "schedules",
    "metric": "metrics",
    "callback": "callbacks",
}

MEAN_METRICS: Final = (
    "MeanSquaredError RootMeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError "
    "MeanSquaredLogarithmicError CosineSimilarity LogCoshError R2Score ConcordanceCorrelation "
    "PearsonCorrelation KLDivergence Poisson BinaryCrossentropy CategoricalCrossentropy "
    "SparseCategoricalCrossentropy Hinge SquaredHinge CategoricalHinge"
)
"""Metrics that are defined in the module ``mean_metrics``."""

CLASSES: Final[dict[str, str]] = {
    "activation": (
        "Linear Relu LeakyRelu Relu6 Elu Celu Selu Sigmoid HardSigmoid LogSigmoid SparseSigmoid "
        "Tanh HardTanh TanhShrink Silu HardSilu Gelu Mish Softplus Squareplus SparsePlus Softsign "
        "SoftShrink HardShrink Threshold Exponential Softmax LogSoftmax Sparsemax Glu"
    ),
    "initializer": (
        "Zeros Ones Constant Identity RandomNormal RandomUniform TruncatedNormal VarianceScaling "
        "GlorotUniform GlorotNormal HeUniform HeNormal LecunUniform LecunNormal Orthogonal STFT"
    ),
    "regularizer": "L1 L2 L1L2 OrthogonalRegularizer",
    "constraint": "MaxNorm MinMaxNorm NonNeg UnitNorm",
    "loss": (
        "MeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError "
        "MeanSquaredLogarithmicError Huber LogCosh CosineSimilarity BinaryCrossentropy "
        "CategoricalCrossentropy SparseCategoricalCrossentropy BinaryFocalCrossentropy "
        "CategoricalFocalCrossentropy KLDivergence Poisson Hinge SquaredHinge CategoricalHinge "
        "Dice Tversky Circle CTC CategoricalGeneralizedCrossEntropy CrossentropyByShape"
    ),
    "optimizer": (
        "SGD RMSprop Adagrad Adadelta Adam AdamW Adamax Nadam Lion Adafactor Ftrl Muon "
        "ScheduleFreeAdamW Lamb LossScaleOptimizer"
    ),
    "schedule": (
        "ExponentialDecay PiecewiseConstantDecay PolynomialDecay InverseTimeDecay CosineDecay "
        "CosineDecayRestarts"
    ),
    "metric": (
        "AccuracyByShape Accuracy BinaryAccuracy CategoricalAccuracy SparseCategoricalAccuracy "
        "TopKCategoricalAccuracy SparseTopKCategoricalAccuracy AUC Precision Recall "
        "PrecisionAtRecall RecallAtPrecision SensitivityAtSpecificity SpecificityAtSensitivity "
        "TruePositives TrueNegatives FalsePositives FalseNegatives F1Score FBetaScore IoU "
        f"BinaryIoU MeanIoU OneHotIoU OneHotMeanIoU {MEAN_METRICS}"
    ),
    "callback": (
        "EarlyStopping ModelCheckpoint ReduceLROnPlateau CSVLogger TensorBoard TerminateOnNaN"
    ),
}
"""Kind -> the classes of its entries."""

SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "Silu": ("silu", "swish"),
    "HardSilu": ("hard_silu", "hard_swish"),
    "L1L2": ("l1l2", "L1L2"),
    "RMSprop": ("rmsprop", "RMSprop"),
    "AdamW": ("adamw", "AdamW"),
    "ScheduleFreeAdamW": ("schedulefreeadamw", "ScheduleFreeAdamW"),
    "CrossentropyByShape": ("crossentropy", "ce"),
    "AccuracyByShape": ("accuracy", "acc"),
    **dict.fromkeys(("CategoricalGeneralizedCrossEntropy", "Lamb"), ()),
    **dict.fromkeys(("LossScaleOptimizer", "Accuracy"), ()),
}
"""Spellings of classes that Keras does not name by the rule; of none, the class name is one."""

ABBREVIATIONS: Final = {
    "MeanSquaredError": "mse",
    "MeanAbsoluteError": "mae",
    "MeanAbsolutePercentageError": "mape",
    "MeanSquaredLogarithmicError": "msle",
    "BinaryCrossentropy": "bce",
}
"""Further spellings of losses and metrics, in small and in capital letters."""


def _spellings(kind: str, name: str) -> tuple[str, ...]:
    """How an entry may be spelled: by its class name, and by that in snake case."""
    if name in SPELLINGS:
        return SPELLINGS[name] or (name,)
    if kind in ("schedule", "callback"):  # classes only
        return (name,)
    if kind == "activation":  # functions only
        return (to_snake_case(name),)
    short = "kld" if (kind, name) == ("loss", "KLDivergence") else ABBREVIATIONS.get(name, "")
    return to_snake_case(name), name, *((short, short.upper()) if short else ())


INDEX: Final[dict[str, dict[str, str]]] = {
    kind: {spelling: name for name in names.split() for spelling in _spellings(kind, name)}
    for kind, names in CLASSES.items()
}

REQUIRED: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("activation", "Threshold"): ("threshold", "default_value"),
    ("optimizer", "LossScaleOptimizer"): ("inner_optimizer",),
    ("schedule", "ExponentialDecay"): ("initial_learning_rate", "decay_steps", "decay_rate"),
    ("schedule", "PiecewiseConstantDecay"): ("boundaries", "values"),
    ("schedule", "PolynomialDecay"): ("initial_learning_rate", "decay_steps"),
    ("schedule", "InverseTimeDecay"): ("initial_learning_rate", "decay_steps", "decay_rate"),
    ("schedule", "CosineDecay"): ("initial_learning_rate", "decay_steps"),
    ("schedule", "CosineDecayRestarts"): ("initial_learning_rate", "first_decay_steps"),
    ("metric", "PrecisionAtRecall"): ("recall",),
    ("metric", "RecallAtPrecision"): ("precision",),
    ("metric", "SensitivityAtSpecificity"): ("specificity",),
    ("metric", "SpecificityAtSensitivity"): ("sensitivity",),
    ("metric", "IoU"): ("num_classes", "target_class_ids"),
    ("metric", "MeanIoU"): ("num_classes",),
    ("metric", "OneHotIoU"): ("num_classes", "target_class_ids"),
    ("metric", "OneHotMeanIoU"): ("num_classes",),
    ("callback", "CSVLogger"): ("filename",),
    ("callback", "ModelCheckpoint"): ("filepath",),
}
"""Required arguments, without which a bare name is not enough."""

KEEPS_SPELLING: Final = frozenset({"loss", "metric"})
"""Kinds whose spelling is kept: in its logs Keras names a loss or metric as the user spelled it."""

CONSTRUCTED: Final = frozenset(
    {
        ("initializer", "Constant"),
        ("loss", "CategoricalGeneralizedCrossEntropy"),
        ("optimizer", "Lamb"),
        ("metric", "Accuracy"),
        *(("callback", name) for name in INDEX["callback"].values()),
    }
)
"""Entries that Keras code must construct: by the name Keras finds nothing, or something else."""

NAMES_ONLY: Final = frozenset({("loss", "CrossentropyByShape"), ("metric", "AccuracyByShape")})
"""Entries that are names only: Keras has no class for them."""


def module_of(kind: str, type_name: str) -> str:
    """The module below `specfmt.vocab` that defines an entry's class."""
    if kind == "metric" and type_name in MEAN_METRICS.split():
        return "mean_metrics"
    return MODULES[kind]
