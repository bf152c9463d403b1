"""Converting TensorFlow's arithmetic with exceptions at zero, lookups, losses and color spaces."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from specfmt.formats.read.nodes import Call
from specfmt.formats.read.tensorflow.array_steps import array
from specfmt.formats.read.tensorflow.graph_sizes import Sizes
from specfmt.formats.read.tensorflow.size_rules import Opaque
from specfmt.formats.read.tensorflow.size_steps import sized
from specfmt.formats.read.tensorflow.steps import (
    Steps,
    UnsupportedError,
    number,
    numbers,
    only,
    steps,
)
from specfmt.layers.base import is_floating
from specfmt.layers.promotion import INTEGER_BOUNDS


def is_known(value: Any) -> bool:
    """Whether a value is a number or a list of numbers, and not computed by the model."""
    return isinstance(value, (int, float)) or (
        isinstance(value, list) and not Call([value], {}, ()).refs()
    )


def applied(value: Any, function: Callable[[Any], Any]) -> Any:
    """A function of a constant number, or of each number of a list."""
    if isinstance(value, list):
        return [applied(item, function) for item in value]
    try:
        return function(value)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise UnsupportedError("one of its constants is out of range") from None


def mapped(s: Steps, op: str, value: Any, function: Callable[[float], float]) -> Any:
    """An operation of a tensor, or the numbers that it gives for constants."""
    return array(applied(value, function)) if is_known(value) else s(op, value)


def zero_where(s: Steps, tested: Any, value: Any) -> Any:
    """``value``, but 0 where ``tested`` is 0."""
    if not is_known(tested):
        return s("where", s("equal", tested, 0), 0.0, value)
    if isinstance(tested, list):
        zeros = array(applied(tested, lambda item: item == 0), "bool")
        return s("where", zeros, 0.0, value)
    return value if tested else s("zeros_like", value)


@steps("x y", "math.xlogy")
def _xlogy(s: Steps, x: Any, y: Any) -> Any:
    return zero_where(s, x, s("multiply", array(x), mapped(s, "log", y, math.log)))


@steps("x y", "math.xlog1py")
def _xlog1py(s: Steps, x: Any, y: Any) -> Any:
    return zero_where(s, x, s("multiply", array(x), mapped(s, "log1p", y, math.log1p)))


@steps("x y", "math.xdivy")
def _xdivy(s: Steps, x: Any, y: Any) -> Any:
    return zero_where(s, x, s("true_divide", array(x), array(y)))


@steps("x y", "math.multiply_no_nan")
def _multiply_no_nan(s: Steps, x: Any, y: Any) -> Any:
    return zero_where(s, y, s("multiply", array(x), array(y)))


@steps("x", "math.reciprocal_no_nan")
def _reciprocal_no_nan(s: Steps, x: Any) -> Any:
    return s("divide_no_nan", 1.0, x)


@sized("x y", "truncatediv")
def _truncatediv(s: Steps, sizes: Sizes, x: Any, y: Any) -> Any:
    if not all(is_known(item) or is_floating(sizes.known(item).dtype) for item in (x, y)):
        raise Opaque
    return s("trunc", s("true_divide", array(x), array(y)))


@steps("x y", "truncatemod")
def _truncatemod(s: Steps, x: Any, y: Any) -> Any:
    return s("fmod", array(x), array(y))


@steps("x1 x2", "math.nextafter")
def _nextafter(s: Steps, x1: Any, x2: Any) -> Any:
    return s("nextafter", array(x1), array(x2))


@steps("t", "nn.l2_loss")
def _l2_loss(s: Steps, t: Any) -> Any:
    return s("multiply", s("sum", s("square", t)), 0.5)


def _norm_of_many(s: Steps, sizes: Sizes, x: Any, axis: Any, keepdims: Any) -> Any:
    """The norm over three or more axes; Keras's takes one or two."""
    try:
        count = len(sizes.known(x).shape) if axis is None else len(numbers(axis, "axis"))
    except Opaque:
        return None
    if count <= 2:
        return None
    fields = {
        **({} if axis is None else {"axis": axis}),
        **({"keepdims": True} if keepdims else {}),
    }
    return s("sqrt", s("sum", s("square", x), **fields))


@sized("input_tensor axis keepdims", "math.reduce_euclidean_norm")
def _euclidean_norm(
    s: Steps, sizes: Sizes, input_tensor: Any, axis: Any = None, keepdims: Any = False
) -> Any:
    return _norm_of_many(s, sizes, input_tensor, axis, keepdims)


@sized("tensor ord axis keepdims", "norm", "compat.v1.norm", "linalg.norm")
def _norm(
    s: Steps,
    sizes: Sizes,
    tensor: Any,
    ord: Any = "euclidean",
    axis: Any = None,
    keepdims: Any = None,
    keep_dims: Any = None,
) -> Any:
    if ord != "euclidean":
        return None
    return _norm_of_many(s, sizes, tensor, axis, keepdims or keep_dims)


@steps("value dtype", "dtypes.saturate_cast", "saturate_cast")
def _saturate_cast(s: Steps, value: Any, dtype: Any) -> Any:
    only(dtype, "uint8", "int8", "int16", "int32")
    return s("saturate_cast", value, dtype=dtype)


