"""PyTorch lowerings of the layers that hold a layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from specfmt.layers.recurrent import Recurrent
from specfmt.layers.wrappers import Bidirectional, TimeDistributed, inner_name
from specfmt.spec.layer import Layer
from specfmt.targets.torch.builder import Lower, TargetError, lower
from specfmt.targets.torch.expr import (
    Axis,
    Binary,
    Call,
    FoldTime,
    Method,
    SelfAttr,
    Size,
    Subscript,
    Tensor,
    UnfoldTime,
)
from specfmt.targets.torch.params import ByLayout
from specfmt.targets.torch.recurrent import (
    Context,
    Result,
    check_stateful,
    context,
    is_stock,
    last_output,
    rates,
    run,
    run_stock,
    state,
    stock_module,
)

MERGES = {"sum": "+", "mul": "*"}

# They treat every position on its own, so the time axis need not be folded away for them.
POSITIONWISE = frozenset(
    "Dense Activation ReLU LeakyReLU ELU Identity Rescaling GaussianNoise GaussianDropout".split()
)


@lower(Bidirectional)
def bidirectional(
    layer: Bidirectional,
    b: Lower,
    x: Tensor,
    initial_state: list[Tensor] | None = None,
    mask: Tensor | None = None,
    training: Any = None,
) -> Any:
    """One bidirectional module where both directions are alike, else one for each."""
    forward, backward = layer.directions()
    check_stateful(forward)
    call = context(b, x, initial_state, mask, training)
    alike = is_one_module(forward, backward, call.training)
    ahead, back = (both_ways if alike else each_way)(b, layer, forward, backward, call)
    if layer.merge_mode is None:
        outputs: list[Tensor] = [ahead.output, back.output]
    elif layer.merge_mode == "concat" and ahead.output is back.output:
        outputs = [ahead.output]
    else:
        outputs = [merge(b, layer.merge_mode, ahead.output, back.output)]
    if forward.return_sequences:
        for output in outputs:
            output.mask = call.carried
    states = [*ahead.states, *back.states] if forward.return_state else []
    results = (*outputs, *states)
    return results if len(results) > 1 else results[0]


def is_one_module(forward: Recurrent, backward: Recurrent, training: bool | None) -> bool:
    """Whether one torch module with ``bidirectional=True`` computes both directions."""
    same = (
        type(forward) is type(backward)
        and forward.use_bias == backward.use_bias
        and forward.trainable == backward.trainable
        and forward.activation == backward.activation  # type: ignore[attr-defined]
    )
    stock = is_stock(forward, training) and is_stock(backward, training)
    # Each direction draws its own dropout mask.
    dropped = any(any(rates(one, training)) for one in (forward, backward))
    return same and stock and not dropped and not forward.go_backwards


def both_ways(
    b: Lower, layer: Bidirectional, forward: Recurrent, backward: Recurrent, call: Context
) -> tuple[Result, Result]:
    """Both directions by one module; for a concatenation they share one output."""
    inner = b.inner(forward, "")
    layers = {
        "": (forward, b.weights.under(inner_name(forward))),
        "_reverse": (backward, b.weights.under(inner_name(backward))),
    }
    module = stock_module(inner, layers, call.x.shape[2] or 0, bidirectional=True)
    out, last = run_stock(b, forward, module, call, directions=2)
    joined = layer.merge_mode == "concat"
    keep_states = forward.return_state or not forward.return_sequences
    states = [
        [
            b.step(
                Subscript(value, (place,)), state(b.inner(forward, part), forward, i), want="keras"
            )
            for i, value in enumerate(last)
        ]
        for place, part in ((-2, "forward"), (-1, "backward"))
        if keep_states
    ] or [[], []]
    if not forward.return_sequences:
        if joined and not forward.return_state:
            # Read straight from h_n: the forward and the backward direction's last output.
            halves = [Subscript(last[0], (place,)) for place in (-2, -1)]
            shape = (call.x.shape[0], 2 * forward.units)
            both = Tensor(shape, "float32", b.node.name)
            b.step(Call("torch.cat", (tuple(halves),), {"dim": -1}), both, want="keras")
            both = last_output(b, forward, both, call.states, call.mask)
            return Result(both, states[0]), Result(both, states[1])
        lasts = [last_output(b, forward, s[0], call.states, call.mask) for s in states]
        return Result(lasts[0], states[0]), Result(lasts[1], states[1])
    if joined:
        return Result(out, states[0]), Result(out, states[1])
    shape = (*out.shape[:2], forward.units)
    halves_ = [Tensor(shape, "float32", f"{b.node.name}_{p}") for p in ("forward", "backward")]
    b.step(Method(out, "chunk", (2,), {"dim": -1}), *halves_, want="keras")
    return Result(halves_[0], states[0]), Result(halves_[1], states[1])


def each_way(
    b: Lower, layer: Bidirectional, forward: Recurrent, backward: Recurrent, call: Context
) -> tuple[Result, Result]:
    """A module for each direction."""
    half = len(call.states) // 2
    ahead = b.inner(forward, "forward", inner_name(forward))
    back = b.inner(backward, "backward", inner_name(backward))
    first = run(ahead, forward, replace(call, states=call.states[:half]))
    second = run(back, backward, replace(call, states=call.states[half:]))
    if forward.return_sequences:
        flipped = b.method(second.output, "flip", 1, want="keras")
        second = Result(flipped, second.states)
    return first, second


def merge(b: Lower, mode: str, ahead: Tensor, back: Tensor) -> Tensor:
    """Both directions' outputs in one."""
    if mode == "concat":
        shape = (*ahead.shape[:-1], 2 * (ahead.shape[-1] or 0))
        joined = Call("torch.cat", ((ahead, back),), {"dim": -1})
        return b.expr(joined, ahead, out=shape, want="keras")
    if mode == "ave":
        return b.expr(Binary("/", Binary("+", ahead, back), 2), ahead, want="keras")
    return b.expr(Binary(MERGES[mode], ahead, back), ahead, want="keras")


