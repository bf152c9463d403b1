"""PyTorch lowerings of the Fourier transforms."""

from __future__ import annotations

from typing import Any

from specfmt.graph.model import Array
from specfmt.layers import fourier_operations as ops
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.constants import buffer
from specfmt.targets.torch.expr import Attr, Binary, Call, Expr, Method, Subscript, Tensor
from specfmt.targets.torch.lowerings.operations import as_operand
from specfmt.targets.torch.registry import TargetError, lower

Pair = tuple[Tensor, ...]


def parts(builder: LayerBuilder, spectrum: Expr, shapes: Any, dtype: str) -> Any:
    """The real and the imaginary part of a complex expression, as two outputs."""
    name = builder.node.name
    whole = Tensor(shapes[0], "complex64", "spectrum", keeps_name=True)
    builder.step(spectrum, whole, layout="keras")
    outputs = (Tensor(shapes[0], dtype, name), Tensor(shapes[1], dtype, f"{name}_1"))
    for which, output in zip(("real", "imag"), outputs, strict=True):
        builder.step(Attr(whole, which), output, layout="keras")
    return outputs


def _transform(function: str) -> Any:
    def lowering(layer: ops.Transform, builder: LayerBuilder, x: Pair) -> Any:
        shapes = layer.output_shape(as_operand(x))
        spectrum = Call(f"torch.fft.{function}", (Call("torch.complex", x),))
        return parts(builder, spectrum, shapes, x[0].dtype)

    return lowering


lower(ops.FFT)(_transform("fft"))
lower(ops.FFT2)(_transform("fft2"))
lower(ops.IFFT2)(_transform("ifft2"))


def _length(layer: Any) -> dict[str, Any]:
    return {} if layer.fft_length is None else {"n": layer.fft_length}


@lower(ops.RFFT)
def rfft(layer: ops.RFFT, builder: LayerBuilder, x: Tensor) -> Any:
    shapes = layer.output_shape(as_operand(x))
    return parts(builder, Call("torch.fft.rfft", (x,), _length(layer)), shapes, x.dtype)


@lower(ops.IRFFT)
def irfft(layer: ops.IRFFT, builder: LayerBuilder, x: Pair) -> Tensor:
    y = builder.tensor(layer.output_shape(as_operand(x)), x[0].dtype)
    spectrum = Call("torch.complex", x)
    result: Tensor = builder.step(
        Call("torch.fft.irfft", (spectrum,), _length(layer)), y, layout="keras"
    )
    return result


@lower(ops.STFT)
def stft(layer: ops.STFT, builder: LayerBuilder, x: Tensor) -> Any:
    """Windowed frames and their transform: `torch.stft` takes signals of two axes only."""
    shapes = layer.output_shape(as_operand(x))
    signal: Any = x
    if layer.center:
        if x.rank > 3:
            raise TargetError(
                "a centered transform of more than three axes",
                "set `center: false`, or reshape the signals to (N, samples) first",
                "center",
            )
        half = layer.fft_length // 2
        signal = Call("F.pad", (x, (half, half)), {"mode": "reflect"})
    frames: Any = Method(signal, "unfold", (-1, layer.fft_length, layer.sequence_stride))
    if layer.window is not None:
        frames = Binary("*", frames, window(layer, builder, x))
    return parts(builder, Call("torch.fft.rfft", (frames,)), shapes, x.dtype)


@lower(ops.ISTFT)
def istft(layer: ops.ISTFT, builder: LayerBuilder, x: Pair) -> Tensor:
    """Frames that overlap, added: `torch.istft` divides by other windows at the ends."""
    y = builder.tensor(layer.output_shape(as_operand(x)), x[0].dtype)
    half = layer.fft_length // 2 if layer.center else 0
    kwargs: dict[str, Any] = {"fft_length": layer.fft_length, "stride": layer.sequence_stride}
    if layer.window is not None:
        kwargs["window"] = window(layer, builder, x[0])
    call = Call(builder.helper("inverse_stft"), (Call("torch.complex", x),), kwargs)
    end = half + layer.length if layer.length is not None else -half if half else None
    cut = slice(half or None, end)
    expr: Any = call if cut == slice(None) else Subscript(call, (Ellipsis, cut))
    result: Tensor = builder.step(expr, y, layout="keras")
    return result


def window(layer: ops.STFT | ops.ISTFT, builder: LayerBuilder, x: Tensor) -> Any:
    """The window, with zeros around it up to the length of the transform."""
    missing = layer.fft_length - layer.sequence_length
    if isinstance(layer.window, tuple):
        own: Any = buffer(builder, Array(layer.window, "float32"), None, x.dtype)
    else:
        typed = {} if x.dtype == "float32" else {"dtype": Attr(x, "dtype")}
        device = {**typed, "device": Attr(x, "device")}
        own = Call(f"torch.{layer.window}_window", (layer.sequence_length,), device)
    sides = (missing // 2, missing - missing // 2)
    return Call("F.pad", (own, sides)) if missing else own


@lower(ops.ExtractSequences)
def extract_sequences(layer: ops.ExtractSequences, builder: LayerBuilder, x: Tensor) -> Tensor:
    y = builder.tensor(layer.output_shape(as_operand(x)), x.dtype)
    unfolded = Method(x, "unfold", (-1, layer.sequence_length, layer.sequence_stride))
    result: Tensor = builder.step(unfolded, y, layout="keras")
    return result
