"""Dtype policies: the dtype in which a layer computes, and the one in which it keeps its weights.

A policy is a name (``float32``, ``mixed_float16``, ``int8_from_mixed_bfloat16``) or the config of a
policy class of Keras: `QuantizedDTypePolicy` and its subclasses, or a `DTypePolicyMap`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from specfmt.fields.types import DTYPES, POLICY_CLASSES, quantized_policy

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


def quantized_name(policy: Any) -> str:
    """The mode of a quantized policy with its numbers (``int8``, ``int4/128``, ``gptq/4/128``);
    empty for others, and for a map that of its default."""
    if isinstance(policy, str):
        name, found, _ = policy.partition("_from_")
        return name if found and name.partition("/")[0] in POLICY_CLASSES else ""
    config = policy.get("config") if isinstance(policy, dict) else None
    if not isinstance(config, dict):
        return ""
    if "default_policy" in config:
        return quantized_name(config["default_policy"])
    mode = config.get("mode")
    return mode if isinstance(mode, str) else ""


def is_mixed_map(policy: Any, read: Callable[[Any], str] | None = None) -> bool:
    """Whether a policy is a `DTypePolicyMap` with policies that differ from its default.

    Args:
        policy: The policy.
        read: What of a policy has to differ; default is any of its dtypes or its quantization.
    """
    config = policy.get("config") if isinstance(policy, dict) else None
    if not isinstance(config, dict) or "default_policy" not in config:
        return False
    entries = config.get("policy_map")
    what = read or (lambda one: f"{quantized_name(one)} {policy_name(one)}")
    wanted = what(config["default_policy"])
    return isinstance(entries, dict) and any(what(one) != wanted for one in entries.values())


def name_of_policy(policy: Any) -> str:
    """The name by which Keras takes the same quantized policy; empty if there is none."""
    config = policy.get("config") if isinstance(policy, dict) else None
    if not isinstance(config, dict):
        return ""
    mode, source = config.get("mode"), config.get("source_name")
    if not isinstance(mode, str) or not isinstance(source, str):
        return ""
    name = f"{mode}_from_{source}"
    named = quantized_policy(name)
    if named is None or named["config"] != named["config"] | config:
        return ""
    return name if named["class_name"] == policy.get("class_name") else ""