@steps("t clip_value_min clip_value_max", "clip_by_value")
def _clip(s: Steps, t: Any, clip_value_min: Any, clip_value_max: Any) -> Any:
    if isinstance(clip_value_min, (int, float)) and isinstance(clip_value_max, (int, float)):
        return s("clip", t, x_min=clip_value_min, x_max=clip_value_max)
    return s("maximum", s("minimum", t, array(clip_value_max)), array(clip_value_min))


@steps("params ids partition_strategy name validate_indices max_norm",
       "nn.embedding_lookup", "compat.v1.nn.embedding_lookup")  # fmt: skip
def _embedding_lookup(s: Steps, params: Any, ids: Any, max_norm: Any = None, **rest: Any) -> Any:
    only(max_norm, None)
    only(rest.get("partition_strategy", "div"), "div", "mod")  # alike for one table
    return s("take", array(params), ids, axis=0)


@steps("matrix", "linalg.adjoint")
def _adjoint(s: Steps, matrix: Any) -> Any:
    return s("swapaxes", matrix, axis1=-2, axis2=-1)


@steps("tensor", "linalg.eigvalsh")
def _eigvalsh(s: Steps, tensor: Any) -> Any:
    return s("copy", s("eigh", tensor))


@steps("tensor full_matrices compute_uv", "linalg.svd")
def _svd(s: Steps, tensor: Any, compute_uv: Any = True, **rest: Any) -> Any:
    only(
        set(rest) <= {"full_matrices"} and not compute_uv, True
    )  # TensorFlow's outputs have another order
    return s("svd", tensor, compute_uv=False)


# -- losses and layers -----------------------------------------------------------------------


@steps("x weights biases", "compat.v1.nn.xw_plus_b")
def _xw_plus_b(s: Steps, x: Any, weights: Any, biases: Any) -> Any:
    return s("add", s("matmul", x, array(weights)), array(biases))


@steps("x weights biases", "compat.v1.nn.relu_layer")
def _relu_layer(s: Steps, x: Any, weights: Any, biases: Any) -> Any:
    return s("relu", _xw_plus_b(s, x, weights, biases))


@steps("labels logits pos_weight", "nn.weighted_cross_entropy_with_logits")
def _weighted_cross_entropy(s: Steps, labels: Any, logits: Any, pos_weight: Any) -> Any:
    weight = s("add", s("multiply", labels, number(pos_weight, "pos_weight") - 1), 1)
    linear = s("multiply", s("subtract", 1, labels), logits)
    small = s("log1p", s("exp", s("negative", s("absolute", logits))))
    bent = s("add", small, s("relu", s("negative", logits)))
    return s("add", linear, s("multiply", weight, bent))


# -- images ----------------------------------------------------------------------------------

COLORS: Final = {
    "rgb_to_yiq": [
        [0.299, 0.59590059, 0.2115],
        [0.587, -0.27455667, -0.52273617],
        [0.114, -0.32134392, 0.31119955],
    ],
    "yiq_to_rgb": [
        [1.0, 1.0, 1.0],
        [0.95598634, -0.27201283, -1.10674021],
        [0.6208248, -0.64720424, 1.70423049],
    ],
    "rgb_to_yuv": [
        [0.299, -0.14714119, 0.61497538],
        [0.587, -0.28886916, -0.51496512],
        [0.114, 0.43601035, -0.10001026],
    ],
    "yuv_to_rgb": [
        [1.0, 1.0, 1.0],
        [0.0, -0.394642334, 2.03206185],
        [1.13988303, -0.58062185, 0.0],
    ],
}
"""Function of `tf.image` -> its matrix."""


def _colors(name: str, matrix: list[list[float]]) -> None:
    @steps("images", f"image.{name}")
    def _converted(s: Steps, images: Any) -> Any:
        return s("matmul", images, array(matrix))


for _name, _matrix in COLORS.items():
    _colors(_name, _matrix)


@sized("image gamma gain", "image.adjust_gamma")
def _adjust_gamma(s: Steps, sizes: Sizes, image: Any, gamma: Any = 1, gain: Any = 1) -> Any:
    if not is_floating(sizes.known(image).dtype):
        raise Opaque
    bent = s("power", image, number(gamma, "gamma"))
    return bent if number(gain, "gain") == 1 else s("multiply", bent, gain)


@sized("image dtype saturate", "image.convert_image_dtype")
def _convert(s: Steps, sizes: Sizes, image: Any, dtype: Any, **rest: Any) -> Any:
    """Integers become numbers from 0 to 1; these are within the range of any dtype."""
    only(set(rest) <= {"saturate"}, True)
    had, dtype = sizes.known(image).dtype, getattr(dtype, "name", dtype)
    if not isinstance(dtype, str) or not is_floating(dtype):
        raise Opaque
    if is_floating(had):
        return s("cast", image, dtype=dtype)
    if had not in INTEGER_BOUNDS or had == "bool":
        raise Opaque
    _, largest = INTEGER_BOUNDS[had]
    return s("multiply", s("cast", image, dtype=dtype), 1.0 / largest)


@steps("a b max_val", "image.psnr")
def _psnr(s: Steps, a: Any, b: Any, max_val: Any) -> Any:
    error = s("mean", s("square", s("subtract", a, b)), axis=[-3, -2, -1])
    peak = 20 * math.log10(number(max_val, "max_val"))
    return s("subtract", peak, s("multiply", s("log10", error), 10))
