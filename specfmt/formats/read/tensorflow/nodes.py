"""Converting nodes of TensorFlow graphs (tf.keras 2.0 to 2.3) to calls of TensorFlow functions."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from specfmt.diagnostics import Path
from specfmt.formats.config.reading import Json, as_map
from specfmt.formats.read.nodes import Call
from specfmt.formats.read.tensorflow.node_defs import read_node
from specfmt.formats.read.tensorflow.size_rules import is_constant
from specfmt.formats.read.tensorflow.steps import UnsupportedError, numbers, subscript


class Form(NamedTuple):
    """The function of a node: its operands in order, and its attributes by keyword."""

    function: str
    operands: tuple[str, ...] | None = None
    attributes: dict[str, str] = {}  # noqa: RUF012 - never written


def _named(text: str, **attributes: str) -> dict[str, Form]:
    """``"Node function Node function ..."``."""
    words = text.split()
    pairs = zip(words[::2], words[1::2], strict=True)
    return {name: Form(function, None, attributes) for name, function in pairs}


NODES: Final[dict[str, Form]] = {
    **_named(
        "Add math.add AddV2 math.add Sub math.subtract Mul math.multiply RealDiv math.truediv "
        "Div math.divide FloorDiv math.floordiv FloorMod math.floormod Pow math.pow "
        "Maximum math.maximum Minimum math.minimum SquaredDifference math.squared_difference "
        "DivNoNan math.divide_no_nan Atan2 math.atan2 Xlogy math.xlogy "
        "Greater math.greater GreaterEqual math.greater_equal Less math.less "
        "LessEqual math.less_equal Equal math.equal NotEqual math.not_equal "
        "LogicalAnd math.logical_and LogicalOr math.logical_or LogicalNot math.logical_not "
        "Neg math.negative Abs math.abs Square math.square Sqrt math.sqrt Rsqrt math.rsqrt "
        "Exp math.exp Expm1 math.expm1 Log math.log Log1p math.log1p Sin math.sin Cos math.cos "
        "Tan math.tan Asin math.asin Acos math.acos Atan math.atan Sinh math.sinh Cosh math.cosh "
        "Asinh math.asinh Acosh math.acosh Atanh math.atanh "
        "Tanh math.tanh Sigmoid math.sigmoid Erf math.erf Floor math.floor Ceil math.ceil "
        "Round math.round Rint math.round Sign math.sign Reciprocal math.reciprocal Inv "
        "math.reciprocal IsNan math.is_nan IsInf math.is_inf IsFinite math.is_finite "
        "Softplus nn.softplus Softsign nn.softsign Relu nn.relu Relu6 nn.relu6 Elu nn.elu "
        "Selu nn.selu Softmax nn.softmax LogSoftmax nn.log_softmax "
        "Identity identity StopGradient stop_gradient Reshape reshape Transpose transpose "
        "ExpandDims expand_dims Tile tile BroadcastTo broadcast_to Fill fill Range range "
        "Select where SelectV2 where ClipByValue clip_by_value ZerosLike zeros_like "
        "OnesLike ones_like Pad pad Slice slice Shape compat.v1.shape Size compat.v1.size "
        "Rank compat.v1.rank Gather gather ReverseV2 reverse "
        "ArgMax math.argmax ArgMin math.argmin MatrixBandPart linalg.band_part "
        "AdjustContrastv2 image.adjust_contrast"
    ),
    **_named(
        "Mean math.reduce_mean Sum math.reduce_sum Max math.reduce_max Min math.reduce_min "
        "Prod math.reduce_prod All math.reduce_all Any math.reduce_any",
        keep_dims="keepdims",
    ),
    **_named("MatMul linalg.matmul", transpose_a="transpose_a", transpose_b="transpose_b"),
    **_named(
        "BatchMatMul linalg.matmul BatchMatMulV2 linalg.matmul BatchMatMulV3 linalg.matmul",
        adj_x="transpose_a",
        adj_y="transpose_b",
    ),
    **_named("Cast cast", DstT="dtype"),
    **_named("Squeeze squeeze", squeeze_dims="axis"),
    **_named("LeakyRelu nn.leaky_relu", alpha="alpha"),
    **_named("BiasAdd nn.bias_add", data_format="data_format"),
    **_named("Cumsum math.cumsum Cumprod math.cumprod", exclusive="exclusive", reverse="reverse"),
    **_named(
        "LRN nn.local_response_normalization",
        depth_radius="depth_radius",
        bias="bias",
        alpha="alpha",
        beta="beta",
    ),
    **_named(
        "DepthToSpace nn.depth_to_space SpaceToDepth nn.space_to_depth",
        block_size="block_size",
        data_format="data_format",
    ),
    **_named(
        "MaxPool nn.max_pool AvgPool nn.avg_pool",
        ksize="ksize",
        strides="strides",
        padding="padding",
        data_format="data_format",
    ),
    **_named(
        "ExtractImagePatches image.extract_patches",
        ksizes="sizes",
        strides="strides",
        rates="rates",
        padding="padding",
    ),
    # Of a function with a custom gradient; the value is the first operand.
    "IdentityN": Form("identity", ("input",)),
    "MatrixDiagPart": Form("linalg.diag_part", ("input",)),
    "MatrixDiagPartV3": Form("linalg.diag_part", ("input", "k", "padding_value")),
    "MatrixDiag": Form("linalg.diag", ("diagonal",)),
    "MatrixDiagV3": Form("linalg.diag", ("diagonal", "k", "num_rows", "num_cols", "padding_value")),
    "OneHot": Form("one_hot", ("indices", "depth", "on_value", "off_value"), {"axis": "axis"}),
    "PadV2": Form("pad", ("tensor", "paddings", "constant_values")),
    "MirrorPad": Form("pad", ("tensor", "paddings"), {"mode": "mode"}),
    "GatherV2": Form("gather", ("params", "indices", "axis"), {"batch_dims": "batch_dims"}),
    "TopKV2": Form("math.top_k", ("input", "k"), {"sorted": "sorted"}),
    "Unpack": Form("unstack", ("value",), {"num": "num", "axis": "axis"}),
    "Split": Form("split", ("axis", "value"), {"num_split": "num_or_size_splits"}),
    "SplitV": Form("split", ("value", "num_or_size_splits", "axis")),
}
"""Node -> function; nodes that are not listed become custom layers."""

LISTS: Final = {"ConcatV2": "concat", "Pack": "stack", "AddN": "math.add_n", "Einsum": "einsum"}
"""Nodes with any number of input tensors."""

RESIZES: Final = {
    "ResizeBilinear": "bilinear",
    "ResizeNearestNeighbor": "nearest",
    "ResizeBicubic": "bicubic",
    "ResizeArea": "area",
}


def function_of_node(config: Json, call: Call, path: Path) -> str:
    """The TensorFlow function of a node; ``call`` is converted in place.

    Raises:
        UnsupportedError: The node has no known function.
        SpecError: The node is damaged.
    """
    op, attributes = read_node(config.get("node_def"), (*path, "node_def"))
    constants = as_map(config.get("constants") or {}, (*path, "constants"), "constants")
    tensors = call.args[0] if len(call.args) == 1 and isinstance(call.args[0], list) else call.args
    operands = _operands(list(tensors), constants)
    if op == "StridedSlice":
        return _strided_slice(operands, attributes, call)
    if op in LISTS:
        return _of_list(op, operands, attributes, call)
    if op in RESIZES:
        by_centers = attributes.get("half_pixel_centers") or op == "ResizeArea"
        if attributes.get("align_corners") or not by_centers:
            raise UnsupportedError("keras.ops does not resize by TensorFlow's legacy rule")
        call.args, call.kwargs = operands, {"method": RESIZES[op]}
        return "image.resize"
    form = NODES.get(op)
    if form is None:
        raise UnsupportedError(f"tf.raw_ops.{op} has no counterpart in keras.ops")
    given = {
        keyword: attributes[name]
        for name, keyword in form.attributes.items()
        if attributes.get(name) not in (None, [])
    }
    if form.operands is None:
        call.args, call.kwargs = operands, given
    else:
        call.args, call.kwargs = [], {**dict(zip(form.operands, operands, strict=False)), **given}
    if op == "Squeeze" and len(given.get("axis", ())) == 1:
        call.kwargs["axis"] = given["axis"][0]
    return form.function


def _operands(tensors: list[Any], constants: Json) -> list[Any]:
    """Tensors and constants in the order of the node's inputs."""
    operands: list[Any] = []
    for position in range(len(tensors) + len(constants)):
        key = str(position)
        if key in constants:
            operands.append(_array(constants[key]))
        elif tensors:
            operands.append(tensors.pop(0))
        else:
            raise UnsupportedError("its constants are not at the inputs of its node")
    return operands


