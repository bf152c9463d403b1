"""What the code of losses and metrics shares."""

from __future__ import annotations

from typing import Any

from specfmt.targets.source import literal, number


def torch_dim(axis: int, rank: int, *, channels_first: bool) -> int:
    """torch's number of a Keras axis of an output, -1 for the last.

    Args:
        axis: Counted from either end.
        rank: How many axes the output has.
        channels_first: Whether outputs of rank 4 and 5 stand channels-first.
    """
    axis %= rank
    if rank in (4, 5) and channels_first and axis:
        return 1 if axis == rank - 1 else axis + 1
    return -1 if axis == rank - 1 else axis


def smoothed(target: str, smoothing: float, classes: int) -> str:
    """A target with part of it spread over all classes (``label_smoothing``)."""
    if not smoothing:
        return target
    kept, spread = (number(float(f"{v:.12g}")) for v in (1 - smoothing, smoothing / classes))
    return f"{target} * {kept} + {spread}"


def changed_arguments(**values: tuple[Any, Any]) -> list[str]:
    """``name=value`` for each ``name=(value, default)`` where they differ."""
    return [
        f"{name}={literal(value)}" for name, (value, default) in values.items() if value != default
    ]
