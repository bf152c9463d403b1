"""PyTorch lowerings of the convolutional LSTMs.

The class ``ConvLSTM`` of the generated file has two stock convolutions: one for the inputs of all
time steps at once, one for the state.  Channels-last sequences (N, T, ..., C) are passed as
(N, C, T, ...), the layout of `nn.Conv3d`; channels-first ones are passed unchanged.
"""

from __future__ import annotations

from typing import Any

from specfmt.layers.base import Shape
from specfmt.layers.convolutional_recurrent import ConvLSTM, ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from specfmt.layers.sizes import channels_of, same_padding, spatial_axes, spatial_sizes
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import (
    AxisSubscript,
    Call,
    Method,
    SelfAttr,
    Subscript,
    Tensor,
    Unary,
    axis,
    torch_order,
)
from specfmt.targets.torch.lowerings.convolutional import bias_option, channels_first_kernel
from specfmt.targets.torch.lowerings.padding import (
    compact,
    data_format,
    end_comment,
    layout_of,
    non_defaults,
    pad,
    same_option,
)
from specfmt.targets.torch.lowerings.recurrent import (
    Context,
    Result,
    function,
    lower_by,
    rates,
    recalled,
    remember,
    state_name,
    zeros_apart,
)
from specfmt.targets.torch.params import WeightExpr
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.steps import ModuleDef


def run(builder: LayerBuilder, layer: ConvLSTM, call: Context) -> Result:
    """Run one convolutional LSTM over the sequence.

    Raises:
        TargetError: PyTorch cannot express the layer with these arguments.
    """
    x, mask = call.x, call.mask
    reads, layer = zeros_apart(layer, call)
    if mask is not None:
        mask = expand_mask(builder, layer, x, mask)
    if layer.go_backwards:
        x = builder.method(x, "flip", axis(1, x))
        if mask is not None:
            flipped = Tensor(mask.shape, "bool", f"{mask.name}_flipped", keeps_name=True)
            mask = builder.step(Method(mask, "flip", (axis(1, mask),)), flipped)
    shape = layer.state_shape(x.shape)
    layout = layout_of(layer)
    stored = shape if layout == "keras" else torch_order(shape, channels_first=True)
    call = recalled(builder, layer, call, stored)
    x, padding = input_padding(builder, layer, x)
    module = conv_lstm_module(builder, layer, x, shape, padding, rates(layer))
    out = builder.tensor((shape[0], x.shape[1], *shape[1:]), x.dtype)
    states = [Tensor(shape, x.dtype, state_name(builder, i)) for i in range(layer.states)]
    kwargs: dict[str, Any] = {}
    if call.states:
        kwargs["state"] = tuple(call.states)
    if mask is not None:
        kwargs["mask"] = mask
        if layer.zero_output_for_mask:
            kwargs["zero_masked"] = True
    builder.step(
        Call(SelfAttr(module.attr), (x,), kwargs),
        out,
        *states,
        layout=layout,
        module_def=module,
        heavy=True,
        target=(out, tuple(states)),
    )
    remember(builder, layer, x, states, stored, layout)
    if layer.return_sequences:
        if reads is not None:
            out = zeroed(builder, out, reads)
        out.mask = call.carried
        return Result(out, states)
    # If the last steps are masked, the last output may differ from the last state.
    if mask is not None and (layer.zero_output_for_mask or call.states):
        last = builder.expr(AxisSubscript(out, {1: -1}, out.rank), out, shape=shape)
        return Result(last, states)
    return Result(states[0], states)


def expand_mask(builder: LayerBuilder, layer: ConvLSTM, x: Tensor, mask: Tensor) -> Tensor:
    """A mask with spatial axes, expanded to the rank of the sequence.

    Raises:
        TargetError: The mask does not fit; Keras cannot run the layer with it either.
    """
    own = layer.state_shape(x.shape)[1:]
    places = mask.shape[2:]
    fits = all(size in (None, 1, wanted) for size, wanted in zip(places, own, strict=False))
    if len(places) > len(own) or not fits or (layer.unroll and any(n != 1 for n in places)):
        raise TargetError(
            f"expected a mask that broadcasts to steps of shape {own}, received {mask.shape}",
            "use a mask of whole steps: (batch, time)",
            "inputs",
        )
    return with_rank(builder, mask, x.rank) if places else mask


