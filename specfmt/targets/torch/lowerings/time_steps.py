"""Layers inside `TimeDistributed`: all time steps in one batch, or one call after the other."""

from __future__ import annotations

from typing import Any

from specfmt.graph.held import HeldModel, layer_graph
from specfmt.layers.base import Layer, nested_layers
from specfmt.layers.naming import inner_name
from specfmt.layers.recurrent import Recurrent
from specfmt.layers.wrappers import Bidirectional
from specfmt.targets.torch.activity import scale_penalties
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.class_builder import ClassBuilder
from specfmt.targets.torch.expr import Axis, ByOrder, Call, Method, SelfAttr, Size, Tensor
from specfmt.targets.torch.lowerings.held_models import call_class
from specfmt.targets.torch.params import ByLayout
from specfmt.targets.torch.registry import TargetError


def steps_differ(inner: Layer, trainable: bool) -> bool:
    """Whether a call of the layer changes what the next one computes, or uses batch statistics in
    training, which merging time would change."""
    parts = (inner, *nested_layers(inner))
    changes = any(part.changes_weights or getattr(part, "stateful", False) for part in parts)
    return changes or uses_statistics(inner, trainable)


def uses_statistics(layer: Layer, trainable: bool) -> bool:
    """Whether the layer, or one that it applies to steps, uses batch statistics in training."""
    if isinstance(layer, HeldModel):
        units = layer.graph.walk_units()
        return trainable and any(uses_statistics(unit.layer, unit.trainable) for unit in units)
    trainable = trainable and not layer.is_frozen()
    held = layer.step_layer
    inside = held is not None and uses_statistics(held, trainable)
    return inside or (trainable and layer.has_statistics)


def is_positionwise(inner: Layer) -> bool:
    """Whether the layer treats every position (or every element) separately."""
    term = getattr(inner, "activation", None)
    over_axis = term is not None and getattr(term.spec, "axis", -1) != -1
    shared = getattr(inner, "noise_shape", None) is not None  # one mask for several positions
    return inner.positionwise and not over_axis and not shared


def step_by_step(builder: LayerBuilder, inner: Layer, x: Tensor, mask: Tensor | None) -> Tensor:
    """Call a module for each time step; a layer that is more than one module gets its own class.

    Args:
        builder: The builder of the `TimeDistributed` layer.
        inner: The layer inside.
        x: The sequence.
        mask: Its mask.

    Raises:
        TargetError: PyTorch cannot express the layer, or the penalties inside it.
    """
    one = Tensor((x.shape[0], *x.shape[2:]), x.dtype, x.name)
    if mask is not None and any(argument.name == "mask" for argument in inner.call_arguments):
        if mask.rank == 2:
            check_mask(inner)
        one.mask = Tensor((mask.shape[0], *mask.shape[2:]), "bool", mask.name)
    steps = builder.class_builder.steps
    before = len(steps)
    if isinstance(inner, HeldModel) or is_single_module(builder, inner, one):
        part = builder.inner(inner, "", inner_name(inner)).without_casts()
        y: Tensor = part.lower(inner, one)
    else:
        y = in_own_class(builder, inner, one)
    (call, *others), steps[before:] = steps[before:], []
    if others or call.module_def is None:
        raise TargetError(
            "penalties inside a layer that is called for each time step have no PyTorch form",
            "remove the activity regularizers inside it, or generate the Keras target",
            "layer",
        )
    out = (y.shape[0], x.shape[1], *y.shape[1:])
    layout, output_layout = call.layout if one.rank > 2 else "keras", call.output_layout
    places: dict[str, Any] = {"dim": Axis(1, x.rank)}
    if len(out) == 3 and x.rank > 3:  # the output has its time axis right after the batch
        places["out_dim"], output_layout = 1, "keras"
    elif len(out) > 3 and output_layout not in (None, "free", layout):
        places["out_dim"] = 1 if output_layout == "keras" else 2
    args: tuple[Any, ...] = (SelfAttr(call.module_def.attr), x)
    if one.mask in call.reads:
        assert mask is not None
        masks = Tensor((), "bool", f"{mask.name}_steps", keeps_name=True)
        args = (*args, builder.step(Method(mask, "unbind", (1,)), masks, layout="keras"))
    helper = builder.helper("each_step" if len(args) == 2 else "each_masked_step")
    result: Tensor = builder.without_casts().step(
        Call(helper, args, places),
        builder.tensor(out, y.dtype),
        layout=layout,
        output_layout=output_layout,
        module_def=call.module_def,
        heavy=True,
    )
    return result


