"""Output shapes of unknown layers, from the shapes that Keras 3 writes with every tensor."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from specfmt.fields.errors import FieldError, NestedError
from specfmt.fields.validation import validate
from specfmt.formats.config.reading import Json
from specfmt.formats.read.assemble import Record
from specfmt.formats.read.cell_sizes import add_cell_sizes
from specfmt.formats.read.nodes import Ref, intact_tensor
from specfmt.layers.base import is_floating
from specfmt.layers.custom import Custom
from specfmt.layers.policies import compute_dtype
from specfmt.vocab.base import CUSTOM

MOST_OUTPUTS: Final = 999

RECURRENT: Final = frozenset(("cell", "layer"))
"""Fields of layers that have cells, or hold such layers."""


def add_output_shapes(
    records: list[Record], layers: list[Any], policy: Any, returned: Iterable[Ref] = ()
) -> None:
    """Set ``shape`` and ``output_dtype`` of custom layers from the tensors that other layers read.

    Args:
        records: The layers that were read.
        layers: The serialized layers.
        policy: The model's dtype policy.
        returned: The model's outputs, whose shapes the source does not contain.
    """
    custom = {r.name: r.entry for r in records if _holds_custom(r.entry)}
    if not custom:
        return
    items = [item for item in layers if isinstance(item, dict)]
    found: dict[str, dict[int, list[Json]]] = {}
    _collect([item.get("inbound_nodes") for item in items], found)
    reads = {item["name"]: _first(item.get("inbound_nodes")) for item in items if "name" in item}
    counts: dict[str, int] = {}
    for name, index in (
        *((name, index) for name, outputs in found.items() for index in outputs),
        *((ref.layer, ref.tensor) for ref in returned),
    ):
        counts[name] = max(counts.get(name, 0), min(index, MOST_OUTPUTS) + 1)
    for name, outputs in found.items():
        entry = custom.get(name)
        if entry is None:
            continue
        shapes = [_common(outputs.get(index, [])) for index in range(counts[name])]
        if all(shape is None for shape in shapes):
            continue
        if entry["type"] != CUSTOM:
            add_cell_sizes(entry, shapes)
            continue
        declared: Json = {"shape": shapes[0] if len(shapes) == 1 else shapes}
        dtypes = {tensor.get("dtype") for tensors in outputs.values() for tensor in tensors}
        read = str(reads.get(name, {}).get("dtype", "float32"))
        expected = compute_dtype(policy) if is_floating(read) else read
        if len(dtypes) == 1 and dtypes != {expected}:
            declared["output_dtype"] = dtypes.pop()
        try:
            validate(Custom, {"class": CUSTOM, **declared}, CUSTOM)
        except (FieldError, NestedError):
            continue
        entry.update(declared)


def add_built_shape(entry: Json, following: Any) -> None:
    """Set ``shape`` of a custom layer in a chain from the shape for which Keras 3 built the next one.

    Args:
        entry: The entry of the layer; it is changed in place.
        following: The next layer as the source has it.
    """
    built = following.get("build_config") if isinstance(following, dict) else None
    shape = _common([{"shape": built.get("input_shape") if isinstance(built, dict) else None}])
    if shape is None or not _holds_custom(entry):
        return
    if entry["type"] != CUSTOM:
        add_cell_sizes(entry, [shape])
    elif entry.get("shape") is None:
        with suppress(FieldError, NestedError):
            validate(Custom, {"class": CUSTOM, "shape": shape}, CUSTOM)
            entry["shape"] = shape


def _holds_custom(entry: Json) -> bool:
    """Whether a layer is user-defined, or may have a user-defined cell."""
    return entry.get("type") == CUSTOM or not RECURRENT.isdisjoint(entry)


def _common(tensors: list[Json]) -> list[Any] | None:
    """The shape of an output, without the batch axis; sizes that differ between calls are None."""
    shapes = [tensor.get("shape") for tensor in tensors]
    first = shapes[0] if shapes else None
    if not isinstance(first, list) or not first:
        return None
    result = first[1:]
    for shape in shapes[1:]:
        if not isinstance(shape, list) or len(shape) != len(first):
            return None
        pairs = zip(result, shape[1:], strict=True)
        result = [size if size == other else None for size, other in pairs]
    return result


def _first(nodes: Any) -> Json:
    """The source's description of the first input tensor of a layer."""
    read: dict[str, dict[int, list[Json]]] = {}
    _collect(nodes, read)
    return next((tensors[0] for outputs in read.values() for tensors in outputs.values()), {})


def _collect(value: Any, found: dict[str, dict[int, list[Json]]]) -> None:
    """Collect the tensors in a structure: layer -> output -> the source's descriptions of it."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(reversed(item))
        elif isinstance(item, dict):
            ref = intact_tensor(item)
            if ref is not None:
                outputs = found.setdefault(ref.layer, {})
                outputs.setdefault(ref.tensor, []).append(item["config"])
            else:
                stack.extend(reversed(item.values()))
