"""Old spellings that textbooks still print, and what they are called today."""

from __future__ import annotations

OLD_WORDS: dict[str, dict[str, str]] = {
    "initializer": {
        "normal": "random_normal",
        "uniform": "random_uniform",
        "zero": "zeros",
        "one": "ones",
        "IdentityInitializer": "identity",
        "OrthogonalInitializer": "orthogonal",
        "STFTInitializer": "stft",
    },
    "regularizer": {"l1_l2": "l1l2"},
    "constraint": {
        "maxnorm": "max_norm",
        "nonneg": "non_neg",
        "unitnorm": "unit_norm",
        "unit_normalization": "unit_norm",
    },
    "loss": {
        "logcosh": "log_cosh",
        "huber_loss": "huber",
        "cosine_proximity": "cosine_similarity",
        "kullback_leibler_divergence": "kl_divergence",
    },
    "metric": {
        "logcosh": "log_cosh_error",
        "cosine_proximity": "cosine_similarity",
        "kullback_leibler_divergence": "kl_divergence",
    },
}


def old_key(label: str, key: str) -> str:
    """What ``key`` of ``label`` (a type name) is called today, or nothing."""
    return ""


def old_type(type_name: object) -> str:
    """What a layer type of an earlier Keras is called today, as a hint, or nothing."""
    return ""
