"""Inference of shapes, dtypes, masks, weights and multiply-accumulates of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specfmt.diagnostics import Diagnostic
from specfmt.graph.model import Array, Graph, Node, Value, map_values
from specfmt.layers.base import Layer, Shape, ShapeError, Weight
from specfmt.layers.op import Op, Operand
from specfmt.layers.policies import compute_dtype
from specfmt.layers.quantization import check_policy


def show_shape(shape: Shape) -> str:
    """``(None, 4)`` as ``(N, 4)``; other unknown sizes are ``?``."""
    sizes = [
        "N" if i == 0 and s is None else "?" if s is None else str(s) for i, s in enumerate(shape)
    ]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def infer(node: Node, policy: Any, problems: list[Diagnostic]) -> None:
    """Set the outputs of a node, and on the first call the weights of its unit."""
    inputs = node.inputs()
    opaque = node.unit.graph is None and node.layer.takes_any_arguments  # whatever it reads
    if not opaque and any(value.shape is None for value in inputs):
        node.outputs = (Value(node.name, None, "float32", node=node),)
        return
    if node.unit.graph is not None:
        _infer_model(node, node.unit.graph, problems)
        return
    layer = node.unit.layer
    result: Any
    shapes, keywords = call_shapes(node, _shape_of)
    try:
        if isinstance(layer, Op):
            layer.check_operands(shapes)
        else:
            check_policy(layer, policy)
        result = layer.output_shape(*shapes, **keywords)
        weights = tuple(layer.weights(*shapes, **keywords))
        node.macs = 0 if result is None else layer.macs(result, *shapes, **keywords)
    except ShapeError as error:
        path = (*node.path, error.field) if error.field else node.path
        message = f"{node.name} ({layer.type_name}): {error.message}"
        problems.append(Diagnostic(error.code, message, path, error.hint))
        node.outputs = (Value(node.name, None, "float32", node=node),)
        return
    if layer.has_known_weights:
        _keep_weights(node, weights, problems)
    if result is None:
        node.outputs = (Value(node.name, None, "float32", node=node),)
        return
    several = any(isinstance(item, tuple) for item in result)
    out_shapes: tuple[Any, ...] = result if several else (result,)
    dtypes: str | tuple[str, ...]
    masks: bool | tuple[bool, ...]
    if isinstance(layer, Op):
        dtypes, masks = layer.result_dtype(*shapes), False
    else:
        dtypes = layer.output_dtype(
            compute_dtype(layer.policy_in(policy)), *(value.dtype for value in inputs)
        )
        masks = _masks(node, inputs)
    out_dtypes = (dtypes,) * len(out_shapes) if isinstance(dtypes, str) else dtypes
    out_masks = (masks,) * len(out_shapes) if isinstance(masks, bool) else masks
    node.outputs = tuple(
        Value(node.name if i == 0 else f"{node.name}:{i}", shape, dtype, mask, node, i)
        for i, (shape, dtype, mask) in enumerate(
            zip(out_shapes, out_dtypes, out_masks, strict=True)
        )
    )


def _masks(node: Node, inputs: tuple[Value, ...]) -> bool | tuple[bool, ...]:
    """Whether each output of a layer's call has a mask."""
    if type(node.layer).output_mask is Layer.output_mask and not any(v.masked for v in inputs):
        return False  # the most common case
    masked, keywords = split_arguments(node, lambda v: v.masked)
    return node.layer.output_mask(*masked, **keywords)


def _shape_of(value: Value) -> Shape | None:
    return value.shape


