"""Regularizers and constraints of Keras weights as statements over PyTorch parameters.

A parameter is an expression over Keras weights (`params`).  Sums over all elements do not depend on
their order.  Norms over an axis use PyTorch's number of the axis; if the parameter has no such
axis, the Keras weight is restored first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.layers.base import Weight
from specfmt.targets.source import literal, number
from specfmt.targets.torch.params import (
    Blocks,
    Join,
    Permute,
    Reshape,
    Source,
    WeightExpr,
)
from specfmt.targets.torch.program import ClassProgram, TorchParam
from specfmt.targets.torch.static_types import looked_up
from specfmt.targets.torch.weight_source import torch_source
from specfmt.targets.user_objects import python_name
from specfmt.vocab.base import CUSTOM, Term

Shape = tuple[int, ...]


@dataclass(frozen=True)
class PenaltyCode:
    """The penalties of weight regularizers.

    Attributes:
        terms: The penalties, as expressions over ``model`` for scalar tensors.
        helpers: The helper functions in them.
    """

    terms: list[str]
    helpers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Update:
    """An in-place update of one or several weights.

    Attributes:
        text: A statement with ``{}`` in place of the weight.
        sources: The weights, as expressions over ``model``.
    """

    text: str
    sources: list[str]

    def of(self, weight: str) -> str:
        """The statement for one weight."""
        return self.text.replace("{}", weight)

    @property
    def repeats(self) -> bool:
        """Whether the statement has the weight more than once."""
        return self.text.count("{}") > 1


@dataclass(frozen=True)
class ConstraintCode:
    """The updates that apply weight constraints, to run under `torch.no_grad`.

    Attributes:
        updates: The updates.
        helpers: The helper functions in them.
    """

    updates: list[Update]
    helpers: tuple[str, ...] = ()

    @property
    def mixed(self) -> bool:
        """Whether there are several updates and some are of parts of parameters.

        To a type checker, a part of a parameter is a tensor and not a parameter.
        """
        parts = any(source.endswith("]") for update in self.updates for source in update.sources)
        return parts and len(self.updates) > 1


@dataclass(frozen=True)
class _Place:
    """A parameter, or a part of one, that belongs to one Keras weight.

    Attributes:
        source: Its expression in the script.
        expr: Its value as an expression over the weight.
        weight: The Keras weight.
        param: The whole parameter.
    """

    source: str
    expr: WeightExpr
    weight: Weight
    param: TorchParam


def penalty_code(program: ClassProgram, model: str = "model") -> PenaltyCode:
    """The penalties of the regularizers of trained weights, those of nested models included.

    Args:
        program: The model.
        model: The variable of the model.

    Raises:
        SpecError: PyTorch code cannot express a regularizer (SF304).
    """
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    terms: list[str] = []
    helpers: dict[str, None] = {}
    for place in _places(program, model):
        term = place.weight.regularizer
        if term is None or not place.param.trainable:
            continue
        if term.type == CUSTOM:
            terms.append(f"{python_name(term)}({_keras_value(place)})")
            continue
        if term.type == "OrthogonalRegularizer":
            terms.append(_orthogonal(term, place))
            helpers["orthogonal_penalty"] = None
            continue
        for key, function in (("l1", "abs"), ("l2", "square")):
            factor = getattr(term.spec, key, 0.0)
            if factor:
                groups[number(factor), function].append(place.source)
    sums = [_sum(factor, function, sources) for (factor, function), sources in groups.items()]
    return PenaltyCode([*sums, *terms], tuple(helpers))


def _sum(factor: str, function: str, sources: list[str]) -> str:
    """``0.01 * model.get_parameter("dense.weight").square().sum()``, or over several at once."""
    if len(sources) == 1:
        return f"{factor} * {sources[0]}.{function}().sum()"
    names = ", ".join(sources)
    return f"{factor} * torch.stack([weight.{function}().sum() for weight in ({names})]).sum()"


def _orthogonal(term: Term, place: _Place) -> str:
    if len(place.weight.shape) != 2:
        raise _refused(
            place,
            f"expected a weight of 2 axes for {term.name}, received {len(place.weight.shape)}",
        )
    value = _keras_value(place)
    rest = f", {number(term.spec.factor)}"
    if term.spec.mode != "rows":
        rest += f", mode={literal(term.spec.mode)}"
    return f"orthogonal_penalty({value}{rest})"


def _refused(place: _Place, text: str) -> SpecError:
    message = f"{place.param.unit.name}: {text}"
    return SpecError(
        [Diagnostic("SF304", message, place.param.unit.path, "generate the Keras target")]
    )


def _places(program: ClassProgram, model: str) -> Iterator[_Place]:
    """Every parameter; one that is joined from several weights is split into parts."""
    for param in program.parameters():
        weights = {weight.name: weight for weight in param.unit.weights}
        yield from _parts(looked_up(model, param.key), param.value, weights, param)


def _parts(
    source: str, expr: WeightExpr, weights: dict[str, Weight], param: TorchParam
) -> Iterator[_Place]:
    if isinstance(expr, Join):
        start = 0
        for part in expr.parts:
            stop = start + part.shape[expr.axis]
            piece = f"{source}[{':, ' * expr.axis}{start}:{stop}]"
            yield from _parts(piece, part, weights, param)
            start = stop
        return
    names = list(dict.fromkeys(expr.sources()))
    if names:
        yield _Place(source, expr, weights[names[0]], param)


def constraint_code(program: ClassProgram, model: str = "model") -> ConstraintCode:
    """The updates that apply the constraints of trained weights after each step.

    Args:
        program: The model.
        model: The variable of the model.

    Raises:
        SpecError: PyTorch code cannot express a constraint (SF304).
    """
    groups: dict[str, list[str]] = defaultdict(list)
    helpers: dict[str, None] = {}
    for place in _places(program, model):
        term = place.weight.constraint
        if term is None or not place.param.trainable:
            continue
        if term.type == CUSTOM:
            groups[f"{{}}.copy_({python_name(term)}({{}}))"].append(place.source)
            continue
        if term.type == "NonNeg":
            groups["{}.clamp_(min=0)"].append(place.source)
            continue
        groups[_limit(term, place)].append(place.source)
        helpers["limit_norm"] = None
    return ConstraintCode([Update(*group) for group in groups.items()], tuple(helpers))


def _limit(term: Term, place: _Place) -> str:
    """``{}.copy_(limit_norm({}, 2.0, dim=1))``, on PyTorch's axes or on the restored weight."""
    spec = term.spec
    axes = (spec.axis,) if isinstance(spec.axis, int) else spec.axis
    rank = len(place.weight.shape)
    if any(not -rank <= axis < rank for axis in axes):
        raise _refused(
            place,
            f"expected axes of a weight of {rank} axes for {term.name}, received {list(axes)}",
        )
    axes = tuple(axis % rank for axis in axes)
    dims = _torch_dims(place.expr, axes)
    if dims is not None:
        return f"{{}}.copy_({_norm_call(term, '{}', dims)})"
    if _source_of(place.expr).index is not ...:
        raise _refused(
            place,
            f"{term.name} over axis {list(axes)}, along which PyTorch splits the weight, has no "
            "PyTorch form",
        )
    limited = _norm_call(
        term, _keras_value(_Place("{}", place.expr, place.weight, place.param)), axes
    )
    return f"{{}}.copy_({torch_source(place.expr, lambda _: limited)})"


