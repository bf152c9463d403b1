"""Lowering of a graph, nested models included, to a PyTorch program."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from specfmt.diagnostics import SpecError
from specfmt.graph.assumed import completed
from specfmt.graph.execution import calls_in_order
from specfmt.graph.mask_flow import MaskFlow, MaskFlows
from specfmt.graph.model import Array, Graph, Node, Unit, Value, map_values
from specfmt.layers.base import is_floating
from specfmt.targets.naming import Scope, class_name
from specfmt.targets.templates import data_folder
from specfmt.targets.torch.activity import add_penalties, nested_penalty, sum_of
from specfmt.targets.torch.blocks.classes import add_blocks
from specfmt.targets.torch.builder import LayerBuilder, map_nest
from specfmt.targets.torch.class_builder import ClassBuilder
from specfmt.targets.torch.constants import buffer
from specfmt.targets.torch.expr import Method, Name, Tensor
from specfmt.targets.torch.feature_order import feature_shapes
from specfmt.targets.torch.nested_models import Lowering, add_masks, call_model, keep_needed
from specfmt.targets.torch.passes import run_passes
from specfmt.targets.torch.program import ClassProgram, Options
from specfmt.targets.torch.recorded_masks import alias, mask_of
from specfmt.targets.torch.registry import TargetError, check_policy, find_lowering
from specfmt.targets.torch.steps import Step

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
    graph = completed(graph)
    used = frozenset(scope.used if scope else IMPORTED)
    lowering = Lowering(options, Scope(used), MaskFlows(graph))
    program = _lower(graph, lowering, outermost=True)
    while lowering.missing and not lowering.problems:
        lowering = lowering.again(used)
        program = _lower(graph, lowering, outermost=True)
    if lowering.problems:
        raise SpecError(lowering.problems)
    lowering.stubs.define_classes(lowering.scope, graph.assumed)
    add_blocks(program, lowering.scope)
    if scope:
        scope.used |= lowering.scope.used
    return program


def free_class_name(name: str) -> str:
    """A class name for a model that differs from every helper's name."""
    preferred = class_name(name)
    helpers = (data_folder("templates") / "torch" / "helpers").iterdir()
    taken = {path.stem.replace("_", "") for path in helpers}
    return f"{preferred}Model" if preferred.lower() in taken else preferred


def _lower(graph: Graph, lowering: Lowering, *, outermost: bool = False) -> ClassProgram:
    """Lower one model, and the models inside it."""
    options = lowering.options if outermost else replace(lowering.options, logits=frozenset())
    nested: dict[Unit, ClassProgram] = {}
    for unit in graph.units:
        if unit.graph is not None:
            nested[unit] = _lower(unit.graph, lowering)
    class_builder = ClassBuilder(
        fidelity=options.fidelity,
        adapts=options.adapts,
        stubs=lowering.stubs,
        file_scope=lowering.scope,
        trains=options.trains,
    )
    program = ClassProgram(
        lowering.scope.claim(free_class_name(graph.name)), graph, class_builder, nested=nested
    )
    made: dict[Graph, ClassProgram] = {}

    def lower_model(held: Graph) -> ClassProgram:
        if held not in made:
            made[held] = _lower(held, lowering)
        return made[held]

    class_builder.lower_model = lower_model
    tensors = program.tensors
    for name, value in graph.inputs.items():
        tensors[value] = Tensor(value.shape or (), value.dtype, name, sizes=value.sizes)
        program.inputs[name] = tensors[value]
    if outermost:
        class_builder.model_inputs.update(program.inputs.values())
    add_masks(program, lowering, tensors)
    class_builder.feature_shapes = feature_shapes(graph)
    final = {value: name for name, value in graph.outputs.items()}
    flow = lowering.flow(graph)
    for node in calls_in_order(graph):
        omit = any(final.get(value) in options.logits for value in node.outputs)
        start = len(class_builder.steps)
        try:
            _check_call(node, lowering)
            args = _arguments(node, program, flow, tensors)
            result = _lower_node(node, class_builder, nested, args, without_activation=omit)
            if options.trains:
                _add_penalties(node, class_builder, nested, result)
        except TargetError as error:
            lowering.problems.append(error.diagnostic(node))
            result = tuple(Tensor(v.shape or (), v.dtype, v.name) for v in node.outputs)
        results = result if isinstance(result, tuple) else (result,)
        read = [tensors[value] for value in node.inputs()]
        masked = next((tensor.mask for tensor in read if tensor.mask), None)
        for value, tensor in zip(node.outputs, results, strict=True):
            if tensor.sizes is None and tensor.shape == value.shape:
                tensor.sizes = value.sizes
            mask = (tensor.mask or masked) if value in flow.masked else None
            if mask is not tensor.mask:
                if tensor in read:
                    tensor = alias(class_builder, tensor)
                tensor.mask = mask
            tensors[value] = tensor
        if any(value.sizes is not None for value in node.outputs):
            for step in class_builder.steps[start:]:
                for output in step.outputs:
                    output.sizes = output.sizes or output.shape
    program.outputs = {
        name: _as_declared(class_builder, tensors[value], value)
        for name, value in graph.outputs.items()
    }
    for name, value in graph.outputs.items():
        mask = tensors[value].mask
        if mask is not None and name in flow.outputs:
            program.output_masks[name] = mask
            if (graph, name) in lowering.returned:
                program.returned_masks[name] = mask
    program.penalty = sum_of(class_builder, class_builder.penalties)
    complete = keep_needed(
        program, lowering, [*program.results, *([program.penalty] if program.penalty else [])]
    )
    if complete and not lowering.problems:
        run_passes(program, options, graph, outermost=outermost)
    return program


