"""Initialization of one PyTorch parameter with the initializer of the Keras weight.

Distributions and fans are Keras's (keras/src/initializers/random_initializers.py).  If
`torch.nn.init` computes the same from the parameter's shape, its function is used.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod, sqrt
from typing import Any, Final

from specfmt.layers.base import Weight
from specfmt.targets.source import literal, number, string
from specfmt.targets.torch.initializer_statements import (
    Copy,
    Fill,
    Fourier,
    Scaled,
    Statement,
    Statements,
    Unknown,
    Variable,
)
from specfmt.targets.torch.params import (
    Blocks,
    Constant,
    Join,
    Permute,
    Source,
    WeightExpr,
)
from specfmt.targets.torch.weight_source import sizes_text, torch_source
from specfmt.targets.torch.windows import window_source
from specfmt.vocab.base import CUSTOM, Term
from specfmt.vocab.fields import GLOROT_UNIFORM, ONES, ORTHOGONAL, RANDOM_UNIFORM, ZEROS

Shape = tuple[int, ...]

WHOLE: Final = ("zeros", "ones", "constant", "uniform", "normal")
"""Functions that do not depend on the shape, so that one call can initialize several parts."""


def statements(expr: WeightExpr, weights: dict[str, Weight]) -> Statements:
    """The statements that initialize a parameter.

    Args:
        expr: The parameter as an expression over Keras weights.
        weights: The layer's Keras weights by name.

    Raises:
        SpecError: PyTorch has no such initializer.
    """
    if isinstance(expr, Join):
        return _joined(expr, weights)
    if isinstance(expr, Constant):
        return (_constant(expr.value),)
    (name,) = set(expr.sources())
    weight = weights[name]
    if weight.init.type == CUSTOM:
        known = replace(weight, init=stand_in(weight), pieces=())
        remark = Unknown(name=weight.init.name[:60])
        return (remark, *statements(expr, {**weights, name: known}))
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
"""End of a weight's name -> Keras's default initializer."""


def stand_in(weight: Weight) -> Term:
    """The initializer that replaces a user-defined initializer: Keras's default."""
    last = weight.name.rpartition("/")[2]
    return next((term for end, term in STAND_INS.items() if last.endswith(end)), GLOROT_UNIFORM)


def _joined(expr: Join, weights: dict[str, Weight]) -> Statements:
    """The statements for each part's slice, or one statement if it can initialize all parts."""
    parts = [statements(part, weights) for part in expr.parts]
    if all(part == parts[0] for part in parts) and _is_alike(parts[0][0], expr.axis):
        return parts[0]
    found: list[Statement] = []
    start = 0
    before = ":, " * expr.axis
    for part, made in zip(expr.parts, parts, strict=True):
        stop = start + part.shape[expr.axis]
        found += [item.within(f"[{before}{start}:{stop}]") for item in made]
        start = stop
    return tuple(found)


def _is_alike(item: Statement, axis: int) -> bool:
    """Whether a statement has the same effect on joined tensors as on each of them."""
    if isinstance(item, Scaled) and item.distribution == "untruncated_normal":
        return item.fan not in ("both", "out") and (item.fan != "in" or axis == 0)
    return isinstance(item, Fill) and item.function in WHOLE


def _in_pieces(expr: WeightExpr, weight: Weight) -> Statements:
    """A weight whose parts along the first axis have different initializers (an LSTM's bias)."""
    whole = _draw_values(weight.init, weight.shape)
    # One statement for the whole, then those parts that differ from it.
    found = list(whole) if whole is not None and _is_constant(weight.init) else []
    start = 0
    is_filled = bool(found)
    for length, init in weight.pieces:
        if not (is_filled and init == weight.init):
            made = _draw_values(init, (length, *weight.shape[1:])) or ()
            found += [item.within(f"[{start}:{start + length}]") for item in made]
        start += length
    if isinstance(expr, Source) and expr.index is ...:
        return tuple(found)
    name = weight.name.rpartition("/")[2]
    return (
        Variable(name=name, source=f"torch.empty({sizes_text(weight.shape)})"),
        *(item.on(name) for item in found),
        _copy(expr, name),
    )


