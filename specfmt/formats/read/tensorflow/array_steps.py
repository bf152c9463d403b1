"""Converting TensorFlow functions of kernels, indices, matrices and labels."""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.read.nodes import Call
from specfmt.formats.read.tensorflow.steps import (
    Steps,
    UnsupportedError,
    number,
    numbers,
    only,
    steps,
    whole,
)

EPSILON: Final = 1e-7
"""`keras.config.epsilon()`, by which Keras 2 clips probabilities."""


def array(value: Any, dtype: str = "float32") -> Any:
    """A constant list as an array, anything else as it is."""
    if isinstance(value, list) and not Call([value], {}, ()).refs():
        return {"const": {"value": value, "dtype": dtype}}
    return value


# -- kernels ---------------------------------------------------------------------------------


def along(value: Any, what: str, *, first: bool) -> Any:
    """Strides or dilations of the spatial axes: one number, or one each, also with those of the
    batch and of the channels."""
    if value is None:
        return 1
    sizes = numbers(value, what)
    if len(sizes) > 3:  # only `convolution` has three spatial axes, and gives no others
        sizes = sizes[2:] if first else sizes[1:-1]
    return sizes[0] if len(set(sizes)) == 1 else sizes


def convolved(
    s: Steps, op: str, inputs: Any, kernels: list[Any], padding: Any, options: dict[str, Any]
) -> Any:
    """A convolution with the arguments of TensorFlow.

    Raises:
        UnsupportedError: An option has no equivalent.
    """
    data_format = options.pop("data_format", None)
    first = isinstance(data_format, str) and data_format.startswith("NC")
    strides = along(options.pop("strides", None), "strides", first=first)
    rates = [options.pop(key, None) for key in ("dilations", "dilation_rate", "rate")]
    dilation = along(next((r for r in rates if r is not None), None), "dilations", first=first)
    if isinstance(padding, list):
        inputs, padding = s("pad", inputs, pad_width=padding), "VALID"
    only(str(padding).upper(), "SAME", "VALID")
    only(set(options) <= {"use_cudnn_on_gpu"}, True)
    fields: dict[str, Any] = {"padding": str(padding).lower()}
    if strides != 1:
        fields["strides"] = strides
    if dilation != 1:
        fields["dilation_rate"] = dilation
    if first:
        fields["data_format"] = "channels_first"
    return s(op, inputs, *(array(kernel) for kernel in kernels), **fields)


@steps("input filter strides padding use_cudnn_on_gpu data_format dilations",
       "compat.v1.nn.conv2d", "nn.conv2d")  # fmt: skip
def _conv2d(s: Steps, input: Any, padding: Any, filter: Any = None, filters: Any = None,
            **options: Any) -> Any:  # fmt: skip
    return convolved(s, "conv", input, [filters if filter is None else filter], padding, options)


@steps("input filters strides padding data_format dilations", "nn.conv3d")
def _conv3d(s: Steps, input: Any, filters: Any, padding: Any, **options: Any) -> Any:
    return convolved(s, "conv", input, [filters], padding, options)


@steps("value filters stride padding use_cudnn_on_gpu data_format",
       "compat.v1.nn.conv1d", "nn.conv1d")  # fmt: skip
