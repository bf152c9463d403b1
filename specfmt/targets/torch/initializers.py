"""How one PyTorch parameter starts: the statements that draw it as Keras draws the weight.

Distributions and fans are Keras's (keras/src/initializers/random_initializers.py); where
`torch.nn.init` computes the same number from the torch shape, the stock function is used.
In statements, ``{}`` stands for the parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod, sqrt
from typing import Any, Final

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.layers.base import Weight
from specfmt.targets.source import literal, number, remark, string
from specfmt.targets.torch.params import (
    Blocks,
    Constant,
    Join,
    Permute,
    Reshape,
    Source,
    WeightExpr,
)
from specfmt.vocab.base import CUSTOM, Term
from specfmt.vocab.fields import GLOROT_UNIFORM, ONES, ORTHOGONAL, RANDOM_UNIFORM, ZEROS

Shape = tuple[int, ...]

TRUNCATION = "0.87962566"
"""The standard deviation of a standard normal cut at two."""

WINDOWS = ("bartlett", "blackman", "cosine", "hamming", "hann", "nuttall")
"""Windows that `torch.signal.windows` has in common with SciPy."""


WHOLE = tuple(f"nn.init.{name}_(" for name in ("zeros", "ones", "constant", "uniform", "normal"))
"""Statements that may draw several parts at once, for they look at no shape."""


def statements(expr: WeightExpr, weights: dict[str, Weight]) -> list[str]:
    """The statements that start a parameter; ``{}`` is its place.

    Args:
        expr: How the parameter is made from Keras weights.
        weights: The layer's Keras weights by name.

    Raises:
        SpecError: PyTorch has no such start.
    """
    if isinstance(expr, Join):
        return _joined(expr, weights)
    if isinstance(expr, Constant):
        return [_constant(expr.value)]
    (name,) = set(expr.sources())
    weight = weights[name]
    if weight.init.type == CUSTOM:
        known = replace(weight, init=stand_in(weight), pieces=())
        said = weight.init.name.replace("{}", "")[:60]
        return [
            remark(f"Keras starts it from {said}, whose code the model's file does not hold."),
            *statements(expr, {**weights, name: known}),
        ]
    if weight.pieces:
        return _in_pieces(expr, weight)
    return _draw(expr, weight.init, weight.shape)


STAND_INS: Final = {
    "recurrent_kernel": ORTHOGONAL,
    "embeddings": RANDOM_UNIFORM,
    "gamma": ONES,
    "moving_variance": ONES,
    "bias": ZEROS,
    "beta": ZEROS,
    "moving_mean": ZEROS,
}
"""What Keras starts weights of these names from where nothing is said."""


def stand_in(weight: Weight) -> Term:
    """What a weight starts from in place of an initializer of the user's own."""
    last = weight.name.rpartition("/")[2]
    return next((term for end, term in STAND_INS.items() if last.endswith(end)), GLOROT_UNIFORM)


def _joined(expr: Join, weights: dict[str, Weight]) -> list[str]:
    """Each part in its own slice, or one statement where all parts start alike."""
    parts = [statements(part, weights) for part in expr.parts]
    if all(part == parts[0] for part in parts) and parts[0][0].startswith(WHOLE):
        return parts[0]
    lines = []
    start = 0
    before = ":, " * expr.axis
    for part, text in zip(expr.parts, parts, strict=True):
        stop = start + part.shape[expr.axis]
        lines += [line.replace("{}", f"{{}}[{before}{start}:{stop}]") for line in text]
        start = stop
    return lines


