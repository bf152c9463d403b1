"""Writing operations of `keras.ops` as the TensorFlow functions that Keras 2 records in a graph.

The functions are found by inverting the table of the import,
`specfmt.formats.read.tensorflow.tables`.  TensorFlow does not convert dtypes: an operation that Keras
3 computes in another dtype than that of all its operands is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from specfmt.formats.config.reading import Json, show
from specfmt.formats.keras2.words import Refusals, dtype_policy
from specfmt.formats.keras3.words import plain
from specfmt.formats.read.tensorflow.tables import FUNCTIONS, KERAS_EPSILON, Row
from specfmt.graph.model import Array, Node, Value, map_leaves
from specfmt.layers.op import Op, Operand
from specfmt.layers.promotion import operand_dtype, result_type

Written = tuple[Json, Any, dict[str, Any]]
"""A layer without its connections, its first argument, and its keywords."""

BY_OPERATION: Final[dict[str, tuple[str, Row]]] = {
    row.op: (function, row)
    for function, row in reversed(FUNCTIONS.items())
    if not function.startswith(("compat.", "__operators__."))
}
"""Operation -> TensorFlow function and its row; the first one in the table if there are several."""

ALIKE: Final = {"divide": "true_divide", "amax": "max", "amin": "min"}
"""Operation -> an equivalent operation."""

SLICING: Final = ("SlicingOpLambda", "__operators__.getitem")
ANY_DTYPE: Final = frozenset(
    (
        "reshape transpose swapaxes moveaxis squeeze expand_dims getitem take tile pad flip roll "
        "broadcast_to repeat split zeros_like ones_like cast one_hot concatenate stack where "
        "tril triu"
    ).split()
)
LOGICAL: Final = frozenset(
    {"logical_and", "logical_or", "logical_xor", "logical_not", "any", "all"}
)
EQUALITY: Final = frozenset({"equal", "not_equal"})
ORDER: Final = frozenset({"greater", "greater_equal", "less", "less_equal"})
WHOLE: Final = frozenset(
    (
        "add subtract multiply floor_divide mod power maximum minimum negative absolute square "
        "sign sum max min amax amin prod clip cumsum matmul argmax argmin bitwise_and bitwise_or "
        "bitwise_xor"
    ).split()
)
"""Operations that TensorFlow computes for integers as Keras 3 does."""

OWN_RESULT: Final = frozenset(
    "cast one_hot argmax argmin where zeros_like ones_like isnan isinf isfinite "
    "count_nonzero".split()
)
"""Operations whose result dtype does not follow from the operands."""


class OperationWriter:
    """Writes the operations of a graph.

    Args:
        policy: The model's dtype policy.
        refusals: Collects errors about what Keras 2 cannot express.
    """

    def __init__(self, policy: Any, refusals: Refusals) -> None:
        self.policy = policy
        self.refusals = refusals

    def write(self, node: Node, op: Op) -> Written:
        """A call of an operation as layer, first argument and keywords."""
        name = op.function
        config: Json = {
            "name": node.unit.name,
            "trainable": True,
            "dtype": dtype_policy(self.policy),
        }
        operands = list(node.args.values())
        if name == "getitem":
            class_name, function = SLICING
            item = {"class_name": class_name, "config": {**config, "function": function}}
            return item, operands[0], {"slice_spec": _key(op.key)}  # type: ignore[attr-defined]
        function, keywords = self._function(node, op, operands)
        item = {"class_name": "TFOpLambda", "config": {**config, "function": function}}
        return item, _settled(operands[0], _number_dtype(node)), keywords

    def _refuse(self, node: Node, expected: str, received: str, field: str = "") -> None:
        path = (*node.path, field) if field else node.path
        self.refusals.add(f"{expected} ({node.name}, {node.unit.spec.function})", received, path)  # type: ignore[union-attr]

    def _function(self, node: Node, op: Op, operands: list[Any]) -> tuple[str, dict[str, Any]]:
        if not node.inputs():
            self._refuse(node, "a tensor among the operands", "only constants", "inputs")
            return op.function, {}
        self._check_dtypes(node, op.function)
        if op.function in _AS_TRANSPOSE:
            row = FUNCTIONS["transpose"]
            return "transpose", {row.params[1]: list(op.order(len(_shape(node))))}  # type: ignore[attr-defined]
        if op.function in _AS_BAND:
            return _AS_BAND_FUNCTION, self._band(node, op)
        found = BY_OPERATION.get(ALIKE.get(op.function, op.function))
        if found is None:
            self._refuse(node, "an operation with a TensorFlow function", op.function)
            return op.function, {}
        function, row = found
        dtype = _number_dtype(node)
        if op.function == "take":
            operands = [operands[0], self._indices(node, op, operands[1])]
        keywords: dict[str, Any] = {
            name: _settled(operand, dtype)
            for name, operand in zip(row.params[1:], operands[1:], strict=False)
        }
        inverse = {keyword: parameter for parameter, keyword in row.keys.items()}
        dtype_too = ("dtype",) if "dtype" not in op.absent_fields() else ()
        for field in (*op.own_fields(), *dtype_too):
            attribute = field if field in type(op).model_fields else f"{field}_"
            value = getattr(op, attribute)
            converted = _value(op, field, value, node)
            if isinstance(converted, _Refused):
                self._refuse(node, f"{field} to be {converted.expected}", show(plain(value)), field)
            elif field in inverse:
                if converted is not None:
                    keywords[inverse[field]] = converted
            elif value != row.fixed.get(field, type(op).model_fields[attribute].default):
                default = type(op).model_fields[attribute].default
                self._refuse(
                    node, f"{field} to be {show(plain(default))}", show(plain(value)), field
                )
        return function, {**keywords, **row.written}

    def _band(self, node: Node, op: Op) -> dict[str, Any]:
        """A triangle as a band around the diagonal, which it must include."""
        side, sign = _AS_BAND[op.function]
        width = sign * op.k  # type: ignore[attr-defined]
        if width < 0:
            self._refuse(
                node, "k of a triangle that includes the diagonal", show(sign * width), "k"
            )
        return {"num_lower": -1, "num_upper": -1, side: width}

    def _indices(self, node: Node, op: Op, indices: Any) -> Any:
        """Indices without the negative constants, which TensorFlow takes as out of range."""
        numbers = indices.value if isinstance(indices, Array) else indices
        if all(isinstance(n, Value) or n >= 0 for n in _flat(numbers)):
            return indices
        axis = op.axis  # type: ignore[attr-defined]
        size = None if axis is None else _shape(node)[axis]
        if not isinstance(size, int):
            self._refuse(node, "indices of at least 0", show(plain(numbers)), "inputs")
            return indices
        numbers = map_leaves(numbers, lambda n: n + size if n < 0 else n)
        return Array(numbers, indices.dtype) if isinstance(indices, Array) else numbers

    def _check_dtypes(self, node: Node, name: str) -> None:
        dtypes = {value.dtype for value in node.inputs()}
        joint = result_type(*(operand_dtype(_operand(item)) for item in _flat(node.args)))
        result = node.outputs[0].dtype
        expected = ""
        if name in LOGICAL:
            expected = "" if dtypes == {"bool"} else "operands of dtype bool"
        elif len(dtypes) > 1 and not (name in ("where", "take") and len(dtypes) == 2):
            expected = "operands of one dtype"
        elif name == "where":
            values = {v.dtype for v in list(node.args.values())[1:] if isinstance(v, Value)}
            condition = next(iter(node.args.values()))
            if values - {result} or getattr(condition, "dtype", "bool") != "bool":
                expected = f"a condition of dtype bool and operands of dtype {result}"
        elif name in ("concatenate", "stack"):
            expected = "" if dtypes == {result} else f"operands of dtype {result}"
        elif name in ANY_DTYPE:
            return
        elif name in ORDER | EQUALITY:
            if dtypes != {joint} or (name in ORDER and joint == "bool"):
                expected = "operands of one dtype"
        elif name not in OWN_RESULT and dtypes != {result}:
            expected = f"operands of dtype {result}"
        elif "float" not in next(iter(dtypes)) and (name not in WHOLE or dtypes == {"bool"}):
            expected = "floating-point operands"
        first = next(iter(node.args.values()), None)
        is_number = type(first) in (int, float) or isinstance(first, (Array, tuple, list))
        if not expected and is_number and not any(_flat_values(first)):
            wide = {"float32", "int32", "bool"}
            expected = "" if dtypes <= wide else "a tensor as the first operand"
        if expected:
            received = ", ".join(sorted(dtypes)) + (
                f" computed in {joint}" if len(dtypes) == 1 else ""
            )
            self._refuse(node, expected, received, "inputs")


class _Refused:
    """An option without an equivalent in TensorFlow, and its allowed values."""

    def __init__(self, expected: str) -> None:
        self.expected = expected


def _shape(node: Node) -> Any:
    """The shape of the first tensor of a call."""
    return next(iter(node.inputs())).shape


def _flat(item: Any) -> list[Any]:
    """The leaves of a nest of operands."""
    if isinstance(item, dict):
        item = list(item.values())
    if isinstance(item, (list, tuple)):
        return [leaf for inner in item for leaf in _flat(inner)]
    return [item]


def _flat_values(item: Any) -> list[Value]:
    return [leaf for leaf in _flat(item) if isinstance(leaf, Value)]


def _operand(item: Any) -> Any:
    return Operand(item.shape or (), item.dtype) if isinstance(item, (Value, Array)) else item


def _number_dtype(node: Node) -> str:
    """The dtype in which an operation computes with numbers: that of its tensors."""
    if node.layer.function == "take":  # type: ignore[attr-defined]
        return "int32"
    return next((value.dtype for value in node.inputs()), "float32")


def _settled(operand: Any, dtype: str) -> Any:
    """A constant operand in the dtype of the tensors; a list becomes an array."""
    if isinstance(operand, Array):
        return Array(_numbers(operand.value, dtype), operand.dtype)
    if isinstance(operand, (list, tuple)):
        return operand if _flat_values(operand) else Array(_numbers(operand, dtype), dtype)
    return _numbers(operand, dtype)


def _numbers(value: Any, dtype: str) -> Any:
    if isinstance(value, (list, tuple)):
        return [_numbers(item, dtype) for item in value]
    return float(value) if type(value) is int and "float" in dtype else value


def _key(key: Any) -> Any:
    return list(key) if isinstance(key, tuple) else key


def _value(op: Op, field: str, value: Any, node: Node) -> Any:
    """An option's value for TensorFlow; `_Refused` if it has no such value."""
    change = _CHANGES.get((op.function, field))
    if change is not None:
        return change(value, node)
    return plain(value)


