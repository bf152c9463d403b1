"""PyTorch lowerings of the recurrent layers.

`nn.LSTM`, `nn.GRU` and `nn.RNN` are used wherever they compute the same; the helper ``masked_rnn``
applies masks.  For options that they do not have (other activations, a GRU with ``reset_after``
false, recurrent dropout), the generated file defines a small class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from specfmt.layers.base import Shape, is_floating
from specfmt.layers.recurrent import GRU, LSTM, Recurrent, SimpleRNN
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.class_builder import ClassBuilder
from specfmt.targets.torch.expr import (
    Binary,
    Call,
    Expr,
    Layout,
    Method,
    Name,
    SelfAttr,
    Subscript,
    Tensor,
    Unary,
    substitute,
)
from specfmt.targets.torch.lowerings.functions import activation
from specfmt.targets.torch.lowerings.operations import to_dtype
from specfmt.targets.torch.lowerings.penalized_cells import run_watched
from specfmt.targets.torch.params import Memory, WeightExpr, Weights, constant
from specfmt.targets.torch.registry import TargetError, lower
from specfmt.targets.torch.render import ATOM, Renderer
from specfmt.targets.torch.steps import ModuleDef
from specfmt.vocab.base import Term

STOCK = {"SimpleRNN": "nn.RNN", "LSTM": "nn.LSTM", "GRU": "nn.GRU"}
FLEXIBLE = {"SimpleRNN": "FlexibleRNN", "LSTM": "FlexibleLSTM", "GRU": "FlexibleGRU"}
GRU_ORDER = (1, 0, 2)
"""Keras's gates z, r, h in PyTorch's order r, z, n."""


@dataclass
class Context:
    """The arguments of a call of a recurrent layer.

    Attributes:
        x: The sequences, floating-point.
        states: The initial states, each (N, units); empty for zeros.
        mask: The mask (N, T) that applies, if any.
        carried: The mask of the output sequence.
    """

    x: Tensor
    states: list[Any]
    mask: Tensor | None
    carried: Tensor | None


def context(
    builder: LayerBuilder,
    x: Tensor,
    initial_state: list[Tensor] | None,
    mask: Tensor | None,
) -> Context:
    """Process a call's arguments as Keras does."""
    if mask is not None and mask.dtype != "bool":
        mask = builder.method(mask, "bool", layout="keras", dtype="bool")
    # If there are further tensor arguments, Keras does not apply the input's own mask
    # (keras/src/layers/layer.py, "Populate mask argument(s)"), but the output still has it.
    applied = x.mask if mask is None and not initial_state else mask
    carried = mask or x.mask
    if applied is not None:
        applied.keeps_name = True
    if not is_floating(x.dtype):
        own = builder.compute_dtype
        x = builder.expr(to_dtype(x, own), x, layout="keras", dtype=own)
    return Context(x, list(initial_state or ()), applied, carried)


@dataclass
class Result:
    """The result of a recurrent layer.

    Attributes:
        output: The sequence (N, T, units) or the last output (N, units).
        states: The last states, each (N, units).
    """

    output: Tensor
    states: list[Tensor]


def rates(layer: Recurrent) -> tuple[float, float]:
    """The effective dropout rates of inputs and states."""
    dropout, recurrent = layer.dropout, layer.recurrent_dropout
    if not isinstance(layer, SimpleRNN):
        # Cells with gates ignore a rate of 1.
        dropout, recurrent = (rate if rate < 1 else 0.0 for rate in (dropout, recurrent))
    return dropout, recurrent


def is_stock(layer: Recurrent) -> bool:
    """Whether PyTorch's module computes the same, apart from masks and input dropout."""
    if rates(layer)[1] or layer.activation.args:  # type: ignore[attr-defined]
        return False
    name = layer.activation.type  # type: ignore[attr-defined]
    if isinstance(layer, SimpleRNN):
        return name in ("Tanh", "Relu")
    gate: Term = layer.recurrent_activation  # type: ignore[attr-defined]
    plain = name == "Tanh" and gate.type == "Sigmoid" and not gate.args
    return plain and getattr(layer, "reset_after", True)


