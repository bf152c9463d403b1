"""Converting TensorFlow functions that take several operations of `keras.ops`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from specfmt.formats.config.reading import Json
from specfmt.formats.read.nodes import Call, Ref
from specfmt.layers.base import Layer
from specfmt.layers.reshaping import Flatten


class UnsupportedError(Exception):
    """The operation has no equivalent in `keras.ops`, for the reason in the message."""


class LostOperandError(Exception):
    """The source lacks an operand; tf.keras drops some when it saves a model."""


@dataclass(frozen=True, slots=True)
class Helper:
    """An operation that must precede another: its name, entry and call."""

    name: str
    entry: Json
    call: Call


@dataclass(slots=True)
class Steps:
    """Writes operations one after the other; each call returns a reference to the result.

    Attributes:
        name: The name of the converted call, the prefix of the operations' names.
        path: The path of the call in the source.
        helpers: The operations so far.
    """

    name: str
    path: Any
    helpers: list[Helper] = field(default_factory=list)

    def __call__(self, op: str, *operands: Any, **fields: Any) -> Ref:
        name = f"{self.name}/{len(self.helpers)}"
        helper = Helper(name, {"op": op}, Call(list(operands), fields, self.path))
        self.helpers.append(helper)
        return Ref(name, 0, 0)

    def layer(self, cls: type[Layer], operand: Any, **fields: Any) -> Ref:
        """Write a layer instead of an operation."""
        name = f"{self.name}/{len(self.helpers)}"
        entry = {"type": cls.type_name, **fields}
        self.helpers.append(Helper(name, entry, Call([operand], {}, self.path)))
        return Ref(name, 0, 0)


Function = Callable[..., Any]
STEPS: Final[dict[str, tuple[tuple[str, ...], Function]]] = {}
"""TensorFlow function -> its parameters in order, and the function that converts a call."""


def steps(params: str, *names: str) -> Callable[[Function], Function]:
    """Decorator that registers the conversion of TensorFlow functions with these parameters."""

    def register(function: Function) -> Function:
        for name in names:
            STEPS[name] = (tuple(params.split()), function)
        return function

    return register


def in_steps(function: str, call: Call, name: str) -> tuple[Json, list[Helper]]:
    """Convert a call to several operations; ``call`` becomes that of the last one.

    Raises:
        UnsupportedError: `keras.ops` has no equivalent.
        LostOperandError: The source lacks an operand.
    """
    params, write = STEPS[function]
    given = dict(zip(params, call.args, strict=False))
    given.update((key, value) for key, value in call.kwargs.items() if key != "name")
    given = {key: plain(value) for key, value in given.items() if value is not None}
    if params[0] not in given:
        raise LostOperandError(params[0])
    writer = Steps(name, call.path)
    try:
        write(writer, **given)
    except TypeError as error:
        missing = "missing" in str(error)
        if missing:
            raise LostOperandError(function) from None
        raise UnsupportedError("it has an argument without a counterpart in keras.ops") from None
    last = writer.helpers.pop()
    call.args, call.kwargs = last.call.args, last.call.kwargs
    return last.entry, writer.helpers


def plain(value: Any) -> Any:
    """A text constant as text."""
    return value["const"] if isinstance(value, dict) and set(value) == {"const"} else value


def number(value: Any, what: str) -> Any:
    """A constant number.

    Raises:
        UnsupportedError: It is computed by the model.
    """
    if type(value) not in (int, float, bool):
        raise UnsupportedError(f"its argument {what} is not a constant number")
    return value


def whole(value: Any, what: str) -> int:
    """A constant integer.

    Raises:
        UnsupportedError: It is something else.
    """
    if type(value) is not int:
        raise UnsupportedError(f"its argument {what} is not a constant integer")
    return value


def numbers(value: Any, what: str) -> list[int]:
    """Constant integers.

    Raises:
        UnsupportedError: They are something else.
    """
    items = value if isinstance(value, (list, tuple)) else [value]
    return [whole(item, what) for item in items]


def only(value: Any, *allowed: Any) -> None:
    """Refuse an option unless it has one of these values.

    Raises:
        UnsupportedError: It has another value.
    """
    if value not in allowed:
        raise UnsupportedError("it has an option without a counterpart in keras.ops")


@steps("x y", "math.squared_difference")
def _squared_difference(s: Steps, x: Any, y: Any) -> Any:
    return s("square", s("subtract", x, y))


@steps("inputs", "math.add_n", "math.accumulate_n")
def _add_n(s: Steps, inputs: Any, **shapes: Any) -> Any:
    only(set(shapes) <= {"shape", "tensor_dtype"}, True)
    if not isinstance(inputs, list) or len(inputs) < 2:
        raise UnsupportedError("it adds fewer than two tensors")
    total = inputs[0]
    for term in inputs[1:]:
        total = s("add", total, term)
    return total


@steps("features name axis", "compat.v1.nn.crelu", "nn.crelu")
def _crelu(s: Steps, features: Any, axis: Any = -1) -> Any:
    both = s("concatenate", [features, s("negative", features)], axis=whole(axis, "axis"))
    return s("relu", both)


@steps("features beta", "nn.silu", "nn.swish")
def _silu(s: Steps, features: Any, beta: Any = 1.0) -> Any:
    if number(beta, "beta") == 1:
        return s("silu", features)
    return s("multiply", features, s("sigmoid", s("multiply", features, beta)))


@steps("values axis direction", "sort")
def _sort(s: Steps, values: Any, axis: Any = -1, direction: Any = "ASCENDING") -> Any:
    only(direction, "ASCENDING", "DESCENDING")
    if direction == "ASCENDING":
        return s("sort", values, axis=whole(axis, "axis"))
    ordered = s("sort", values, axis=whole(axis, "axis"))
    return s("flip", ordered, axis=axis)


@steps("values axis direction stable", "argsort")
def _argsort(
    s: Steps, values: Any, axis: Any = -1, direction: Any = "ASCENDING", stable: Any = False
) -> Any:
    only(stable, False, True)  # sorting is stable in both cases
    only(direction, "ASCENDING", "DESCENDING")
    read = values if direction == "ASCENDING" else s("negative", values)
    return s("argsort", read, axis=whole(axis, "axis"))


@steps("x axis exclusive reverse", "math.cumsum")
def _cumsum(s: Steps, x: Any, axis: Any = 0, exclusive: Any = False, reverse: Any = False) -> Any:
    axis = whole(axis, "axis")
    read = s("flip", x, axis=axis) if reverse else x
    total = s("cumsum", read, axis=axis)
    if exclusive:
        total = s("subtract", total, read)
    return s("flip", total, axis=axis) if reverse else total


@steps("x axis exclusive reverse", "math.cumprod")
def _cumprod(s: Steps, x: Any, axis: Any = 0, exclusive: Any = False, reverse: Any = False) -> Any:
    only(exclusive, False)
    axis = whole(axis, "axis")
    read = s("flip", x, axis=axis) if reverse else x
    total = s("cumprod", read, axis=axis)
    return s("flip", total, axis=axis) if reverse else total


@steps("indices depth on_value off_value axis dtype", "one_hot")
def _one_hot(
    s: Steps,
    indices: Any,
    depth: Any,
    on_value: Any = 1,
    off_value: Any = 0,
    axis: Any = -1,
    dtype: Any = None,
) -> Any:
    fields = {"num_classes": whole(depth, "depth")}
    if whole(axis, "axis") != -1:
        fields["axis"] = axis
    if dtype is not None:
        fields["dtype"] = dtype
    hot = s("one_hot", indices, **fields)
    on, off = number(on_value, "on_value"), number(off_value, "off_value")
    if (on, off) == (1, 0):
        return hot
    return s("add", s("multiply", hot, on - off), off)


@steps("input num_lower num_upper", "linalg.band_part")
def _band_part(s: Steps, input: Any, num_lower: Any, num_upper: Any) -> Any:
    low, high = whole(num_lower, "num_lower"), whole(num_upper, "num_upper")
    result = input
    if high >= 0:
        result = s("tril", result, **({"k": high} if high else {}))
    if low >= 0:
        result = s("triu", result, **({"k": -low} if low else {}))
    return result if result is not input else s("copy", input)


@steps("tensor ord axis keepdims", "norm", "compat.v1.norm", "linalg.norm")
def _norm(
    s: Steps,
    tensor: Any,
    ord: Any = "euclidean",
    axis: Any = None,
    keepdims: Any = None,
    keep_dims: Any = None,
) -> Any:
    fields: dict[str, Any] = {}
    if ord not in ("euclidean", 2, 2.0) or (isinstance(axis, list) and ord != "euclidean"):
        only(isinstance(axis, list) and ord not in ("fro", "euclidean"), False)
        if ord != "fro":
            fields["ord"] = "inf" if ord == float("inf") else ord
    if axis is not None:
        fields["axis"] = axis
    if keepdims or keep_dims:
        fields["keepdims"] = True
    return s("norm", tensor, **fields)


@steps("a b transpose_a adjoint_a", "linalg.matvec")
def _matvec(s: Steps, a: Any, b: Any, **options: Any) -> Any:
    only(any(options.values()), False)
    return s("squeeze", s("matmul", a, s("expand_dims", b, axis=-1)), axis=-1)


@steps("value", "math.zero_fraction", "nn.zero_fraction")
def _zero_fraction(s: Steps, value: Any) -> Any:
    return s("mean", s("cast", s("equal", value, 0), dtype="float32"))


@steps("scalar x", "math.scalar_mul", "compat.v1.math.scalar_mul")
def _scalar_mul(s: Steps, scalar: Any, x: Any) -> Any:
    return s("multiply", scalar, x)


@steps("input_ begin size", "slice", "compat.v1.slice")
def _slice(s: Steps, input_: Any, begin: Any, size: Any) -> Any:
    starts, sizes = numbers(begin, "begin"), numbers(size, "size")
    key = [
        {"slice": [start or None, None if size == -1 else start + size]}
        for start, size in zip(starts, sizes, strict=True)
    ]
    return s("getitem", input_, key=key)


@steps(
    "input_ begin end strides begin_mask end_mask ellipsis_mask new_axis_mask shrink_axis_mask",
    "strided_slice",
)
def _strided_slice(
    s: Steps, input_: Any, begin: Any, end: Any, strides: Any = None, **masks: Any
) -> Any:
    only(masks.pop("var", None), None)
    starts, stops = numbers(begin, "begin"), numbers(end, "end")
    by = [1] * len(starts) if strides is None else numbers(strides, "strides")
    flags = {key.removesuffix("_mask"): whole(value, key) for key, value in masks.items()}
    return s("getitem", input_, key=subscript(starts, stops, by, flags))


def subscript(
    starts: list[int], stops: list[int], strides: list[int], masks: dict[str, int]
) -> list[Any]:
    """A slice of TensorFlow, given by bounds and bit masks, as an index."""
    key: list[Any] = []

    def has(mask: str, place: int) -> int:
        return masks.get(mask, 0) >> place & 1

    for i, (begin, end, step) in enumerate(zip(starts, stops, strides, strict=False)):
        if has("ellipsis", i):
            key.append({"ellipsis": True})
        elif has("new_axis", i):
            key.append(None)
        elif has("shrink_axis", i):
            key.append(begin)
        else:
            start = None if has("begin", i) else begin
            stop = None if has("end", i) else end
            key.append({"slice": [start, stop, None if step == 1 else step]})
    return key


@steps("x", "keras.backend.batch_flatten")
def _batch_flatten(s: Steps, x: Any) -> Any:
    return s.layer(Flatten, x)


@steps("equation a b c d", "einsum")
def _einsum(s: Steps, equation: Any, **operands: Any) -> Any:
    if not operands or not isinstance(equation, str):
        raise UnsupportedError("its operands are not saved")
    return s("einsum", *operands.values(), subscripts=equation)


@steps("t clip_norm axes", "clip_by_norm")
def _clip_by_norm(s: Steps, t: Any, clip_norm: Any, axes: Any = None) -> Any:
    fields = {"keepdims": True, **({} if axes is None else {"axis": axes})}
    bound = float(number(clip_norm, "clip_norm"))
    norm = s("sqrt", s("sum", s("square", t), **fields))
    return s("true_divide", s("multiply", t, bound), s("maximum", norm, bound))


@steps("labels logits", "compat.v1.nn.sigmoid_cross_entropy_with_logits",
       "nn.sigmoid_cross_entropy_with_logits")  # fmt: skip
def _cross_entropy(s: Steps, labels: Any, logits: Any) -> Any:
    linear = s("subtract", s("relu", logits), s("multiply", logits, labels))
    small = s("exp", s("negative", s("absolute", logits)))
    return s("add", linear, s("log1p", small))