def _norm_call(term: Term, value: str, dims: tuple[int, ...]) -> str:
    spec = term.spec
    dim = literal(dims[0] if len(dims) == 1 else dims)
    if term.type == "UnitNorm":
        return f"limit_norm({value}, 1.0, 1.0, dim={dim})"
    if term.type == "MaxNorm":
        return f"limit_norm({value}, 0.0, {number(spec.max_value)}, dim={dim})"
    rate = "" if spec.rate == 1 else f", rate={number(spec.rate)}"
    low, high = number(spec.min_value), number(spec.max_value)
    return f"limit_norm({value}, {low}, {high}, dim={dim}{rate})"


def _source_of(expr: WeightExpr) -> Source:
    inner: Any = expr
    while not isinstance(inner, Source):
        inner = inner.inner
    return inner


def _torch_dims(expr: WeightExpr, axes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The parameter's axes for Keras's axes; None if the parameter has no such axes."""
    if isinstance(expr, Source):
        if expr.index is ...:
            return axes
        return axes if isinstance(expr.index, slice) and 0 not in axes else None
    if isinstance(expr, Permute):
        inner = _torch_dims(expr.inner, axes)
        return None if inner is None else tuple(sorted(expr.axes.index(axis) for axis in inner))
    if isinstance(expr, Blocks):
        # Reordering blocks does not change norms, and does not affect the other axes.
        return _torch_dims(expr.inner, axes)
    return None


def _keras_value(place: _Place) -> str:
    """The Keras weight as an expression over the parameter."""
    return _undo(place.expr, place.source, place)


def _undo(expr: WeightExpr, text: str, place: _Place) -> str:
    if isinstance(expr, Source):
        if expr.index is not ...:
            raise _refused(
                place, "a regularizer of a weight that PyTorch splits has no PyTorch form"
            )
        return text
    if isinstance(expr, Permute):
        back = tuple(expr.axes.index(axis) for axis in range(len(expr.axes)))
        moved = ".T" if back == (1, 0) else f".permute({', '.join(map(str, back))})"
        return _undo(expr.inner, text + moved, place)
    if isinstance(expr, Reshape):
        shape = ", ".join(str(size) for size in expr.inner.shape)
        return _undo(expr.inner, f"{text}.reshape({shape})", place)
    if isinstance(expr, Blocks):
        order = [expr.order.index(block) for block in range(len(expr.order))]
        cut = f"torch.unflatten({text}, {expr.axis}, ({len(order)}, -1))"
        joined = f"{cut}[{':, ' * expr.axis}{order}].flatten({expr.axis}, {expr.axis + 1})"
        return _undo(expr.inner, joined, place)
    raise TypeError(f"{type(expr).__name__} cannot be inverted")
