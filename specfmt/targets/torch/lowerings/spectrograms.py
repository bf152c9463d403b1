"""PyTorch lowerings of the spectrograms."""

from __future__ import annotations

from typing import Any

from specfmt.layers.sizes import channels_of, with_spatial
from specfmt.layers.spectrograms import MelSpectrogram, STFTSpectrogram
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Binary, Call, Method, Subscript, Tensor
from specfmt.targets.torch.lowerings.core import floating
from specfmt.targets.torch.lowerings.operations import to_dtype
from specfmt.targets.torch.lowerings.padding import compact, conv_padding, layout_of
from specfmt.targets.torch.registry import lower

EPSILON = 1e-7
"""Keras's `backend.epsilon()`, the least power of which a root is taken."""


@lower(STFTSpectrogram)
def stft_spectrogram(layer: STFTSpectrogram, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`nn.Conv1d` over each channel on its own, for the real and the imaginary part."""
    x = floating(builder, x)
    layout = layout_of(layer)
    channels = channels_of(x.shape, layer.data_format) or 1
    out = layer.output_shape(x.shape)
    if channels > 1:
        shape = with_spatial((None, *x.shape[1:]), _samples(layer, x), 1, layer.data_format)
        merged = Method(Method(x, "flatten", (0, 1)), "unsqueeze", (1,))
        x = builder.step(merged, Tensor(shape, x.dtype, x.name), layout=layout)
    source, padding = conv_padding(builder, layer, x, (layer.frame_length,), (layer.step,), (1,))
    shape = with_spatial(x.shape, layer.frames(x.shape), layer.bins, layer.data_format)
    parts: list[Tensor] = []
    padded: dict[str, Any] = {"padding": compact((padding,))} if padding else {}
    for side in ("real", "imag"):
        if f"{side}_kernel" not in builder.weights:
            continue
        conv = builder.module(
            "nn.Conv1d",
            1,
            layer.bins,
            layer.frame_length,
            params={"weight": builder.weights[f"{side}_kernel"].permute(2, 1, 0)},
            suffix=side,
            stride=layer.step,
            **padded,
            bias=False,
        )
        part = Tensor(shape, x.dtype, side, keeps_name=len(parts) > 0)
        parts.append(builder.apply(conv, source, layout=layout, into=part))
    expr: Any = _combined(layer.mode, parts)
    if layer.mode == "psd":
        power = builder.step(expr, Tensor(shape, x.dtype, "power"), layout=layout)
        # Each frequency but the first and the last stands for its negative too.
        inner = Subscript(power, (slice(None), slice(1, -1)))
        expr = Binary("+", power, Call("F.pad", (inner, (0, 0, 1, 1))))
    if channels > 1:
        apart = Method(expr, "unflatten", (0, (-1, channels)))
        expr = (
            Method(apart, "transpose", (2, 3))
            if layer.expand_dims
            else Method(apart, "flatten", (1, 2))
        )
    elif layer.expand_dims:
        expr = Method(Method(expr, "transpose", (1, 2)), "unsqueeze", (1,))
    if isinstance(expr, Tensor):
        return expr
    result: Tensor = builder.step(expr, builder.tensor(out, x.dtype), layout=layout)
    return result


def _samples(layer: STFTSpectrogram, x: Tensor) -> tuple[int | None, ...]:
    return (x.shape[2],) if layer.data_format == "channels_first" else (x.shape[1],)


def _combined(mode: str, parts: list[Tensor]) -> Any:
    """What a mode makes of the real and the imaginary part (N, frequencies, frames)."""
    if len(parts) == 1:
        return parts[0]
    real, imag = parts
    if mode == "angle":
        return Call("torch.atan2", (imag, real))
    if mode == "stft":
        return Call("torch.cat", ((real, imag),), {"dim": 1})
    power = Binary("+", Method(real, "square"), Method(imag, "square"))
    if mode == "psd":
        return power
    magnitude = Method(Method(power, "clamp", (), {"min": EPSILON}), "sqrt")
    return magnitude if mode == "magnitude" else Method(magnitude, "log")


@lower(MelSpectrogram)
def mel_spectrogram(layer: MelSpectrogram, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`torch.stft` and a matrix of triangular filters, in a module that holds the matrix."""
    own = builder.compute_dtype
    names = {"sequence_stride": "stride", "sequence_length": "frame_length"}
    given = {
        names.get(name, name): getattr(layer, name)
        for name in layer.own_fields()
        if getattr(layer, name) != type(layer).model_fields[name].default
    }
    if isinstance(layer.window, tuple):
        given["window"] = builder.table(layer.window, "window")
    module = builder.module(builder.helper("MelSpectrogram"), params={}, heavy=True, **given)
    signal = x if x.dtype == "float32" else builder.expr(to_dtype(x, "float32"), x, dtype="float32")
    shape = (*x.shape[:-1], layer.num_mel_bins, layer.frames(x.shape[-1]))
    y = builder.apply(module, signal, shape=shape, layout="keras")
    return y if own == "float32" else builder.expr(to_dtype(y, own), y, dtype=own)
