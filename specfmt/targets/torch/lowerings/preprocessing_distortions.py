"""PyTorch lowerings of the layers that crop, bend, blur or erase parts of images.

At inference all are the identity.  In training they draw from Keras's distribution.
"""

from __future__ import annotations

from typing import Any

from specfmt.fields.types import expand
from specfmt.layers.preprocessing_distortions import (
    RandomCrop,
    RandomElasticTransform,
    RandomErasing,
    RandomGaussianBlur,
    RandomPerspective,
    RandomShear,
)
from specfmt.layers.sizes import spatial_axes
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import SelfAttr, Tensor
from specfmt.targets.torch.lowerings.padding import data_format, layout_of
from specfmt.targets.torch.lowerings.preprocessing_images import changed, floating
from specfmt.targets.torch.registry import TargetError, lower


@lower(RandomCrop)
def random_crop(layer: RandomCrop, builder: LayerBuilder, x: Tensor) -> Tensor:
    x = floating(builder, x)
    shape = list(layer.output_shape(x.shape))
    for axis in spatial_axes(2, data_format(layer)):
        if shape[axis] != x.shape[axis]:
            shape[axis] = None  # at inference it is the input's
    return builder.call(
        builder.helper("random_crop"),
        x,
        (layer.height, layer.width),
        SelfAttr("training"),
        shape=tuple(shape),
        layout=layout_of(layer),
    )


@lower(RandomShear)
def random_shear(layer: RandomShear, builder: LayerBuilder, x: Tensor) -> Tensor:
    right, down = layer.limits("x_factor"), layer.limits("y_factor")
    return changed(layer, builder, x, "random_shear", right, down)


@lower(RandomPerspective)
def random_perspective(layer: RandomPerspective, builder: LayerBuilder, x: Tensor) -> Tensor:
    probabilities = layer.limits("factor")
    return changed(layer, builder, x, "random_perspective", probabilities, layer.scale)


@lower(RandomErasing)
def random_erasing(layer: RandomErasing, builder: LayerBuilder, x: Tensor) -> Tensor:
    fill: Any = layer.fill_value
    if isinstance(fill, tuple) and data_format(layer) == "channels_first":
        raise TargetError(
            "Keras spreads several fill values over the last axis, which is not the channels",
            "give one value, or use channels_last",
            "fill_value",
        )
    x = floating(builder, x)
    if not layer.noise_fields():
        return x
    return builder.call(
        builder.helper("random_erasing"),
        x,
        layer.limits("factor"),
        layer.limits("scale"),
        fill,
        layer.value_range,
        SelfAttr("training"),
        layout=layout_of(layer),
    )


@lower(RandomGaussianBlur)
def random_gaussian_blur(layer: RandomGaussianBlur, builder: LayerBuilder, x: Tensor) -> Tensor:
    return changed(
        layer,
        builder,
        x,
        "random_gaussian_blur",
        layer.limits("factor"),
        expand(layer.kernel_size, 2),
        layer.limits("sigma"),
        layer.value_range,
    )


@lower(RandomElasticTransform)
def random_elastic_transform(
    layer: RandomElasticTransform, builder: LayerBuilder, x: Tensor
) -> Tensor:
    if layer.fill_mode == "mirror":
        raise TargetError(
            "Keras fails on TensorFlow with the fill mode mirror",
            "use one of reflect, wrap, constant, nearest",
            "fill_mode",
        )
    probabilities, scales = layer.limits("factor"), layer.limits("scale")
    if not (probabilities[1] and scales[1]):
        return floating(builder, x)
    return changed(
        layer,
        builder,
        x,
        "random_elastic_transform",
        probabilities,
        scales,
        layer.value_range,
    )