def _draw(expr: WeightExpr, init: Term, shape: Shape) -> Statements:
    """The statements for a whole weight, or a part of it, in PyTorch's axis order."""
    direct = _draw_values(init, shape, expr.shape)
    if direct is not None:
        return direct
    word = init.spec
    if init.type == "Orthogonal" and _is_matrix(expr, shape):
        return (Fill(function="orthogonal", arguments=_gain(word.gain)),)
    if init.type == "Identity" and word.gain == 1 and _is_plain_matrix(expr):
        return (Fill(function="eye"),)
    name = _local_name(expr)
    return _make(name, init, shape), _copy(expr, name)


def _gain(value: float) -> tuple[str, ...]:
    return () if value == 1 else (f"gain={number(value)}",)


def _draw_values(init: Term, shape: Shape, torch_shape: Shape | None = None) -> Statements | None:
    """The statements if all elements have the same distribution, independently; else None."""
    word: Any = init.spec
    if init.type in ("Zeros", "Ones"):
        return (_constant(float(init.type == "Ones")),)
    if init.type == "Constant" and not isinstance(word.value, tuple):
        return (_constant(word.value),)
    if init.type == "RandomUniform":
        return (Fill(function="uniform", arguments=(number(word.minval), number(word.maxval))),)
    if init.type in ("RandomNormal", "TruncatedNormal"):
        if not word.stddev:
            return (_constant(word.mean),)
        mean = (f"mean={number(word.mean)}",) if word.mean else ()
        std = f"std={number(word.stddev)}"
        if init.type == "RandomNormal":
            return (Fill(function="normal", arguments=(*mean, std)),)
        low, high = (_short(word.mean + side * 2 * word.stddev) for side in (-1, 1))
        return (Fill(function="trunc_normal", arguments=(*mean, std, f"a={low}", f"b={high}")),)
    if hasattr(word, "distribution"):
        return (_scaled(word, shape, shape if torch_shape is None else torch_shape),)
    return None


def _is_constant(init: Term) -> bool:
    return init.type in ("Zeros", "Ones") or (
        init.type == "Constant" and not isinstance(init.spec.value, tuple)
    )


def _constant(value: float) -> Fill:
    if value in (0, 1):
        return Fill(function="ones" if value else "zeros")
    return Fill(function="constant", arguments=(number(value),))


def _short(value: float) -> str:
    """A float without rounding errors in its last digits."""
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


def _scaled(word: Any, shape: Shape, torch_shape: Shape) -> Fill | Scaled:
    """Variance scaling: a stock function if PyTorch computes the same fans, else explicit."""
    fan_in, fan_out = keras_fans(shape, word)
    distribution = "truncated_normal" if word.distribution == "normal" else word.distribution
    theirs = _torch_fans(torch_shape)
    if distribution != "truncated_normal":
        kind = "uniform" if distribution == "uniform" else "normal"
        stock = _stock(word, kind, (fan_in, fan_out), theirs)
        if stock is not None:
            return stock
    factor = (2 if word.mode == "fan_avg" else 1) * (3 if distribution == "uniform" else 1)
    return Scaled(
        distribution=distribution,
        variance=_short(factor * word.scale).removesuffix(".0"),
        fan=_fan(word.mode, fan_in, fan_out, theirs),
    )


