"""TensorFlow operations that Keras 2 recorded in a graph, as operations of `keras.ops`.

tf.keras 2.4 and later write ``TFOpLambda`` and ``SlicingOpLambda`` (a Python function and its
arguments), earlier ones ``TensorFlowOpLayer`` (a node of a TensorFlow graph).  Each table row
names the operation, the operands in order, and what becomes a keyword.  An operation without
a row, or with an argument that has no meaning here, is kept as a custom layer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from specfmt.formats.nodes import Call
from specfmt.formats.reading import Json, as_map, fail
from specfmt.spec.diagnostics import Path

CLASSES: Final = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")


class Unsupported(Exception):
    """The operation cannot be said in `keras.ops`; the text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """How one TensorFlow function is said in `keras.ops`.

    Attributes:
        op: The `keras.ops` name.
        params: The function's parameters in order; those up to ``operands`` are operands.
        operands: How many of them are operands.
        keys: Parameter -> keyword of the operation.
        fixed: Keywords that are always given, unless the source gives them.
        ignored: Parameter -> the only value at which it may be left out (None counts too).
    """

    op: str
    params: tuple[str, ...]
    operands: int
    keys: Json = field(default_factory=dict)
    fixed: Json = field(default_factory=dict)
    ignored: Json = field(default_factory=dict)


def _row(op: str, params: str, operands: int = 1, **options: Any) -> Row:
    return Row(op, tuple(params.split()), operands, **options)


def _unary(*names: str) -> dict[str, Row]:
    return {f"math.{name}": _row(name, "x") for name in names}


def _binary(**names: str) -> dict[str, Row]:
    return {f"math.{name}": _row(op, "x y", 2) for name, op in names.items()}


_REDUCE = {"axis": "axis", "keepdims": "keepdims"}
_DTYPE_NAMES = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16",
                "DT_BFLOAT16": "bfloat16", "DT_INT8": "int8", "DT_INT16": "int16",
                "DT_INT32": "int32", "DT_INT64": "int64", "DT_UINT8": "uint8",
                "DT_BOOL": "bool", "DT_STRING": "string"}  # fmt: skip

