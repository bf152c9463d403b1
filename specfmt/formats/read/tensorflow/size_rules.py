"""Evaluating TensorFlow functions of sizes and constants."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import ceil, prod, sqrt
from typing import Any, Final, NamedTuple, Protocol

LONGEST: Final = 4_096
"""The most elements of a constant that is evaluated."""


class Dim(NamedTuple):
    """A size that is known only at run time: its value for each of the two choices of sizes."""

    first: int
    second: int


class Known(NamedTuple):
    """The shape of a tensor, of numbers and `Dim`, and its dtype."""

    shape: tuple[Any, ...]
    dtype: str


class Tensors(Protocol):
    """The tensors of the model that is read."""

    def known(self, ref: Any) -> Known:
        """Shape and dtype of a tensor; raises `Opaque` where they are not known."""


class Opaque(Exception):  # noqa: N818 - no error: the search ends here
    """The result cannot be evaluated."""


RULES: Final[dict[str, Callable[..., Any]]] = {}
"""TensorFlow function -> the function that evaluates it for sizes and constants."""

Rule = Callable[..., Any]


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorator that registers an evaluation for these TensorFlow functions."""

    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a `Dim`, or lists of them."""
    if isinstance(value, list):
        return all(is_plain(item) for item in value)
    return isinstance(value, Dim) or type(value) in (int, float, bool)


def is_constant(value: Any) -> bool:
    """Whether a value contains no size that is known only at run time."""
    if isinstance(value, (list, dict)):
        items = value.values() if isinstance(value, dict) else value
        return all(is_constant(item) for item in items)
    return not isinstance(value, Dim)


def _plain(value: Any) -> Any:
    if not is_plain(value):
        raise Opaque
    return value


def both(function: Callable[..., Any], *values: Any) -> Any:
    """Apply a function of numbers for both choices of sizes."""
    if not any(isinstance(value, Dim) for value in values):
        return function(*values)
    first, second = (
        function(*(v[choice] if isinstance(v, Dim) else v for v in values)) for choice in (0, 1)
    )
    return first if first == second else Dim(first, second)


def _each(function: Callable[..., Any], *values: Any) -> Any:
    """Apply a function elementwise, with NumPy's broadcasting for lists of one rank."""
    for value in values:
        _plain(value)
    lists = [value for value in values if isinstance(value, list)]
    if not lists:
        return both(function, *values)
    length = max(len(item) for item in lists)
    if any(len(item) not in (1, length) for item in lists):
        raise Opaque
    if len({_rank(item) for item in lists}) > 1:
        raise Opaque
    rows = (
        [v if not isinstance(v, list) else v[i if len(v) > 1 else 0] for v in values]
        for i in range(length)
    )
    return [_each(function, *row) for row in rows]


def _rank(value: Any) -> int:
    return 1 + (_rank(value[0]) if value else 0) if isinstance(value, list) else 0


@rule("compat.v1.shape", "shape", "compat.v1.shape_v2")
def _shape(s: Tensors, input: Any, out_type: Any = None) -> Any:
    if isinstance(input, list):
        return [len(_plain(input))]
    return list(s.known(input).shape)


@rule("compat.v1.size", "size")
def _size(s: Tensors, input: Any, out_type: Any = None) -> Any:
    return both(lambda *sizes: prod(sizes), *s.known(input).shape)


@rule("compat.v1.rank", "rank")
def _rank_of(s: Tensors, input: Any) -> Any:
    return len(s.known(input).shape)


@rule("__operators__.getitem")
def _getitem(s: Tensors, value: Any, slice_spec: Any, var: Any = None) -> Any:
    _plain(value)
    keys = slice_spec if isinstance(slice_spec, list) else [slice_spec]
    return _item(value, keys)


def _item(value: Any, keys: list[Any]) -> Any:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if key is None:
        return [_item(value, rest)]
    if not isinstance(value, list):
        raise Opaque
    if isinstance(key, dict) and set(key) == {"slice"}:
        bounds = key["slice"]
        if not all(bound is None or type(bound) is int for bound in bounds):
            raise Opaque
        return [_item(item, rest) for item in value[slice(*bounds)]]
    if type(key) is not int:
        raise Opaque
    return _item(value[key], rest)


@rule("unstack")
def _unstack(s: Tensors, value: Any, num: Any = None, axis: Any = 0) -> Any:
    if not isinstance(_plain(value), list) or axis != 0:
        raise Opaque
    return tuple(value)


@rule("stack")
def _stack(s: Tensors, values: Any, axis: Any = 0) -> Any:
    if axis != 0 or not isinstance(values, list):
        raise Opaque
    return list(_plain(values))