def _torch_fans(shape: Shape) -> tuple[int, int] | None:
    """fan_in and fan_out as `torch.nn.init` computes them; None if it cannot."""
    if len(shape) < 2:
        return None
    field = prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _stock(
    word: Any, kind: str, fans: tuple[int, int], theirs: tuple[int, int] | None
) -> Fill | None:
    """The stock function with the same distribution, if there is one."""
    if theirs is None:
        return None
    if word.mode == "fan_avg":
        if sum(fans) != sum(theirs):
            return None
        gain = () if word.scale == 1 else (f"gain={_short(sqrt(word.scale))}",)
        return Fill(function=f"xavier_{kind}", arguments=gain)
    fan = fans[word.mode == "fan_out"]
    nonlinearity = {1.0: "linear", 2.0: "relu"}.get(word.scale)
    if nonlinearity is None or fan not in theirs:
        return None
    mode = () if fan == theirs[0] else ('mode="fan_out"',)
    arguments = (*mode, f"nonlinearity={string(nonlinearity)}")
    return Fill(function=f"kaiming_{kind}", arguments=arguments)


def _fan(mode: str, fan_in: int, fan_out: int, theirs: tuple[int, int] | None) -> str:
    """`Scaled.fan`: computed from the parameter's shape if that equals Keras's fan, else a number."""
    if theirs is None:
        return str(fan_in + fan_out if mode == "fan_avg" else (fan_in, fan_out)[mode == "fan_out"])
    if mode == "fan_avg":
        return "both" if fan_in + fan_out == sum(theirs) else f"({fan_in} + {fan_out})"
    fan = fan_out if mode == "fan_out" else fan_in
    return {theirs[1]: "out", theirs[0]: "in"}.get(fan, str(fan))


def _core(expr: WeightExpr) -> WeightExpr:
    """An expression without the reorderings that keep a matrix orthogonal."""
    while isinstance(expr, Blocks):
        expr = expr.inner
    return expr


def _is_matrix(expr: WeightExpr, shape: Shape) -> bool:
    """Whether PyTorch and Keras treat the weight as the same matrix, up to transposition and the
    order of rows and columns, which do not change the distribution of an orthogonal matrix."""
    expr = _core(expr)
    if isinstance(expr, Permute):
        last = len(shape) - 1
        inner = _core(expr.inner)
        return expr.axes[0] == last and isinstance(inner, Source) and inner.index is ...
    return isinstance(expr, Source) and expr.index is ... and len(shape) == 2


def _is_plain_matrix(expr: WeightExpr) -> bool:
    """Whether it is a whole weight of two axes or its transpose."""
    if isinstance(expr, Permute):
        expr = expr.inner
    return isinstance(expr, Source) and expr.index is ... and len(expr.shape) == 2


def _local_name(expr: WeightExpr) -> str:
    (name,) = set(expr.sources())
    return name.rpartition("/")[2]


def _make(name: str, init: Term, shape: Shape) -> Statement:
    """The statement that creates a Keras weight, in Keras's shape, as a local variable."""
    word: Any = init.spec
    sizes = sizes_text(shape)
    if init.type == "STFT":
        return _fourier(name, word, shape)
    if init.type == "Orthogonal":
        empty = f"torch.empty({prod(shape[:-1])}, {shape[-1]})"
        source = f"nn.init.orthogonal_({', '.join((empty, *_gain(word.gain)))})"
        source += f".view({sizes})" if len(shape) != 2 else ""
    elif init.type == "Identity":
        gain = "" if word.gain == 1 else f"{number(word.gain)} * "
        source = f"{gain}torch.eye({sizes})"
    else:
        source = f"torch.tensor({literal(_lists(word.value))}).expand({sizes})"
    return Variable(name=name, source=source)


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, tuple) else value


def _fourier(name: str, word: Any, shape: Shape) -> Fourier:
    lines: list[str] = []
    window = ""
    if isinstance(word.window, str):
        lines, window = window_source(word.window, shape[0], periodic=word.periodic)
    elif word.window is not None:
        window = f"torch.tensor({literal(list(word.window))})"
    return Fourier(
        name=name,
        frame=shape[0],
        bins=shape[-1],
        is_real=word.side == "real",
        lines=tuple(lines),
        window=window,
        scaling=word.scaling or "",
    )


def _copy(expr: WeightExpr, name: str) -> Copy:
    return Copy(source=torch_source(expr, lambda _: name))
