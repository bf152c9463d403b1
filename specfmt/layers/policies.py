"""Dtype policies: the dtype in which a layer computes, and the one in which it keeps its weights.

A policy is a name (``float32``, ``mixed_float16``, ``int8_from_mixed_bfloat16``) or the config of a
policy class of Keras: `QuantizedDTypePolicy` and its subclasses, or a `DTypePolicyMap`.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.fields.types import DTYPES

MIXED: Final = "mixed_"
"""The prefix of policies that compute in half precision with float32 weights."""

HALVES: Final = ("float16", "bfloat16")
"""The dtypes of half precision."""


def policy_name(policy: Any) -> str:
    """The name of the floating-point policy that a policy is, or was quantized from."""
    if isinstance(policy, dict):
        inner = policy.get("config")
        config = inner if isinstance(inner, dict) else policy
        if "default_policy" in config:  # a map, whose own dtypes are those of its default
            return policy_name(config["default_policy"])
        policy = config.get("source_name") or config.get("name")
    return policy.rpartition("_from_")[2] if isinstance(policy, str) else "float32"


def compute_dtype(policy: Any) -> str:
    """The dtype that a layer computes in (default float32)."""
    name = policy_name(policy).removeprefix(MIXED)
    return name if name in DTYPES else "float32"


def variable_dtype(policy: Any) -> str:
    """The dtype of a layer's weights, where no weight has its own (default float32)."""
    return "float32" if policy_name(policy).startswith(MIXED) else compute_dtype(policy)


def quantization_mode(policy: Any) -> str:
    """The mode of a quantized policy (``int8``, ``int4``, ``float8``, ...); empty for others."""
    config = policy.get("config") if isinstance(policy, dict) else None
    mode = config.get("mode") if isinstance(config, dict) else None
    return mode.partition("/")[0] if isinstance(mode, str) else ""
