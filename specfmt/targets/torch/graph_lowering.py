"""Lowering of a graph, nested models included, to a PyTorch program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.graph.assumed import completed
from specfmt.graph.infer import compute_dtype
from specfmt.graph.model import Array, Graph, Node, Unit, Value, map_values
from specfmt.layers.base import is_floating
from specfmt.targets.naming import Scope, class_name
from specfmt.targets.source import string
from specfmt.targets.templates import data_folder
from specfmt.targets.torch.activity import add_penalties, nested_penalty, sum_of
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.class_builder import ClassBuilder
from specfmt.targets.torch.constants import buffer
from specfmt.targets.torch.expr import Call, Layout, Method, Name, SelfAttr, Subscript, Tensor
from specfmt.targets.torch.feature_order import feature_shapes
from specfmt.targets.torch.layout import CHANNELS, KERAS
from specfmt.targets.torch.passes import run_passes
from specfmt.targets.torch.program import ClassProgram, Options
from specfmt.targets.torch.registry import TargetError, find_lowering
from specfmt.targets.torch.steps import Step
from specfmt.targets.torch.stubs import Stubs

IMPORTED = ("nn", "F", "torch", "math", "OrderedDict", "Self", "Sequence", "Path")
"""Names that generated files import."""


def lower_graph(graph: Graph, options: Options, scope: Scope | None = None) -> ClassProgram:
    """Lower a graph.

    Args:
        graph: A graph without errors; unknown shapes are inferred from the layers that follow.
        options: Axis order, fidelity and what training needs.
        scope: Module-level names in use in the generated file.

    Returns:
        The program of the outermost class.

    Raises:
        SpecError: With a 3xx finding for every layer that PyTorch cannot express.
    """
    problems: list[Diagnostic] = []
    graph = completed(graph)
    names = scope or Scope(IMPORTED)
    stubs = Stubs()
    program = _lower(graph, options, names, problems, stubs, outermost=True)
    if problems:
        raise SpecError(problems)
    stubs.define_classes(names, graph.assumed)
    return program


def free_class_name(name: str) -> str:
    """A class name for a model that differs from every helper's name."""
    preferred = class_name(name)
    helpers = (data_folder("templates") / "torch" / "helpers").iterdir()
    taken = {path.stem.replace("_", "") for path in helpers}
    return f"{preferred}Model" if preferred.lower() in taken else preferred


def _lower(
    graph: Graph,
    options: Options,
    scope: Scope,
    problems: list[Diagnostic],
    stubs: Stubs,
    *,
    outermost: bool = False,
) -> ClassProgram:
    nested: dict[Unit, ClassProgram] = {}
    for unit in graph.units:
        if unit.graph is not None:
            inner = replace(options, logits=frozenset())
            nested[unit] = _lower(unit.graph, inner, scope, problems, stubs)
    class_builder = ClassBuilder(fidelity=options.fidelity, stubs=stubs, file_scope=scope)
    program = ClassProgram(
        scope.claim(free_class_name(graph.name)), graph, class_builder, nested=nested
    )
    made: dict[Graph, ClassProgram] = {}

    def lower_model(held: Graph) -> ClassProgram:
        if held not in made:
            own = replace(options, logits=frozenset())
            made[held] = _lower(held, own, scope, problems, stubs)
        return made[held]

    class_builder.lower_model = lower_model
    tensors: dict[Value, Tensor] = {}
    for name, value in graph.inputs.items():
        tensors[value] = Tensor(value.shape or (), value.dtype, name)
        program.inputs[name] = tensors[value]
    if outermost:
        class_builder.model_inputs.update(program.inputs.values())
    class_builder.feature_shapes = feature_shapes(graph)
    final = {value: name for name, value in graph.outputs.items()}
    penalties: list[Tensor] = []
    for node in graph.nodes:
        omit = any(final.get(value) in options.logits for value in node.outputs)
        try:
            result = _lower_node(node, class_builder, nested, tensors, without_activation=omit)
            if options.trains:
                penalties += _penalties(node, class_builder, nested, result)
        except TargetError as error:
            problems.append(error.diagnostic(node))
            result = tuple(Tensor(v.shape or (), v.dtype, v.name) for v in node.outputs)
        results = result if isinstance(result, tuple) else (result,)
        read = [tensors[value] for value in node.inputs()]
        masked = next((tensor.mask for tensor in read if tensor.mask), None)
        for value, tensor in zip(node.outputs, results, strict=True):
            mask = (tensor.mask or masked) if value.masked else None
            if mask is not tensor.mask:
                if tensor in read:
                    tensor = alias(class_builder, tensor)
                tensor.mask = mask
            tensors[value] = tensor
    program.outputs = {
        name: _as_declared(class_builder, tensors[value], value)
        for name, value in graph.outputs.items()
    }
    program.penalty = sum_of(class_builder, penalties)
    if not problems:
        run_passes(program, options, graph)
    return program


def _as_declared(class_builder: ClassBuilder, tensor: Tensor, value: Value) -> Tensor:
    """An output in Keras's dtype: indices are int64 in PyTorch and int32 in Keras."""
    if (tensor.dtype, value.dtype) != ("int64", "int32"):
        return tensor
    same = Tensor(tensor.shape, "int32", tensor.name, tensor.flat)
    class_builder.steps.append(Step((same,), Method(tensor, "int"), node=value.node))
    return same


