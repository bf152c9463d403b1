"""Names of vocabulary entries in earlier releases of Keras, and their current names.

Sources: the names that keras 0.3.3, 1.0.8, 1.2.2, 2.0 to 2.3 (`keras/losses.py` and its
like), tf_keras 2.21 (its v1 and v2 namespaces, `optimizers.legacy`, `optimizers.experimental`),
keras 3.0 to 3.15 and tensorflow_addons 0.23 export, and the ``__name__`` under which functions
of `tf.nn` and `tf.initializers` were saved.  A test compares the tables with the installed
keras and tf_keras.
"""

from __future__ import annotations

import re
from typing import Any, Final

FORMER: Final[dict[str, dict[str, str]]] = {
    "activation": {
        "ReLU": "relu",
        "ELU": "elu",
        "Softmax": "softmax",
        "identity": "linear",
        "exp": "exponential",
        "softmax_v2": "softmax",
        "log_softmax_v2": "log_softmax",
        "logsigmoid": "log_sigmoid",
        "leakyrelu": "leaky_relu",
        "softshrink": "soft_shrink",
        "hardshrink": "hard_shrink",
        "tanhshrink": "tanh_shrink",
    },
    "initializer": {
        "normal": "random_normal",
        "uniform": "random_uniform",
        "zero": "zeros",
        "one": "ones",
        "Normal": "RandomNormal",
        "Uniform": "RandomUniform",
        "IdentityInitializer": "Identity",
        "OrthogonalInitializer": "Orthogonal",
        "STFTInitializer": "STFT",
        "identity_initializer": "identity",
        "orthogonal_initializer": "orthogonal",
        "zeros_initializer": "zeros",
        "ones_initializer": "ones",
        "constant_initializer": "constant",
        "random_normal_initializer": "random_normal",
        "random_uniform_initializer": "random_uniform",
        "truncated_normal_initializer": "truncated_normal",
        "variance_scaling_initializer": "variance_scaling",
        "glorot_normal_initializer": "glorot_normal",
        "glorot_uniform_initializer": "glorot_uniform",
    },
    "regularizer": {
        "l1_l2": "l1l2",
        "WeightRegularizer": "l1l2",
        "L1L2Regularizer": "l1l2",
        "ActivityRegularizer": "l1l2",
    },
    "constraint": {
        "maxnorm": "max_norm",
        "minmaxnorm": "min_max_norm",
        "nonneg": "non_neg",
        "unitnorm": "unit_norm",
    },
    "loss": {
        "cosine": "cosine_similarity",
        "cosine_proximity": "cosine_similarity",
        "CosineProximity": "CosineSimilarity",
        "kullback_leibler_divergence": "kl_divergence",
        "logcosh": "log_cosh",
        "Logcosh": "LogCosh",
        "huber_loss": "huber",
        "categorical_generalized_cross_entropy": "CategoricalGeneralizedCrossEntropy",
    },
    "optimizer": {
        "SGDOptimizer": "SGD",
        "RMSPropOptimizer": "RMSprop",
        "RMSProp": "RMSprop",
        "AdamOptimizer": "Adam",
        "AdamaxOptimizer": "Adamax",
        "AdagradOptimizer": "Adagrad",
        "AdadeltaOptimizer": "Adadelta",
        "LossScaleOptimizerV1": "LossScaleOptimizer",
        "LossScaleOptimizerV3": "LossScaleOptimizer",
    },
    "schedule": {
        "PiecewiseConstant": "PiecewiseConstantDecay",
        "SGDRDecay": "CosineDecayRestarts",
    },
    "metric": {
        "cosine": "cosine_similarity",
        "cosine_proximity": "cosine_similarity",
        "CosineProximity": "CosineSimilarity",
        "kullback_leibler_divergence": "kl_divergence",
        "KullbackLeiblerDivergence": "KLDivergence",
        "kld": "kl_divergence",
        "KLD": "kl_divergence",
        "logcosh": "log_cosh_error",
        "log_cosh": "log_cosh_error",
        "Logcosh": "LogCoshError",
        "mean_iou": "mean_io_u",
    },
    "callback": {},
}
"""Kind -> former name -> current name."""

FORMER_WITH_ARGUMENTS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("activation", "LeakyReLU"): {"type": "leaky_relu", "negative_slope": 0.3},
    ("activation", "ThresholdedReLU"): {"type": "relu", "threshold": 1.0},
    ("activation", "Addons>gelu"): {"type": "gelu", "approximate": True},
}
"""Former names of an entry with certain arguments: layers without weights that were named as
activations, and functions of tensorflow_addons with other defaults."""

