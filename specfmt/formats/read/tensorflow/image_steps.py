"""Converting TensorFlow functions on images and windows to operations of `keras.ops`."""

from __future__ import annotations

from math import floor, prod, sqrt
from typing import Any, Final

from specfmt.formats.read.tensorflow.graph_sizes import Sizes
from specfmt.formats.read.tensorflow.size_rules import Dim, Opaque, both
from specfmt.formats.read.tensorflow.size_steps import sized
from specfmt.formats.read.tensorflow.steps import (
    Steps,
    UnsupportedError,
    number,
    numbers,
    only,
    steps,
    whole,
)
from specfmt.layers.reshaping import UpSampling2D


@steps("image", "image.flip_left_right")
def _flip_left_right(s: Steps, image: Any) -> Any:
    return s("flip", image, axis=-2)


@steps("image", "image.flip_up_down")
def _flip_up_down(s: Steps, image: Any) -> Any:
    return s("flip", image, axis=-3)


@steps("image", "image.transpose")
def _transpose_image(s: Steps, image: Any) -> Any:
    return s("swapaxes", image, axis1=-3, axis2=-2)


@steps("image k", "image.rot90")
def _rot90(s: Steps, image: Any, k: Any = 1) -> Any:
    turns = whole(k, "k") % 4
    if turns == 0:
        return s("copy", image)
    if turns == 2:
        return s("flip", image, axis=[-3, -2])
    turned = s("swapaxes", image, axis1=-3, axis2=-2)
    return s("flip", turned, axis=-3 if turns == 1 else -2)


@steps("images", "image.grayscale_to_rgb")
def _grayscale_to_rgb(s: Steps, images: Any) -> Any:
    return s("repeat", images, repeats=3, axis=-1)


@steps("image offset_height offset_width target_height target_width", "image.crop_to_bounding_box")
def _crop(
    s: Steps,
    image: Any,
    offset_height: Any,
    offset_width: Any,
    target_height: Any,
    target_width: Any,
) -> Any:
    top, left = whole(offset_height, "offset_height"), whole(offset_width, "offset_width")
    height, width = whole(target_height, "target_height"), whole(target_width, "target_width")
    key = [
        {"ellipsis": True},
        {"slice": [top, top + height]},
        {"slice": [left, left + width]},
        {"slice": [None, None]},
    ]
    return s("getitem", image, key=key)


@steps("images contrast_factor", "image.adjust_contrast")
def _adjust_contrast(s: Steps, images: Any, contrast_factor: Any) -> Any:
    mean = s("mean", images, axis=[-3, -2], keepdims=True)
    scaled = s("multiply", s("subtract", images, mean), number(contrast_factor, "factor"))
    return s("add", scaled, mean)


@steps("image delta", "image.adjust_brightness")
def _adjust_brightness(s: Steps, image: Any, delta: Any) -> Any:
    return s("add", image, float(number(delta, "delta")))


@steps("input ksize strides padding data_format", "nn.max_pool", "nn.max_pool1d", "nn.max_pool2d",
       "nn.max_pool3d", "compat.v1.nn.max_pool", "compat.v1.nn.max_pool2d")  # fmt: skip
def _max_pool(s: Steps, input: Any = None, **options: Any) -> Any:
    return _pool(s, "max_pool", input, **options)


@steps("input ksize strides padding data_format", "nn.avg_pool", "nn.avg_pool1d", "nn.avg_pool2d",
       "nn.avg_pool3d", "compat.v1.nn.avg_pool", "compat.v1.nn.avg_pool2d")  # fmt: skip
def _avg_pool(s: Steps, input: Any = None, **options: Any) -> Any:
    return _pool(s, "average_pool", input, **options)


@steps("input window_shape pooling_type padding dilation_rate strides name data_format dilations",
       "nn.pool", "compat.v1.nn.pool")  # fmt: skip
def _any_pool(
    s: Steps,
    input: Any,
    window_shape: Any,
    pooling_type: Any,
    padding: Any = "VALID",
    strides: Any = None,
    data_format: Any = None,
    **dilations: Any,
) -> Any:
    only(dilations.pop("name", None), None)
    only(all(numbers(rate, "dilations") in ([1], [1, 1]) for rate in dilations.values()), True)
    op = {"MAX": "max_pool", "AVG": "average_pool"}.get(pooling_type)
    only(op is None, False)
    by = 1 if strides is None else strides
    return _pool(s, str(op), input, window_shape, by, padding, data_format)


