"""Cases of the operations of `keras.ops`."""

from __future__ import annotations

from typing import Any

from tests.tools.harness import Case

CONV = {"type": "Conv2D", "filters": 6, "kernel_size": 3, "padding": "same"}
IMAGE = (5, 6, 3)
INTS = {"dtypes": ("int32",), "low": -4, "high": 5}


def op(function: str, *inputs: Any, **fields: Any) -> dict[str, Any]:
    """The entry of an operation; without inputs it reads ``in0``."""
    return {"op": function, "inputs": list(inputs) or ["in0"], **fields}


def trunk(
    function: str, *inputs: Any, after: bool = True, permutes: int = 0, **fields: Any
) -> Case:
    """An operation in a convolutional trunk, where nothing may be permuted.

    A result of three axes is the model's output in Keras's order, which may cost a permute.
    """
    entry = op(function, *(inputs or ("c",)), name="operation", **fields)
    options = ",".join(f"{key}={value}" for key, value in fields.items())
    return Case(
        [{**CONV, "name": "c"}, entry, *([CONV] if after else [])],
        IMAGE,
        permutes=permutes,
        name=f"{function}({inputs},{options})-trunk",
    )


def several(*functions: str, shape: tuple[Any, ...] = (4, 3), **options: Any) -> list[Case]:
    """The same question to several functions of one tensor, all in one model each."""
    return [Case([op(function)], shape, **options) for function in functions]


def chain(entries: list[dict[str, Any]], shapes: Any, **options: Any) -> Case:
    """Many operations on the same inputs in one model, each of them an output."""
    named = [{**entry, "name": f"o{i}"} for i, entry in enumerate(entries)]
    return Case(named, shapes, outputs=[entry["name"] for entry in named], **options)


BINARY = ("add", "subtract", "multiply", "divide", "true_divide", "maximum", "minimum")
COMPARE = ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal")
UNARY = [
    "negative",
    "absolute",
    "abs",
    "square",
    "exp",
    "expm1",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "arctan",
    "sign",
    "floor",
    "ceil",
    "round",
    "erf",
    "zeros_like",
    "ones_like",
    "reciprocal",
]
POSITIVE = ["sqrt", "rsqrt", "log", "log1p", "log2", "log10"]
ACTIVATIONS = [
    "relu",
    "relu6",
    "sigmoid",
    "softmax",
    "log_softmax",
    "gelu",
    "silu",
    "swish",
    "elu",
    "selu",
    "celu",
    "leaky_relu",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "log_sigmoid",
    "softplus",
    "softsign",
    "soft_shrink",
    "hard_shrink",
    "tanh_shrink",
]
FLOAT_REDUCTIONS = ("sum", "mean", "max", "min", "std", "var", "prod", "logsumexp", "norm")
WHOLE_REDUCTIONS = ("sum", "mean", "max", "min", "prod", "any", "all", "argmax", "argmin")