def stock_module(
    builder: LayerBuilder,
    layers: dict[str, tuple[Recurrent, Weights]],
    features: int,
    *,
    loop: bool = True,
    **kwargs: Any,
) -> ModuleDef:
    """``nn.LSTM(features, units, batch_first=True)`` and the like.

    Args:
        builder: The layer's builder.
        layers: Suffix of the parameters' names (empty, ``_reverse``) -> layer and its cell's
            weights.
        features: The number of input features.
        loop: Whether it runs over time; otherwise it computes one step (``nn.LSTMCell``).
        kwargs: Further constructor arguments.
    """
    layer, _ = layers[""]
    params: dict[str, WeightExpr] = {}
    for suffix, (one, weights) in layers.items():
        for name, value in stock_params(one, weights).items():
            params[f"{name}_l0{suffix}" if loop else name] = value
    if isinstance(layer, SimpleRNN) and layer.activation.type == "Relu":
        kwargs["nonlinearity"] = "relu"
    if not layer.use_bias:
        kwargs["bias"] = False
    if loop:
        kwargs = {"batch_first": True, **kwargs}
    return builder.module(
        STOCK[layer.type_name] if loop else f"{STOCK[layer.type_name]}Cell",
        features,
        layer.units,
        params=params,  # type: ignore[arg-type]
        comment="" if isinstance(layer, GRU) or not layer.use_bias else SECOND_BIAS,
        **kwargs,
    )


SECOND_BIAS = "Keras has one bias where torch adds two: the second one stays zero."


def stock_params(layer: Recurrent, cell: Weights) -> dict[str, WeightExpr]:
    """The parameters of PyTorch's module (and of a flexible GRU) from the cell's weights."""
    ordered = _gate_order(layer)
    params = {
        "weight_ih": ordered(cell.kernel.T),
        "weight_hh": ordered(cell.recurrent_kernel.T),
    }
    if not layer.use_bias:
        return params
    if isinstance(layer, GRU) and layer.reset_after:
        return params | {"bias_ih": ordered(cell.bias[0]), "bias_hh": ordered(cell.bias[1])}
    params["bias_ih"] = ordered(cell.bias)
    if not isinstance(layer, GRU):
        params["bias_hh"] = constant(0.0, layer.gates * layer.units)
    return params


def _gate_order(layer: Recurrent) -> Any:
    """A function that brings a weight's rows to PyTorch's order of gates."""
    if isinstance(layer, GRU):
        return lambda value: value.blocks(GRU_ORDER)
    return lambda value: value


def flexible_module(
    builder: LayerBuilder, layer: Recurrent, features: int, dropout: float
) -> ModuleDef:
    """The class of the generated file with every option of Keras's cell."""
    activation = layer.activation  # type: ignore[attr-defined]
    kwargs: dict[str, Any] = {"activation": function(builder, activation, (None, layer.units))}
    if not isinstance(layer, SimpleRNN):
        gate = layer.recurrent_activation  # type: ignore[attr-defined]
        kwargs["gate_activation"] = function(builder, gate, (None, layer.units))
    params = stock_params(layer, builder.weights)
    if not isinstance(layer, GRU):
        params.pop("bias_hh", None)
        if layer.use_bias:
            params["bias"] = params.pop("bias_ih")
    elif not layer.reset_after:
        kwargs["reset_after"] = False
    if not layer.use_bias:
        kwargs["bias"] = False
    if layer.recurrent_dropout:
        kwargs["recurrent_dropout"] = layer.recurrent_dropout
    if dropout:
        kwargs["dropout"] = dropout
    name = builder.helper(FLEXIBLE[layer.type_name])
    return builder.module(name, features, layer.units, params=params, **kwargs)  # type: ignore[arg-type]


