"""PyTorch lowerings of the wrapper layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from specfmt.graph.held import HeldModel
from specfmt.layers.base import Layer, is_floating, nested_layers
from specfmt.layers.convolutional_recurrent import ConvLSTM
from specfmt.layers.naming import inner_name
from specfmt.layers.recurrent import Recurrent
from specfmt.layers.wrappers import Bidirectional, SpectralNormalization, TimeDistributed
from specfmt.targets.torch.activity import scale_penalties
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import (
    Axis,
    Binary,
    ByOrder,
    Call,
    Layout,
    Method,
    SelfAttr,
    Size,
    Subscript,
    Tensor,
    axis,
)
from specfmt.targets.torch.lowerings.operations import to_dtype
from specfmt.targets.torch.lowerings.recurrent import (
    Context,
    context,
    is_stock,
    last_output,
    rates,
    recalled,
    remember,
    run_stock,
    state,
    stock_module,
)
from specfmt.targets.torch.params import ByLayout, WeightExpr, Weights, place_of
from specfmt.targets.torch.registry import TargetError, lower

MERGES = {"sum": "+", "mul": "*"}


@lower(Bidirectional)
def bidirectional(
    layer: Bidirectional,
    builder: LayerBuilder,
    x: Tensor,
    initial_state: list[Tensor] | None = None,
    mask: Tensor | None = None,
    training: Any = None,
) -> Any:
    """One bidirectional module if both directions have the same options, else one for each."""
    forward, backward = layer.directions()
    call = context(builder, x, initial_state, mask, training)
    pair = one_module(builder, forward, backward, call.training)
    if pair is not None:
        outputs, states = both_ways(builder, layer.merge_mode, pair, call)
    else:
        outputs, states = each_way(builder, layer.merge_mode, forward, backward, call)
    if forward.return_sequences:
        for output in outputs:
            output.mask = call.carried
    results = (*outputs, *states) if forward.return_state else tuple(outputs)
    return results if len(results) > 1 else results[0]


Pair = tuple[tuple[Recurrent, Weights], tuple[Recurrent, Weights]]


def one_module(
    builder: LayerBuilder, ahead: Recurrent, back: Recurrent, training: bool | None
) -> Pair | None:
    """Both directions with their cells' weights, if one PyTorch module with
    ``bidirectional=True`` can compute them."""
    found = [(each, each.one_layer()) for each in (ahead, back)]
    pairs = []
    for outer, one in found:
        if one is None or isinstance(outer, ConvLSTM) or outer.activity_regularizer is not None:
            return None
        layer, path = one
        pairs.append((layer, builder.weights.under("/".join((inner_name(outer), *path)))))
    (forward, _), (backward, _) = pairs
    same = (
        type(forward) is type(backward)
        and forward.use_bias == backward.use_bias
        and forward.trainable == backward.trainable
        and forward.activation == backward.activation  # type: ignore[attr-defined]
    )
    stock = is_stock(forward, training) and is_stock(backward, training)
    # Each direction draws its own dropout mask.
    dropped = any(any(rates(one, training)) for one in (forward, backward))
    if forward.return_sequences and (forward.unroll or backward.unroll):
        return None  # Keras zeroes masked steps of an unrolled direction otherwise
    if same and stock and not dropped and not forward.go_backwards:
        return pairs[0], pairs[1]
    return None


def both_ways(
    builder: LayerBuilder, mode: str | None, pair: Pair, call: Context
) -> tuple[list[Tensor], list[Tensor]]:
    """Run both directions in one module; returns outputs and states."""
    layers = {"": pair[0], "_reverse": pair[1]}
    forward = pair[0][0]
    sides = [builder.inner(forward, part) for part in ("forward", "backward")]
    if forward.stateful and not call.states:
        kept = [recalled(side, forward, call, copy=False) for side in sides]
        call = replace(call, states=[state for one in kept for state in one.states])
    features = call.x.shape[2] or 0
    module = stock_module(builder.inner(forward, ""), layers, features, bidirectional=True)
    out, last = run_stock(builder, forward, module, call, directions=2)
    ends = []
    for place, part in ((-2, "forward"), (-1, "backward")):
        names = [state(builder.inner(forward, part), forward, i) for i in range(forward.states)]
        for value, name in zip(last, names, strict=True):
            ends.append(builder.step(Subscript(value, (place,)), name, layout="keras"))
    for index, side in enumerate(sides):
        own = ends[index * forward.states : (index + 1) * forward.states]
        remember(side, forward, call.x, own)
    if forward.return_sequences:
        if mode == "concat":
            return [out], ends
        shape = (*out.shape[:2], forward.units)
        parts = [
            Tensor(shape, builder.compute_dtype, f"{builder.node.name}_{p}")
            for p in ("forward", "backward")
        ]
        builder.step(Method(out, "chunk", (2,), {"dim": -1}), *parts, layout="keras")
        return merged(builder, mode, parts[0], parts[1]), ends
    if mode == "concat" and not forward.return_state:
        halves = tuple(Subscript(last[0], (place,)) for place in (-2, -1))
        both = builder.tensor((call.x.shape[0], 2 * forward.units))
        builder.step(Call("torch.cat", (halves,), {"dim": -1}), both, layout="keras")
        return [last_output(builder, forward, both, call.states, call.mask)], ends
    parts = [
        last_output(builder, forward, h, call.states, call.mask) for h in ends[:: forward.states]
    ]
    return merged(builder, mode, parts[0], parts[1]), ends


def each_way(
    builder: LayerBuilder, mode: str | None, forward: Recurrent, backward: Recurrent, call: Context
) -> tuple[list[Tensor], list[Tensor]]:
    """Run each direction in a separate module; returns outputs and states."""
    half = len(call.states) // 2
    results = []
    for part, layer, states in (
        ("forward", forward, call.states[:half]),
        ("backward", backward, call.states[half:]),
    ):
        one = builder.inner(layer, part, inner_name(layer))
        layer = layer.model_copy(update={"return_state": True})
        results.append(one.lower(layer, call.x, states, call.mask, call.training))
        returned = results[-1] if forward.return_state else results[-1][:1]
        one.penalize(layer.activity_regularizer, *returned)
    (ahead, *first), (back, *second) = results
    if forward.return_sequences:
        back = builder.method(back, "flip", axis(1, back), layout=sequence_layout(back))
    return merged(builder, mode, ahead, back), [*first, *second]


def merged(builder: LayerBuilder, mode: str | None, ahead: Tensor, back: Tensor) -> list[Tensor]:
    """The outputs of both directions, merged if there is a ``merge_mode``."""
    return [ahead, back] if mode is None else [merge(builder, mode, ahead, back)]


def merge(builder: LayerBuilder, mode: str, ahead: Tensor, back: Tensor) -> Tensor:
    """Merge the outputs of both directions."""
    layout = sequence_layout(ahead)
    if mode == "concat":
        shape = (*ahead.shape[:-1], 2 * (ahead.shape[-1] or 0))
        joined = Call("torch.cat", ((ahead, back),), {"dim": axis(-1, ahead)})
        return builder.expr(joined, ahead, shape=shape, layout=layout)
    if mode == "ave":
        return builder.expr(Binary("/", Binary("+", ahead, back), 2), ahead, layout=layout)
    return builder.expr(Binary(MERGES[mode], ahead, back), ahead, layout=layout)


def sequence_layout(x: Tensor) -> Layout:
    """Keras's axis order for sequences of vectors, either layout for sequences of images."""
    return "any" if x.rank > 3 else "keras"