CASES = [
    # Arithmetic: tensors that broadcast, numbers on either side, whole numbers.
    chain(
        [op(f, "in0", "in1") for f in (*BINARY, "mod", "floor_divide", "arctan2")],
        [(4, 3), (1, 3)],
        name="binary-broadcast",
    ),
    chain(
        [op(f, "in0", 2.5) for f in (*BINARY, "mod", "floor_divide")], (4, 3), name="binary-number"
    ),
    chain([op(f, 3, "in0") for f in (*BINARY, "power")], (4, 3), name="number-binary"),
    Case(
        [
            {"type": "Dense", "units": 3, "name": "d", "inputs": "in0"},
            op("floor_divide", "d", 0.5, name="f"),
            op("add", "d", "f"),
        ],
        (4,),
        name="floor_divide-of-what-learns",
    ),
    chain(
        [op(f, "in0", "in1") for f in (*BINARY, *COMPARE)],
        [(4, 3), (4, 3)],
        dtypes=("int32", "float32"),
        name="binary-int-float",
    ),
    chain(
        [op(f, "in0", "in1") for f in ("add", "multiply", "divide", "maximum")],
        [(4, 3), (4, 3)],
        dtypes=("uint8", "int8"),
        name="binary-uint8-int8",
    ),
    chain(
        [op(f, "in0", 2) for f in (*BINARY, "mod", "floor_divide", "power", *COMPARE)],
        (4, 3),
        low=1,
        dtypes=("int32",),
        name="binary-int-number",
    ),
    chain(
        [op(f, "in0", 0.5) for f in ("add", "multiply", "maximum", *COMPARE)],
        (4, 3),
        **INTS,
        name="int-times-half",
    ),
    chain([op(f, "in0", "in1") for f in COMPARE], [(5, 1), (1, 3)], name="compare"),
    Case([{**CONV, "name": "c"}, op("power", "c", 2)], IMAGE),
    trunk("multiply", "c", 2.0),
    trunk("add", "c", "c"),
    trunk("subtract", 1.0, "c"),
    trunk("maximum", "c", 0.1),
    Case([op("multiply", "in0", "in1")], [(3, 6, 3), (6, 3)]),
    Case(
        [op("mean", name="m", keepdims=True, axis=[1, 2]), op("subtract", "in0", "m"), CONV],
        IMAGE,
        permutes=0,
    ),
    chain(
        [op(f, "in0", "in1") for f in ("logical_and", "logical_or", "logical_xor")],
        [(4, 3), (1, 3)],
        dtypes=("bool", "bool"),
        name="logical",
    ),
    chain(
        [op("logical_not"), op("logical_and", "in0", True)],
        (4, 3),
        dtypes=("int32",),
        high=2,
        name="logical-int",
    ),
    Case([op("greater", "in0", 0.0, name="g"), op("where", "g", "in0", "in1")], [(4, 3), (1, 3)]),
    Case([op("where", "in1", "in0", 0.0)], [(4, 3), (4, 1)], dtypes=("float32", "int32"), high=2),
    # Functions of one tensor.
    chain([op(f) for f in UNARY], (4, 3), name="unary"),
    chain(
        [op(f) for f in UNARY if f not in ("erf", "reciprocal")], (4, 3), **INTS, name="unary-int"
    ),
    Case(
        [op("exp", name="e"), *(op(f, "e", name=f) for f in POSITIVE)],
        (4, 3),
        outputs=POSITIVE,
        name="unary-positive",
    ),
    chain(
        [op(f) for f in POSITIVE if f != "rsqrt"],
        (4, 3),
        dtypes=("int32",),
        low=1,
        name="unary-positive-int",
    ),
    Case(
        [op("tanh", name="t"), op("arcsin", "t", name="a"), op("arccos", "t", name="b")],
        (4,),
        outputs=["a", "b"],
    ),
    chain(
        [
            op("round", decimals=1),
            op("clip", x_min=-0.5, x_max=1),
            op("cast", dtype="int32"),
            op("cast", dtype="bool"),
            op("zeros_like", dtype="int32"),
        ],
        (4, 3),
        name="unary-options",
    ),
    chain(
        [
            op("clip", x_min=0, x_max=2),
            op("convert_to_tensor"),
            op("cast", dtype="float32"),
            op("cast", dtype="float64"),
            op("square"),
        ],
        (4, 3),
        **INTS,
        name="unary-options-int",
    ),
    trunk("exp"),
    trunk("clip", x_min=-1.0, x_max=1.0),
    chain([op(f) for f in ACTIVATIONS], (4, 3), name="activations"),
    chain(
        [
            op("softmax", axis=1),
            op("log_softmax", axis=-2),
            op("gelu", approximate=False),
            op("leaky_relu", negative_slope=0.1),
            op("elu", alpha=0.5),
            op("softmax", axis=None),
        ],
        (4, 3),
        name="activations-options",
    ),
    trunk("softmax", axis=1),
    # Reductions.
    *(
        chain(
            [op(f, axis=axis, keepdims=keep) for f in FLOAT_REDUCTIONS for keep in (False, True)],
            (4, 3, 2),
            name=f"reduce-{axis}",
        )
        for axis in (1, -1)
    ),
    *(
        chain(
            [op(f, axis=axis, keepdims=keep) for f in FLOAT_REDUCTIONS for keep in (False, True)],
            (4, 3, 2),
            name=f"reduce-{axis}",
        )
        for axis in ([1, 2],)
    ),
    *(
        chain(
            [op(f, axis=axis) for f in WHOLE_REDUCTIONS], (4, 3), **INTS, name=f"reduce-int-{axis}"
        )
        for axis in (1, -1)
    ),
    chain(
        [
            op(f, keepdims=keep)
            for f in (*FLOAT_REDUCTIONS, "argmax")
            for keep in (False, True)
            if f != "norm"
        ],
        (4, 3),
        name="reduce-all",
    ),
    chain(
        [
            op("max", axis=1, initial=0.5),
            op("min", axis=1, initial=0.5),
            op("norm", axis=1, ord=1),
            op("norm", axis=-1, ord="inf"),
            op("norm", axis=[1, 2], ord="fro"),
            op("norm", axis=[1, 2], ord=1),
            op("prod", axis=[1, 2]),
        ],
        (4, 3),
        name="reduce-options",
    ),
    chain([op("cumsum", axis=1), op("cumsum", axis=-1), op("cumsum")], (4, 3), name="cumsum"),
    chain(
        [op("sum", axis=0), op("mean", axis=[0, 1]), op("any", axis=1), op("argmax", axis=2)],
        (4, 3),
        name="reduce-batch",
    ),
    trunk("mean", axis=[1, 2], after=False),
    trunk("max", axis=-1, keepdims=True),
    trunk("mean", axis=3, after=False),
    trunk("sum", axis=1, after=False, permutes=1),
    trunk("argmax", axis=-1, after=False),
    trunk("cumsum", axis=2),
    # Shapes.
    chain(
        [
            op("reshape", newshape=[-1, 12]),
            op("reshape", newshape=[-1, 2, 6]),
            op("transpose", axes=[0, 2, 1]),
            op("swapaxes", axis1=1, axis2=-1),
            op("moveaxis", source=1, destination=2),
            op("flip", axis=1),
            op("flip", axis=[1, 2]),
            op("roll", shift=1, axis=1),
            op("roll", shift=[1, -2], axis=[1, 2]),
            op("repeat", repeats=2, axis=1),
            op("repeat", repeats=[1, 2, 3], axis=2),
            op("tile", repeats=[1, 2, 1]),
            op("tile", repeats=2),
        ],
        (4, 3),
        name="shapes",
    ),
    chain(
        [
            op("squeeze", axis=1),
            op("squeeze"),
            op("squeeze", axis=[1, 3]),
            op("expand_dims", axis=1),
            op("expand_dims", axis=-1),
            op("expand_dims", axis=[1, 3]),
        ],
        (1, 4, 1, 3),
        name="squeeze-expand",
    ),
    Case([op("expand_dims", axis=1, name="e"), op("broadcast_to", "e", shape=[3, 5, 4])], (4,)),
    chain(
        [
            op("transpose"),
            op("moveaxis", source=[1, 2], destination=[3, 1]),
            op("transpose", axes=[0, 3, 1, 2]),
        ],
        IMAGE,
        name="transpose",
    ),
    chain(
        [
            op("concatenate", ["in0", "in1"], axis=1),
            op("concatenate", ["in0", "in1"], axis=-2),
            op("concatenate", ["in0", "in1"]),
            op("stack", ["in0", "in1"], axis=1),
            op("stack", ["in0", "in1"], axis=-1),
            op("stack", ["in0", "in1"]),
        ],
        [(4, 3), (4, 3)],
        name="join",
    ),
    Case(
        [op("concatenate", ["in0", "in1"], axis=-1)], [(4, 3), (4, 2)], dtypes=("float32", "int32")
    ),
    Case([op("pad", pad_width=[[0, 0], [1, 2], [0, 0]])], (4, 3)),
    chain(
        [
            op("pad", pad_width=[[0, 0], [1, 2], [2, 0], [0, 1]], constant_values=1.5),
            op("pad", pad_width=[[0, 0], [1, 2], [2, 0], [0, 0]], mode="reflect"),
            op("pad", pad_width=[[1, 1], [0, 0], [2, 1], [0, 0]]),
        ],
        IMAGE,
        name="pad",
    ),
    Case([op("split", indices_or_sections=2, axis=-1)], (4, 6)),
    Case([op("split", indices_or_sections=[1, 3], axis=1)], (4, 6)),
    trunk("split", indices_or_sections=2, axis=-1),
    trunk("concatenate", ["c", "c"], axis=-1),
    trunk("flip", axis=2),
    trunk("expand_dims", axis=1, after=False),
    trunk("pad", pad_width=[[0, 0], [1, 1], [0, 2], [0, 0]]),
    trunk("roll", shift=1, axis=-1),
    # Subscripts: slices, indices, new axes, an ellipsis, negative steps.
    chain(
        [
            op("getitem", key=key)
            for key in (
                [{"slice": [None, None, None]}, 0],
                [{"slice": [None, None, None]}, -1, {"slice": [1, None, None]}],
                [{"ellipsis": True}, {"slice": [None, 2, None]}],
                [{"ellipsis": True}, None],
                [{"slice": [None, None, None]}, None, {"slice": [0, 3, 2]}],
                [{"slice": [None, None, None]}, {"slice": [None, None, -1]}],
                [{"slice": [None, None, None]}, {"slice": [3, 0, -2]}, 1],
                [{"slice": [None, None, None]}, {"slice": [-2, None, None]}],
                0,
            )
        ],
        (4, 3),
        name="getitem",
    ),
    trunk("getitem", key=[{"ellipsis": True}, {"slice": [None, 3, None]}]),
    trunk(
        "getitem",
        key=[
            {"slice": [None, None, None]},
            {"slice": [1, None, None]},
            {"slice": [None, -1, None]},
        ],
    ),
    trunk("getitem", key=[{"slice": [None, None, None]}, 0], after=False, permutes=1),
    trunk("getitem", key=[{"ellipsis": True}, 0], after=False),
    chain(
        [
            op("take", "in0", 1, axis=1),
            op("take", "in0", [0, 2, -1], axis=1),
            op("take", "in0", [[0, 1]], axis=2),
            op("take", "in0", [0, 5]),
        ],
        (4, 3),
        name="take-constant",
    ),
    chain(
        [op("take", "in0", "in1", axis=1), op("take", "in0", "in1", axis=-1)],
        [(4, 3), (2,)],
        dtypes=("float32", "int32"),
        high=3,
        name="take",
    ),
    chain(
        [
            op("one_hot", num_classes=5),
            op("one_hot", num_classes=5, axis=1),
            op("one_hot", num_classes=5, dtype="int32"),
        ],
        (4,),
        dtypes=("int32",),
        high=5,
        name="one_hot",
    ),
    # Products.
    Case([op("matmul", "in0", "in1")], [(4, 3), (3, 5)]),
    Case([op("matmul", "in0", "in1")], [(2, 4, 3), (2, 3, 5)]),
    Case([op("transpose", axes=[0, 2, 1], name="t"), op("matmul", "in0", "t")], (4, 3)),
    Case([op("einsum", "in0", "in1", subscripts="btd,bsd->bts")], [(4, 3), (5, 3)]),
    Case([op("einsum", "in0", "in1", subscripts="...i,...i->...")], [(4, 3), (4, 3)]),
    trunk("einsum", "c", "c", subscripts="bhwc,bhwd->bcd", after=False),
    Case(
        [{"type": "Flatten", "name": "f"}, op("multiply", "f", 2.0), {"type": "Dense", "units": 3}],
        IMAGE,
    ),
    Case(
        [
            {**CONV, "name": "c"},
            {"type": "Flatten", "name": "f"},
            op("getitem", "f", key=[{"slice": [None, None, None]}, {"slice": [0, 7, None]}]),
            {"type": "Dense", "units": 3},
        ],
        IMAGE,
    ),
    Case([op("getitem", key=[{"ellipsis": True}, {"slice": [None, None, 2]}, 0])], (4, 3)),
    Case(
        [op("getitem", key=[{"slice": [None, None, None]}, {"slice": [1, None, None]}, None])],
        (None, 3),
    ),
    Case([op("pad", pad_width=[[0, 0], [1, 0], [0, 0]], constant_values=2)], (None, 3)),
    Case([op("mean", axis=1)], (None, 3)),
    Case([op("argmax", axis=-1, name="a"), op("one_hot", "a", num_classes=3)], (4, 3)),
    Case([op("norm")], (), sizes=()),
    Case([op("norm", axis=[0, 1])], (4,)),
    # Rarer elementary functions, tests for NaN and infinity, bits.
    chain(
        [
            *(op(f) for f in ("arcsinh", "exp2", "cbrt", "trunc")),
            op("full_like", "in0", 2.5),
            op("full_like", "in0", 2, dtype="int32"),
            op("stop_gradient"),
            op("copy"),
            op("logaddexp", "in0", "in0"),
            op("logaddexp", "in0", 0.5),
            op("hypot", "in0", "in0"),
            op("divide_no_nan", "in0", "in0"),
            op("divide_no_nan", 1.0, "in0"),
            op("divide_no_nan", "in0", 0.0),
        ],
        (4,),
        inputs=([[0.0, -0.5, 0.25, 3.5], [-2.5, 1.0, 2.0, -8.0]],),
        name="elementary",
    ),
    chain(
        [
            *(op(f) for f in ("isnan", "isinf", "isfinite")),
            op("nan_to_num", posinf=2.0, neginf=-2.0),
            op("nan_to_num", nan=1.0, posinf=3.0, neginf=-3.0),
        ],
        (4,),
        inputs=([[0.0, -0.5, float("nan"), float("inf")], [-float("inf"), 1.0, 2.0, -8.0]],),
        name="not-finite",
    ),
    Case(
        [
            op("tanh", name="t"),
            op("arctanh", "t", name="a"),
            op("erfinv", "t", name="b"),
            op("cosh", name="c"),
            op("arccosh", "c", name="d"),
        ],
        (4,),
        outputs=["a", "b", "d"],
        name="elementary-bounded",
    ),
    chain(
        [op(f, "in0", "in1") for f in ("bitwise_and", "bitwise_or", "bitwise_xor")]
        + [op("arcsinh"), op("exp2"), op("trunc"), op("isnan"), op("hypot", "in0", "in1")],
        [(4, 3), (4, 3)],
        dtypes=("int32", "int32"),
        low=-3,
        name="elementary-int",
    ),
    trunk("stop_gradient"),
    chain(
        [
            op("glu"),
            op("glu", axis=1),
            op("sparsemax"),
            op("sparsemax", axis=1),
            op("sparse_plus"),
            op("sparse_sigmoid"),
            op("squareplus"),
            op("squareplus", b=1.5),
            op("threshold", threshold=0.2, default_value=-1.0),
        ],
        (4, 6),
        name="activations-more",
    ),
    # Statistics.
    chain(
        [
            *(op(f, axis=a) for f in ("amax", "amin", "median", "ptp") for a in (1, -1, [1, 2])),
            *(op(f, axis=-1, keepdims=True) for f in ("amax", "amin", "median", "ptp")),
            op("median"),
            op("median", keepdims=True),
            op("median", axis=[1, 2], keepdims=True),
            op("average"),
            op("average", axis=1),
            op("average", axis=-1),
            op("count_nonzero", axis=1),
            op("count_nonzero", axis=[1, 2]),
            op("count_nonzero"),
            op("cumprod", axis=1),
            op("cumprod"),
        ],
        (4, 3),
        name="statistics",
    ),
    chain(
        [
            op("average", "in0", "in1"),
            op("average", "in0", "in1", axis=1),
            op("average", "in0", {"const": {"value": [0.2, 0.3, 0.5], "dtype": "float32"}}, axis=2),
        ],
        [(4, 3), (4, 3)],
        name="average-weights",
    ),
    Case([op("moments", axes=[1])], (4, 3)),
    Case([op("moments", axes=[1, 2], keepdims=True)], IMAGE),
    trunk("moments", axes=[1, 2], keepdims=True, after=False),
    chain(
        [
            op("normalize"),
            op("normalize", axis=1),
            op("normalize", axis=[1, 2]),
            op("normalize", order=1),
            op("normalize", order=3, axis=1),
            op("normalize", axis=[1, 2], order=1),
            op("normalize", epsilon=3.0),
            op("normalize", axis=None),
        ],
        (4, 3),
        name="normalize",
    ),
    trunk("normalize"),
    chain(
        [
            *(op(f, axis=a) for f in ("amax", "median", "ptp", "average") for a in (1, -1)),
            op("count_nonzero", axis=1),
            op("cumprod", axis=1),
        ],
        (4, 3),
        **INTS,
        name="statistics-int",
    ),
    # Order.
    chain(
        [*(op(f, axis=a) for f in ("sort", "argsort") for a in (1, -1)), op("sort"), op("argsort")],
        (4, 3),
        name="sort",
    ),
    chain([op("sort", axis=None), op("argsort", axis=None)], (4, 3), name="sort-all"),
    chain([op("sort"), op("argsort")], (6,), **INTS, name="sort-equal"),
    trunk("sort", axis=-1),
    trunk("argsort", axis=2, after=False),
    Case([op("top_k", k=2)], (4, 6)),
    Case([op("top_k", k=1)], (6,)),
    trunk("top_k", k=2, after=False),
    chain(
        [op("take_along_axis", "in0", "in1", axis=1), op("take_along_axis", "in0", "in1", axis=-2)],
        [(4, 3), (2, 3)],
        dtypes=("float32", "int32"),
        low=-3,
        high=3,
        name="take_along_axis",
    ),
    Case([op("unstack", axis=1)], (4, 3)),
    Case([op("unstack", axis=-1, num=3)], (4, 3)),
    Case([op("unstack", axis=1)], (1, 3)),
    trunk("unstack", axis=-1, after=False),
    trunk("unstack", axis=1, after=False, permutes=1),
    chain(
        [
            *(op(f, k=k) for f in ("tril", "triu") for k in (-1, 0, 2)),
            op("diagonal", axis1=1, axis2=2),
            op("diagonal", axis1=-2, axis2=-1, offset=1),
            op("diagonal"),
            op("trace", axis1=1, axis2=2),
            op("trace", axis1=1, axis2=2, offset=-1),
            op("diff", axis=1),
            op("diff", n=2),
            op("ravel"),
        ],
        (4, 5),
        name="triangles",
    ),
    # Images.
    *(
        Case(
            [{**CONV, "filters": 12, "name": "c"}, op(f, "c", block_size=2, name="o"), CONV], shape
        )
        for f in ("depth_to_space", "space_to_depth")
        for shape in ((4, 6, 3), (None, None, 2))
        if f == "depth_to_space" or None not in shape
    ),
    Case([op("depth_to_space", block_size=3)], (3, 5, 9)),
    Case([op("depth_to_space", block_size=2)], (3, 5, 8)),
    Case([op("space_to_depth", block_size=2)], (4, 6, 1)),
    Case([op("space_to_depth", block_size=3)], (3, 6, 2)),
    *(
        Case([{**CONV, "name": "c"}, op("resize", "c", size=size, **o)], IMAGE)
        for o in (
            *(
                {"interpolation": kind, "antialias": antialias}
                for kind in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area")
                for antialias in (False, True)
            ),
            {"crop_to_aspect_ratio": True},
            {"pad_to_aspect_ratio": True},
            {"pad_to_aspect_ratio": True, "fill_value": 0.5},
        )
        for size in ([8, 9], [3, 2], [4, 13])
    ),
    Case([op("resize", size=[8, 8])], (None, None, 4), sizes=(5, 7)),
    Case([op("resize", size=[7, 9], interpolation="nearest")], (None, None, 4), sizes=(5, 6)),
    Case([op("resize", size=[5, 6])], IMAGE),
    Case([op("rgb_to_grayscale")], IMAGE),
    Case([op("rgb_to_grayscale", name="g"), CONV], IMAGE, permutes=0),
    *(
        Case([op("extract_patches", **o)], (7, 6, 2))
        for o in (
            {"size": 2},
            {"size": [3, 2]},
            {"size": 3, "strides": 1, "padding": "same"},
            {"size": 3, "strides": 2, "padding": "same"},
            {"size": 2, "strides": 1, "dilation_rate": 2},
        )
    ),
    Case([op("extract_patches", size=2)], (None, None, 2), sizes=(6, 4)),
    *(
        Case([{**CONV, "name": "c"}, op(f, "c", **o)], shape)
        for f in ("max_pool", "average_pool")
        for shape, o in (
            (IMAGE, {"pool_size": 2}),
            (IMAGE, {"pool_size": [3, 2], "strides": 1, "padding": "same"}),
            (IMAGE, {"pool_size": 3, "strides": 2, "padding": "same"}),
        )
    ),
    Case([op("max_pool", pool_size=2)], (7, 3)),
    *(
        Case(
            [op(f, pool_size=2, name="pooled"), {"type": "Conv2D", "filters": 2, "kernel_size": 2}],
            (7, 6, 3),
        )
        for f in ("max_pool", "average_pool")
    ),
    # Padding with mirrored elements along any axis.
    chain(
        [
            op("pad", pad_width=[[0, 0], [1, 2], [2, 1]], mode=mode)
            for mode in ("reflect", "symmetric")
        ],
        (4, 3),
        name="pad-mirror",
    ),
    chain(
        [
            op("pad", pad_width=[[0, 0], [1, 2], [2, 0], [0, 1]], mode=mode)
            for mode in ("reflect", "symmetric")
        ],
        IMAGE,
        name="pad-mirror-image",
    ),
    trunk("pad", pad_width=[[0, 0], [1, 1], [0, 2], [0, 0]], mode="symmetric"),
    # Contractions and attention.
    Case(
        [op("tensordot", "in0", "in1", axes=1)],
        [(4, 3), (5,)],
        inputs=(
            [[[1.0, 2.0, 3.0]] * 4] * 2,
            [[1.0, 2.0, 3.0, 4.0, 5.0]] * 3,
        ),
    ),
    Case(
        [
            op(
                "tensordot",
                {"const": {"value": [[1.0, 2.0], [3.0, 4.0]], "dtype": "float32"}},
                "in0",
                axes=[[1], [2]],
            )
        ],
        (4, 2),
        name="tensordot-constant",
    ),
    *(
        Case(
            [op("tensordot", "in0", {"const": {"value": value, "dtype": "float32"}}, axes=axes)],
            (4, 2),
            name=f"tensordot-{axes}",
        )
        for value, axes in (
            ([[[1.0, 2.0], [3.0, 4.0]], [[0.5, -1.0], [2.0, 3.0]]], [[2], [0]]),
            ([[[1.0, 2.0]] * 4, [[3.0, 4.0]] * 4, [[0.0, 1.0]] * 4], [[2, 1], [2, 1]]),
            ([[1.0, 2.0, 0.5, 3.0], [4.0, 5.0, 6.0, 0.0]], [[-1, 1], [0, -1]]),
        )
    ),
    Case([op("dot_product_attention", "in0", "in1", "in1")], [(4, 2, 3), (5, 2, 3)]),
    Case(
        [op("dot_product_attention", "in0", "in1", "in1", is_causal=True)], [(4, 4, 3), (5, 2, 3)]
    ),
    Case(
        [op("dot_product_attention", "in0", "in0", "in0", "in1", None, 0.3)],
        [(4, 2, 3), (1, 4, 4)],
        name="dot_product_attention-bias-scale",
    ),
    Case(
        [op("dot_product_attention", "in0", "in0", "in0", None, "in1", is_causal=True)],
        [(4, 2, 3), (1, 1, 4)],
        dtypes=("float32", "bool"),
        inputs=(
            [[[[float(t + h * f) / 5 for f in range(3)] for h in range(2)] for t in range(4)]] * 2,
            [[[[True, True, False, True]]]] * 2,
        ),
        name="dot_product_attention-mask-causal",
    ),
    # Constant arrays among the operands, small and large, in a trunk and beside it.
    chain(
        [
            op("subtract", "in0", [0.485, 0.456, 0.406]),
            op("true_divide", "in0", {"const": {"value": [0.2, 0.3, 0.4], "dtype": "float32"}}),
            op(
                "add",
                {
                    "const": {
                        "value": [[[1.0]], [[2.0]], [[3.0]], [[4.0]], [[5.0]]],
                        "dtype": "float32",
                    }
                },
                "in0",
            ),
            op("multiply", "in0", {"const": {"value": 0.5, "dtype": "float32"}}),
            op("maximum", "in0", [0.1, 0.2, 0.3]),
            op("where", {"const": {"value": [True, False, True], "dtype": "bool"}}, "in0", 0.0),
            op("greater", "in0", [0, 1, 0]),
            op("arctan2", "in0", [1.0, 2.0, 3.0]),
        ],
        IMAGE,
        name="constant-operands",
    ),
    Case([op("subtract", "in0", [0.485, 0.456, 0.406], name="s"), CONV], IMAGE, permutes=0),
    Case(
        [
            {"type": "Dense", "units": 4, "name": "d"},
            op(
                "add",
                "d",
                {
                    "const": {
                        "value": [[[i * 0.01 + j for j in range(4)] for i in range(80)]],
                        "dtype": "float32",
                    }
                },
            ),
        ],
        (80, 3),
        name="constant-large",
    ),
    Case(
        [
            op("add", "in0", {"const": {"value": list(range(6)), "dtype": "int32"}}, name="a"),
            {"type": "Embedding", "input_dim": 12, "output_dim": 3},
        ],
        (6,),
        dtypes=("int32",),
        high=6,
        name="constant-positions",
    ),
    Case(
        [
            op(
                "matmul",
                "in0",
                {"const": {"value": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "dtype": "float32"}},
            )
        ],
        (4, 3),
    ),
    Case([op("take", "in0", {"const": {"value": [0, 2, -1], "dtype": "int32"}}, axis=1)], (4, 3)),
    Case(
        [
            {"type": "Flatten", "name": "f"},
            op("multiply", "f", [float(i) for i in range(12)], name="m"),
            {"type": "Dense", "units": 2},
        ],
        (2, 2, 3),
        name="constant-flat",
    ),
    # An index that is no class gives zeros.
    chain(
        [op("one_hot", num_classes=5), op("one_hot", num_classes=5, axis=1)],
        (4,),
        dtypes=("int32",),
        low=-2,
        high=9,
        name="one_hot-outside",
    ),
    # Arithmetic with truth values.
    Case(
        [op("not_equal", "in0", 0, name="m"), op("subtract", 1.0, "m")],
        (6,),
        dtypes=("int32",),
        high=2,
    ),
    chain(
        [op(f, "in0", "in1") for f in ("subtract", "add", "multiply", "maximum", "divide", "mod")],
        [(6,), (6,)],
        dtypes=("bool", "float32"),
        name="bool-arithmetic",
    ),
    *(
        chain(
            [op(f) for f in ("isnan", "isinf", "isfinite")],
            (6,),
            dtypes=(kind,),
            name=f"not-finite-{kind}",
        )
        for kind in ("bool", "int32", "float16")
    ),
]
