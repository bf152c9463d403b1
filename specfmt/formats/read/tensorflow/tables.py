"""The table of TensorFlow functions and the equivalent operations of `keras.ops`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from specfmt.formats.config.reading import Json

KERAS_EPSILON: Final = 1e-7
"""`keras.config.epsilon()`, the default epsilon of `keras.ops.normalize`."""


@dataclass(frozen=True, slots=True)
class Row:
    """The operation of `keras.ops` that is equivalent to a TensorFlow function.

    Attributes:
        op: The `keras.ops` name.
        params: The parameters of the function in order; the first ``operands`` are operands.
        operands: The number of operands.
        keys: Parameter -> keyword of the operation.
        fixed: Keyword -> value that is always set, unless the source gives another.
        ignored: Parameter -> the value, or tuple of values, for which it has no effect and is left
            out (None always is).
        written: Parameter -> value that the export also writes.
    """

    op: str
    params: tuple[str, ...]
    operands: int
    keys: Json = field(default_factory=dict)
    fixed: Json = field(default_factory=dict)
    ignored: Json = field(default_factory=dict)
    written: Json = field(default_factory=dict)

    def may_leave_out(self, name: str, value: Any) -> bool:
        """Whether a parameter has no effect with this value."""
        if name not in self.ignored:
            return False
        harmless = self.ignored[name]
        return value in harmless if isinstance(harmless, tuple) else bool(value == harmless)


def _row(op: str, params: str, operands: int = 1, **options: Any) -> Row:
    return Row(op, tuple(params.split()), operands, **options)


def _unary(*names: str) -> dict[str, Row]:
    return {f"math.{name}": _row(name, "x") for name in names}


def _binary(**names: str) -> dict[str, Row]:
    return {f"math.{name}": _row(op, "x y", 2) for name, op in names.items()}


_REDUCE = {"axis": "axis", "keepdims": "keepdims"}
FUNCTIONS: Final[dict[str, Row]] = {
    **_unary(
        *(
            "square sqrt exp log log1p expm1 sin cos tan asin acos atan sinh cosh tanh floor "
            "ceil round sign rsqrt reciprocal erf sigmoid softplus softsign negative "
            "logical_not"
        ).split()
    ),
    "math.abs": _row("absolute", "x"),
    "math.asin": _row("arcsin", "x"),
    "math.acos": _row("arccos", "x"),
    "math.atan": _row("arctan", "x"),
    **_binary(
        add="add",
        subtract="subtract",
        multiply="multiply",
        divide="true_divide",
        truediv="true_divide",
        floordiv="floor_divide",
        floormod="mod",
        mod="mod",
        pow="power",
        maximum="maximum",
        minimum="minimum",
        greater="greater",
        greater_equal="greater_equal",
        less="less",
        less_equal="less_equal",
        equal="equal",
        not_equal="not_equal",
        logical_and="logical_and",
        logical_or="logical_or",
        logical_xor="logical_xor",
    ),
    "math.atan2": _row("arctan2", "y x", 2),
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
            "mean": "mean",
            "sum": "sum",
            "max": "max",
            "min": "min",
            "prod": "prod",
            "any": "any",
            "all": "all",
            "std": "std",
            "variance": "var",
            "logsumexp": "logsumexp",
        }.items()
    },
    "math.argmax": _row(
        "argmax",
        "input axis output_type",
        keys={"axis": "axis"},
        fixed={"axis": 0},
        ignored={"output_type": ("int64", "int32")},
        written={"output_type": "int32"},
    ),
    "math.argmin": _row(
        "argmin",
        "input axis output_type",
        keys={"axis": "axis"},
        fixed={"axis": 0},
        ignored={"output_type": ("int64", "int32")},
        written={"output_type": "int32"},
    ),
    "math.cumsum": _row(
        "cumsum",
        "x axis exclusive reverse",
        keys={"axis": "axis"},
        fixed={"axis": 0},
        ignored={"exclusive": False, "reverse": False},
    ),
    "math.cumprod": _row(
        "cumprod",
        "x axis exclusive reverse",
        keys={"axis": "axis"},
        fixed={"axis": 0},
        ignored={"exclusive": False, "reverse": False},
    ),
    "math.erfc": _row("erfc", "x"),
    "math.bessel_i0": _row("i0", "x"),
    "linalg.det": _row("det", "input"),
    "linalg.inv": _row("inv", "input adjoint", ignored={"adjoint": False}),
    "linalg.cholesky": _row("cholesky", "input"),
    "math.asinh": _row("arcsinh", "x"),
    "math.acosh": _row("arccosh", "x"),
    "math.atanh": _row("arctanh", "x"),
    "math.erfinv": _row("erfinv", "x"),
    "math.is_nan": _row("isnan", "x"),
    "math.is_inf": _row("isinf", "x"),
    "math.is_finite": _row("isfinite", "x"),
    **{
        f"bitwise.{name}": _row(name, "x y", 2)
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    },
    "math.divide_no_nan": _row("divide_no_nan", "x y", 2),
    "math.reduce_euclidean_norm": _row("norm", "input_tensor axis keepdims", keys=_REDUCE),
    "math.count_nonzero": _row(
        "count_nonzero",
        "input axis keepdims dtype",
        keys={"axis": "axis"},
        ignored={"keepdims": False, "dtype": ("int64", "int32")},
        written={"dtype": "int32"},
    ),
    "math.top_k": _row(
        "top_k", "input k sorted", keys={"k": "k", "sorted": "sorted"}, fixed={"k": 1}
    ),
    "stop_gradient": _row("stop_gradient", "input"),
    "identity": _row("copy", "input"),
    "convert_to_tensor": _row(
        "convert_to_tensor", "value dtype", keys={"dtype": "dtype"}, ignored={"dtype_hint": None}
    ),
    "nn.depth_to_space": _row(
        "depth_to_space",
        "input block_size data_format",
        keys={"block_size": "block_size"},
        ignored={"data_format": "NHWC"},
    ),
    "nn.space_to_depth": _row(
        "space_to_depth",
        "input block_size data_format",
        keys={"block_size": "block_size"},
        ignored={"data_format": "NHWC"},
    ),
    "nn.bias_add": _row(
        "add", "value bias data_format", 2, ignored={"data_format": ("NHWC", "N...C")}
    ),
    "image.resize": _row(
        "resize",
        "images size method preserve_aspect_ratio antialias",
        keys={"size": "size", "method": "interpolation", "antialias": "antialias"},
        ignored={"preserve_aspect_ratio": False},
    ),
    "image.rgb_to_grayscale": _row("rgb_to_grayscale", "images"),
    "linalg.diag_part": _row(
        "diagonal",
        "input k padding_value align",
        keys={"k": "offset"},
        fixed={"axis1": -2, "axis2": -1},
        ignored={"padding_value": 0, "align": "RIGHT_LEFT"},
    ),
    "linalg.trace": _row("trace", "x", fixed={"axis1": -2, "axis2": -1}),
    "linalg.matrix_transpose": _row(
        "swapaxes", "a conjugate", fixed={"axis1": -2, "axis2": -1}, ignored={"conjugate": False}
    ),
    "tensordot": _row("tensordot", "a b axes", 2, keys={"axes": "axes"}),
    "nn.relu": _row("relu", "features"),
    "nn.relu6": _row("relu6", "features"),
    "nn.elu": _row("elu", "features"),
    "nn.selu": _row("selu", "features"),
    "math.log_sigmoid": _row("log_sigmoid", "x"),
    "nn.tanh": _row("tanh", "x"),
    "nn.sigmoid": _row("sigmoid", "x"),
    "nn.softplus": _row("softplus", "features"),
    "nn.softsign": _row("softsign", "features"),
    "nn.silu": _row("silu", "features beta", ignored={"beta": 1.0}),
    "nn.swish": _row("silu", "features beta", ignored={"beta": 1.0}),
    "nn.leaky_relu": _row("leaky_relu", "features alpha", keys={"alpha": "negative_slope"}),
    "nn.gelu": _row(
        "gelu",
        "features approximate",
        keys={"approximate": "approximate"},
        fixed={"approximate": False},
    ),
    "nn.softmax": _row("softmax", "logits axis", keys={"axis": "axis"}),
    "nn.log_softmax": _row("log_softmax", "logits axis", keys={"axis": "axis"}),
    "reshape": _row("reshape", "tensor shape", keys={"shape": "newshape"}),
    "transpose": _row(
        "transpose", "a perm conjugate", keys={"perm": "axes"}, ignored={"conjugate": False}
    ),
    "concat": _row("concatenate", "values axis", keys={"axis": "axis"}),
    "stack": _row("stack", "values axis", keys={"axis": "axis"}),
    "unstack": _row("unstack", "value num axis", keys={"num": "num", "axis": "axis"}),
    "split": _row(
        "split",
        "value num_or_size_splits axis num",
        keys={"num_or_size_splits": "indices_or_sections", "axis": "axis"},
    ),
    "expand_dims": _row("expand_dims", "input axis", keys={"axis": "axis"}),
    "squeeze": _row("squeeze", "input axis", keys={"axis": "axis"}),
    "cast": _row("cast", "x dtype", keys={"dtype": "dtype"}),
    "tile": _row("tile", "input multiples", keys={"multiples": "repeats"}),
    "where": _row("where", "condition x y", 3),
    "one_hot": _row(
        "one_hot",
        "indices depth on_value off_value axis dtype",
        keys={"depth": "num_classes", "axis": "axis", "dtype": "dtype"},
        ignored={"on_value": 1, "off_value": 0},
    ),
    "clip_by_value": _row(
        "clip",
        "t clip_value_min clip_value_max",
        keys={"clip_value_min": "x_min", "clip_value_max": "x_max"},
    ),
    "pad": _row(
        "pad",
        "tensor paddings mode constant_values",
        keys={
            "paddings": "pad_width",
            "mode": "mode",
            "constant_values": "constant_values",
        },
        ignored={"constant_values": 0},
    ),
    "reverse": _row("flip", "tensor axis", keys={"axis": "axis"}),
    "roll": _row("roll", "input shift axis", keys={"shift": "shift", "axis": "axis"}),
    "repeat": _row("repeat", "input repeats axis", keys={"repeats": "repeats", "axis": "axis"}),
    "broadcast_to": _row("broadcast_to", "input shape", keys={"shape": "shape"}),
    "zeros_like": _row("zeros_like", "input dtype", keys={"dtype": "dtype"}),
    "ones_like": _row("ones_like", "input dtype", keys={"dtype": "dtype"}),
    "linalg.matmul": _row(
        "matmul",
        "a b transpose_a transpose_b adjoint_a adjoint_b a_is_sparse b_is_sparse output_type",
        2,
        ignored=dict.fromkeys(
            ["transpose_a", "transpose_b", "adjoint_a", "adjoint_b", "a_is_sparse", "b_is_sparse"],
            False,
        ),
    ),
    "gather": _row(
        "take",
        "params indices validate_indices axis batch_dims",
        2,
        keys={"axis": "axis"},
        fixed={"axis": 0},
        ignored={"batch_dims": 0},
    ),
    # TensorFlow's epsilon bounds the squared norm, that of keras.ops the norm: take the square root.
    "math.l2_normalize": _row(
        "normalize",
        "x axis epsilon",
        keys={"axis": "axis", "epsilon": "epsilon"},
        fixed={"axis": None, "epsilon": 1e-12},
    ),
    "norm": _row(
        "norm",
        "tensor ord axis keepdims",
        keys={"axis": "axis", "keepdims": "keepdims"},
        ignored={"ord": "euclidean"},
    ),
}

FUNCTIONS["nn.l2_normalize"] = FUNCTIONS["math.l2_normalize"]
FUNCTIONS["nn.top_k"] = FUNCTIONS["math.top_k"]
for _name in (
    *("transpose", "squeeze", "gather", "pad", "norm"),
    *("nn.depth_to_space", "nn.space_to_depth", "convert_to_tensor"),
):
    FUNCTIONS["compat.v1." + _name] = FUNCTIONS[_name]  # the same arguments, some with old names
