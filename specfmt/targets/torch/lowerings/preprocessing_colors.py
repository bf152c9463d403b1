"""PyTorch lowerings of the layers that change the colors of images.

At inference the random ones are the identity.  In training they draw from Keras's distribution.
"""

from __future__ import annotations

from typing import Any

from specfmt.layers.base import is_floating
from specfmt.layers.preprocessing_colors import (
    AutoContrast,
    ContrastLimitedAdaptiveHistogramEqualization,
    Equalization,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomColorLayer,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPosterization,
    RandomSaturation,
    RandomSharpness,
    Solarization,
)
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Method, SelfAttr, Tensor
from specfmt.targets.torch.lowerings.operations import to_dtype
from specfmt.targets.torch.lowerings.padding import layout_of
from specfmt.targets.torch.lowerings.preprocessing_images import changed, floating
from specfmt.targets.torch.registry import lower


def recolored(
    layer: RandomColorLayer,
    builder: LayerBuilder,
    x: Tensor,
    helper: str,
    values: tuple[float, float] | None = None,
) -> Tensor:
    """A call of a helper that takes the range of ``factor`` and the range of the pixels."""
    values = values or layer.value_range  # type: ignore[attr-defined]
    return changed(layer, builder, x, helper, layer.limits("factor"), values)


@lower(RandomSaturation)
def random_saturation(layer: RandomSaturation, builder: LayerBuilder, x: Tensor) -> Tensor:
    return recolored(layer, builder, x, "random_saturation", layer.sorted_range())


@lower(RandomHue)
def random_hue(layer: RandomHue, builder: LayerBuilder, x: Tensor) -> Tensor:
    return recolored(layer, builder, x, "random_hue")


@lower(RandomSharpness)
def random_sharpness(layer: RandomSharpness, builder: LayerBuilder, x: Tensor) -> Tensor:
    return recolored(layer, builder, x, "random_sharpness", layer.sorted_range())


@lower(RandomColorJitter)
def random_color_jitter(layer: RandomColorJitter, builder: LayerBuilder, x: Tensor) -> Tensor:
    """One after the other, each as the layer of its own."""
    x = floating(builder, x)
    for part in layer.changes():
        x = builder.lower(part, x)
    return x


@lower(RandomColorDegeneration)
def random_color_degeneration(
    layer: RandomColorDegeneration, builder: LayerBuilder, x: Tensor
) -> Tensor:
    values = layer.sorted_range()
    return recolored(layer, builder, x, "random_color_degeneration", values)


@lower(RandomGrayscale)
def random_grayscale(layer: RandomGrayscale, builder: LayerBuilder, x: Tensor) -> Tensor:
    """Images of whole numbers stay whole."""
    if not layer.factor:
        return x
    y = changed(layer, builder, x, "random_grayscale", layer.factor)
    return y if is_floating(x.dtype) else builder.expr(to_dtype(y, x.dtype), y, dtype=x.dtype)


@lower(RandomInvert)
def random_invert(layer: RandomInvert, builder: LayerBuilder, x: Tensor) -> Tensor:
    return changed(
        layer,
        builder,
        x,
        "random_invert",
        layer.limits("factor"),
        layer.value_range[1],
    )


@lower(RandomPosterization)
def random_posterization(layer: RandomPosterization, builder: LayerBuilder, x: Tensor) -> Tensor:
    return changed(
        layer,
        builder,
        x,
        "random_posterization",
        layer.bits(),
        layer.sorted_range(),
    )


@lower(AutoContrast)
def auto_contrast(layer: AutoContrast, builder: LayerBuilder, x: Tensor) -> Tensor:
    """Keras takes axes 1 and 2 for height and width in both data formats."""
    x = floating(builder, x)
    helper = builder.helper("auto_contrast")
    return builder.call(helper, x, layer.sorted_range(), layout="channels")


@lower(Equalization)
def equalization(layer: Equalization, builder: LayerBuilder, x: Tensor) -> Tensor:
    x = floating(builder, x)
    return builder.call(
        builder.helper("equalize"),
        x,
        layer.sorted_range(),
        layer.bins,
        SelfAttr("training"),
        layout=layout_of(layer),
    )


@lower(Solarization)
def solarization(layer: Solarization, builder: LayerBuilder, x: Tensor) -> Tensor:
    return changed(
        layer,
        builder,
        x,
        "random_solarization",
        layer.bytes("addition_factor"),
        layer.bytes("threshold_factor"),
        layer.sorted_range(),
    )


@lower(ContrastLimitedAdaptiveHistogramEqualization)
def clahe(
    layer: ContrastLimitedAdaptiveHistogramEqualization,
    builder: LayerBuilder,
    x: Tensor,
) -> Tensor:
    """Whole numbers stay whole, as in Keras, cut towards zero."""
    whole = not is_floating(x.dtype)
    options: list[Any] = [layer.value_range, layer.clip_limit, layer.tile_grid_size]
    y = builder.call(
        builder.helper("equalize_tiles"), floating(builder, x), *options, layout=layout_of(layer)
    )
    return builder.expr(Method(y, "trunc"), y) if whole else y
