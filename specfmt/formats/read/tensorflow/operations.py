"""Converting TensorFlow operations that Keras 2 recorded in a graph to operations of `keras.ops`.

tf.keras 2.4 and later write ``TFOpLambda`` and ``SlicingOpLambda`` (a Python function and its
arguments), earlier ones ``TensorFlowOpLayer`` (a node of a TensorFlow graph).  Each table row
lists the operation, the operands in order, and the arguments that become keywords.  An operation
without a row, or with an argument without an equivalent, is kept as a custom layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.fields.validation import findings, rules_of
from specfmt.formats.config.reading import Json
from specfmt.formats.read.nodes import Call, Ref
from specfmt.formats.read.operations import drop_op_defaults
from specfmt.formats.read.tensorflow import (
    array_steps as tf_array_steps,  # noqa: F401 - its functions join the tables
)
from specfmt.formats.read.tensorflow import (
    image_steps as tf_image_steps,  # noqa: F401 - its functions join the tables
)
from specfmt.formats.read.tensorflow import (
    math_steps as tf_math_steps,  # noqa: F401 - its functions join the tables
)
from specfmt.formats.read.tensorflow.graph_sizes import Sizes
from specfmt.formats.read.tensorflow.nodes import function_of_node
from specfmt.formats.read.tensorflow.size_rules import is_constant
from specfmt.formats.read.tensorflow.size_steps import in_sized_steps
from specfmt.formats.read.tensorflow.steps import (
    STEPS,
    Helper,
    LostOperandError,
    UnsupportedError,
    in_steps,
)
from specfmt.formats.read.tensorflow.tables import FUNCTIONS, KERAS_EPSILON, Row
from specfmt.layers.image_operations import Resize

CLASSES: Final = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")


def convert_function(
    class_name: str, config: Json, path: Path, call: Call, name: str, sizes: Sizes
) -> tuple[Json, list[Helper]]:
    """Convert a call of an operation that tf.keras recorded; ``call`` is changed in place.

    If it computes sizes or constants, its result is added to ``sizes``.

    Returns:
        The entry of the operation without connections, and the operations that must precede it.

    Raises:
        UnsupportedError: `keras.ops` has no equivalent.
        SpecError: It is damaged.
    """
    had = call.refs()
    filled = sizes.filled(call)
    call.args, call.kwargs = filled.args, filled.kwargs
    function = config.get("function")
    if class_name == "SlicingOpLambda":
        function = "__operators__.getitem"
    elif class_name == "TensorFlowOpLayer":
        function = function_of_node(config, call, path)
        filled = Call(list(call.args), dict(call.kwargs), call.path)
    if not isinstance(function, str):
        raise UnsupportedError("it does not name the function it calls")
    is_known = sizes.evaluate(name, function, filled)
    sized = in_sized_steps(function, call, name, sizes)
    if sized is not None:
        return _entry(sized[0], call), sized[1]
    if is_known or not is_constant([call.args, *call.kwargs.values()]):
        raise UnsupportedError("it uses sizes that are known only at run time")
    if had and not call.refs():
        raise UnsupportedError("all its inputs are constants")
    if function == "__operators__.getitem":
        return _slice(call), []
    if function in STEPS:
        entry, helpers = in_steps(function, call, name)
        return _entry(entry, call), helpers
    row = FUNCTIONS.get(function)
    if row is None:
        raise UnsupportedError(f"tf.{function} has no counterpart in keras.ops")
    given = dict(zip(row.params, call.args, strict=False))
    given.update(
        {_PARAMETERS.get(key, key): value for key, value in call.kwargs.items() if key != "name"}
    )
    flags = {  # the adjoint of a real matrix is its transpose
        side: True in (given.pop(f"transpose_{side}", False), given.pop(f"adjoint_{side}", False))
        for side in "ab"
    }
    call.args, call.kwargs = _bind(row, given)
    helpers = [_transposed(call, i, name) for i, flag in enumerate(flags.values()) if flag is True]
    return _entry({"op": row.op}, call), helpers


def _transposed(call: Call, index: int, name: str) -> Helper:
    """Operand ``index`` of a matrix product, with its last two axes swapped."""
    helper = Helper(
        f"{name}/{index}",
        {"op": "swapaxes"},
        Call([call.args[index]], {"axis1": -2, "axis2": -1}, call.path),
    )
    call.args[index] = Ref(helper.name, 0, 0)
    return helper


_PARAMETERS: Final = {
    "keep_dims": "keepdims",
    "squeeze_dims": "axis",
    "reduction_indices": "axis",
    "dimension": "axis",
}
"""Old names of parameters in `tf.compat.v1`."""


def _bind(row: Row, given: Json) -> tuple[list[Any], Json]:
    operands = []
    for name in row.params[: row.operands]:
        if name not in given and row.op == "where":
            raise UnsupportedError("it returns indices")
        if name not in given:
            raise LostOperandError(name)
        operands.append(_array(given.pop(name)))
    kwargs = dict(row.fixed)
    for name, value in given.items():
        plain = value["const"] if isinstance(value, dict) and set(value) == {"const"} else value
        if plain is not None and row.may_leave_out(name, plain):
            continue
        if name in row.keys:
            if Call([value], {}, ()).refs():
                raise UnsupportedError(f"its argument {name} is computed by the model")
            if plain is not None:
                kwargs[row.keys[name]] = plain
        elif plain is not None:
            raise UnsupportedError(f"its argument {name} has no counterpart in keras.ops")
    return operands, kwargs


def _array(operand: Any) -> Any:
    """A constant tensor, a list in the source, as an array with the dtype of its numbers."""
    if not isinstance(operand, list) or Call([operand], {}, ()).refs():
        return operand
    numbers = list(_leaves(operand))
    kinds = {type(number) for number in numbers}
    if not numbers or not kinds <= {bool, int, float}:
        return operand
    dtype = "float32" if float in kinds else "bool" if kinds == {bool} else "int32"
    return {"const": {"value": operand, "dtype": dtype}}


def _leaves(nest: Any) -> Iterator[Any]:
    if isinstance(nest, list):
        for item in nest:
            yield from _leaves(item)
    else:
        yield nest


def _entry(entry: Json, call: Call) -> Json:
    if "op" not in entry:
        return entry
    op, kwargs = entry["op"], call.kwargs
    if op == "normalize" and isinstance(kwargs.get("epsilon"), (int, float)):
        # TensorFlow's epsilon bounds the squared norm, that of keras.ops the norm: take the square root.
        if not kwargs["epsilon"] > 0:
            raise UnsupportedError("its epsilon is not positive")
        bound = float(f"{math.sqrt(kwargs['epsilon']):.12g}")
        kwargs["epsilon"] = None if bound == KERAS_EPSILON else bound
    given = kwargs.get("interpolation")
    if (
        op == "resize"
        and given is not None
        and any(findings(rules_of(Resize)["interpolation"], given, ()))
    ):
        raise UnsupportedError(f"keras.ops does not resize by {kwargs['interpolation']}")
    if op in ("stack", "concatenate") and not isinstance(call.args[0], list):
        raise UnsupportedError("its input is a tensor instead of a list")
    if op == "cast" and not isinstance(kwargs.get("dtype"), str):
        raise UnsupportedError("its dtype is not given by name")
    if op == "pad":
        mode = str(kwargs.pop("mode", "constant")).lower()
        if mode != "constant":
            kwargs["mode"] = mode
    if op == "flip" and isinstance(kwargs.get("axis"), list) and len(kwargs["axis"]) == 1:
        kwargs["axis"] = kwargs["axis"][0]
    if op == "split" and isinstance(kwargs.get("indices_or_sections"), list):
        sizes = kwargs["indices_or_sections"]
        if not all(type(size) is int and size >= 0 for size in sizes):
            raise UnsupportedError("its sizes are not all known")
        kwargs["indices_or_sections"] = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
    call.kwargs = drop_op_defaults(op, kwargs)
    return {"op": op}


def _slice(call: Call) -> Json:
    spec = call.kwargs.pop("slice_spec", None)
    others = {
        key: value
        for key, value in call.kwargs.items()
        if key not in ("name", "var") and value is not None
    }
    if others or len(call.args) != 1 or Call([spec], {}, ()).refs():
        raise UnsupportedError("it is not a plain slice")
    call.kwargs = {"key": spec}
    return {"op": "getitem"}
