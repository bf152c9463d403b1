"""Models without dropout and noise, so that training mode can be compared number by number."""

from __future__ import annotations

from typing import Any

from specfmt.layers.base import Layer
from specfmt.layers.entries import Model
from specfmt.spec.document import ModelSpec


def deterministic(spec: ModelSpec) -> tuple[ModelSpec, tuple[str, ...]]:
    """The model without dropout and noise, and the names (or types) of the layers that had some.

    The spec itself is returned if it has none.
    """
    off: list[str] = []
    found = _without_noise(spec, off)
    assert isinstance(found, ModelSpec)
    return found, tuple(off)


def _without_noise(entry: Layer | Model | ModelSpec, off: list[str]) -> Layer | Model | ModelSpec:
    noise = entry.noise_fields() if isinstance(entry, Layer) else ()
    changed: dict[str, Any] = entry.noise_off() if isinstance(entry, Layer) else {}
    for name in type(entry).model_fields:
        value = getattr(entry, name)
        if isinstance(value, Layer):
            changed[name] = _without_noise(value, off)
        elif isinstance(value, tuple):
            changed[name] = tuple(
                _without_noise(item, off) if isinstance(item, Layer | Model) else item
                for item in value
            )
    changed = {name: new for name, new in changed.items() if not _same(getattr(entry, name), new)}
    if not changed:
        return entry
    if noise:
        off.append(entry.name or str(getattr(entry, "type_name", "")))
    return entry.model_copy(update=changed)


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, tuple) and isinstance(new, tuple):
        return all(a is b for a, b in zip(old, new, strict=True))
    return old is new
