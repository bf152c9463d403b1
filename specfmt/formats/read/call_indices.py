"""The index of the first call of a nested model, which differs between Keras versions."""

from __future__ import annotations

from specfmt.formats.config.context import KERAS_2, KERAS_3
from specfmt.formats.read.assemble import Record
from specfmt.formats.read.nodes import Ref


def offsets(
    records: list[Record], outputs: list[Ref], generation: int
) -> dict[str, tuple[int, int]]:
    """The index of the first call of each nested model: (as used by calls, as used by outputs).

    Building a model is itself a call.  Keras 2 always counts it, Keras 3 only in outputs; earlier
    releases, a Sequential in Keras 3, and models without an input shape do not count it.
    """
    models = {r.name: r for r in records if r.entry.get("type") == "Model"}
    if not models:
        return {}
    used: dict[str, tuple[list[int], list[int]]] = {name: ([], []) for name in models}
    for record in records:
        for call in record.calls:
            for ref in call.refs():
                if ref.layer in used:
                    used[ref.layer][0].append(ref.node)
    for ref in outputs:
        if ref.layer in used:
            used[ref.layer][1].append(ref.node)
    found = {}
    for name, (inner, outer) in used.items():
        count = len(models[name].calls)
        if generation == KERAS_3:
            born = 0 if models[name].class_name == "Sequential" else 1
            found[name] = (_offset(inner, count, 0), _offset(outer, count, born))
        else:
            offset = _offset(inner + outer, count, 1 if generation == KERAS_2 else 0)
            found[name] = (offset, offset)
    return found


def _offset(indices: list[int], count: int, usual: int) -> int:
    """0 or 1, as the indices used imply; if they fit both, the usual value."""
    if not indices or 0 in indices:
        return 0
    if max(indices) >= count:
        return 1
    return usual
