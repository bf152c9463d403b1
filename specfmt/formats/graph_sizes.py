"""Sizes of tensors that a graph of TensorFlow computes with, told while the graph is read.

`keras.ops` has no operation for the shape of a tensor: Keras 3 takes sizes from symbolic
tensors.  So ``tf.shape(x)`` and what is computed from it is worked out here, twice: with two
different numbers for each size that is not known before run time.  A result that is the same
both times is a constant, another one is told by its pair of numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import ceil, prod
from typing import Any, Final, NamedTuple

from specfmt.formats.assemble import Assembler, Record
from specfmt.formats.nodes import Call, Ref, map_refs
from specfmt.formats.reading import Json
from specfmt.graph.build import build
from specfmt.spec.diagnostics import SpecError
from specfmt.spec.document import parse_document

WORK: Final = 8_000
"""Layers that are looked at for shapes in one model, those looked at again included."""

LONGEST: Final = 4_096
"""Elements of a constant that is worked out."""

BATCH: Final = (7_919, 10_007)
AXES: Final = ((8_101, 9_001), (8_179, 9_091), (8_263, 9_187), (8_377, 9_281))
DIVISIBLE: Final = 1_024
"""Sizes that are not known are multiples, as strides and pooling ask for."""


class Dim(NamedTuple):
    """A size that is not known before run time: what it is at either choice of sizes."""

    first: int
    second: int


class Known(NamedTuple):
    """What is known of a tensor: its shape of numbers and `Dim`, and its dtype."""

    shape: tuple[Any, ...]
    dtype: str


class Opaque(Exception):  # noqa: N818 - no error: the search ends here
    """It cannot be worked out."""


class Sizes:
    """Sizes and constants that operations of a model give.

    Args:
        records: The layers read so far; grows while the model is read.
        inputs: The model's inputs.

    Attributes:
        values: Name of an operation -> its result: a number, a `Dim`, or a list of them.
        sources: A size -> a tensor that has it, and the axis.
        alike: A shape -> a tensor that has it.
    """

    def __init__(self, records: list[Record], inputs: Json) -> None:
        self.records = records
        self.inputs = inputs
        self.values: dict[str, Any] = {}
        self.sources: dict[Any, tuple[Ref, int]] = {}
        self.alike: dict[tuple[Any, ...], Ref] = {}
        self.found: dict[Ref, Known | None] = {}
        self.work = WORK

    def reads(self, call: Call) -> bool:
        """Whether a call reads a value that is known here."""
        return any(ref.layer in self.values for ref in call.refs())

    def filled(self, call: Call) -> Call:
        """The call with values in place of the operations that give them."""

        def value(ref: Ref) -> Any:
            known = self.values.get(ref.layer, ref)
            if isinstance(known, tuple) and not isinstance(known, (Ref, Dim)):
                return known[ref.tensor] if ref.tensor < len(known) else ref
            return ref if ref.tensor else known

        return Call(map_refs(call.args, value), map_refs(call.kwargs, value), call.path)

    def evaluate(self, name: str, function: str, call: Call) -> bool:
        """Work out a call that is already filled; False if it is none of sizes."""
        rule = RULES.get(function)
        if rule is None:
            return False
        try:
            value = rule(self, *call.args, **{k: v for k, v in call.kwargs.items() if k != "name"})
        except (Opaque, TypeError, ValueError, IndexError, ArithmeticError, AttributeError):
            return False
        if isinstance(value, list) and len(value) > LONGEST:
            return False
        self.values[name] = value
        return True

    def known(self, ref: Any) -> Known:
        """Shape and dtype of a tensor.

        Raises:
            Opaque: They depend on layers that are not known, or would take too long.
        """
        if not isinstance(ref, Ref):
            raise Opaque
        if ref not in self.found:
            self.found[ref] = self._infer(ref)
        found = self.found[ref]
        if found is None:
            raise Opaque
        self.alike.setdefault(found.shape, ref)
        for axis, size in enumerate(found.shape):
            self.sources.setdefault(size, (ref, axis))
        return found

    def _infer(self, ref: Ref) -> Known | None:
        records = self._above(ref)
        self.work -= 2 * len(records) + 1
        if self.work < 0:
            return None
        found = [self._value(ref, records, choice, apart=True) for choice in (0, 1)]
        if None in found and len(self.inputs) > 1:  # sizes of two inputs have to agree
            self.work -= 2 * len(records)
            found = [self._value(ref, records, choice, apart=False) for choice in (0, 1)]
        first, second = found
        if first is None or second is None or len(first.shape) != len(second.shape):
            return None
        pairs = zip(first.shape, second.shape, strict=True)
        return Known(tuple(a if a == b else Dim(a, b) for a, b in pairs), str(first.dtype))

    def _above(self, ref: Ref) -> list[Record]:
        """The records that a tensor is computed by, in the order in which they stand."""
        index = {record.name: record for record in self.records}
        waiting, needed = [ref], set()
        while waiting:
            name = waiting.pop().layer
            if name in index and name not in needed:
                needed.add(name)
                for call in index[name].calls:
                    waiting += call.refs()
        return [record for record in self.records if record.name in needed]

    def _value(self, ref: Ref, records: list[Record], choice: int, *, apart: bool) -> Any:
        names = {name: f"i{k}" for k, name in enumerate(self.inputs)}
        names |= {record.name: f"r{k}" for k, record in enumerate(records)}
        inputs = {
            names[name]: _with_sizes(spec, choice, place if apart else 0)
            for place, (name, spec) in enumerate(self.inputs.items())
        }
        single = {record.name: len(record.calls) == 1 for record in records}

        def renamed(ref: Ref) -> Ref:
            if not single.get(ref.layer, True):
                raise Opaque
            return Ref(names[ref.layer], 0, ref.tensor)

        try:
            copies = [
                Record(
                    names[r.name],
                    {**r.entry, "name": names[r.name]},
                    r.path,
                    [
                        Call(map_refs(c.args, renamed), map_refs(c.kwargs, renamed), c.path)
                        for c in r.calls
                    ],
                )
                for r in records
            ]
            assembler = Assembler(inputs, copies)
            layers = assembler.entries()
            tensor = assembler.tensor(renamed(ref))
        except (Opaque, KeyError, SpecError):
            return None
        if not layers:  # a model has at least one
            layers = [{"type": "Identity", "inputs": tensor}]
        document = {"specfmt": 1, "inputs": inputs, "layers": layers, "outputs": [tensor]}
        spec, problems = parse_document(document)
        if spec is None or problems:
            return None
        graph, problems = build(spec)
        outputs = list(graph.outputs.values())
        if problems or len(outputs) != 1 or outputs[0].shape is None or None in outputs[0].shape:
            return None
        return outputs[0]


def _with_sizes(spec: Json, choice: int, place: int) -> Json:
    shape = [
        (AXES[min(k, len(AXES) - 1)][choice] + place) * DIVISIBLE if size is None else size
        for k, size in enumerate(spec["shape"])
    ]
    return {"batch_size": BATCH[choice], **spec, "shape": shape}


RULES: Final[dict[str, Callable[..., Any]]] = {}
"""Function of TensorFlow -> its result, from operands that are sizes or constants."""

Rule = Callable[..., Any]


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorator: what these functions give."""

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
    """Whether a value holds no size that depends on the data."""
    if isinstance(value, (list, dict)):
        items = value.values() if isinstance(value, dict) else value
        return all(is_constant(item) for item in items)
    return not isinstance(value, Dim)