def _penalties(
    node: Node, class_builder: ClassBuilder, nested: dict[Unit, ClassProgram], result: Any
) -> list[Tensor]:
    """The penalties that a call's outputs add to the training loss."""
    if node.unit in nested:
        return [nested_penalty(class_builder, node)] if nested[node.unit].penalty else []
    if node.layer.is_operation:
        return []
    return add_penalties(class_builder, node, result if isinstance(result, tuple) else (result,))


def alias(class_builder: ClassBuilder, tensor: Tensor) -> Tensor:
    """A second tensor for the same value, which can have another mask."""
    same = Tensor(tensor.shape, tensor.dtype, tensor.name, tensor.flat)
    class_builder.steps.append(Step((same,), tensor))
    return same


def _lower_node(
    node: Node,
    class_builder: ClassBuilder,
    nested: dict[Unit, ClassProgram],
    tensors: dict[Value, Tensor],
    *,
    without_activation: bool,
) -> Any:
    unmasked = {value: alias(class_builder, tensors[value]) for value in node.unmasked}
    args = map_values(node.args, lambda value: unmasked.get(value) or tensors[value])
    builder = LayerBuilder(class_builder, node, without_activation=without_activation)
    if node.unit in nested:
        return _call_model(builder, nested[node.unit], args)
    layer = node.layer
    lowering = find_lowering(type(layer))
    if lowering is None:
        raise TargetError(
            f"{layer.type_name} has no PyTorch lowering", "generate the Keras target", code="SF300"
        )
    if layer.is_operation:
        _require_tensor(args)
        return lowering(layer, builder, *args.values())
    args = {
        key: buffer(builder, item, None, item.dtype) if isinstance(item, Array) else item
        for key, item in args.items()
    }
    args = map_nest(args, lambda tensor: autocast(builder, tensor))
    first = layer.call_arguments[0].name
    positional = [args.pop(first)] if first in args else []
    return lowering(layer, builder, *positional, **args)


def _require_tensor(args: dict[str, Any]) -> None:
    """Refuse an operation with constant operands only; Keras does not record those either."""
    stack, constants = list(args.values()), 0
    while stack:
        item = stack.pop()
        if isinstance(item, Tensor):
            return
        if isinstance(item, (tuple, list)):
            stack += item
        constants += isinstance(item, Array)
    if constants:
        raise TargetError(
            "expected a tensor among the operands, received constants only",
            "write the result of the operation as `{const: ...}` where it is used",
        )


def autocast(builder: LayerBuilder, tensor: Tensor) -> Tensor:
    """Cast a floating-point input to the layer's compute dtype, as Keras does."""
    wanted = compute_dtype(builder.unit.policy)
    if not is_floating(tensor.dtype) or tensor.dtype == wanted:
        return tensor
    cast = builder.method(tensor, "to", Name(f"torch.{wanted}"), dtype=wanted)
    cast.mask = tensor.mask
    return cast


def map_nest(args: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Apply ``change`` to every tensor in nested lists, tuples and dicts."""
    if isinstance(args, Tensor):
        return change(args)
    if isinstance(args, dict):
        return {key: map_nest(item, change) for key, item in args.items()}
    if isinstance(args, (list, tuple)):
        return type(args)(map_nest(item, change) for item in args)
    return args


def _call_model(builder: LayerBuilder, inner: ClassProgram, args: dict[str, Any]) -> Any:
    inputs = tuple(args[name] for name in inner.inputs if name in args)
    if any(tensor.mask for tensor in inputs) or any(value.masked for value in builder.node.outputs):
        raise TargetError(
            "a mask passes into or out of a nested model, which a module's forward cannot express",
            "put the layers that create and use the mask into the same model",
        )
    module = builder.module(inner.name, heavy=True)
    outputs = tuple(
        Tensor(value.shape or (), value.dtype, value.name) for value in builder.node.outputs
    )
    layouts = {_io_layout(t, inner.channels.get(t)) for t in inner.inputs.values() if t.has_layout}
    layout: Layout = layouts.pop() if len(layouts) == 1 else "keras"
    out_layouts = {inner.channels.get(t) for t in inner.outputs.values() if t.has_layout}
    output_layout: Layout | None = None
    if len(out_layouts) == 1:
        output_layout = "channels" if out_layouts.pop() else "keras"
    expr: Any = Call(SelfAttr(module.attr), inputs)
    form = inner.graph.output_form
    if form != "single" and len(outputs) == 1:
        key = Name(string(next(iter(inner.outputs)))) if form == "mapping" else 0
        expr = Subscript(expr, (key,))
    elif form == "mapping":
        expr = Method(expr, "values")
    return builder.step(
        expr,
        *outputs,
        layout=layout,
        output_layout=output_layout,
        module_def=module,
        module=module.ctor if form == "single" else None,
        heavy=True,
    )


def _io_layout(tensor: Tensor, channels: bool | None) -> Any:
    return CHANNELS if channels else KERAS