def _check_call(node: Node, lowering: Lowering) -> None:
    """Refuse calls whose masks in Keras the generated classes cannot reproduce."""
    if node in lowering.flows.mixed:
        raise TargetError(
            f"expected masks for the same inputs in all calls of {node.unit.name}, received "
            "different ones",
            "use a model of its own for this call",
        )


def _arguments(
    node: Node, program: ClassProgram, flow: MaskFlow, tensors: dict[Value, Tensor]
) -> dict[str, Any]:
    """The arguments of a call, with the masks that it sees in Keras.

    So is a fixed ``training``: as in Keras's `fit`, `evaluate` and `predict`, the mode of the model
    decides (`operation_fn` in keras/src/models/functional.py).
    """
    changed = {
        value: alias(program.builder, tensors[value])
        for value in flow.hidden.get(node, ())
        if tensors[value].mask is not None
    }
    for value, mask in flow.differing.get(node, {}).items():
        own = mask_of(mask, program, LayerBuilder(program.builder, node), tensors)
        changed[value] = alias(program.builder, tensors[value], own)
    found: dict[str, Any] = map_values(
        node.args, lambda value: changed.get(value) or tensors[value]
    )
    if node.unit.graph is not None or not node.layer.takes_any_arguments:
        found.pop("training", None)
    return found


def _as_declared(class_builder: ClassBuilder, tensor: Tensor, value: Value) -> Tensor:
    """An output in Keras's dtype: indices are int64 in PyTorch and int32 in Keras."""
    if (tensor.dtype, value.dtype) != ("int64", "int32"):
        return tensor
    same = Tensor(tensor.shape, "int32", tensor.name, tensor.flat, sizes=tensor.sizes)
    class_builder.steps.append(Step((same,), Method(tensor, "int"), node=value.node))
    return same


def _add_penalties(
    node: Node, class_builder: ClassBuilder, nested: dict[Unit, ClassProgram], result: Any
) -> None:
    """Add the penalties that a call's outputs add to the training loss."""
    if node.unit in nested:
        if nested[node.unit].penalty:
            nested_penalty(class_builder, node, class_builder.attr(node.unit, ""))
    elif not node.layer.is_operation:
        add_penalties(class_builder, node, result if isinstance(result, tuple) else (result,))


def _lower_node(
    node: Node,
    class_builder: ClassBuilder,
    nested: dict[Unit, ClassProgram],
    args: dict[str, Any],
    *,
    without_activation: bool,
) -> Any:
    builder = LayerBuilder(class_builder, node, without_activation=without_activation)
    if node.unit in nested:
        return call_model(builder, nested[node.unit], args)
    layer = node.layer
    lowering = find_lowering(type(layer))
    if lowering is None:
        raise TargetError(
            f"{layer.type_name} has no PyTorch lowering", "generate the Keras target", code="SF300"
        )
    if layer.is_operation:
        _require_tensor(args)
        return lowering(layer, builder, *args.values())
    check_policy(layer)
    args = {
        key: buffer(builder, item, None, item.dtype) if isinstance(item, Array) else item
        for key, item in args.items()
    }
    if layer.casts_inputs:
        args = map_nest(args, builder.autocast)
    first = layer.call_arguments[0].name
    positional = [args.pop(first)] if first in args else []
    return in_keras_dtypes(builder, lowering(layer, builder, *positional, **args))


def in_keras_dtypes(builder: LayerBuilder, result: Any) -> Any:
    """A layer's outputs in the floating-point dtypes that they have in Keras."""
    results = result if isinstance(result, tuple) else (result,)
    found = []
    for value, tensor in zip(builder.node.outputs, results, strict=True):
        kinds = (tensor.dtype, value.dtype)
        if kinds[0] != kinds[1] and all(map(is_floating, kinds)):
            cast = builder.method(tensor, "to", Name(f"torch.{value.dtype}"), dtype=value.dtype)
            cast.mask, tensor = tensor.mask, cast
        found.append(tensor)
    return tuple(found) if isinstance(result, tuple) else found[0]


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
