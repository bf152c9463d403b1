"""What `specfmt layers` lists: every layer type and the targets that can express it."""

from __future__ import annotations

from typing import Any

from specfmt.layers.registry import layer_class, layer_types

CUSTOM_REASON = "your own class: Keras code imports it, PyTorch code has a class to fill"


def catalogue() -> list[dict[str, Any]]:
    """One row a type: ``type``, ``family``, ``keras``, ``torch``, and ``reason`` if not torch."""
    from specfmt.targets.torch.registry import find_lowering

    rows = []
    for name in layer_types():
        cls = layer_class(name)
        assert cls is not None  # layer_types() lists what layer_class() knows
        torch = find_lowering(cls) is not None and not cls.open_call
        reason = "" if torch else CUSTOM_REASON if cls.open_call else "generates Keras code only"
        rows.append(
            {"type": name, "family": cls.family, "keras": True, "torch": torch, "reason": reason}
        )
    return rows