ADDONS: Final[dict[str, frozenset[str]]] = {
    "activation": frozenset(
        {"mish", "sparsemax", "tanhshrink", "gelu", "hardshrink", "softshrink"}
    ),
}
"""Names of tensorflow_addons that compute the same as Keras's entry of that name; its other
names differ from Keras's (its `AdamW` does not scale the decay by the learning rate)."""

KERAS_ONLY: Final[dict[tuple[str, str], str]] = {
    ("metric", "huber"): "keras.losses",
    ("metric", "binary_focal_crossentropy"): "keras.losses",
    ("metric", "categorical_focal_crossentropy"): "keras.losses",
    ("metric", "Mean"): "keras.metrics",
    ("metric", "Sum"): "keras.metrics",
    ("metric", "MeanMetricWrapper"): "keras.metrics",
}
"""Objects of Keras 3 that specfmt does not define, with the module that exports them; they are kept
as user-defined objects."""

KEPT_AS_CUSTOM: Final[dict[tuple[str, str], str]] = {
    ("constraint", "RadialConstraint"): "left Keras with 3.0",
    ("constraint", "radial_constraint"): "left Keras with 3.0",
    ("optimizer", "MultiOptimizer"): "a different optimizer for each layer",
    ("optimizer", "OptimizerMap"): "a different optimizer for each weight",
    ("metric", "MeanRelativeError"): "left Keras with 3.0",
    ("metric", "MeanTensor"): "left Keras with 3.0",
    ("metric", "PyMetric"): "runs user-defined NumPy code",
    ("regularizer", "EigenvalueRegularizer"): "left Keras with 2.0",
    ("schedule", "LinearCosineDecay"): "left tf.keras.experimental with 2.8",
    ("schedule", "NoisyLinearCosineDecay"): "left tf.keras.experimental with 2.8",
    **{
        ("callback", name): "has no effect on what a model file contains"
        for name in (
            "BackupAndRestore BaseLogger CallbackList History LambdaCallback "
            "LearningRateScheduler OrbaxCheckpoint ProgbarLogger RemoteMonitor "
            "SidecarEvaluatorModelExport SwapEMAWeights UpdateEmbeddingCallback"
        ).split()
    },
}
"""Names of some release that specfmt does not have, each with the reason; they are kept as
user-defined objects."""

OTHER_EXPORTS: Final = frozenset(
    (
        "get serialize deserialize Reduction Initializer Regularizer Constraint Loss "
        "Optimizer LearningRateSchedule Metric Callback"
    ).split()
)
"""Other names that Keras's modules export: helper functions and base classes."""

_KERAS_PACKAGES: Final = ("Custom>", "keras>", "tf_keras>", "Keras>")
_DOTTED: Final = re.compile(r"(?:tf|tensorflow|keras|tf_keras|nn|K|backend)\.(?:\w+\.)*(\w+)\Z")
_CAMEL: Final = re.compile("([a-z0-9])([A-Z])")
_VERSION: Final = re.compile(r"(\w+?)_?V[1-4]\Z")


def current_name(kind: str, name: str, known: dict[str, str]) -> dict[str, Any] | str | None:
    """The current name of a vocabulary entry of any release.

    Args:
        kind: The kind of entry.
        name: The name in a file, maybe with a package (``Custom>Adam``) or a module
            (``tf.nn.relu``).
        known: The spellings of that kind.

    Returns:
        A spelling in ``known``, a mapping with ``type`` and arguments, or None where no release
        had such a name.
    """
    if name in known:
        return name
    package, mark, rest = name.rpartition(">")
    if mark:
        if f"{package}>" in _KERAS_PACKAGES and kind not in ("activation", "loss", "metric"):
            return current_name(kind, rest, known)
        if package != "Addons" or rest not in ADDONS.get(kind, ()):
            return None
        given = FORMER_WITH_ARGUMENTS.get((kind, name))
        return dict(given) if given else current_name(kind, rest, known)
    dotted = _DOTTED.match(name)
    if dotted:
        return current_name(kind, dotted[1], known)
    if (kind, name) in FORMER_WITH_ARGUMENTS:
        return dict(FORMER_WITH_ARGUMENTS[kind, name])
    former = FORMER[kind].get(name)
    if former is not None:
        return former
    version = _VERSION.match(name)
    if version and version[1] in known:
        return version[1]
    # tf.js and Keras 1 wrote some class names in lower case, which Keras accepts.
    if kind in ("optimizer", "initializer", "constraint") and name.lower() in known:
        return name.lower()
    snake = _CAMEL.sub(r"\1_\2", name).lower()
    return snake if name[:1].islower() and snake in known else None


def inverse_time_decay(rate: Any, decay: Any) -> dict[str, Any]:
    """The `InverseTimeDecay` schedule of an optimizer's former ``decay``: `rate / (1 + decay *
    step)`."""
    return {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay}