def _one_axis(value: Any, _: Node) -> Any:
    if isinstance(value, (tuple, list)) and len(value) == 1:
        return value[0]
    return value if isinstance(value, int) else _Refused("one axis")


def _given(value: Any, _: Node) -> Any:
    return _Refused("given") if value is None else plain(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _pad_width(_: Any, node: Node) -> Any:
    op: Any = node.layer
    return [list(pair) for pair in op.widths(len(_shape(node)))]


def _multiples(value: Any, node: Node) -> Any:
    counts = list(value) if _is_list(value) else [value]
    missing = len(_shape(node)) - len(counts)
    return [1] * missing + counts if missing >= 0 else _Refused("at most one number per axis")


def _reversed_axes(value: Any, node: Node) -> Any:
    if value is None:
        return list(range(len(_shape(node))))
    return list(value) if _is_list(value) else [value]


def _sizes(value: Any, node: Node) -> Any:
    if not _is_list(value):
        return value
    axis = node.layer.axis  # type: ignore[attr-defined]
    total = _shape(node)[axis]
    sizes = [output.shape[axis] for output in node.outputs if output.shape is not None]
    if total is None or None in sizes or sum(size or 0 for size in sizes) != total:
        return _Refused("indices in ascending order along an axis of known size")
    return sizes


def _norm_axis(value: Any, _: Node) -> Any:
    return _Refused("at most two axes") if _is_list(value) and len(value) > 2 else plain(value)


_CHANGES: Final[dict[tuple[str, str], Callable[[Any, Node], Any]]] = {
    **{(name, "axis"): _one_axis for name in ("softmax", "log_softmax", "expand_dims")},
    **{(name, "axis"): _given for name in ("argmax", "argmin", "cumsum", "take", "roll")},
    ("pad", "pad_width"): _pad_width,
    ("pad", "mode"): lambda value, _: value.upper(),
    ("tile", "repeats"): _multiples,
    ("flip", "axis"): _reversed_axes,
    ("split", "indices_or_sections"): _sizes,
    ("norm", "axis"): _norm_axis,
    # TensorFlow's epsilon bounds the squared norm; without one, Keras 3 uses its default epsilon.
    ("normalize", "epsilon"): lambda value, _: (value or KERAS_EPSILON) ** 2,
}
"""Options that TensorFlow writes differently, or supports only for some values."""

_AS_TRANSPOSE: Final = frozenset({"swapaxes", "moveaxis"})
"""Operations that are a `tf.transpose`."""

_AS_BAND: Final = {"tril": ("num_upper", 1), "triu": ("num_lower", -1)}
"""Operations that are a `tf.linalg.band_part` -> its bounded side, and the sign of ``k`` there."""

_AS_BAND_FUNCTION: Final = "linalg.band_part"