@rule("concat")
def _concat(s: Tensors, values: Any, axis: Any = 0) -> Any:
    if axis not in (0, -1) or not isinstance(values, list):
        raise Opaque
    return [item for part in _plain(values) for item in part]


@rule("convert_to_tensor", "identity", "stop_gradient")
def _same(s: Tensors, value: Any, dtype: Any = None, dtype_hint: Any = None) -> Any:
    return _plain(value)


@rule("cast")
def _cast(s: Tensors, x: Any, dtype: Any) -> Any:
    name = dtype["const"] if isinstance(dtype, dict) else dtype
    if not is_constant(_plain(x)):
        if name not in ("int32", "int64", "float32"):
            raise Opaque
        return _each(float if name == "float32" else int, x)
    if name not in ("float32", "int32", "bool"):  # the constant would lose its dtype
        raise Opaque
    kind = {"float32": float, "int32": int, "bool": bool}[name]
    return _each(kind, x)


@rule("expand_dims")
def _expand_dims(s: Tensors, input: Any, axis: Any) -> Any:
    if axis == 0:
        return [_plain(input)]
    if axis in (1, -1) and _rank(_plain(input)) == 1:
        return [[item] for item in input]
    raise Opaque


@rule("range")
def _range(s: Tensors, start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None) -> Any:
    if limit is None:
        start, limit = 0, start
    kinds = {type(item) for item in (start, limit, delta)}
    if not kinds <= {int, float} or dtype is not None:
        raise Opaque
    count = max(0, ceil((limit - start) / delta))
    if count > LONGEST:
        raise Opaque
    return [start + i * delta for i in range(count)]


@rule("ones_like")
def _ones_like(s: Tensors, input: Any, dtype: Any = None) -> Any:
    return _each(lambda x: type(x)(1), input)


@rule("math.reduce_prod")
def _reduce_prod(s: Tensors, input_tensor: Any, axis: Any = None, keepdims: Any = None) -> Any:
    if _rank(_plain(input_tensor)) != 1 or keepdims:
        raise Opaque
    return both(lambda *sizes: prod(sizes), *input_tensor)


@rule("gather", "compat.v1.gather")
def _gather(
    s: Tensors,
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    axis: Any = None,
    batch_dims: Any = 0,
) -> Any:
    if axis not in (None, 0) or batch_dims or not is_plain([params, indices]):
        raise Opaque
    return _taken(params, indices)


def _taken(params: list[Any], indices: Any) -> Any:
    if isinstance(indices, list):
        return [_taken(params, index) for index in indices]
    return params[range(len(params))[indices]]


@rule("where")
def _where(s: Tensors, condition: Any, x: Any = None, y: Any = None) -> Any:
    return _each(lambda c, a, b: a if c else b, condition, x, y)


def _binary(function: Callable[[Any, Any], Any]) -> Rule:
    return lambda s, x, y: _each(function, x, y)


def _power(x: Any, y: Any) -> Any:
    if abs(y) > 16 or abs(x) > 2**32:
        raise Opaque
    return x**y


def _unary(function: Callable[[Any], Any]) -> Rule:
    return lambda s, x: _each(function, x)


for _names, _function in (
    (("math.add", "__operators__.add"), operator.add),
    (("math.subtract", "__operators__.sub"), operator.sub),
    (("math.multiply", "__operators__.mul"), operator.mul),
    (("math.floordiv", "compat.v1.floor_div"), operator.floordiv),
    (("math.floormod", "math.mod"), operator.mod),
    (("math.truediv", "math.divide", "__operators__.truediv"), operator.truediv),
    (("math.pow",), _power),
    (("math.maximum",), max),
    (("math.minimum",), min),
    (("math.greater",), operator.gt),
    (("math.less",), operator.lt),
    (("math.equal", "__operators__.eq"), operator.eq),
):
    for _name in _names:
        RULES[_name] = _binary(_function)

for _name, _of_one in {
    "math.sqrt": sqrt,
    "math.rsqrt": lambda x: 1 / sqrt(x),
    "math.negative": operator.neg,
    "math.square": lambda x: x * x,
    "math.reciprocal": lambda x: 1 / x,
}.items():
    RULES[_name] = _unary(_of_one)


@rule("eye")
def _eye(s: Tensors, num_rows: Any, num_columns: Any = None, dtype: Any = None) -> Any:
    columns = num_rows if num_columns is None else num_columns
    if {type(num_rows), type(columns)} != {int} or dtype is not None:
        raise Opaque
    if num_rows * columns > LONGEST:
        raise Opaque
    return [[float(i == k) for k in range(columns)] for i in range(num_rows)]