@lower(TimeDistributed)
def time_distributed(
    layer: TimeDistributed,
    builder: LayerBuilder,
    x: Tensor,
    training: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The layer over (batch * time, ...), or unchanged if it treats every position separately."""
    inner: Layer = layer.layer
    if any(getattr(part, "stateful", False) for part in (inner, *nested_layers(inner))):
        raise TargetError(
            "a stateful layer that runs once for each time step has no PyTorch form",
            "set `stateful: false`",
            "layer",
        )
    mask = mask or x.mask
    part = builder.inner(inner, "", inner_name(inner))
    part.without_activation = builder.without_activation
    arguments: dict[str, Any] = {}
    if training is not None and any(a.name == "training" for a in inner.call_arguments):
        arguments["training"] = training
    if takes_batch_statistics(inner, part.trainable, training):
        y = step_by_step(part, inner, x, mask, arguments)
    elif is_positionwise(inner) and x.rows is None:
        y = part.lower(inner, x, **arguments)
    else:
        y = folded(part, inner, x, mask, arguments)
    if y is x:
        return x
    y.mask = mask
    return y


@lower(SpectralNormalization)
def spectral_normalization(
    layer: SpectralNormalization, builder: LayerBuilder, x: Tensor, training: Any = None
) -> Tensor:
    """The inner layer, its module in one that normalizes the kernel in training mode."""
    inner: Layer = layer.layer
    part = builder.inner(inner, "", inner_name(inner))
    modules, steps = builder.class_builder.modules, builder.class_builder.steps
    before = len(steps)
    y: Tensor = part.lower(inner, x)
    part.penalize(inner.output_penalty(), y)
    name = f"{part.weights.prefix}{layer.kernel(x.shape).name}"
    held = [
        (module, value)
        for (unit, _), module in modules.items()
        for value in module.params.values()
        if unit is builder.unit and name in keras_order(value).sources()
    ]
    if len(held) != 1:
        raise TargetError(
            f"a kernel of {inner.type_name} that is no parameter of a module of PyTorch",
            "normalize a layer that is one, such as Dense or a convolution",
            "layer",
        )
    module, value = held[0]
    if str(module.ctor.func) != SPECTRAL_NORM:
        dim, size = place_of(-1, keras_order(value))
        options: dict[str, Any] = {"iterations": layer.power_iterations, "dim": dim, "size": size}
        defaults = {"iterations": 1, "dim": 0, "size": None}
        given = {name: option for name, option in options.items() if option != defaults[name]}
        module.ctor = Call(builder.helper(SPECTRAL_NORM), (module.ctor,), given)
        module.params = {f"layer.{name}": each for name, each in module.params.items()}
        module.params["vector_u"] = builder.weights.vector_u
        module.frozen = tuple(f"layer.{name}" for name in module.frozen)
        module.buffers = ("vector_u",)
    for step in steps[before:]:
        if step.module_def is module and step.module is not None:
            step.module = module.ctor
    if is_floating(x.dtype) or x.dtype == y.dtype:
        return y
    # Keras casts the result to the dtype of the input, integers included.
    return builder.expr(to_dtype(y, x.dtype), y, dtype=x.dtype)


SPECTRAL_NORM = "SpectralNorm"
"""The helper that normalizes the kernel of a module."""


def keras_order(value: WeightExpr | ByLayout) -> WeightExpr:
    """How a parameter is computed where all axes stand in Keras's order."""
    while isinstance(value, ByLayout):
        value = value.keras
    return value


def takes_batch_statistics(inner: Layer, trainable: bool, training: Any) -> bool:
    """Whether the layer uses batch statistics in training, which merging time would change."""
    of_batch = inner.has_statistics and trainable
    return (of_batch or inner.changes_weights) and training is not False


def is_positionwise(inner: Layer) -> bool:
    """Whether the layer treats every position (or every element) separately."""
    term = getattr(inner, "activation", None)
    over_axis = term is not None and getattr(term.spec, "axis", -1) != -1
    shared = getattr(inner, "noise_shape", None) is not None  # one mask for several positions
    return inner.positionwise and not over_axis and not shared


def step_by_step(
    builder: LayerBuilder, inner: Layer, x: Tensor, mask: Tensor | None, arguments: dict[str, Any]
) -> Tensor:
    """Call the module for every time step, so that it takes the statistics of one step."""
    one = Tensor((x.shape[0], *x.shape[2:]), x.dtype, x.name)
    steps = builder.class_builder.steps
    before = len(steps)
    y = builder.without_casts().lower(inner, one, **arguments)
    made = steps[before:]
    del steps[before:]
    module = made[0].module_def if len(made) == 1 else None
    plain = module is not None and made[0].expr == Call(SelfAttr(module.attr), (one,))
    if (
        module is None
        or not plain
        or mask is not None
        or any(isinstance(value, ByLayout) for value in module.params.values())
    ):
        raise TargetError(
            "batch statistics for each time step have no PyTorch form with this layer's options",
            "remove the mask and unusual axes, freeze the layer, or generate the Keras target",
            "layer",
        )
    out = (y.shape[0], x.shape[1], *y.shape[1:])
    layout = made[0].layout if one.rank > 2 else "keras"
    places: dict[str, Any] = {"dim": Axis(1, x.rank)}
    output_layout = made[0].output_layout
    if len(out) == 3 and x.rank > 3:  # the output has its time axis right after the batch
        places["out_dim"], output_layout = 1, "keras"
    call = Call(builder.helper("each_step"), (SelfAttr(module.attr), x), places)
    result: Tensor = builder.step(
        call,
        builder.tensor(out, y.dtype),
        layout=layout,
        output_layout=output_layout,
        module_def=module,
        heavy=True,
    )
    return result


def folded(
    builder: LayerBuilder, inner: Layer, x: Tensor, mask: Tensor | None, arguments: dict[str, Any]
) -> Tensor:
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
    elif mask is not None and isinstance(inner, (Recurrent, Bidirectional)):
        raise TargetError(
            f"expected a mask of shape (batch, time, steps) for the inner {inner.type_name}, "
            "received (batch, time)",
            "mask the inner sequences: (batch, time, steps)",
            "layer",
        )
    before = len(builder.class_builder.penalties)
    y: Tensor = builder.lower(inner, rows, **arguments)
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