FUNCTIONS: Final[dict[str, Row]] = {
    **_unary(
        *"square sqrt exp log log1p expm1 sin cos tan asin acos atan sinh cosh tanh floor ceil "
        "round sign rsqrt reciprocal erf sigmoid softplus softsign negative logical_not".split()
    ),
    "math.abs": _row("absolute", "x"),
    "math.asin": _row("arcsin", "x"),
    "math.acos": _row("arccos", "x"),
    "math.atan": _row("arctan", "x"),
    **_binary(
        add="add", subtract="subtract", multiply="multiply", divide="true_divide",
        truediv="true_divide", floordiv="floor_divide", floormod="mod", mod="mod", pow="power",
        maximum="maximum", minimum="minimum", greater="greater", greater_equal="greater_equal",
        less="less", less_equal="less_equal", equal="equal", not_equal="not_equal",
        logical_and="logical_and", logical_or="logical_or", logical_xor="logical_xor",
        atan2="arctan2",
    ),
    "__operators__.add": _row("add", "x y", 2),
    "__operators__.sub": _row("subtract", "x y", 2),
    "__operators__.mul": _row("multiply", "x y", 2),
    "__operators__.truediv": _row("true_divide", "x y", 2),
    "__operators__.eq": _row("equal", "self other", 2),
    "__operators__.ne": _row("not_equal", "self other", 2),
    "compat.v1.floor_div": _row("floor_divide", "x y", 2),
    **{
        f"math.reduce_{name}": _row(op, "input_tensor axis keepdims", keys=_REDUCE)
        for name, op in {
            "mean": "mean", "sum": "sum", "max": "max", "min": "min", "prod": "prod",
            "any": "any", "all": "all", "std": "std", "variance": "var",
            "logsumexp": "logsumexp",
        }.items()
    },
    "math.argmax": _row("argmax", "input axis output_type", keys={"axis": "axis"},
                        fixed={"axis": 0}, ignored={"output_type": "int64"}),
    "math.argmin": _row("argmin", "input axis output_type", keys={"axis": "axis"},
                        fixed={"axis": 0}, ignored={"output_type": "int64"}),
    "math.cumsum": _row("cumsum", "x axis exclusive reverse", keys={"axis": "axis"},
                        fixed={"axis": 0}, ignored={"exclusive": False, "reverse": False}),
    "nn.relu": _row("relu", "features"),
    "nn.relu6": _row("relu6", "features"),
    "nn.elu": _row("elu", "features"),
    "nn.selu": _row("selu", "features"),
    "nn.tanh": _row("tanh", "x"),
    "nn.sigmoid": _row("sigmoid", "x"),
    "nn.softplus": _row("softplus", "features"),
    "nn.softsign": _row("softsign", "features"),
    "nn.silu": _row("silu", "features beta", ignored={"beta": 1.0}),
    "nn.swish": _row("silu", "features beta", ignored={"beta": 1.0}),
    "nn.leaky_relu": _row("leaky_relu", "features alpha", keys={"alpha": "negative_slope"}),
    "nn.gelu": _row("gelu", "features approximate", keys={"approximate": "approximate"},
                    fixed={"approximate": False}),
    "nn.softmax": _row("softmax", "logits axis", keys={"axis": "axis"}),
    "nn.log_softmax": _row("log_softmax", "logits axis", keys={"axis": "axis"}),
    "reshape": _row("reshape", "tensor shape", keys={"shape": "newshape"}),
    "transpose": _row("transpose", "a perm conjugate", keys={"perm": "axes"}, ignored={"conjugate": False}),
    "concat": _row("concatenate", "values axis", keys={"axis": "axis"}),
    "stack": _row("stack", "values axis", keys={"axis": "axis"}),
    "unstack": _row("unstack", "value num axis", keys={"num": "num", "axis": "axis"}),
    "split": _row("split", "value num_or_size_splits axis num",
                  keys={"num_or_size_splits": "indices_or_sections", "axis": "axis"}),
    "expand_dims": _row("expand_dims", "input axis", keys={"axis": "axis"}),
    "squeeze": _row("squeeze", "input axis", keys={"axis": "axis"}),
    "cast": _row("cast", "x dtype", keys={"dtype": "dtype"}),
    "tile": _row("tile", "input multiples", keys={"multiples": "repeats"}),
    "where": _row("where", "condition x y", 3),
    "one_hot": _row("one_hot", "indices depth on_value off_value axis dtype",
                    keys={"depth": "num_classes", "axis": "axis", "dtype": "dtype"},
                    ignored={"on_value": 1, "off_value": 0}),
    "clip_by_value": _row("clip", "t clip_value_min clip_value_max",
                          keys={"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "pad": _row("pad", "tensor paddings mode constant_values",
                keys={"paddings": "pad_width", "mode": "mode"}, ignored={"constant_values": 0}),
    "linalg.matmul": _row("matmul", "a b transpose_a transpose_b adjoint_a adjoint_b "
                          "a_is_sparse b_is_sparse output_type", 2,
                          ignored=dict.fromkeys("transpose_a transpose_b adjoint_a adjoint_b "
                                                "a_is_sparse b_is_sparse".split(), False)),
    "gather": _row("take", "params indices validate_indices axis batch_dims", 2,
                   keys={"axis": "axis"}, fixed={"axis": 0}, ignored={"batch_dims": 0}),
    # tf bounds the square of the norm, keras.ops the norm itself: the bound is its root.
    "math.l2_normalize": _row("normalize", "x axis", keys={"axis": "axis"},
                              fixed={"epsilon": 1e-6}, ignored={"epsilon": 1e-12}),
    "norm": _row("norm", "tensor ord axis keepdims", keys={"axis": "axis", "keepdims": "keepdims"},
                 ignored={"ord": "euclidean"}),
}  # fmt: skip

for _name in ("transpose", "squeeze", "gather", "pad", "norm"):
    FUNCTIONS["compat.v1." + _name] = FUNCTIONS[_name]  # the same arguments, some under old names

NODE_OPS: Final[dict[str, Row]] = {
    "Add": _row("add", "x y", 2),
    "AddV2": _row("add", "x y", 2),
    "Sub": _row("subtract", "x y", 2),
    "Mul": _row("multiply", "x y", 2),
    "RealDiv": _row("true_divide", "x y", 2),
    "FloorDiv": _row("floor_divide", "x y", 2),
    "FloorMod": _row("mod", "x y", 2),
    "Pow": _row("power", "x y", 2),
    "Maximum": _row("maximum", "x y", 2),
    "Minimum": _row("minimum", "x y", 2),
    "Greater": _row("greater", "x y", 2),
    "Less": _row("less", "x y", 2),
    "Neg": _row("negative", "x"),
    "Abs": _row("absolute", "x"),
    "Square": _row("square", "x"),
    "Sqrt": _row("sqrt", "x"),
    "Rsqrt": _row("rsqrt", "x"),
    "Exp": _row("exp", "x"),
    "Log": _row("log", "x"),
    "Tanh": _row("tanh", "x"),
    "Sigmoid": _row("sigmoid", "x"),
    "Softplus": _row("softplus", "x"),
    "Relu": _row("relu", "x"),
    "Relu6": _row("relu6", "x"),
    "Elu": _row("elu", "x"),
    "Selu": _row("selu", "x"),
    "Softmax": _row("softmax", "x"),
    "Reshape": _row("reshape", "x shape", keys={"shape": "newshape"}),
    "Transpose": _row("transpose", "x perm", keys={"perm": "axes"}),
    "ExpandDims": _row("expand_dims", "x axis", keys={"axis": "axis"}),
    "Tile": _row("tile", "x multiples", keys={"multiples": "repeats"}),
    "MatMul": _row("matmul", "a b", 2),
    "BatchMatMulV2": _row("matmul", "a b", 2),
    **{
        name: _row(name.lower(), "x axis", keys={"axis": "axis"})
        for name in ("Mean", "Sum", "Max", "Min", "Prod")
    },
}


def convert_function(class_name: str, config: Json, call: Call) -> Json:
    """A call of a `TFOpLambda` or `SlicingOpLambda`; ``call`` is rewritten in place.

    Returns:
        The entry of the operation without edges.

    Raises:
        Unsupported: It is no arithmetic that `keras.ops` can say.
    """
    function = config.get("function")
    if class_name == "SlicingOpLambda" or function == "__operators__.getitem":
        return _slice(call)
    row = FUNCTIONS.get(function) if isinstance(function, str) else None
    if row is None:
        raise Unsupported(f"tf.{function} has no counterpart in keras.ops")
    given = dict(zip(row.params, call.args, strict=False))
    given.update({_PARAMETERS.get(key, key): value for key, value in call.kwargs.items() if key != "name"})
    call.args, call.kwargs = _bind(row, given)
    return _entry(row.op, call)


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
            raise Unsupported("it gives indices")
        if name not in given:
            raise LostOperand(name)
        operands.append(given.pop(name))
    kwargs = dict(row.fixed)
    for name, value in given.items():
        plain = value["const"] if isinstance(value, dict) and set(value) == {"const"} else value
        if name in row.keys:
            if Call([value], {}, ()).refs():
                raise Unsupported(f"its argument {name} is computed by the model")
            if plain is not None:
                kwargs[row.keys[name]] = plain
        elif plain is not None and not (name in row.ignored and plain == row.ignored[name]):
            raise Unsupported(f"its argument {name} has no counterpart in keras.ops")
    return operands, kwargs


class LostOperand(Exception):
    """The source does not hold an operand; tf.keras drops some when it writes a model."""


def _entry(op: str, call: Call) -> Json:
    kwargs = call.kwargs
    if op == "pad":
        mode = str(kwargs.pop("mode", "constant")).lower()
        if mode != "constant":
            kwargs["mode"] = mode
    if op == "split" and isinstance(kwargs.get("indices_or_sections"), list):
        sizes = kwargs["indices_or_sections"]
        if not all(type(size) is int and size >= 0 for size in sizes):
            raise Unsupported("its sizes are not all known")
        kwargs["indices_or_sections"] = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
    return {"op": op}


def _slice(call: Call) -> Json:
    spec = call.kwargs.pop("slice_spec", None)
    others = {key: value for key, value in call.kwargs.items() if key not in ("name", "var") and value is not None}
    if others or len(call.args) != 1:
        raise Unsupported("it is not a plain slice")
    call.kwargs = {"key": spec}
    return {"op": "getitem"}


def convert_node(config: Json, call: Call, path: Path) -> Json:
    """A call of a `TensorFlowOpLayer`; ``call`` is rewritten in place.

    Raises:
        Unsupported: It is no arithmetic that `keras.ops` can say.
        SpecError: The node is damaged.
    """
    node = config.get("node_def")
    if isinstance(node, str):
        try:
            node = json.loads(node)
        except (ValueError, RecursionError):
            fail("SF403", "expected node_def as JSON, received text that is not", (*path, "node_def"))
    node = as_map(node, (*path, "node_def"), "node_def")
    constants = as_map(config.get("constants") or {}, (*path, "constants"), "constants")
    attributes = as_map(node.get("attr") or {}, (*path, "node_def", "attr"), "attr")
    tensors = call.args[0] if len(call.args) == 1 and isinstance(call.args[0], list) else call.args
    operands = _operands(list(tensors), constants)
    name = str(node.get("op"))
    if name == "StridedSlice":
        return _strided_slice(operands, attributes, call)
    if name in ("ConcatV2", "Pack"):
        axis = operands.pop() if name == "ConcatV2" else _attribute(attributes, "axis", "i", 0)
        call.args, call.kwargs = [operands], {"axis": axis}
        return {"op": "concatenate" if name == "ConcatV2" else "stack"}
    if name in ("Squeeze", "Cast"):
        return _one_operand(name, operands, attributes, call)
    row = NODE_OPS.get(name)
    if row is None:
        raise Unsupported(f"tf.raw_ops.{name} has no counterpart in keras.ops")
    if any(_attribute(attributes, key, "b", False) for key in ("transpose_a", "transpose_b", "adj_x", "adj_y")):
        raise Unsupported("it transposes an operand")
    given = dict(zip(row.params, operands, strict=False))
    call.args, call.kwargs = _bind(row, given)
    if _attribute(attributes, "keep_dims", "b", False):
        call.kwargs["keepdims"] = True
    return {"op": row.op}


def _operands(tensors: list[Any], constants: Json) -> list[Any]:
    """Tensors and constants in the order of the node's inputs."""
    operands: list[Any] = []
    for position in range(len(tensors) + len(constants)):
        key = str(position)
        if key in constants:
            operands.append(constants[key])
        elif tensors:
            operands.append(tensors.pop(0))
        else:
            raise Unsupported("its constants are not where its node expects them")
    return operands


def _attribute(attributes: Json, name: str, kind: str, default: Any) -> Any:
    value = attributes.get(name)
    return value.get(kind, default) if isinstance(value, dict) else default


def _one_operand(name: str, operands: list[Any], attributes: Json, call: Call) -> Json:
    call.args, call.kwargs = operands[:1], {}
    if name == "Cast":
        dtype = _DTYPE_NAMES.get(str(_attribute(attributes, "DstT", "type", "")))
        if dtype is None:
            raise Unsupported("it casts to a dtype that Keras does not have")
        call.kwargs = {"dtype": dtype}
        return {"op": "cast"}
    axes = _attribute(attributes, "squeeze_dims", "list", {})
    axes = axes.get("i", []) if isinstance(axes, dict) else []
    if isinstance(axes, list) and axes:
        numbers = [int(axis) for axis in axes if str(axis).lstrip("-").isdigit()]
        call.kwargs = {"axis": numbers[0] if len(numbers) == 1 else numbers}
    return {"op": "squeeze"}


def _strided_slice(operands: list[Any], attributes: Json, call: Call) -> Json:
    if len(operands) != 4 or not all(
        isinstance(item, list) and all(type(number) is int for number in item) for item in operands[1:]
    ):
        raise Unsupported("its bounds are computed")
    masks = {
        name: int(_attribute(attributes, f"{name}_mask", "i", 0) or 0)
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    key: list[Any] = []
    for i, (begin, end, step) in enumerate(zip(*operands[1:], strict=False)):
        if masks["ellipsis"] >> i & 1:
            key.append({"ellipsis": True})
        elif masks["new_axis"] >> i & 1:
            key.append(None)
        elif masks["shrink_axis"] >> i & 1:
            key.append(begin)
        else:
            start = None if masks["begin"] >> i & 1 else begin
            stop = None if masks["end"] >> i & 1 else end
            key.append({"slice": [start, stop, None if step == 1 else step]})
    call.args, call.kwargs = operands[:1], {"key": key}
    return {"op": "getitem"}