def _pool(
    s: Steps,
    op: str,
    x: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: Any = None,
    value: Any = None,
) -> Any:
    x = value if x is None else x
    if isinstance(data_format, str) and data_format.startswith("NC"):
        raise UnsupportedError("it is channels-first")
    only(padding, "VALID", "SAME")
    size, by = _window(ksize, "ksize"), _window(strides, "strides")
    fields: dict[str, Any] = {"pool_size": size}
    if by != size:
        fields["strides"] = by
    if padding == "SAME":
        fields["padding"] = "same"
    return s(op, x, **fields)


def _window(value: Any, what: str) -> Any:
    """``[1, 2, 2, 1]``, ``[2, 2]`` or ``2`` as one size per axis, or one for all."""
    items = numbers(value, what)
    if len(items) > 3 or (len(items) == 3 and items[0] == items[2] == 1):
        if items[0] != 1 or items[-1] != 1:
            raise UnsupportedError(f"its {what} extends over the batch or the channels")
        items = items[1:-1]
    return items[0] if len(set(items)) == 1 else items


@steps("images sizes strides rates padding", "image.extract_patches")
def _extract_patches(
    s: Steps, images: Any, sizes: Any, strides: Any, rates: Any, padding: Any
) -> Any:
    only(padding, "VALID", "SAME")
    size, by, rate = (
        _window(item, what)
        for item, what in ((sizes, "sizes"), (strides, "strides"), (rates, "rates"))
    )
    fields: dict[str, Any] = {"size": size}
    if by != size:
        fields["strides"] = by
    if rate != 1:
        fields["dilation_rate"] = rate
    if padding == "SAME":
        fields["padding"] = "same"
    return s("extract_patches", images, **fields)


def _extent(sizes: Sizes, image: Any) -> tuple[int, int]:
    """Height and width of an image."""
    height, width, _ = sizes.known(image).shape[-3:]
    if isinstance(height, Dim) or isinstance(width, Dim):
        raise Opaque
    return height, width


def _padded(s: Steps, image: Any, rank: int, *widths: tuple[int, int]) -> Any:
    pairs = [[0, 0]] * (rank - 3) + [list(pair) for pair in widths] + [[0, 0]]
    return s("pad", image, pad_width=pairs)


def _cut(s: Steps, image: Any, *bounds: tuple[int, int]) -> Any:
    key = [{"ellipsis": True}, *({"slice": [a, b]} for a, b in bounds), {"slice": [None, None]}]
    return s("getitem", image, key=key)


@sized("image offset_height offset_width target_height target_width", "image.pad_to_bounding_box")
def _pad_to_box(
    s: Steps,
    sizes: Sizes,
    image: Any,
    offset_height: Any,
    offset_width: Any,
    target_height: Any,
    target_width: Any,
) -> Any:
    height, width = _extent(sizes, image)
    below, right = target_height - height - offset_height, target_width - width - offset_width
    if min(below, right, offset_height, offset_width) < 0:
        raise Opaque
    rank = len(sizes.known(image).shape)
    return _padded(s, image, rank, (offset_height, below), (offset_width, right))


@sized("image target_height target_width", "image.resize_with_crop_or_pad")
def _crop_or_pad(s: Steps, sizes: Sizes, image: Any, target_height: Any, target_width: Any) -> Any:
    wanted, have = numbers([target_height, target_width], "target"), _extent(sizes, image)
    cuts, pads = [], []
    for size, target in zip(have, wanted, strict=True):
        start, before = max(size - target, 0) // 2, max(target - size, 0) // 2
        cuts.append((start, start + min(size, target)))
        pads.append((before, max(target - size, 0) - before))
    result = image
    if any(pair != (0, size) for pair, size in zip(cuts, have, strict=True)):
        result = _cut(s, result, *cuts)
    if any(pair != (0, 0) for pair in pads):
        result = _padded(s, result, len(sizes.known(image).shape), *pads)
    return result if result is not image else s("copy", image)


@sized("image central_fraction", "image.central_crop")
def _central_crop(s: Steps, sizes: Sizes, image: Any, central_fraction: Any) -> Any:
    fraction = number(central_fraction, "central_fraction")
    starts = [int((size - size * fraction) / 2) for size in _extent(sizes, image)]
    bounds = [
        (start, size - start) for start, size in zip(starts, _extent(sizes, image), strict=True)
    ]
    return _cut(s, image, *bounds)