def _in_pieces(expr: WeightExpr, weight: Weight) -> list[str]:
    """A weight whose parts along the first axis start differently (an LSTM's bias)."""
    plain = isinstance(expr, Source) and expr.index is ...
    target = "{}" if plain else weight.name.rpartition("/")[2]
    whole = _draw_values(weight.init, weight.shape)
    # One statement for the whole, then those parts that differ from it.
    lines = whole if whole is not None and _is_constant(weight.init) else []
    start = 0
    parts = []
    for length, init in weight.pieces:
        if not (lines and init == weight.init):
            shape = (length, *weight.shape[1:])
            text = _draw_values(init, shape) or []
            parts += [line.replace("{}", f"{{}}[{start}:{start + length}]") for line in text]
        start += length
    if plain:
        return [*lines, *parts]
    return [
        f"{target} = torch.empty({_sizes(weight.shape)})",
        *(line.replace("{}", target) for line in (*lines, *parts)),
        *_copy(expr, target),
    ]


def _draw(expr: WeightExpr, init: Term, shape: Shape) -> list[str]:
    """A whole weight, or a part of it in another layout."""
    direct = _draw_values(init, shape, expr.shape)
    if direct is not None:
        return direct
    word = init.spec
    if init.type == "Orthogonal" and _is_matrix(expr, shape):
        gain = "" if word.gain == 1 else f", gain={number(word.gain)}"
        return [f"nn.init.orthogonal_({{}}{gain})"]
    if init.type == "Identity" and word.gain == 1 and _is_plain_matrix(expr):
        return ["nn.init.eye_({})"]
    name = _local_name(expr)
    return [*_make(name, init, shape), *_copy(expr, name)]


def _draw_values(init: Term, shape: Shape, torch_shape: Shape | None = None) -> list[str] | None:
    """Statements where every element is drawn alike, whatever its place; else None."""
    word: Any = init.spec
    if init.type in ("Zeros", "Ones"):
        return [_constant(float(init.type == "Ones"))]
    if init.type == "Constant" and not isinstance(word.value, tuple):
        return [_constant(word.value)]
    if init.type == "RandomUniform":
        return [f"nn.init.uniform_({{}}, {number(word.minval)}, {number(word.maxval)})"]
    if init.type in ("RandomNormal", "TruncatedNormal"):
        if not word.stddev:
            return [_constant(word.mean)]
        mean = f", mean={number(word.mean)}" if word.mean else ""
        if init.type == "RandomNormal":
            return [f"nn.init.normal_({{}}{mean}, std={number(word.stddev)})"]
        low, high = (_short(word.mean + side * 2 * word.stddev) for side in (-1, 1))
        return [f"nn.init.trunc_normal_({{}}{mean}, std={number(word.stddev)}, a={low}, b={high})"]
    if hasattr(word, "distribution"):
        return _scaled(word, shape, shape if torch_shape is None else torch_shape)
    return None


def _is_constant(init: Term) -> bool:
    return init.type in ("Zeros", "Ones") or (
        init.type == "Constant" and not isinstance(init.spec.value, tuple)
    )


def _constant(value: float) -> str:
    if value in (0, 1):
        return f"nn.init.{'ones' if value else 'zeros'}_({{}})"
    return f"nn.init.constant_({{}}, {number(value)})"


def _short(value: float) -> str:
    """A float without the noise of its last digits."""
    return number(float(f"{value:.12g}"))


def keras_fans(shape: Shape, word: Any) -> tuple[int, int]:
    """``compute_fans`` of keras/src/initializers/random_initializers.py."""
    if word.input_axes is not None and word.output_axes is not None:
        return (
            prod(shape[axis] for axis in word.input_axes),
            prod(shape[axis] for axis in word.output_axes),
        )
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    field = prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _scaled(word: Any, shape: Shape, torch_shape: Shape) -> list[str]:
    """Variance scaling: stock functions where torch finds the same fans, else numbers."""
    fan_in, fan_out = keras_fans(shape, word)
    distribution = "truncated_normal" if word.distribution == "normal" else word.distribution
    theirs = _torch_fans(torch_shape)
    if distribution != "truncated_normal":
        kind = "uniform" if distribution == "uniform" else "normal"
        stock = _stock(word, kind, (fan_in, fan_out), theirs)
        if stock:
            return [stock]
    fan = _fan_text(word.mode, fan_in, fan_out, theirs)
    before = []
    if "+ {}" in fan:
        before, fan = [f"fans = {fan}"], "fans"
    factor = 2 if word.mode == "fan_avg" else 1
    if distribution == "uniform":
        variance = _short(3 * factor * word.scale).removesuffix(".0")
        return [
            *before,
            f"limit = math.sqrt({variance} / {fan})",
            "nn.init.uniform_({}, -limit, limit)",
        ]
    root = f"math.sqrt({_short(factor * word.scale).removesuffix('.0')} / {fan})"
    if distribution == "untruncated_normal":
        return [*before, f"nn.init.normal_({{}}, std={root})"]
    return [
        *before,
        f"std = {root} / {TRUNCATION}",
        "nn.init.trunc_normal_({}, std=std, a=-2 * std, b=2 * std)",
    ]


