"""A half-precision model as float32, so that everything but its rounding can be compared."""

from __future__ import annotations

from typing import Any

from specfmt.layers.base import Layer
from specfmt.layers.entries import InputSpec, Model
from specfmt.layers.policies import HALVES, compute_dtype
from specfmt.spec.document import ModelSpec


def in_float32(spec: ModelSpec) -> tuple[ModelSpec, str]:
    """The model with float32 instead of float16 and bfloat16, and its lowest-precision dtype.

    The spec itself and ``float32`` are returned if nothing has to change.
    """
    found: set[str] = set()
    changed = _in_float32(spec, found)
    if not found:
        return spec, "float32"
    return changed, "bfloat16" if "bfloat16" in found else "float16"


def _in_float32(entry: Any, found: set[str]) -> Any:
    changes: dict[str, Any] = {}
    for name in type(entry).model_fields:
        value = getattr(entry, name)
        if isinstance(value, Layer | Model):
            new: Any = _in_float32(value, found)
        elif isinstance(value, tuple) and any(isinstance(item, Layer | Model) for item in value):
            new = tuple(_in_float32(i, found) if isinstance(i, Layer | Model) else i for i in value)
        elif name == "inputs" and isinstance(value, dict) and not isinstance(entry, Layer):
            new = {key: _in_float32(item, found) for key, item in value.items()}
        elif name == "dtype" and compute_dtype(value) in HALVES:
            found.add(compute_dtype(value))
            new = "float32" if isinstance(entry, InputSpec) or not _is_policy(entry) else None
        else:
            continue
        if new is not value:
            changes[name] = new
    return entry.model_copy(update=changes) if changes else entry


def _is_policy(entry: Any) -> bool:
    """Whether the field ``dtype`` is a dtype policy; that of an operation is the dtype it casts to."""
    return isinstance(entry, ModelSpec | Model) or type(entry).model_fields["dtype"].default is None
