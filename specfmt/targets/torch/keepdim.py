"""``keepdim=True`` for reductions whose axes the next step adds again.

Keras models from before pooling layers had ``keepdims`` pool and then reshape to (1, 1, C).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from specfmt.targets.torch.expr import (
    Axis,
    AxisSubscript,
    ByOrder,
    Chain,
    Method,
    Stock,
    Tensor,
)
from specfmt.targets.torch.steps import Step

REDUCTIONS: Final = frozenset({"amax", "amin", "mean", "sum"})


def keep_dimensions(steps: Sequence[Step], outputs: Sequence[Tensor]) -> list[Step]:
    """Replace a reduction and the indexing that adds its axes again by one step."""
    reads = Counter(tensor for step in steps for tensor in step.reads)
    reads.update(outputs)
    makers = {tensor: step for step in steps for tensor in step.outputs}
    gone = set()
    for step in steps:
        index = step.expr
        if not isinstance(index, AxisSubscript) or not isinstance(index.obj, Tensor):
            continue
        maker = makers.get(index.obj)
        if maker is None or reads[index.obj] != 1 or not isinstance(maker.expr, Method):
            continue
        method = maker.expr
        dims = method.kwargs.get("dim")
        axes = dims if isinstance(dims, tuple) else (dims,)
        if (
            method.name in REDUCTIONS
            and set(method.kwargs) == {"dim"}
            and all(isinstance(axis, Axis) and axis.rank == index.rank for axis in axes)
            and index.items == {axis.axis: None for axis in axes}
        ):
            gone.add(maker)
            step.expr = Method(method.obj, method.name, method.args, {"dim": dims, "keepdim": True})
            step.layout, step.output_layout = maker.layout, maker.output_layout
            step.module = _without_flatten(maker.module)
    return [step for step in steps if step not in gone]


def _without_flatten(module: Stock | None) -> Stock | None:
    """The modules of a global pooling without `nn.Flatten`: ``nn.AdaptiveAvgPool2d(1)``."""
    if isinstance(module, ByOrder):
        return ByOrder(_without_flatten(module.keras), _without_flatten(module.channels))
    return module.modules[0] if isinstance(module, Chain) else module