def function(builder: LayerBuilder, term: Term, shape: Shape, channels_first: bool = False) -> Expr:
    """An activation as a callable expression: ``torch.tanh``, ``nn.LeakyReLU(0.2)``, a lambda.

    Args:
        builder: The layer's builder.
        term: The activation.
        shape: The shape of the tensor that it is applied to, in Keras's axis order.
        channels_first: Whether that tensor is channels-first in PyTorch.
    """
    scratch = LayerBuilder(ClassBuilder(), builder.node)
    x = Tensor(shape, name="x")
    write = Renderer({x: ("x", ATOM)}, channels_first)
    y = activation(scratch, term, x)
    steps = scratch.class_builder.steps
    if not steps:
        return Call("nn.Identity")
    for name in scratch.class_builder.helpers:
        builder.helper(name)
    if len(steps) == 1 and steps[0].expr == Call(getattr(steps[0].expr, "func", ""), (x,)):
        return Name(str(steps[0].expr.func))
    if len(steps) == 1 and steps[0].module is not None:
        return Name(write(steps[0].module))
    table: dict[Tensor, Any] = {}
    for step in steps:
        table[step.outputs[0]] = substitute(step.expr, table)
    return Name(f"lambda x: {write(table.get(y, y))}")


def run(builder: LayerBuilder, layer: Recurrent, call: Context) -> Result:
    """Run one recurrent layer over the sequence.

    Raises:
        TargetError: PyTorch cannot express the layer with these arguments.
    """
    reads, layer = zeros_apart(layer, call)
    if layer.go_backwards:
        call = backwards(builder, call)
    result = run_cell(builder.inner(layer, "", layer.cell_name), layer, call)
    return zeroed(builder, result, reads)


def zeros_apart(layer: Any, call: Context) -> tuple[Tensor | None, Any]:
    """The mask by which Keras zeroes the output sequence of a layer that it unrolls backwards.

    The sequence is reversed then and the mask is not (keras/src/backend/tensorflow/rnn.py).

    Returns:
        The mask, None in all other cases, and the layer without its ``zero_output_for_mask`` if
        there is one.
    """
    apart = layer.unroll and layer.go_backwards and layer.return_sequences
    if not (apart and layer.zero_output_for_mask) or call.mask is None:
        return None, layer
    return call.mask, layer.model_copy(update={"zero_output_for_mask": False})


def zeroed(builder: LayerBuilder, result: Result, mask: Tensor | None) -> Result:
    """The result with the output sequence set to zero where the mask is false."""
    if mask is None:
        return result
    gone = Unary("~", Method(mask, "unsqueeze", (-1,)))
    output = builder.method(result.output, "masked_fill", gone, 0, layout="keras")
    output.mask = result.output.mask
    return Result(output, result.states)


def backwards(builder: LayerBuilder, call: Context) -> Context:
    """The same call with the sequence reversed in time."""
    x = builder.method(call.x, "flip", 1, layout="keras")
    mask = call.mask
    if mask is not None:
        flipped = Tensor(mask.shape, "bool", f"{mask.name}_flipped", keeps_name=True)
        mask = builder.step(Method(mask, "flip", (1,)), flipped, layout="keras")
    return replace(call, x=x, mask=mask)


def run_cell(
    builder: LayerBuilder,
    layer: Recurrent,
    call: Context,
    watched: list[list[Tensor]] | None = None,
) -> Result:
    """Run one recurrent layer forwards in time; the builder's weights are those of its cell.

    Args:
        builder: The builder.
        layer: The layer.
        call: Its call.
        watched: If given, gets the list of the states that all steps compute, each (N, T, units).
    """
    dropout, recurrent = rates(layer)
    stock = is_stock(layer)
    call = recalled(builder, layer, call, copy=not stock)  # stacking copies
    inside = bool(recurrent) and not isinstance(layer, SimpleRNN)
    x, mask = call.x, call.mask
    if dropout and not inside:
        x = variational_dropout(builder, x, dropout)
    features = x.shape[2] or 0
    if stock:
        module = stock_module(builder, {"": (layer, builder.weights)}, features)
        out, last = run_stock(
            builder, layer, module, replace(call, x=x, mask=mask), watched=watched
        )
        states = [
            builder.step(Subscript(value, (-1,)), state(builder, layer, i), layout="keras")
            for i, value in enumerate(last)
        ]
    else:
        if layer.recurrent_dropout and not recurrent:  # a cell with gates ignores a rate of 1
            layer = layer.model_copy(update={"recurrent_dropout": 0.0})
        module = flexible_module(builder, layer, features, dropout if inside else 0.0)
        out, states = run_flexible(builder, layer, module, replace(call, x=x, mask=mask), watched)
    remember(builder, layer, x, states)
    if layer.return_sequences:
        out.mask = call.carried
        return Result(out, states)
    return Result(last_output(builder, layer, states[0], call.states, mask), states)


