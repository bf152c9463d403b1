"""What `specfmt summary` shows: layers, shapes, counts, arithmetic, memory."""

from __future__ import annotations

from math import prod
from typing import Any

from specfmt.console.terminal import WIDTH, table
from specfmt.graph.infer import show_shape
from specfmt.graph.model import Graph, Node
from specfmt.layers.base import Shape

BYTES = {"float64": 8, "int64": 8, "uint64": 8, "float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2,
         "int8": 1, "uint8": 1, "bool": 1, "complex64": 8, "complex128": 16}  # fmt: skip


def summarize(graph: Graph) -> dict[str, Any]:
    """The graph's facts as JSON-ready data.

    Shapes include the batch axis as null; ``macs`` are multiply-accumulates for one sample.
    """
    return {
        "name": graph.name,
        "inputs": [_tensor(name, v.shape, v.dtype) for name, v in graph.inputs.items()],
        "outputs": [_tensor(name, v.shape, v.dtype) for name, v in graph.outputs.items()],
        "layers": [_layer(node) for node in graph.nodes],
        "params": {
            "total": graph.count(),
            "trainable": graph.count(trainable=True),
            "non_trainable": graph.count(trainable=False),
        },
        "macs": graph.macs,
    }


def activation_bytes(graph: Graph) -> int:
    """Bytes of all layer outputs for one sample, nested models entered; unknown sizes count 1."""
    total = 0
    for node in graph.nodes:
        if node.unit.graph is not None:
            total += activation_bytes(node.unit.graph)
            continue
        for value in node.outputs:
            elements = prod(size or 1 for size in (value.shape or ())[1:])
            total += elements * BYTES.get(value.dtype, 4)
    return total


def _tensor(name: str, shape: Shape | None, dtype: str) -> dict[str, Any]:
    return {"name": name, "shape": list(shape or ()), "dtype": dtype}


def _layer(node: Node) -> dict[str, Any]:
    first = node.call_index == 0
    shapes = [list(value.shape or ()) for value in node.outputs]
    return {
        "name": node.name,
        "type": node.unit.type_name,
        "inputs": [value.name for value in node.inputs()],
        "output_shape": shapes[0] if len(shapes) == 1 else shapes,
        "params": node.unit.count() if first else 0,
        "trainable": node.unit.count(trainable=True) if first else 0,
    }


def summary_text(graph: Graph, width: int = WIDTH) -> str:
    """The summary as a table for people, with the memory that one sample's activations take.

    Args:
        graph: The model.
        width: Columns of the terminal.
    """
    found = summarize(graph)
    rows = [("layer", "type", "output shape", "params", "reads")]
    for item in found["inputs"]:
        rows.append((item["name"], "input", show_shape(tuple(item["shape"])), "", ""))
    for item in found["layers"]:
        shapes = item["output_shape"]
        several = bool(shapes) and isinstance(shapes[0], list)
        shown = ", ".join(show_shape(tuple(s)) for s in (shapes if several else [shapes]))
        rows.append(
            (item["name"], item["type"], shown, f"{item['params']:,}", ", ".join(item["inputs"]))
        )
    lines = [table(rows, right=(3,), width=width)]
    params = found["params"]
    lines.append("")
    lines.append(
        f"parameters  {params['total']:,} ({params['trainable']:,} trainable, "
        f"{params['non_trainable']:,} not)"
    )
    lines.append(f"arithmetic  {found['macs']:,} multiply-accumulates per sample")
    lines.append(f"activations {_bytes(activation_bytes(graph))} per sample")
    return "\n".join(lines)


def _bytes(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    tenths, units = count // 100, ["kB", "MB", "GB"]
    while tenths >= 10_000 and len(units) > 1:
        tenths //= 1000
        del units[0]
    return f"{tenths // 10:,}.{tenths % 10} {units[0]}"