def _torch_fans(shape: Shape) -> tuple[int, int] | None:
    """What `torch.nn.init` takes for fan_in and fan_out."""
    if len(shape) < 2:
        return None
    field = prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _stock(word: Any, kind: str, fans: tuple[int, int], theirs: tuple[int, int] | None) -> str:
    """The stock function that draws the same, or nothing."""
    if theirs is None:
        return ""
    if word.mode == "fan_avg":
        if sum(fans) != sum(theirs):
            return ""
        gain = "" if word.scale == 1 else f", gain={_short(sqrt(word.scale))}"
        return f"nn.init.xavier_{kind}_({{}}{gain})"
    fan = fans[word.mode == "fan_out"]
    nonlinearity = {1.0: "linear", 2.0: "relu"}.get(word.scale)
    if nonlinearity is None or fan not in theirs:
        return ""
    mode = "" if fan == theirs[0] else ', mode="fan_out"'
    return f"nn.init.kaiming_{kind}_({{}}{mode}, nonlinearity={string(nonlinearity)})"


def _fan_text(mode: str, fan_in: int, fan_out: int, theirs: tuple[int, int] | None) -> str:
    """The fan as source: from the parameter's own shape where that is Keras's, else a number."""
    if theirs is None:
        return str(fan_in + fan_out if mode == "fan_avg" else (fan_in, fan_out)[mode == "fan_out"])
    own = {theirs[1]: "{}[:, 0].numel()", theirs[0]: "{}[0].numel()"}
    if mode == "fan_avg":
        if fan_in + fan_out == sum(theirs):
            return "{}[0].numel() + {}[:, 0].numel()"
        return f"({fan_in} + {fan_out})"
    fan = fan_out if mode == "fan_out" else fan_in
    return own.get(fan, str(fan))


def _core(expr: WeightExpr) -> WeightExpr:
    """An expression without the reorderings that keep a matrix orthogonal."""
    while isinstance(expr, Blocks):
        expr = expr.inner
    return expr


def _is_matrix(expr: WeightExpr, shape: Shape) -> bool:
    """Whether torch's view of the parameter as a matrix is Keras's, up to transposition and
    the order of rows and columns, under which an orthogonal draw does not change."""
    expr = _core(expr)
    if isinstance(expr, Permute):
        last = len(shape) - 1
        inner = _core(expr.inner)
        return expr.axes[0] == last and isinstance(inner, Source) and inner.index is ...
    return isinstance(expr, Source) and expr.index is ... and len(shape) == 2


def _is_plain_matrix(expr: WeightExpr) -> bool:
    """Whether it is a weight of two axes or its transpose."""
    if isinstance(expr, Permute):
        expr = expr.inner
    return isinstance(expr, Source) and expr.index is ... and len(expr.shape) == 2


def _local_name(expr: WeightExpr) -> str:
    (name,) = set(expr.sources())
    return name.rpartition("/")[2]


