"""Converting TensorFlow functions with sizes of other tensors as arguments, without a shape operation."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Final

from specfmt.formats.config.reading import Json
from specfmt.formats.read.nodes import Call, Ref
from specfmt.formats.read.tensorflow.graph_sizes import Sizes
from specfmt.formats.read.tensorflow.size_rules import LONGEST, Dim, Known, Opaque, both, is_plain
from specfmt.formats.read.tensorflow.steps import Helper, Steps, UnsupportedError, only, plain
from specfmt.layers.reshaping import Reshape

Writer = Callable[..., Any]
SIZED: Final[dict[str, tuple[tuple[str, ...], Writer]]] = {}
"""TensorFlow function -> its parameters in order, and the function that converts a call."""


def sized(params: str, *names: str) -> Callable[[Writer], Writer]:
    """Decorator that registers the conversion of TensorFlow functions with these parameters."""

    def register(writer: Writer) -> Writer:
        for name in names:
            SIZED[name] = (tuple(params.split()), writer)
        return writer

    return register


def in_sized_steps(
    function: str, call: Call, name: str, sizes: Sizes
) -> tuple[Json, list[Helper]] | None:
    """Convert a call with sizes as arguments; ``call`` becomes that of the last operation.

    Returns:
        The last entry and the operations before it; None if another table has the function.

    Raises:
        UnsupportedError: The sizes cannot be evaluated.
    """
    if function not in SIZED:
        return None
    params, write = SIZED[function]
    given = dict(zip(params, call.args, strict=False))
    given.update((key, value) for key, value in call.kwargs.items() if key != "name")
    given = {key: plain(value) for key, value in given.items() if value is not None}
    writer = Steps(name, call.path)
    try:
        if write(writer, sizes, **given) is None:
            return None
    except (Opaque, TypeError, KeyError, ValueError):
        raise UnsupportedError("it uses sizes that are known only at run time") from None
    last = writer.helpers.pop()
    call.args, call.kwargs = last.call.args, last.call.kwargs
    return last.entry, writer.helpers


def _dims(value: Any) -> list[Any]:
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, Dim) or type(item) is int for item in items):
        raise Opaque
    return items


@sized("tensor shape", "reshape")
def _reshape(s: Steps, sizes: Sizes, tensor: Any, shape: Any) -> Any:
    dims = _dims(shape)
    if not any(isinstance(size, Dim) for size in dims):
        return None
    if len(_open(dims)) > 1 and -1 in dims:
        known = sizes.known(tensor)
        whole = both(lambda *items: prod(items), *known.shape)
        rest = both(lambda *items: prod(items), *(size for size in dims if size != -1))
        dims = [both(_quotient, whole, rest) if size == -1 else size for size in dims]
    places = _open(dims)
    if len(places) <= 1:
        return s("reshape", tensor, newshape=[-1 if isinstance(n, Dim) else n for n in dims])
    batch = sizes.known(tensor).shape[0]
    if places[0] == 0 and dims[0] == batch and len(places) == 2:
        target = [-1 if isinstance(n, Dim) else n for n in dims[1:]]
        return s.layer(Reshape, tensor, target_shape=target)
    product = _product_of_steps(s, sizes, tensor, dims)
    return product or _split_last(s, sizes.known(tensor), tensor, dims)


def _product_of_steps(s: Steps, sizes: Sizes, tensor: Any, dims: list[Any]) -> Any:
    """`K.dot`: a matrix product for every step, which TensorFlow computes by flattening the steps."""
    by_name = {record.name: record for record in sizes.records}
    product = by_name.get(tensor.layer)
    if product is None or product.entry.get("op") != "matmul":
        return None
    rows, matrix = product.calls[0].args
    flat = by_name.get(rows.layer) if isinstance(rows, Ref) else None
    if flat is None or flat.entry.get("op") != "reshape":
        return None
    steps = flat.calls[0].args[0]
    shape = sizes.known(steps).shape
    if flat.calls[0].kwargs.get("newshape") != [-1, shape[-1]] or shape[:-1] != tuple(dims[:-1]):
        return None
    return s("matmul", steps, matrix)


def _split_last(s: Steps, known: Known, tensor: Any, dims: list[Any]) -> Any:
    """Reshape only the last one or two axes: parts are stacked or concatenated."""
    kept = len(dims) - 2
    if tuple(dims[:kept]) == known.shape[:kept] and len(known.shape) == kept + 1:
        groups = dims[-2]
        if type(groups) is int and 1 < groups <= MOST_GROUPS:
            parts = s("split", tensor, indices_or_sections=groups, axis=-1)
            return s("stack", [Ref(parts.layer, 0, k) for k in range(groups)], axis=-2)
    kept = len(dims) - 1
    if tuple(dims[:kept]) == known.shape[:kept] and len(known.shape) == kept + 2:
        groups = known.shape[-2]
        if type(groups) is int and 1 < groups <= MOST_GROUPS:
            parts = s("unstack", tensor, axis=-2)
            return s("concatenate", [Ref(parts.layer, 0, k) for k in range(groups)], axis=-1)
    raise Opaque


MOST_GROUPS: Final = 64


def _open(dims: list[Any]) -> list[int]:
    return [place for place, size in enumerate(dims) if isinstance(size, Dim) or size == -1]


def _quotient(whole: int, part: int) -> int:
    if part <= 0 or whole % part:
        raise Opaque
    return whole // part


def _zeros(s: Steps, sizes: Sizes, dims: list[Any], dtype: str, op: str = "zeros_like") -> Any:
    """Zeros (or ones) with sizes of other tensors."""
    like = sizes.alike.get(tuple(dims))
    if like is not None:
        return s(op, like, dtype=dtype)
    places = _open(dims)
    origins = [sizes.sources[dims[place]] for place in places]
    refs = {ref for ref, _ in origins}
    axes = [axis for _, axis in origins]
    if len(refs) != 1 or axes != sorted(set(axes)):
        raise Opaque
    source = refs.pop()
    rank = len(sizes.known(source).shape)
    key: list[Any] = [{"slice": [None, None]} if axis in axes else 0 for axis in range(rank)]
    while key and key[-1] == {"slice": [None, None]}:
        key.pop()
    result = s("getitem", source, key=key) if key else source
    fixed = [place for place in range(len(dims)) if place not in places]
    if fixed:
        result = s("expand_dims", result, axis=fixed[0] if len(fixed) == 1 else fixed)
    result = s(op, result, dtype=dtype)
    counts = [size if place in fixed else 1 for place, size in enumerate(dims)]
    return result if prod(counts) == 1 else s("tile", result, repeats=counts)


@sized("shape dtype", "zeros")
def _tf_zeros(s: Steps, sizes: Sizes, shape: Any, dtype: Any = "float32") -> Any:
    return _zeros(s, sizes, _dims(shape), dtype)


@sized("shape dtype", "ones")
def _tf_ones(s: Steps, sizes: Sizes, shape: Any, dtype: Any = "float32") -> Any:
    return _zeros(s, sizes, _dims(shape), dtype, "ones_like")


@sized("dims value", "fill")
def _fill(s: Steps, sizes: Sizes, dims: Any, value: Any) -> Any:
    if type(value) not in (int, float):
        raise Opaque
    dtype = "int32" if type(value) is int else "float32"
    return s("multiply", _zeros(s, sizes, _dims(dims), dtype, "ones_like"), value)


def _operand(sizes: Sizes, value: Any) -> tuple[Any, Known]:
    """A tensor, or a constant with its dtype, and its shape and dtype."""
    if isinstance(value, Ref):
        return value, sizes.known(value)
    if isinstance(value, dict) and isinstance(value.get("const"), dict):
        value = value["const"]["value"]
    if not is_plain(value):
        raise Opaque
    shape, item = [], value
    while isinstance(item, list):
        shape.append(len(item))
        item = item[0] if item else 0.0
    dtype = {int: "int32", float: "float32"}.get(type(item))
    if dtype is None:
        raise Opaque
    return {"const": {"value": value, "dtype": dtype}}, Known(tuple(shape), dtype)


@sized("input multiples", "tile")
def _tile(s: Steps, sizes: Sizes, input: Any, multiples: Any) -> Any:
    counts = _dims(multiples)
    if not any(isinstance(count, Dim) for count in counts):
        return None
    tensor, known = _operand(sizes, input)
    if known.dtype == "bool" or len(known.shape) != len(counts):
        raise Opaque
    if any(size != 1 for size, n in zip(known.shape, counts, strict=True) if isinstance(n, Dim)):
        raise Opaque
    fixed = [1 if isinstance(count, Dim) else count for count in counts]
    if prod(fixed) != 1:
        tensor = s("tile", tensor, repeats=fixed)
    dims = [count if isinstance(count, Dim) else 1 for count in counts]
    return s("add", tensor, _zeros(s, sizes, dims, known.dtype))


@sized("input shape", "broadcast_to")
def _broadcast_to(s: Steps, sizes: Sizes, input: Any, shape: Any) -> Any:
    dims = _dims(shape)
    if not any(isinstance(size, Dim) for size in dims):
        return None
    tensor, known = _operand(sizes, input)
    if known.dtype == "bool":
        raise Opaque
    return s("add", tensor, _zeros(s, sizes, dims, known.dtype))


@sized("start limit delta dtype", "range")
def _range(
    s: Steps, sizes: Sizes, start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None
) -> Any:
    if limit is None:
        start, limit = 0, start
    if start != 0 or delta != 1:
        raise Opaque
    source, axis = sizes.sources[limit]
    number = limit.first if isinstance(limit, Dim) else limit
    kinds = {type(item) for item in (start, number, delta)}
    if dtype is None:
        dtype = "float32" if float in kinds else "int32"
    rank = len(sizes.known(source).shape)
    key: list[Any] = [0] * axis + [{"slice": [None, None]}] + [0] * (rank - axis - 1)
    row = s("getitem", source, key=key) if rank > 1 else source
    counted = s("cumsum", s("ones_like", row, dtype=dtype), axis=0)
    return s("subtract", counted, 1)


@sized("input_ begin size", "slice", "compat.v1.slice")
def _slice(s: Steps, sizes: Sizes, input_: Any, begin: Any, size: Any) -> Any:
    starts, counts = _dims(begin), _dims(size)
    if not any(isinstance(count, Dim) for count in counts):
        return None
    key: list[Any] = []
    for start, count, whole in zip(starts, counts, sizes.known(input_).shape, strict=True):
        if isinstance(count, Dim) and both(int.__add__, start, count) != whole:
            raise Opaque
        stop = None if isinstance(count, Dim) or count == -1 else start + count
        key.append({"slice": [start or None, stop]})
    return s("getitem", input_, key=key)


@sized("value num_or_size_splits axis num", "split")
def _split(
    s: Steps,
    sizes: Sizes,
    value: Any,
    num_or_size_splits: Any,
    axis: Any = 0,
    num: Any = None,
) -> Any:
    if not isinstance(num_or_size_splits, list) or -1 not in num_or_size_splits:
        return None
    parts = _dims(num_or_size_splits)
    if parts.count(-1) > 1 or num not in (None, len(parts)):
        raise Opaque
    whole = sizes.known(value).shape[axis]
    rest = sum(part for part in parts if part != -1)
    known = [whole - rest if part == -1 else part for part in parts]
    if not isinstance(whole, int) or min(known) < 0:
        raise Opaque
    return s(
        "split", value, indices_or_sections=known, axis=axis
    )  # sizes are converted to indices later


@sized("params indices validate_indices axis batch_dims", "gather", "compat.v1.gather")
def _gather(
    s: Steps,
    sizes: Sizes,
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    axis: Any = None,
    batch_dims: Any = 0,
) -> Any:
    """Gather with batch axes: one element for each position along the following axis."""
    if not batch_dims:
        return None
    rank, count = len(sizes.known(params).shape), len(sizes.known(indices).shape)
    place = batch_dims if axis is None else axis % rank
    if validate_indices or batch_dims % count != count - 1 or place != batch_dims % count:
        raise Opaque
    later = list(range(count, rank))
    if later:
        indices = s("expand_dims", indices, axis=later[0] if len(later) == 1 else later)
    return s("take_along_axis", params, indices, axis=place)


@sized("lengths maxlen dtype", "sequence_mask")
def _sequence_mask(s: Steps, sizes: Sizes, lengths: Any, maxlen: Any, dtype: Any = "bool") -> Any:
    if type(maxlen) is not int or not 0 < maxlen <= LONGEST:
        raise Opaque
    steps = {"const": {"value": list(range(maxlen)), "dtype": "int32"}}
    mask = s("less", steps, s("expand_dims", lengths, axis=-1))
    return mask if dtype == "bool" else s("cast", mask, dtype=dtype)


@sized("diagonal k num_rows num_cols padding_value", "linalg.diag")
def _diag(s: Steps, sizes: Sizes, diagonal: Any, k: Any = 0, **rest: Any) -> Any:
    only(k, 0)
    only(all(value in (-1, 0) for value in rest.values()), True)
    known = sizes.known(diagonal)
    size = known.shape[-1]
    if not isinstance(size, int) or size * size > LONGEST or known.dtype == "bool":
        raise Opaque
    ones = [[float(i == j) for j in range(size)] for i in range(size)]
    eye = {"const": {"value": ones, "dtype": known.dtype}}
    return s("multiply", s("expand_dims", diagonal, axis=-1), eye)