def _plain(value: Any) -> Any:
    if not is_plain(value):
        raise Opaque
    return value


def both(function: Callable[..., Any], *values: Any) -> Any:
    """A function of numbers, of both choices of sizes."""
    if not any(isinstance(value, Dim) for value in values):
        return function(*values)
    first, second = (
        function(*(v[choice] if isinstance(v, Dim) else v for v in values)) for choice in (0, 1)
    )
    return first if first == second else Dim(first, second)


def _each(function: Callable[..., Any], *values: Any) -> Any:
    """Element by element, by NumPy's rule for lists of one rank."""
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
def _shape(s: Sizes, input: Any, out_type: Any = None) -> Any:
    if isinstance(input, list):
        return [len(_plain(input))]
    return list(s.known(input).shape)


@rule("compat.v1.size", "size")
def _size(s: Sizes, input: Any, out_type: Any = None) -> Any:
    return both(lambda *sizes: prod(sizes), *s.known(input).shape)


@rule("compat.v1.rank", "rank")
def _rank_of(s: Sizes, input: Any) -> Any:
    return len(s.known(input).shape)


@rule("__operators__.getitem")
def _getitem(s: Sizes, value: Any, slice_spec: Any, var: Any = None) -> Any:
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
def _unstack(s: Sizes, value: Any, num: Any = None, axis: Any = 0) -> Any:
    if not isinstance(_plain(value), list) or axis != 0:
        raise Opaque
    return tuple(value)


@rule("stack")
def _stack(s: Sizes, values: Any, axis: Any = 0) -> Any:
    if axis != 0 or not isinstance(values, list):
        raise Opaque
    return list(_plain(values))


@rule("concat")
def _concat(s: Sizes, values: Any, axis: Any = 0) -> Any:
    if axis not in (0, -1) or not isinstance(values, list):
        raise Opaque
    return [item for part in _plain(values) for item in part]


@rule("convert_to_tensor", "identity", "stop_gradient")
def _same(s: Sizes, value: Any, dtype: Any = None, dtype_hint: Any = None) -> Any:
    return _plain(value)


@rule("cast")
def _cast(s: Sizes, x: Any, dtype: Any) -> Any:
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
def _expand_dims(s: Sizes, input: Any, axis: Any) -> Any:
    if axis == 0:
        return [_plain(input)]
    if axis in (1, -1) and _rank(_plain(input)) == 1:
        return [[item] for item in input]
    raise Opaque


@rule("range")
def _range(s: Sizes, start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None) -> Any:
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
def _ones_like(s: Sizes, input: Any, dtype: Any = None) -> Any:
    return _each(lambda x: type(x)(1), input)


@rule("math.reduce_prod")
def _reduce_prod(s: Sizes, input_tensor: Any, axis: Any = None, keepdims: Any = None) -> Any:
    if _rank(_plain(input_tensor)) != 1 or keepdims:
        raise Opaque
    return both(lambda *sizes: prod(sizes), *input_tensor)


@rule("gather", "compat.v1.gather")
def _gather(
    s: Sizes,
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
def _where(s: Sizes, condition: Any, x: Any = None, y: Any = None) -> Any:
    return _each(lambda c, a, b: a if c else b, condition, x, y)


def _binary(function: Callable[[Any, Any], Any]) -> Rule:
    return lambda s, x, y: _each(function, x, y)


for _names, _function in (
    (("math.add", "__operators__.add"), operator.add),
    (("math.subtract", "__operators__.sub"), operator.sub),
    (("math.multiply", "__operators__.mul"), operator.mul),
    (("math.floordiv", "compat.v1.floor_div"), operator.floordiv),
    (("math.floormod", "math.mod"), operator.mod),
    (("math.maximum",), max),
    (("math.minimum",), min),
    (("math.greater",), operator.gt),
    (("math.less",), operator.lt),
    (("math.equal", "__operators__.eq"), operator.eq),
):
    for _name in _names:
        RULES[_name] = _binary(_function)