def _conv1d(
    s: Steps,
    filters: Any,
    stride: Any,
    padding: Any,
    value: Any = None,
    input: Any = None,
    **options: Any,
) -> Any:
    steps_of_all = numbers(stride, "stride")
    options["strides"] = steps_of_all[len(steps_of_all) // 2]
    return convolved(s, "conv", input if value is None else value, [filters], padding, options)


@steps("input filter padding strides dilation_rate name data_format filters dilations",
       "compat.v1.nn.convolution", "nn.convolution")  # fmt: skip
def _convolution(s: Steps, input: Any, filter: Any = None, filters: Any = None,
                 padding: Any = "VALID", **options: Any) -> Any:  # fmt: skip
    return convolved(s, "conv", input, [filters if filter is None else filter], padding, options)


@steps("input filter strides padding rate name data_format dilations",
       "compat.v1.nn.depthwise_conv2d", "nn.depthwise_conv2d")  # fmt: skip
def _depthwise(s: Steps, input: Any, filter: Any, padding: Any, **options: Any) -> Any:
    return convolved(s, "depthwise_conv", input, [filter], padding, options)


@steps("input depthwise_filter pointwise_filter strides padding rate name data_format dilations",
       "compat.v1.nn.separable_conv2d", "nn.separable_conv2d")  # fmt: skip
def _separable(
    s: Steps, input: Any, depthwise_filter: Any, pointwise_filter: Any, padding: Any, **options: Any
) -> Any:
    kernels = [depthwise_filter, pointwise_filter]
    return convolved(s, "separable_conv", input, kernels, padding, options)


# -- indices ---------------------------------------------------------------------------------


@steps("sorted_sequence values side out_type", "searchsorted")
def _searchsorted(
    s: Steps, sorted_sequence: Any, values: Any, side: Any = "left", out_type: Any = "int32"
) -> Any:
    only(out_type, "int32")
    fields = {"side": side} if side != "left" else {}
    return s("searchsorted", array(sorted_sequence), values, **fields)


def _segments(kind: str) -> None:
    @steps("data segment_ids", f"math.segment_{kind}")
    def _sorted(s: Steps, data: Any, segment_ids: Any) -> Any:
        return s(f"segment_{kind}", data, array(segment_ids, "int32"), sorted=True)

    @steps("data segment_ids num_segments", f"math.unsorted_segment_{kind}")
    def _unsorted(s: Steps, data: Any, segment_ids: Any, num_segments: Any) -> Any:
        count = whole(num_segments, "num_segments")
        return s(f"segment_{kind}", data, array(segment_ids, "int32"), num_segments=count)


for _kind in ("sum", "max", "min", "prod"):
    _segments(_kind)


@steps("indices updates shape", "scatter_nd")
def _scatter_nd(s: Steps, indices: Any, updates: Any, shape: Any, **options: Any) -> Any:
    only(set(options.values()) <= {""}, True)  # bad_indices_policy: the default
    sizes = numbers(shape, "shape")
    return s("scatter", array(indices, "int32"), array(updates), shape=sizes)


def _scattered(kind: str, reduction: str | None) -> None:
    @steps("tensor indices updates", f"tensor_scatter_nd_{kind}")
    def _update(s: Steps, tensor: Any, indices: Any, updates: Any, **options: Any) -> Any:
        only(set(options.values()) <= {""}, True)  # bad_indices_policy: the default
        fields = {} if reduction is None else {"reduction": reduction}
        places = array(indices, "int32")
        return s("scatter_update", tensor, places, array(updates), **fields)


for _kind, _reduction in (("update", None), ("add", "add"), ("max", "max"), ("min", "min")):
    _scattered(_kind, _reduction)


@steps("arr weights minlength maxlength dtype name axis binary_output", "math.bincount")
def _bincount(s: Steps, arr: Any, minlength: Any = 0, axis: Any = None, **options: Any) -> Any:
    only(axis, -1)
    only(options.pop("binary_output", False), False)
    only(options.pop("dtype", "int32"), "int32")
    only(options, {})
    return s("bincount", arr, **({"minlength": whole(minlength, "minlength")} if minlength else {}))


@steps("predictions targets k", "compat.v1.math.in_top_k", "math.in_top_k", "nn.in_top_k")
def _in_top_k(s: Steps, predictions: Any, targets: Any, k: Any) -> Any:
    return s("in_top_k", targets, predictions, k=whole(k, "k"))


# -- matrices and numbers --------------------------------------------------------------------


def _renamed(params: str, function: str, op: str, operands: int = 1) -> None:
    """A function that is an operation, apart from options that have to be off."""

    @steps(params, function)
    def _write(s: Steps, **given: Any) -> Any:
        names = params.split()[:operands]
        values = [array(given.pop(name)) for name in names]
        only(any(given.values()), False)
        return s(op, *values)


for _params, _function, _op, _count in (
    ("matrix rhs adjoint", "linalg.solve", "solve", 2),
    ("a validate_args", "linalg.pinv", "pinv", 1),
    ("tensor", "linalg.eigh", "eigh", 1),
    ("tensor", "linalg.eig", "eig", 1),
    ("a b", "linalg.cross", "cross", 2),
    ("x", "math.rint", "round", 1),
    ("input", "math.angle", "angle", 1),
    ("input", "math.real", "real", 1),
    ("input", "math.imag", "imag", 1),
    ("x", "math.conj", "conjugate", 1),
    ("x y", "bitwise.left_shift", "bitwise_left_shift", 2),
    ("x y", "bitwise.right_shift", "bitwise_right_shift", 2),
    ("x", "bitwise.invert", "bitwise_invert", 1),
):
    _renamed(_params, _function, _op, _count)


@steps("x shape", "ensure_shape")
def _ensure_shape(s: Steps, x: Any, **_shape: Any) -> Any:
    """The shape is known without it."""
    return s("copy", x)


@steps("matrix rhs lower adjoint", "linalg.triangular_solve")
def _triangular_solve(
    s: Steps, matrix: Any, rhs: Any, lower: Any = True, adjoint: Any = False
) -> Any:
    only(adjoint, False)
    return s("solve_triangular", matrix, rhs, **({"lower": True} if lower else {}))


@steps("input full_matrices", "linalg.qr")
def _qr(s: Steps, input: Any, full_matrices: Any = False) -> Any:
    return s("qr", input, **({"mode": "complete"} if full_matrices else {}))


@steps("start stop num axis", "linspace")
def _linspace(s: Steps, start: Any, stop: Any, num: Any, axis: Any = 0) -> Any:
    fields = {"num": whole(num, "num"), **({"axis": axis} if whole(axis, "axis") else {})}
    return s("linspace", array(start), array(stop), **fields)


@steps("input type", "bitcast")
def _bitcast(s: Steps, input: Any, type: Any) -> Any:
    if not isinstance(type, str):
        raise UnsupportedError("its dtype is not given by name")
    return s("view", input, dtype=type)


@steps("signal frame_length frame_step pad_end pad_value axis", "signal.frame")
def _frame(
    s: Steps, signal: Any, frame_length: Any, frame_step: Any, axis: Any = -1, **padding: Any
) -> Any:
    only(padding.get("pad_end", False), False)
    only(axis, -1)
    length, stride = whole(frame_length, "frame_length"), whole(frame_step, "frame_step")
    return s("extract_sequences", signal, sequence_length=length, sequence_stride=stride)


# -- labels ----------------------------------------------------------------------------------


@steps("labels logits axis name dim",
       "compat.v1.nn.softmax_cross_entropy_with_logits_v2",
       "nn.softmax_cross_entropy_with_logits")  # fmt: skip
def _softmax_crossentropy(
    s: Steps, labels: Any, logits: Any, axis: Any = None, dim: Any = None
) -> Any:
    only(-1 if axis is None else axis, -1)
    only(-1 if dim is None else dim, -1)
    return s("categorical_crossentropy", labels, logits, from_logits=True)


@steps("labels logits",
       "compat.v1.nn.sparse_softmax_cross_entropy_with_logits",
       "nn.sparse_softmax_cross_entropy_with_logits")  # fmt: skip
def _sparse(s: Steps, labels: Any, logits: Any) -> Any:
    return s("sparse_categorical_crossentropy", labels, logits, from_logits=True)


@steps("target output from_logits axis", "keras.backend.categorical_crossentropy")
def _categorical(
    s: Steps, target: Any, output: Any, from_logits: Any = False, axis: Any = -1
) -> Any:
    only(axis, -1)
    fields = {"from_logits": True} if from_logits else {}
    return s("categorical_crossentropy", target, output, **fields)


@steps("target output from_logits axis ignore_class",
       "keras.backend.sparse_categorical_crossentropy")  # fmt: skip
def _sparse_categorical(
    s: Steps, target: Any, output: Any, from_logits: Any = False, axis: Any = -1
) -> Any:
    only(axis, -1)
    fields = {"from_logits": True} if from_logits else {}
    return s("sparse_categorical_crossentropy", target, output, **fields)


@steps("target output from_logits", "keras.backend.binary_crossentropy")
def _binary(s: Steps, target: Any, output: Any, from_logits: Any = False) -> Any:
    """Keras 2 adds an epsilon to probabilities that it has clipped."""
    number(from_logits, "from_logits")
    if from_logits:
        return s("binary_crossentropy", target, output, from_logits=True)
    kept = s("clip", output, x_min=EPSILON, x_max=1 - EPSILON)
    true = s("multiply", target, s("log", s("add", kept, EPSILON)))
    rest = s("subtract", 1.0, target)
    false = s("multiply", rest, s("log", s("add", s("subtract", 1.0, kept), EPSILON)))
    return s("negative", s("add", true, false))