def with_rank(builder: LayerBuilder, mask: Tensor, rank: int) -> Tensor:
    """The mask with axes of size 1 behind its own."""
    missing = rank - mask.rank
    if not missing:
        return mask
    shape = (*mask.shape, *(1,) * missing)
    whole = Tensor(shape, "bool", mask.name, keeps_name=True)
    items = (Ellipsis, *(None,) * missing)
    result: Tensor = builder.step(Subscript(mask, items), whole, layout="keras")
    return result


def zeroed(builder: LayerBuilder, output: Tensor, mask: Tensor) -> Tensor:
    """The output sequence set to zero where the mask is false."""
    gone = Unary("~", with_rank(builder, mask, output.rank))
    return builder.method(output, "masked_fill", gone, 0)


def input_padding(builder: LayerBuilder, layer: ConvLSTM, x: Tensor) -> tuple[Tensor, Any]:
    """The argument of the input convolution, padded if needed, and its ``padding=``."""
    kernel, strides = layer.per_axis("kernel_size"), layer.per_axis("strides")
    dilation = layer.per_axis("dilation_rate")
    if layer.padding == "valid":
        return x, 0
    if max(strides) == 1:
        return x, same_option(kernel, dilation)
    sizes = spatial_sizes((x.shape[0], *x.shape[2:]), layer.data_format)
    sides = tuple(
        same_padding(size, k, s, d) or (0, 0)
        for size, k, s, d in zip(sizes, kernel, strides, dilation, strict=True)
    )
    if all(before == after for before, after in sides):
        return x, compact(tuple(before for before, _ in sides))
    axes = spatial_axes(layer.rank, data_format(layer))
    widths = {place + 1: pair for place, pair in zip(axes, sides, strict=True) if any(pair)}
    return pad(builder, x, widths, end_comment(strides, sides)), 0


def conv_lstm_module(
    builder: LayerBuilder,
    layer: ConvLSTM,
    x: Tensor,
    state: Shape,
    padding: Any,
    dropped: tuple[float, float],
) -> ModuleDef:
    """``ConvLSTM(nn.Conv2d(3, 32, 3), nn.Conv2d(8, 32, 3, padding=1, bias=False))``.

    Args:
        builder: The layer's builder.
        layer: The layer.
        x: The argument of the input convolution.
        state: The shape of a state.
        padding: ``padding=`` of the input convolution.
        dropped: The effective rates of dropout and recurrent dropout.
    """
    kernel, columns = layer.per_axis("kernel_size"), 4 * layer.filters
    conv = f"nn.Conv{layer.rank}d"
    options = {
        **non_defaults(stride=(layer.per_axis("strides"), 1)),
        **({"padding": padding} if padding else {}),
        **non_defaults(dilation=(layer.per_axis("dilation_rate"), 1)),
        **bias_option(layer.use_bias),
    }
    channels = channels_of((x.shape[0], *x.shape[2:]), layer.data_format)
    inputs = Call(conv, (channels, columns, compact(kernel)), options)
    same = same_option(kernel, (1,) * layer.rank)
    around = {"padding": same} if same else {}
    states = Call(conv, (layer.filters, columns, compact(kernel)), {**around, "bias": False})
    cell = builder.weights.under(layer.cell_name)
    params: dict[str, WeightExpr] = {"input_conv.weight": channels_first_kernel(cell.kernel)}
    if layer.use_bias:
        params["input_conv.bias"] = cell.bias
    params["state_conv.weight"] = channels_first_kernel(cell.recurrent_kernel)
    kwargs: dict[str, Any] = {}
    first = layout_of(layer) == "channels"
    if not first:
        kwargs["time_dim"] = 1
    for key, term, usual in (
        ("activation", layer.activation, "Tanh"),
        ("gate_activation", layer.recurrent_activation, "Sigmoid"),
    ):
        if term.type != usual or term.args:
            kwargs[key] = function(builder, term, state, first)
    for key, rate in zip(("dropout", "recurrent_dropout"), dropped, strict=True):
        if rate:
            kwargs[key] = rate
    name = builder.helper("ConvLSTM")
    return builder.module(name, inputs, states, params=params, **kwargs)  # type: ignore[arg-type]


lower_by(run, ConvLSTM1D, ConvLSTM2D, ConvLSTM3D)