def _make(name: str, init: Term, shape: Shape) -> list[str]:
    """Statements that make a Keras weight, in Keras's shape, under a local name."""
    word: Any = init.spec
    if init.type == "Orthogonal":
        gain = "" if word.gain == 1 else f", gain={number(word.gain)}"
        rows = prod(shape[:-1])
        view = f".view({_sizes(shape)})" if len(shape) != 2 else ""
        empty = f"torch.empty({rows}, {shape[-1]})"
        return [f"{name} = nn.init.orthogonal_({empty}{gain}){view}"]
    if init.type == "Identity":
        gain = "" if word.gain == 1 else f"{number(word.gain)} * "
        return [f"{name} = {gain}torch.eye({_sizes(shape)})"]
    if init.type == "STFT":
        return _fourier(name, word, shape)
    values = literal(_lists(word.value))
    return [f"{name} = torch.tensor({values}).expand({_sizes(shape)})"]


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, tuple) else value


def _fourier(name: str, word: Any, shape: Shape) -> list[str]:
    """The windowed Fourier basis of `keras.initializers.STFT`."""
    frame, _, bins = shape
    lines = [
        f"time = torch.arange({frame}.0).view(-1, 1, 1)",
        f"frequency = torch.arange({bins}.0) / {2 * (bins - 1)}",
        f"{name} = torch.{'cos' if word.side == 'real' else 'sin'}"
        "(-2 * math.pi * time * frequency)",
    ]
    if word.window is None:
        return lines
    if word.window not in WINDOWS:
        raise SpecError(
            [
                Diagnostic(
                    "SF304",
                    f"expected one of the windows {', '.join(WINDOWS)} for PyTorch, "
                    f"received {word.window}",
                    (),
                    "use one of them, or generate the Keras target",
                )
            ]
        )
    lines.append(f"window = torch.signal.windows.{word.window}({frame}, sym={not word.periodic})")
    scale = {"density": " / window.square().sum().sqrt()", "spectrum": " / window.abs().sum()"}
    lines.append(f"{name} *= window.view(-1, 1, 1){scale.get(word.scaling, '')}")
    return lines


def _copy(expr: WeightExpr, name: str) -> list[str]:
    return ["with torch.no_grad():", f"    {{}}.copy_({torch_source(expr, lambda _: name)})"]


def _sizes(shape: Shape) -> str:
    return ", ".join(str(size) for size in shape)


def torch_source(expr: WeightExpr, name: Callable[[str], str]) -> str:
    """A weight expression as torch source.

    Args:
        expr: The expression.
        name: From the name of a Keras weight to the source of a tensor that holds it.
    """
    if isinstance(expr, Source):
        return name(expr.name) + _index(expr.index)
    if isinstance(expr, Permute):
        inner = torch_source(expr.inner, name)
        return f"{inner}.T" if expr.axes == (1, 0) else f"{inner}.permute({_sizes(expr.axes)})"
    if isinstance(expr, Reshape):
        return f"{torch_source(expr.inner, name)}.reshape({_sizes(expr.shape)})"
    if isinstance(expr, Blocks):
        axis, order = expr.axis, list(expr.order)
        cut = f"{torch_source(expr.inner, name)}.unflatten({axis}, ({len(order)}, -1))"
        return f"{cut}[{':, ' * axis}{order}].flatten({axis}, {axis + 1})"
    if isinstance(expr, Join):
        parts = ", ".join(torch_source(part, name) for part in expr.parts)
        return f"torch.cat([{parts}], dim={expr.axis})"
    if isinstance(expr, Constant):
        return f"torch.full(({_sizes(expr.shape)},), {number(expr.value)})"
    raise TypeError(f"no torch source for {type(expr).__name__}")


def _index(index: Any) -> str:
    if index is ...:
        return ""
    items = index if isinstance(index, tuple) else (index,)
    return "[" + ", ".join(_item(item) for item in items) + "]"


def _item(item: Any) -> str:
    if item is ...:
        return "..."
    if isinstance(item, slice):
        start = "" if item.start is None else str(item.start)
        stop = "" if item.stop is None else str(item.stop)
        return f"{start}:{stop}" + ("" if item.step is None else f":{item.step}")
    return str(item)
