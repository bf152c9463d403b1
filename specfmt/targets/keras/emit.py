"""Graph -> template context of a Keras file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from specfmt.graph.model import Graph, Node, Value
from specfmt.targets.keras.values import layer_source
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.source import literal


@dataclass(frozen=True)
class FunctionContext:
    """One ``build_...`` function; every value is finished Python source."""

    name: str
    doc: str
    lines: list[str]


def input_source(graph: Graph, name: str) -> str:
    """``keras.Input((28, 28, 1), name="image")``."""
    spec = graph.input_specs[name]
    parts = [literal(tuple(spec.shape))]
    if spec.batch_size is not None:
        parts.append(f"batch_size={spec.batch_size}")
    if spec.dtype != "float32":
        parts.append(f"dtype={literal(spec.dtype)}")
    for flag in ("sparse", "ragged", "optional"):
        if getattr(spec, flag):
            parts.append(f"{flag}=True")
    return f"keras.Input({', '.join(parts)}, name={literal(name)})"


def functional_lines(graph: Graph) -> list[str]:
    """The body of a function that builds the model layer by layer."""
    scope = Scope({"keras", "layers", "x"})
    names: dict[Value, str] = {}
    lines: list[str] = []
    for name, value in graph.inputs.items():
        names[value] = scope.claim(identifier(name))
        lines.append(f"{names[value]} = {input_source(graph, name)}")
    lines.append("")
    last: dict[Value, int] = {}
    readers: dict[Value, int] = {}
    for index, node in enumerate(graph.nodes):
        for value in node.inputs():
            last[value] = index
            readers[value] = readers.get(value, 0) + 1
    returned = set(graph.outputs.values())
    held: dict[Any, str] = {}
    for index, node in enumerate(graph.nodes):
        if len(node.unit.calls) > 1 and node.unit not in held:
            held[node.unit] = scope.claim(identifier(node.unit.name))
            lines.append(f"{held[node.unit]} = {layer_source(node.layer, node.unit.name)}")
        callee = held.get(node.unit) or layer_source(node.layer, node.unit.name)
        targets = []
        for value in node.outputs:
            if value in returned or last.get(value) != index + 1 or len(node.outputs) > 1:
                names[value] = scope.claim(identifier(value.name))
            else:
                names[value] = "x"
            targets.append(names[value])
        lines.append(f"{', '.join(targets)} = {callee}({call_arguments(node, names)})")
    inputs = list(graph.inputs.values())
    outputs = [names[value] for value in graph.outputs.values()]
    into = names[inputs[0]] if len(inputs) == 1 else f"[{', '.join(names[v] for v in inputs)}]"
    out = outputs[0] if graph.output_form == "single" else f"[{', '.join(outputs)}]"
    lines.append(f"return keras.Model({into}, {out}, name={literal(graph.name)})")
    return lines


def call_arguments(node: Node, names: dict[Value, str]) -> str:
    """The arguments of one call."""

    def source(item: Any) -> str:
        if isinstance(item, Value):
            return names[item]
        if isinstance(item, list):
            return "[" + ", ".join(source(inner) for inner in item) + "]"
        return literal(item)

    first = node.layer.call_arguments[0].name
    return ", ".join(
        source(item) if key == first else f"{key}={source(item)}" for key, item in node.args.items()
    )


def sequential_lines(graph: Graph) -> list[str]:
    """The body of a function that builds a `keras.Sequential`."""
    items = [input_source(graph, next(iter(graph.inputs)))]
    items += [layer_source(node.layer, node.unit.name) for node in graph.nodes]
    return [
        "return keras.Sequential(",
        "    [",
        *(f"        {item}," for item in items),
        "    ],",
        f"    name={literal(graph.name)},",
        ")",
    ]
