"""Sizes, paddings and crops of windows against counting, PyTorch and Keras."""

from __future__ import annotations

import random
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specfmt.layers.base import Layer, ShapeError
from specfmt.layers.convolutional import TransposedConvolution
from specfmt.layers.registry import build_layer
from specfmt.layers.sizes import (
    same_padding,
    transposed_crop,
    transposed_extent,
    transposed_size,
    window_size,
)

SIZES = st.integers(1, 40)
KERNELS = st.integers(1, 7)
STRIDES = st.integers(1, 4)


@given(SIZES, KERNELS, STRIDES, st.integers(1, 3))
def test_windows_are_counted(size: int, kernel: int, stride: int, dilation: int) -> None:
    reach = (kernel - 1) * dilation
    starts = range(0, size - reach, stride)
    expected = len(starts) if size > reach else 0
    assert max(window_size(size, kernel, stride, "valid", dilation) or 0, 0) == expected
    assert window_size(size, kernel, stride, "same", dilation) == ceil(size / stride)


@given(SIZES, KERNELS, STRIDES, st.integers(1, 3))
def test_same_padding_is_what_the_windows_need(
    size: int, kernel: int, stride: int, dilation: int
) -> None:
    before, after = same_padding(size, kernel, stride, dilation) or (0, 0)
    padded = window_size(size + before + after, kernel, stride, "valid", dilation)
    assert padded == window_size(size, kernel, stride, "same", dilation)
    assert after - before in (0, 1)
    if before + after:
        shorter = window_size(size + before + after - 1, kernel, stride, "valid", dilation)
        assert shorter == padded - 1, "one element less is one window less"


@given(KERNELS, STRIDES, st.integers(1, 3))
def test_padding_of_an_unknown_size_is_that_of_every_size(
    kernel: int, stride: int, dilation: int
) -> None:
    found = {same_padding(size, kernel, stride, dilation) for size in range(1, 60)}
    expected = found.pop() if len(found) == 1 else None
    assert same_padding(None, kernel, stride, dilation) == expected