@sized("image", "image.per_image_standardization")
def _standardization(s: Steps, sizes: Sizes, image: Any) -> Any:
    shape = sizes.known(image).shape[-3:]
    if any(isinstance(size, Dim) for size in shape) or sizes.known(image).dtype != "float32":
        raise Opaque
    axes = [-3, -2, -1]
    mean = s("mean", image, axis=axes, keepdims=True)
    spread = s("std", image, axis=axes, keepdims=True)
    least = 1 / sqrt(prod(shape))
    return s("true_divide", s("subtract", image, mean), s("maximum", spread, least))


@sized("images size method preserve_aspect_ratio antialias", "image.resize")
def _resize(
    s: Steps,
    sizes: Sizes,
    images: Any,
    size: Any,
    method: Any = "bilinear",
    preserve_aspect_ratio: Any = False,
    antialias: Any = False,
) -> Any:
    """Resize; a size that is known only at run time must be an integer multiple of the image's."""
    if not isinstance(size, list) or not any(isinstance(item, Dim) for item in size):
        if preserve_aspect_ratio:
            have = _extent(sizes, images)
            scale = min(
                target / old for target, old in zip(numbers(size, "size"), have, strict=True)
            )
            size = [round(scale * old) for old in have]
        return _interpolated(s, sizes, images, size, method, antialias)
    only(method, "bilinear", "nearest")
    only(bool(preserve_aspect_ratio or antialias), False)
    shape = sizes.known(images).shape
    factors = [both(_multiple, a, b) for a, b in zip(size, shape[-3:-1], strict=True)]
    if len(shape) != 4 or any(isinstance(factor, Dim) for factor in factors):
        raise Opaque
    given = {} if method == "nearest" else {"interpolation": method}
    return s.layer(UpSampling2D, images, size=factors, **given)


def _interpolated(
    s: Steps, sizes: Sizes, images: Any, size: Any, method: Any, antialias: Any
) -> Any:
    """Resized images; all methods but one give float32, whatever the dtype of the images is."""
    if method != "nearest" and sizes.known(images).dtype != "float32":
        images = s("cast", images, dtype="float32")
    fields = {"antialias": True} if antialias else {}
    return s("resize", images, size=size, interpolation=method, **fields)


@sized("image target_height target_width method antialias", "image.resize_with_pad")
def _resize_with_pad(
    s: Steps,
    sizes: Sizes,
    image: Any,
    target_height: Any,
    target_width: Any,
    method: Any = "bilinear",
    antialias: Any = False,
) -> Any:
    wanted, have = numbers([target_height, target_width], "target"), _extent(sizes, image)
    ratio = max(old / target for old, target in zip(have, wanted, strict=True))
    size = [floor(old / ratio) for old in have]
    resized = _interpolated(s, sizes, image, size, method, antialias)
    starts = [
        max(0, floor((target - old / ratio) / 2)) for old, target in zip(have, wanted, strict=True)
    ]
    pads = [
        (start, target - new - start)
        for start, target, new in zip(starts, wanted, size, strict=True)
    ]
    if not any(map(any, pads)):
        return resized
    return _padded(s, resized, len(sizes.known(image).shape), *pads)


def _multiple(target: int, size: int) -> int:
    if size < 1 or target % size or target < size:
        raise Opaque
    return target // size


WIDEST: Final = 8
"""The most neighbours on each side that are added one by one."""


@sized("input depth_radius bias alpha beta", "nn.local_response_normalization", "nn.lrn")
def _response_normalization(
    s: Steps,
    sizes: Sizes,
    input: Any,
    depth_radius: Any = 5,
    bias: Any = 1.0,
    alpha: Any = 1.0,
    beta: Any = 0.5,
) -> Any:
    channels = sizes.known(input).shape[-1]
    radius = min(whole(depth_radius, "depth_radius"), channels - 1)
    if isinstance(channels, Dim) or not 0 <= radius <= WIDEST:
        raise Opaque
    squares = s("square", input)
    total = squares
    if radius:
        wide = s("pad", squares, pad_width=[[0, 0]] * 3 + [[radius, radius]])
        ahead = [
            s("getitem", wide, key=[{"ellipsis": True}, {"slice": [k, k + channels]}])
            for k in range(2 * radius + 1)
        ]
        total = ahead[0]
        for term in ahead[1:]:
            total = s("add", total, term)
    scale = s("add", s("multiply", total, number(alpha, "alpha")), number(bias, "bias"))
    return s("true_divide", input, s("power", scale, number(beta, "beta")))
