"""PyTorch lowerings of the image preprocessing layers.

Random layers are the identity at inference.  In training they draw from Keras's distribution.
"""

from __future__ import annotations

from typing import Any

from specfmt.layers.base import is_floating
from specfmt.layers.image_operations import Resize
from specfmt.layers.policies import HALVES
from specfmt.layers.preprocessing_images import (
    CenterCrop,
    ImageLayer,
    RandomBrightness,
    RandomContrast,
    RandomFlip,
    RandomImageLayer,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Resizing,
)
from specfmt.layers.sizes import spatial_axes, spatial_sizes
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import AxisSubscript, Call, Method, SelfAttr, Tensor
from specfmt.targets.torch.lowerings.image_operations import resize
from specfmt.targets.torch.lowerings.operations import to_dtype
from specfmt.targets.torch.lowerings.padding import data_format, layout_of
from specfmt.targets.torch.registry import TargetError, lower

FILLING = {"fill_mode": "reflect", "interpolation": "bilinear", "fill_value": 0.0}
"""Options of `transform_images` and their defaults."""


def floating(builder: LayerBuilder, x: Tensor) -> Tensor:
    """Cast integer images to float32."""
    if is_floating(x.dtype):
        return x
    own = builder.compute_dtype
    return builder.expr(to_dtype(x, own), x, dtype=own)


@lower(Resizing)
def resizing(layer: Resizing, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`keras.ops.image.resize`; integer images are rounded, as in Keras."""
    whole = not is_floating(x.dtype)
    if whole and x.dtype != "uint8" and layer.interpolation in ("bicubic", "lanczos3", "lanczos5"):
        raise TargetError(
            f"expected a float or uint8 image for {layer.interpolation}, received {x.dtype}",
            "add a Rescaling layer before it",
            "interpolation",
        )
    operation = Resize(
        size=(layer.height, layer.width),
        interpolation=layer.interpolation,
        antialias=layer.antialias,
        crop_to_aspect_ratio=layer.crop_to_aspect_ratio,
        pad_to_aspect_ratio=layer.pad_to_aspect_ratio,
        fill_value=layer.fill_value,
        data_format=layer.data_format,
    )
    y: Tensor = resize(operation, builder, floating(builder, x))
    if not whole or layer.interpolation == "nearest":
        return y
    limits = (0, 255) if x.dtype == "uint8" else ()
    rounded = Method(y, "round")
    return builder.expr(Method(rounded, "clamp", limits) if limits else rounded, y)


@lower(CenterCrop)
def center_crop(layer: CenterCrop, builder: LayerBuilder, x: Tensor) -> Tensor:
    x = floating(builder, x)
    rows, columns = spatial_axes(2, data_format(layer))
    height, width = spatial_sizes(x.shape, data_format(layer))
    if height is None or width is None:
        return builder.call(
            builder.helper("center_crop"),
            x,
            (layer.height, layer.width),
            shape=layer.output_shape(x.shape),
            layout=layout_of(layer),
        )
    if height < layer.height or width < layer.width:
        operation = Resize(
            size=(layer.height, layer.width),
            crop_to_aspect_ratio=True,
            data_format=layer.data_format,
        )
        enlarged: Tensor = resize(operation, builder, x)
        return enlarged
    cuts: dict[int, Any] = {}
    for axis, size, new in ((rows, height, layer.height), (columns, width, layer.width)):
        start = (size - new) // 2
        if new < size:
            cuts[axis] = slice(start, start + new)
    return (
        builder.expr(AxisSubscript(x, cuts, 4), x, shape=layer.output_shape(x.shape)) if cuts else x
    )


def changed(
    layer: RandomImageLayer,
    builder: LayerBuilder,
    x: Tensor,
    helper: str,
    *args: Any,
) -> Tensor:
    """Call a helper that changes images at random; the identity if there is nothing random."""
    x = floating(builder, x)
    if not (layer.noise_fields() or hasattr(layer, "value_range")):
        return x
    options = {
        name: getattr(layer, name)
        for name, default in FILLING.items()
        if getattr(layer, name, default) != default
    }
    flag = SelfAttr("training")
    name, layout = builder.helper(helper), layout_of(layer)
    if x.dtype in HALVES:  # the random numbers are float32
        call = Call(name, (Method(x, "float"), *args, flag), options)
        return builder.expr(to_dtype(call, x.dtype), x, layout=layout)
    return builder.call(name, x, *args, flag, layout=layout, **options)


def kept(layer: ImageLayer, builder: LayerBuilder, x: Tensor) -> Tensor:
    """The result of a layer that does not change its input."""
    return floating(builder, x)


@lower(RandomFlip)
def random_flip(layer: RandomFlip, builder: LayerBuilder, x: Tensor) -> Tensor:
    dims = tuple(dim for word, dim in (("vertical", -2), ("horizontal", -1)) if word in layer.mode)
    if not dims:  # a comparison of two programs has disabled it
        return kept(layer, builder, x)
    return changed(layer, builder, x, "random_flip", dims)


@lower(RandomRotation)
def random_rotation(layer: RandomRotation, builder: LayerBuilder, x: Tensor) -> Tensor:
    turns = layer.limits("factor")
    return changed(layer, builder, x, "random_rotation", turns)


@lower(RandomTranslation)
def random_translation(layer: RandomTranslation, builder: LayerBuilder, x: Tensor) -> Tensor:
    heights, widths = layer.limits("height_factor"), layer.limits("width_factor")
    return changed(layer, builder, x, "random_translation", heights, widths)


@lower(RandomZoom)
def random_zoom(layer: RandomZoom, builder: LayerBuilder, x: Tensor) -> Tensor:
    widths = None if layer.width_factor is None else layer.limits("width_factor")
    heights = layer.limits("height_factor")
    return changed(layer, builder, x, "random_zoom", heights, widths)


@lower(RandomContrast)
def random_contrast(layer: RandomContrast, builder: LayerBuilder, x: Tensor) -> Tensor:
    less, more = layer.limits("factor")
    factors = (1 - less, 1 + more)
    return changed(layer, builder, x, "random_contrast", factors, layer.value_range)


@lower(RandomBrightness)
def random_brightness(layer: RandomBrightness, builder: LayerBuilder, x: Tensor) -> Tensor:
    parts = layer.limits("factor")
    values = tuple(sorted(layer.value_range))
    return changed(layer, builder, x, "random_brightness", parts, values)