def call_shapes(node: Node, read: Callable[[Value], Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a layer's `output_shape` for a call.

    Args:
        node: The call.
        read: Gives the shape of a value.
    """
    if isinstance(node.layer, Op):
        return [_operands(item, read) for item in node.args.values()], {}
    return split_arguments(node, read)


def _operands(item: Any, read: Callable[[Value], Any]) -> Any:
    """An operation's argument with an `Operand` for every tensor and array in it."""
    if isinstance(item, Value):
        return Operand(read(item) or (), item.dtype)
    if isinstance(item, Array):
        return Operand(item.shape, item.dtype)
    return tuple(_operands(inner, read) for inner in item) if isinstance(item, tuple) else item


def split_arguments(node: Node, read: Any) -> tuple[list[Any], dict[str, Any]]:
    """Arguments with ``read`` applied to every value: the first positional, others by name."""
    layer = node.layer
    if len(node.args) == 1:  # most calls
        ((name, value),) = node.args.items()
        if (
            isinstance(value, Value)
            and layer.call_arguments[:1]
            and (layer.call_arguments[0].name == name)
        ):
            return [read(value)], {}
    args = {name: map_values(item, read) for name, item in node.args.items()}
    args.pop("training", None)  # static results do not depend on it
    names = [argument.name for argument in layer.call_arguments]
    positional = [args.pop(names[0])] if names and names[0] in args else []
    return positional, args


def _keep_weights(node: Node, weights: tuple[Weight, ...], problems: list[Diagnostic]) -> None:
    unit = node.unit
    if not unit.weights_known:
        unit.weights, unit.weights_known = weights, True
        for weight in weights:
            asks = getattr(weight.init.spec, "needs", None)
            needs = "" if asks is None or weight.pieces else asks(weight.shape)
            if needs:
                place = f"{node.name} ({unit.type_name})"
                problems.append(
                    Diagnostic(
                        "SF210",
                        f"{place}: expected {needs} for the initializer {weight.init.type}, "
                        f"received the weight {weight.name} of shape {show_shape(weight.shape)}",
                        node.path,
                        "use another initializer",
                    )
                )
        return
    for first, now in zip(unit.weights, weights, strict=False):
        if first.shape != now.shape:
            problems.append(
                Diagnostic(
                    "SF211",
                    f"expected the shared layer {unit.name} to keep its {first.name} of shape "
                    f"{first.shape}, received an input that needs {now.shape}",
                    node.path,
                    "a shared layer needs inputs of one shape; use a second layer here",
                )
            )
            return


def _infer_model(node: Node, graph: Graph, problems: list[Diagnostic]) -> None:
    """Infer the outputs of a call of a nested model, from the shapes of its arguments."""
    refined: dict[str, Shape] = {}
    for name, value in node.args.items():
        declared = graph.inputs[name].shape if name in graph.inputs else None
        if declared is None or not isinstance(value, Value) or value.shape is None:
            continue
        fits = len(declared) == len(value.shape) and all(
            want is None or got is None or want == got
            for want, got in zip(declared[1:], value.shape[1:], strict=True)
        )
        if not fits:
            problems.append(
                Diagnostic(
                    "SF209",
                    f"expected {show_shape(declared)} for input {name} of {node.unit.name}, "
                    f"received {show_shape(value.shape)} from {value.name}",
                    node.path,
                    "change the nested model's `inputs` or the tensor that is passed to it",
                )
            )
            node.outputs = (Value(node.name, None, "float32", node=node),)
            return
        refined[name] = tuple(
            got if want is None else want for want, got in zip(declared, value.shape, strict=True)
        )
    outputs = list(graph.outputs.values())
    if any(refined[name] != graph.inputs[name].shape for name in refined):
        outputs = replay(graph, refined)
    node.macs = graph.macs
    node.outputs = tuple(
        Value(
            node.name if i == 0 else f"{node.name}:{i}", out.shape, out.dtype, out.masked, node, i
        )
        for i, out in enumerate(outputs)
    ) or (Value(node.name, None, "float32", node=node),)


def replay(graph: Graph, shapes: dict[str, Shape]) -> list[Value]:
    """The outputs of a graph for other input shapes; the graph is not changed."""
    new: dict[Value, Value] = {}
    for name, value in graph.inputs.items():
        new[value] = Value(value.name, shapes.get(name, value.shape), value.dtype, value.masked)
    ignored: list[Diagnostic] = []
    for node in graph.nodes:
        args = map_values(node.args, lambda v: new.get(v, v))
        call = Node(node.name, node.unit, args, node.path, node.call_index)
        infer(call, graph.policy, ignored)
        for old, value in zip(node.outputs, call.outputs, strict=False):
            new[old] = value
    return [new.get(value, value) for value in graph.outputs.values()]