def _array(value: Any) -> Any:
    """A constant as numbers, also from a NumPy array that Keras serialized as an object."""
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        return value["config"].get("value")
    return value


def _of_list(op: str, operands: list[Any], attributes: Json, call: Call) -> str:
    call.kwargs = {}
    if op == "Einsum":
        call.args = [{"const": attributes.get("equation")}, *operands]
        return LISTS[op]
    if op == "ConcatV2":
        if not operands or type(operands[-1]) is not int:
            raise UnsupportedError("its axis is computed")
        call.kwargs = {"axis": operands.pop()}
    elif op == "Pack":
        call.kwargs = {"axis": attributes.get("axis") or 0}
    call.args = [operands]
    return LISTS[op]


def _strided_slice(operands: list[Any], attributes: Json, call: Call) -> str:
    if len(operands) != 4 or not is_constant(operands[1:]):
        raise UnsupportedError("its bounds are computed")
    begin, end, strides = (numbers(item, "bound") for item in operands[1:])
    masks = {
        name: attributes.get(f"{name}_mask") or 0
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    if any(type(mask) is not int for mask in masks.values()):
        raise UnsupportedError("its masks are not numbers")
    call.args = operands[:1]
    call.kwargs = {"slice_spec": subscript(begin, end, strides, masks)}
    return "__operators__.getitem"
