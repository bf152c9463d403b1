"""Tensor operations in Keras code: Python operators where they are usual, else functions."""

from __future__ import annotations

from typing import Any

from specfmt.graph.model import Array, Node, Value
from specfmt.graph.operands import keras_operands
from specfmt.targets.keras.file_scope import FileScope
from specfmt.targets.source import binary, literal

OPERATORS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "true_divide": "/",
    "floor_divide": "//",
    "mod": "%",
    "power": "**",
    "matmul": "@",
    "equal": "==",
    "not_equal": "!=",
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
}
"""Operation -> the Python operator for which `KerasTensor` records it."""

# `/` is recorded as TrueDivide, so `divide` stays a function.
# `a == b` on Keras tensors works but looks like a mistake, so comparisons stay functions.
WRITTEN = frozenset(("add", "subtract", "multiply", "true_divide", "power", "matmul"))
"""Operations that are written as operators."""


def operation_source(
    node: Node, names: dict[Value, str], file: FileScope
) -> tuple[str, list[str], str | None]:
    """The call of an operation.

    An operation with a given name is created by its class, since the functions of `keras.ops`
    take no name.

    Args:
        node: The call.
        names: Value -> variable.
        file: Names shared by the file; imports are added.

    Returns:
        The head and the arguments of the call, and the tail after ``)``.  The tail is None if the
        head is a whole expression.
    """
    layer: Any = node.layer
    function: str = layer.function
    items = keras_operands(layer, list(node.args.values()))
    first = len(items) if layer.operands[-1] == "..." else len(layer.operands)
    operands = [operand(item, names, file) for item in items[:first]]
    keeps_gaps = layer.optional_given and node.unit not in file.automatic
    if keeps_gaps:
        items += [None] * (first + len(layer.optional_operands) - len(items))
    operands += [
        f"{key}={operand(item, names, file)}"
        for key, item in zip(layer.optional_operands, items[first:], strict=False)
        if item is not None or keeps_gaps
    ]
    keywords = {
        type(layer).model_fields[key].alias or key: value
        for key, value in layer.explicit_arguments().items()
        if key not in ("name", "inputs")
    }
    if node.unit not in file.automatic:
        keywords = {**layer.class_arguments(), **keywords}
        module = layer.keras_module
        file.imports[f"from {module} import {layer.type_name}"] = None
        called = [
            call_field(k, v) if k == "key" else f"{k}={call_field(k, v)}"
            for k, v in keywords.items()
            if k in layer.call_fields
        ]
        created = [f"{k}={literal(v)}" for k, v in keywords.items() if k not in layer.call_fields]
        created.append(f"name={literal(node.unit.name)}")
        return layer.type_name, created, f"({', '.join((*operands, *called))})"
    if function == "getitem":
        return f"{operands[0]}[{subscript(layer.key)}]", [], None
    # A NumPy array on the left would apply its own operator, element by element.
    if function in WRITTEN and not isinstance(items[0], (Array, tuple)) and not keywords:
        return binary(operands[0], OPERATORS[function], operands[1]), [], None
    return (
        f"{layer.keras_namespace()}.{function}",
        [
            *(literal(keywords.pop(key)) for key in layer.leading_fields),
            *operands,
            *(f"{key}={literal(value)}" for key, value in keywords.items()),
        ],
        "",
    )


def call_field(key: str, value: Any) -> str:
    """The source of a field that Keras's class takes in its call; a key becomes slices."""
    if key != "key":
        return literal(value)
    items = value if isinstance(value, tuple) else (value,)
    texts = []
    for item in items:
        if isinstance(item, dict):
            bounds = item.get("slice")
            texts.append("..." if bounds is None else f"slice({', '.join(map(literal, bounds))})")
        else:
            texts.append(literal(item))
    if not isinstance(value, tuple):
        return texts[0]
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def operand(item: Any, names: dict[Value, str], file: FileScope) -> str:
    """The source of an operand.

    Args:
        item: A value, an array, a number, or a list of them.
        names: Value -> variable.
        file: Names shared by the file; imports are added.
    """
    if isinstance(item, Value):
        return names[item]
    if isinstance(item, Array):
        if item.is_tensor:
            return f"keras.ops.convert_to_tensor({literal(item.value)}, {literal(item.dtype)})"
        file.imports["import numpy as np"] = None
        return f"np.array({literal(item.value)}, {literal(item.dtype)})"
    if isinstance(item, tuple):
        return f"[{', '.join(operand(inner, names, file) for inner in item)}]"
    return literal(item)


def subscript(key: Any) -> str:
    """The source of a subscript: ``[null, {slice: [0, 3]}]`` becomes ``None, 0:3``."""
    items = key if isinstance(key, (list, tuple)) else (key,)
    texts = []
    for item in items:
        if isinstance(item, dict) and "slice" in item:
            start, stop, step = (*item["slice"], None, None)[:3]
            text = f"{'' if start is None else start}:{'' if stop is None else stop}"
            texts.append(text if step in (None, 1) else f"{text}:{step}")
        elif isinstance(item, dict):
            texts.append("...")
        else:
            texts.append(literal(item))
    if not items:
        return "()"
    if len(items) == 1 and isinstance(items[0], dict) and "slice" in items[0]:
        texts.append("...")  # Keras only takes a slice inside a tuple
    return ", ".join(texts)