def is_single_module(builder: LayerBuilder, inner: Layer, one: Tensor) -> bool:
    """Whether a call of the layer with a time step is a call of one module with nothing else."""
    if one.mask is not None:
        return False
    scratch = LayerBuilder(
        ClassBuilder(fidelity=builder.class_builder.fidelity, adapts=builder.class_builder.adapts),
        builder.node,
        weights=builder.weights,
        trainable=builder.trainable,
        policy=builder.policy,
    )
    part = scratch.inner(inner, "", inner_name(inner)).without_casts()
    try:
        part.lower(inner, one)
    except AttributeError:  # a model inside, which needs a class
        return False
    steps = scratch.class_builder.steps
    module = steps[0].module_def if len(steps) == 1 else None
    return (
        module is not None
        and steps[0].expr == Call(SelfAttr(module.attr), (one,))
        and not any(isinstance(value, ByLayout) for value in module.params.values())
    )


def in_own_class(builder: LayerBuilder, inner: Layer, one: Tensor) -> Tensor:
    """The call of a class with the layer, which gets the mask of the step if there is one.

    Raises:
        TargetError: Another call of the same layer has a mask and this one has not, or the reverse.
    """
    key = (builder.unit, builder.part)
    models = builder.class_builder.own_classes
    if key not in models:
        if inner.output_penalty() is not None:  # which has no effect here in Keras
            inner = inner.model_copy(update={"activity_regularizer": None})
        models[key] = layer_graph(
            inner,
            {"x": one, "mask": one.mask},
            trainable=builder.trainable and not inner.is_frozen(),
            around=builder.around,
            path=builder.node.path,
        )
    graph = models[key]
    if (one.mask is not None) != (len(graph.inputs) > 1):
        raise TargetError(
            "expected a mask in all calls of the layer or in none, received both",
            "use a layer of its own for this call",
            "layer",
        )
    masks = () if one.mask is None else (one.mask,)
    (output,) = graph.outputs.values()
    return call_class(builder, graph, one, masks, output.shape or ())


def check_mask(inner: Layer) -> None:
    """Check a mask (batch, time) that the layer inside gets.

    Raises:
        TargetError: It needs one for each inner step; Keras fails there.
    """
    if isinstance(inner, (Recurrent, Bidirectional)):
        raise TargetError(
            f"expected a mask of shape (batch, time, steps) for the inner {inner.type_name}, "
            "received (batch, time)",
            "mask the inner sequences: (batch, time, steps)",
            "layer",
        )


def folded(builder: LayerBuilder, inner: Layer, x: Tensor, mask: Tensor | None) -> Tensor:
    """Apply the layer to ``(batch * time, ...)`` and reshape back to ``(batch, time, ...)``.

    The result keeps the merged tensor, so that another `TimeDistributed` layer can continue
    from it.
    """
    rows, time = x.rows or fold(builder, x)
    rows.mask = None
    if mask is not None and mask.rank > 2:
        shape = (None, *mask.shape[2:])
        flat = Tensor(shape, "bool", mask.name, keeps_name=True)
        rows.mask = builder.step(Method(mask, "flatten", (0, 1)), flat, layout="keras")
    elif mask is not None and isinstance(inner, HeldModel):
        flat = Tensor((None,), "bool", mask.name, keeps_name=True)
        rows.mask = builder.step(Method(mask, "flatten", (0, 1)), flat, layout="keras")
    elif mask is not None:
        check_mask(inner)
    before = len(builder.class_builder.penalties)
    y: Tensor = builder.lower(inner, rows)
    scale_penalties(builder.class_builder, builder.node, before, time)
    result = builder.tensor((x.shape[0], x.shape[1], *y.shape[1:]), y.dtype, rows=(y, time))
    layout: Any = "any" if y.rank > 2 else "keras"
    apart = Method(y, "unflatten", (0, (-1, time)))
    builder.step(ByOrder(apart, _aside(apart)), result, layout=layout, same_line=True)
    return result


def fold(builder: LayerBuilder, x: Tensor) -> tuple[Tensor, Any]:
    """Merge time into the batch; returns the merged tensor and the number of time steps."""
    time: Any = x.shape[1]
    if time is None:
        time = builder.step(Size(x, 1), Tensor((), "int64", "steps", keeps_name=True))
    rows = Tensor((None, *x.shape[2:]), x.dtype, builder.node.name)
    together = ByOrder(Method(x, "flatten", (0, 1)), Method(_aside(x), "flatten", (0, 1)))
    builder.step(together, rows, layout="any" if x.rank > 3 else "keras", same_line=True)
    return rows, time


def _aside(value: Any) -> Method:
    """Swap axes 1 and 2: in the channels-first layout, the channels are before the time."""
    return Method(value, "transpose", (1, 2))
