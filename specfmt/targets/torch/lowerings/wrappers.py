"""PyTorch lowerings of the wrapper layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from specfmt.layers.base import Layer, is_floating, nested_layers
from specfmt.layers.convolutional_recurrent import ConvLSTM
from specfmt.layers.naming import inner_name
from specfmt.layers.recurrent import Recurrent
from specfmt.layers.wrappers import Bidirectional, SpectralNormalization, TimeDistributed
from specfmt.targets.torch.activity import is_penalized
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import (
    Binary,
    Call,
    Layout,
    Method,
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
from specfmt.targets.torch.lowerings.time_steps import (
    folded,
    is_positionwise,
    step_by_step,
    steps_differ,
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
) -> Any:
    """One bidirectional module if both directions have the same options, else one for each."""
    forward, backward = layer.directions()
    inside = builder.inner(forward, "")
    differs = inside.compute_dtype != builder.compute_dtype and forward.dtype == backward.dtype
    if differs:  # Keras casts once more
        x = inside.autocast(x)
        initial_state = [inside.autocast(each) for each in initial_state or ()] or None
    call = context(builder, x, initial_state, mask)
    pair = one_module(builder, forward, backward)
    if pair is not None:
        outputs, states = both_ways(builder, layer.merge_mode, pair, call)
    else:
        outputs, states = each_way(builder, layer.merge_mode, forward, backward, call)
    if forward.return_sequences:
        for output in outputs:
            output.mask = call.carried
    results = (*outputs, *states) if forward.return_state else tuple(outputs)
    if differs:
        for each in results:
            each.dtype = inside.compute_dtype
    return results if len(results) > 1 else results[0]


Pair = tuple[tuple[Recurrent, Weights], tuple[Recurrent, Weights]]


def one_module(builder: LayerBuilder, ahead: Recurrent, back: Recurrent) -> Pair | None:
    """Both directions with their cells' weights, if one PyTorch module with
    ``bidirectional=True`` can compute them."""
    found = [(each, each.one_layer()) for each in (ahead, back)]
    pairs = []
    for outer, one in found:
        if (
            one is None
            or isinstance(outer, ConvLSTM)
            or is_penalized((outer, *nested_layers(outer)))
        ):
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
    stock = is_stock(forward) and is_stock(backward)
    # Each direction draws its own dropout mask.
    dropped = any(any(rates(one)) for one in (forward, backward))
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
        results.append(one.lower(layer, call.x, states, call.mask))
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
    layer: TimeDistributed, builder: LayerBuilder, x: Tensor, mask: Tensor | None = None
) -> Tensor:
    """The layer over (batch * time, ...), step by step, or unchanged if it treats every position
    separately."""
    inner: Layer = layer.layer
    mask = mask or x.mask
    part = builder.inner(inner, "", inner_name(inner))
    part.without_activation = builder.without_activation
    if steps_differ(inner, part.trainable):
        y = step_by_step(builder, inner, x, mask)
    elif is_positionwise(inner) and x.rows is None:
        y = part.lower(inner, x)
    else:
        y = folded(part, inner, x, mask)
    if y is x:
        return x
    y.mask = mask
    return y


@lower(SpectralNormalization)
def spectral_normalization(
    layer: SpectralNormalization, builder: LayerBuilder, x: Tensor
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