def state(builder: LayerBuilder, layer: Recurrent, index: int) -> Tensor:
    """A new tensor for a last state: ``encoder_h``, ``encoder_c``."""
    return Tensor((None, layer.units), builder.compute_dtype, state_name(builder, index))


def state_name(builder: LayerBuilder, index: int) -> str:
    """The name of a last state: ``encoder_h``, ``encoder_c``."""
    return "_".join(filter(None, (builder.node.name, builder.part, state_suffix(index))))


def state_suffix(index: int) -> str:
    """The end of a state's name: h, c, then s2, s3."""
    return "hc"[index] if index < 2 else f"s{index}"


def run_stock(
    builder: LayerBuilder,
    layer: Recurrent,
    module: ModuleDef,
    call: Context,
    directions: int = 1,
    watched: list[list[Tensor]] | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Call PyTorch's module; returns the sequence and the last states (directions, N, units)."""
    x, units = call.x, layer.units
    out = builder.tensor((*x.shape[:2], directions * units))
    shape = (directions, x.shape[0], units)
    last = [
        Tensor(shape, builder.compute_dtype, name, batch_axis=1, keeps_name=True)
        for name in ("h_n", "c_n")[: layer.states]
    ]
    args: tuple[Any, ...] = (x,)
    kwargs: dict[str, Any] = {}
    if call.mask is not None:
        args = (SelfAttr(module.attr), x, call.mask)
        if layer.return_sequences and layer.zero_output_for_mask:
            kwargs["zero_masked"] = True
    if call.states:
        size = layer.states
        # The states of the directions are stacked along the first axis.
        pairs = [tuple(call.states[i::size]) for i in range(size)]
        stacked = [Call("torch.stack", (pair,)) for pair in pairs]
        args = (*args, tuple(stacked) if size > 1 else stacked[0])
    if watched is not None:
        first = args[-1] if call.states else None
        out, steps = run_watched(builder, layer, module, last, call, first)
        watched.append(steps)
        return out, last
    callee: Any = SelfAttr(module.attr) if call.mask is None else builder.helper("masked_rnn")
    target: Any = (out, tuple(last) if layer.states > 1 else last[0])
    builder.step(
        Call(callee, args, kwargs),
        out,
        *last,
        layout="keras",
        module_def=module,
        heavy=True,
        target=target,
    )
    return out, last


def run_flexible(
    builder: LayerBuilder,
    layer: Recurrent,
    module: ModuleDef,
    call: Context,
    watched: list[list[Tensor]] | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Call the class of the generated file; returns the sequence and the last states (N, units)."""
    x = call.x
    out = builder.tensor((*x.shape[:2], layer.units))
    last = [state(builder, layer, i) for i in range(layer.states)]
    kwargs: dict[str, Any] = {}
    if call.states:
        kwargs["state"] = tuple(call.states) if layer.states > 1 else call.states[0]
    if watched is not None:
        out, steps = run_watched(builder, layer, module, last, call, kwargs.get("state"))
        watched.append(steps)
        return out, last
    if call.mask is not None:
        kwargs["mask"] = call.mask
        if layer.return_sequences and layer.zero_output_for_mask:
            kwargs["zero_masked"] = True
    target: Any = (out, tuple(last) if layer.states > 1 else last[0])
    builder.step(
        Call(SelfAttr(module.attr), (x,), kwargs),
        out,
        *last,
        layout="keras",
        module_def=module,
        heavy=True,
        target=target,
    )
    return out, last


def last_output(
    builder: LayerBuilder, layer: Recurrent, h: Tensor, states: list[Tensor], mask: Tensor | None
) -> Tensor:
    """The last output: the last state, or zeros where Keras's masking returns zeros."""
    if mask is not None and layer.zero_output_for_mask:
        last = Subscript(mask, (slice(None), slice(-1, None)))
        return builder.expr(Binary("*", h, last), h)
    if mask is not None and states:
        # The last output of a sequence with all steps masked is zero, but its state is not.
        some = Method(mask, "any", (), {"dim": 1, "keepdim": True})
        return builder.expr(Binary("*", h, some), h)
    return h


def variational_dropout(builder: LayerBuilder, x: Tensor, rate: float) -> Tensor:
    """Keras's input dropout: the same features are dropped at every time step."""
    module = builder.module("nn.Dropout1d", rate, suffix="dropout", params={}, heavy=False)
    return builder.apply(module, x, layout="channels")


def recalled(
    builder: LayerBuilder,
    layer: Recurrent,
    call: Context,
    shape: Shape | None = None,
    *,
    copy: bool = True,
) -> Context:
    """The same call of a stateful layer, from the states in which the call before it ended.

    Args:
        builder: The layer's builder.
        layer: The layer.
        call: Its call; initial states that are given take precedence.
        shape: The shape of a state in PyTorch, if that is not Keras's.
        copy: Whether to copy the states, which the call overwrites while autograd still needs them.
    """
    if not layer.stateful or call.states:
        return call
    shape = shape or layer.state_shape(call.x.shape)
    kept = [memory(builder, i, shape) for i in range(layer.states)]
    return replace(call, states=[Method(each, "clone") if copy else each for each in kept])


def remember(
    builder: LayerBuilder,
    layer: Recurrent,
    x: Tensor,
    states: list[Tensor],
    shape: Shape | None = None,
    layout: Layout = "keras",
) -> None:
    """Store the last states of a stateful layer for its next call; no gradient flows into them.

    Args:
        builder, layer: As for `recalled`.
        x: The sequences.
        states: The last states.
        shape: The shape of a state in PyTorch, if that is not Keras's.
        layout: The layout of the states.
    """
    if not layer.stateful:
        return
    for i, last in enumerate(states):
        store(builder, memory(builder, i, shape or layer.state_shape(x.shape)), last, layout)


def store(builder: LayerBuilder, kept: SelfAttr, last: Tensor, layout: Layout = "keras") -> None:
    """Write a last state into the buffer that keeps it; no gradient flows into it."""
    update = Method(kept, "copy_", (Method(last, "detach"),))
    builder.step(update, Tensor((), last.dtype, "kept"), layout=layout, effect=True)


def memory(builder: LayerBuilder, index: int, shape: Shape) -> SelfAttr:
    """The buffer that keeps a state of a stateful layer between its calls."""
    if shape[0] is None:
        raise TargetError(
            "expected a known batch size for a stateful layer, received any",
            "give the input a `batch_size`",
            "stateful",
        )
    sizes = tuple(size or 0 for size in shape)
    return builder.parameter(Memory(sizes), state_suffix(index), trainable=False)


def lower_by(
    run: Callable[[LayerBuilder, Any, Context], Result], *classes: type[Recurrent]
) -> None:
    """Register a lowering that returns the output, and the last states with ``return_state``."""

    def lowering(
        layer: Recurrent,
        builder: LayerBuilder,
        x: Tensor,
        initial_state: list[Tensor] | None = None,
        mask: Tensor | None = None,
    ) -> Any:
        result = run(builder, layer, context(builder, x, initial_state, mask))
        return (result.output, *result.states) if layer.return_state else result.output

    for cls in classes:
        lower(cls)(lowering)


lower_by(run, SimpleRNN, LSTM, GRU)