@lower(TimeDistributed)
def time_distributed(
    layer: TimeDistributed,
    b: Lower,
    x: Tensor,
    training: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Time folded into the batch, or the layer as it is where it treats positions alone."""
    inner: Layer = layer.layer
    mask = mask or x.mask
    part = b.inner(inner, "", inner_name(inner))
    part.without_activation = b.without_activation
    if takes_batch_statistics(inner, part.trainable, training):
        y = step_by_step(part, inner, x, mask)
    elif is_positionwise(inner, x):
        y = part.lower(inner, x)
    else:
        y = folded(part, inner, x, mask)
    if y is x:
        return x
    y.mask = mask
    return y


def takes_batch_statistics(inner: Layer, trainable: bool, training: Any) -> bool:
    """Whether folding would change what the layer sees as a batch in training."""
    return inner.type_name == "BatchNormalization" and trainable and training is not False


def is_positionwise(inner: Layer, x: Tensor) -> bool:
    """Whether the layer treats every position on its own (and Dropout every element)."""
    if inner.type_name == "Dropout":
        return getattr(inner, "noise_shape", None) is None
    term = getattr(inner, "activation", None)
    over_axis = term is not None and getattr(term.spec, "axis", -1) != -1
    return inner.type_name in POSITIONWISE and not over_axis


def step_by_step(b: Lower, inner: Layer, x: Tensor, mask: Tensor | None) -> Tensor:
    """The module called for every step, so that the statistics are those of one step."""
    one = Tensor((x.shape[0], *x.shape[2:]), x.dtype, x.name)
    steps = b.owner.steps
    before = len(steps)
    y = b.lower(inner, one)
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
            "the statistics of single time steps cannot be taken with this layer's options",
            "leave the mask and unusual axes out, freeze the layer, or generate the Keras target",
            "layer",
        )
    out = (y.shape[0], x.shape[1], *y.shape[1:])
    want = made[0].want if one.rank > 2 else "keras"
    call = Call(b.helper("each_step"), (SelfAttr(module.attr), x), {"dim": Axis(1, x.rank)})
    result: Tensor = b.step(call, b.tensor(out), want=want, module_def=module, heavy=True)
    return result


def folded(b: Lower, inner: Layer, x: Tensor, mask: Tensor | None) -> Tensor:
    """``(batch, time, ...)`` as ``(batch * time, ...)`` through the layer, and back."""
    time: Any = x.shape[1]
    if time is None:
        time = b.step(Size(x, 1), Tensor((), "int64", "steps", keeps_name=True))
    rows = Tensor((None, *x.shape[2:]), x.dtype, b.node.name)
    b.step(FoldTime(x), rows, want="any" if x.rank > 3 else "keras", same_line=True)
    if mask is not None and mask.rank > 2:
        rows.mask = b.step(
            Method(mask, "flatten", (0, 1)),
            Tensor((None, *mask.shape[2:]), "bool", mask.name),
            want="keras",
        )
    elif mask is not None and isinstance(inner, (Recurrent, Bidirectional)):
        raise TargetError(
            f"a mask of shape (batch, time) says nothing about the steps that the inner "
            f"{inner.type_name} runs over",
            "mask the inner sequences: (batch, time, steps)",
            "layer",
        )
    y: Tensor = b.lower(inner, rows)
    out = (x.shape[0], x.shape[1], *y.shape[1:])
    result = b.tensor(out, y.dtype)
    want: Any = "any" if y.rank > 2 else "keras"
    b.step(UnfoldTime(y, time), result, want=want, same_line=True)
    return result