@given(st.integers(1, 9), KERNELS, STRIDES, st.sampled_from(["valid", "same"]), st.data())
def test_transposed_is_the_gradient_of_the_convolution(
    size: int, kernel: int, stride: int, padding: str, data: st.DataObject
) -> None:
    """TensorFlow defines it so; PyTorch's own gradient is the reference."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(1)
    dilation = data.draw(st.integers(1, 3)) if stride == 1 else 1
    extra = data.draw(st.none() | st.integers(0, stride - 1))
    if padding == "same" and transposed_extent(kernel, stride, padding, extra, dilation) == 0:
        return  # refused by the layer: TensorFlow cannot run it
    out = transposed_size(size, kernel, stride, padding, extra, dilation)
    assert out is not None
    assert window_size(out, kernel, stride, padding, dilation) == size
    weight = torch.randn(1, 1, kernel, dtype=torch.float64)
    image = torch.zeros(1, 1, out, dtype=torch.float64, requires_grad=True)
    sides = same_padding(out, kernel, stride, dilation) if padding == "same" else (0, 0)
    assert sides is not None
    result = F.conv1d(F.pad(image, sides), weight, stride=stride, dilation=dilation)
    upstream = torch.randn_like(result)
    result.backward(upstream)
    full = F.conv_transpose1d(upstream, weight, stride=stride, dilation=dilation)
    before, after = transposed_crop(kernel, stride, padding, extra, dilation)
    assert torch.allclose(image.grad, F.pad(full, (-before, -after)))


@given(SIZES, st.integers(1, 5), st.integers(1, 4), st.sampled_from(["valid", "same"]))
def test_pooling_agrees_with_pytorch(size: int, pool: int, stride: int, padding: str) -> None:
    import torch
    import torch.nn.functional as F

    layer = build_layer(
        {"type": "MaxPooling1D", "pool_size": pool, "strides": stride, "padding": padding}
    )
    if padding == "valid" and pool > size:
        with pytest.raises(ShapeError):
            layer.output_shape((None, size, 3))
        return
    sides = same_padding(size, pool, stride) if padding == "same" else (0, 0)
    assert sides is not None
    x = F.pad(torch.empty(2, 3, size, device="meta"), sides)
    expected = F.max_pool1d(x, pool, stride).shape
    assert layer.output_shape((2, size, 3)) == (2, expected[2], 3)


def entry(rng: random.Random) -> tuple[dict[str, object], tuple[int | None, ...]]:
    """A random layer of the families and a shape for it, not always a possible pair."""
    rank = rng.randint(1, 3)
    kind = rng.choice(["Conv", "Transpose", "Depthwise", "Separable", "Max", "Average"])
    if kind in ("Depthwise", "Separable"):
        rank = min(rank, 2)

    def sizes(low: int, high: int) -> object:
        values = [rng.randint(low, high) for _ in range(rank)]
        return values[0] if rng.random() < 0.3 else values

    first = rng.random() < 0.3
    data: dict[str, object] = {"padding": rng.choice(["valid", "same"])}
    if first:
        data["data_format"] = "channels_first"
    if kind in ("Max", "Average"):
        data |= {"type": f"{kind}Pooling{rank}D", "pool_size": sizes(1, 4)}
        if rng.random() < 0.6:
            data["strides"] = sizes(1, 3)
    else:
        name = {"Conv": "Conv{}D", "Transpose": "Conv{}DTranspose", "Depthwise": "DepthwiseConv{}D"}
        data["type"] = name.get(kind, "SeparableConv{}D").format(rank)
        data["kernel_size"] = sizes(1, 4)
        data["strides" if rng.random() < 0.6 else "dilation_rate"] = sizes(1, 3)
        if kind != "Depthwise":
            data["filters"] = rng.choice([2, 4, 6])
        if kind == "Conv" and rng.random() < 0.4:
            data["groups"] = 2
        if kind in ("Depthwise", "Separable"):
            data["depth_multiplier"] = rng.randint(1, 3)
        if kind == "Transpose" and rng.random() < 0.4:
            data["output_padding"] = sizes(0, 2)
        if data["type"] == "Conv1D" and rng.random() < 0.4:
            data["padding"] = "causal"
    spatial = [None if rng.random() < 0.15 else rng.randint(2, 9) for _ in range(rank)]
    channels = rng.choice([2, 3, 4])
    return data, (None, channels, *spatial) if first else (None, *spatial, channels)


def extents(layer: Layer) -> list[int]:
    """`transposed_extent` of each axis; 0 is what Keras builds and TensorFlow cannot run."""
    return list(layer.extents()) if isinstance(layer, TransposedConvolution) else []


@pytest.mark.slow
def test_shapes_agree_with_keras() -> None:
    """1500 random layers: the same shape, weights and refusals as Keras."""
    import keras

    rng = random.Random(7)
    refused = 0
    for _ in range(1500):
        data, shape = entry(rng)
        layer: Layer = build_layer(data)
        options = {key: value for key, value in data.items() if key != "type"}
        try:
            reference = getattr(keras.layers, str(data["type"]))(**options)
            expected = tuple(reference.compute_output_shape(shape))
            reference.build(shape)
        except ValueError:
            with pytest.raises(ShapeError):
                layer.output_shape(shape)
            refused += 1
            continue
        if data.get("padding") == "same" and 0 in extents(layer):
            with pytest.raises(ShapeError, match="at least 1"):
                layer.output_shape(shape)
            refused += 1
            continue
        assert layer.output_shape(shape) == expected, (data, shape)
        weights = [(w.name, w.shape) for w in layer.weights(shape)]
        assert weights == [(w.name, tuple(w.shape)) for w in reference.weights], (data, shape)
    assert 100 < refused < 750


@pytest.mark.parametrize(
    ("data", "shape", "field", "words"),
    [
        (
            {"type": "Conv2D", "filters": 4, "kernel_size": 5},
            (None, 4, 9, 3),
            "kernel_size",
            "5 x 5",
        ),
        ({"type": "MaxPooling1D", "pool_size": 3}, (None, 2, 3), "pool_size", "3"),
        ({"type": "Conv2D", "filters": 4, "kernel_size": 3}, (None, 8, 3), "", "4 axes"),
        ({"type": "Conv1D", "filters": 4, "kernel_size": 3}, (None, 8, None), "", "channels"),
        (
            {"type": "Conv2D", "filters": 4, "kernel_size": 3, "strides": 2, "dilation_rate": 2},
            (None, 8, 8, 3),
            "dilation_rate",
            "strides",
        ),
        (
            {"type": "Conv2D", "filters": 4, "kernel_size": 3, "groups": 2},
            (None, 8, 8, 3),
            "groups",
            "3 input channels",
        ),
        (
            {"type": "Conv2D", "filters": 4, "kernel_size": 3, "groups": 3},
            (None, 8, 8, 3),
            "groups",
            "4 filters",
        ),
        (
            {"type": "Conv1DTranspose", "filters": 4, "kernel_size": 3, "output_padding": 1},
            (None, 8, 3),
            "output_padding",
            "smaller than strides",
        ),
        (
            {
                "type": "Conv2DTranspose",
                "filters": 4,
                "kernel_size": 4,
                "strides": 2,
                "padding": "same",
                "output_padding": 0,
            },
            (None, 8, 8, 3),
            "output_padding",
            "at least 1",
        ),
        ({"type": "Reshape", "target_shape": [2, 3]}, (None, 7), "target_shape", "7 elements"),
        ({"type": "Reshape", "target_shape": [-1, -1]}, (None, 7), "target_shape", "one -1"),
        ({"type": "Permute", "dims": [1, 3]}, (None, 7, 2), "dims", "1 to 2"),
        ({"type": "Permute", "dims": [1, 2]}, (None, 7), "dims", "1 axes"),
        ({"type": "RepeatVector", "n": 2}, (None, 7, 2), "", "2 axes"),
        (
            {"type": "Cropping1D", "cropping": [2, 2]},
            (None, 4, 2),
            "cropping",
            "leaves at least one element",
        ),
        ({"type": "UpSampling2D"}, (None, 4, 2), "", "4 axes"),
        ({"type": "GlobalMaxPooling1D"}, (None, 4, 4, 2), "", "3 axes"),
    ],
)
def test_impossible_shapes_are_told(
    data: dict[str, object], shape: tuple[int | None, ...], field: str, words: str
) -> None:
    with pytest.raises(ShapeError) as caught:
        build_layer(data).output_shape(shape)
    assert caught.value.field == field
    assert words in caught.value.message
    assert ", received " in caught.value.message
    assert caught.value.hint
