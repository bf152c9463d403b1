"""PyTorch lowerings of the layers that mix images, or apply several changes to them.

At inference the random ones are the identity.  In training they draw from Keras's distribution.
"""

from __future__ import annotations

from typing import Any

from specfmt.layers.preprocessing_augmentation import (
    AugMix,
    CutMix,
    MaxNumBoundingBoxes,
    MixUp,
    Pipeline,
    RandAugment,
)
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.lowerings.padding import data_format
from specfmt.targets.torch.lowerings.preprocessing_images import changed, kept
from specfmt.targets.torch.registry import TargetError, lower


@lower(CutMix)
def cut_mix(layer: CutMix, builder: LayerBuilder, x: Tensor) -> Tensor:
    return changed(layer, builder, x, "cut_mix", layer.limits("factor"))


@lower(MixUp)
def mix_up(layer: MixUp, builder: LayerBuilder, x: Tensor) -> Tensor:
    return changed(layer, builder, x, "mix_up", layer.alpha)


@lower(RandAugment)
def rand_augment(layer: RandAugment, builder: LayerBuilder, x: Tensor) -> Tensor:
    check_format(layer)
    return changed(
        layer,
        builder,
        x,
        "rand_augment",
        layer.num_ops,
        layer.limits("factor"),
        layer.value_range,
    )


@lower(AugMix)
def aug_mix(layer: AugMix, builder: LayerBuilder, x: Tensor) -> Tensor:
    check_format(layer)
    return changed(
        layer,
        builder,
        x,
        "aug_mix",
        (layer.num_chains, layer.chain_depth),
        layer.alpha,
        layer.all_ops,
        layer.limits("factor"),
        layer.value_range,
    )


def check_format(layer: RandAugment | AugMix) -> None:
    """Refuse a data format for which Keras takes other axes in one of the changes."""
    if data_format(layer) == "channels_first":
        raise TargetError(
            "Keras's AutoContrast, which is one of the changes, takes the wrong axes of images in "
            "channels_first",
            "use channels_last",
            "data_format",
        )


@lower(MaxNumBoundingBoxes)
def max_num_bounding_boxes(layer: MaxNumBoundingBoxes, builder: LayerBuilder, x: Tensor) -> Tensor:
    """The images themselves."""
    return kept(layer, builder, x)


@lower(Pipeline)
def pipeline(
    layer: Pipeline,
    builder: LayerBuilder,
    x: Tensor,
    mask: Tensor | None = None,
) -> Any:
    """One layer after the other."""
    for name, part, _ in layer.steps(x.shape):
        if mask is not None and part.reads_masks:
            raise TargetError(
                f"{part.type_name} reads a mask inside a Pipeline", "put it behind the Pipeline"
            )
        x = builder.inner(part, name, name).lower(part, x)
    return x
