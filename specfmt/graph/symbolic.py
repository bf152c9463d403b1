"""Sizes that are known only at run time: the symbols of the inputs, and the sizes of all other tensors.

`Value.shape` is the shape that Keras declares, with None for such sizes; `Value.sizes` has an expression
of the inputs' symbols in place of each None.  They are inferred by the shape rules of the layers, which
compute with symbols as with numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Final

from specfmt.diagnostics import Diagnostic
from specfmt.graph.infer import call_shapes, show_shape
from specfmt.graph.model import Condition, Graph, Node, Value
from specfmt.layers.base import ShapeError
from specfmt.layers.entries import BATCH_NAME as BATCH
from specfmt.layers.entries import InputSpec
from specfmt.layers.size_rules import agree, common, conditions
from specfmt.layers.symbols import MAX_TEXT, Size, UndecidedError, substitute, symbol, symbols_in

IMAGE_AXES: Final = 4
"""The number of axes of a batch of images."""

TRIED: Final = (*range(1, 17), 24, 30, 32, 48, 60, 64, 100, 128, 210, 256, 840, 1024)
"""Values of the symbols at which a call that fails for symbols is tried."""

Sizes = tuple[Any, ...]


def input_sizes(inputs: Mapping[str, InputSpec]) -> dict[str, Sizes]:
    """The sizes of a model's inputs with their batch axes, by name; empty if all are known.

    Unknown sizes have the names that the document gives, others are ``T``, ``T2`` and so on, or
    ``H`` and ``W`` for images of which both are unknown.
    """
    if all(
        item.shape is None or all(isinstance(size, int) for size in item.shape)
        for item in inputs.values()
    ):
        return {}
    taken = {size for item in inputs.values() for size in item.shape or () if type(size) is str}
    found: dict[str, Sizes] = {}
    free = {letter: _free(letter, taken) for letter in "THWC"}
    for name, item in inputs.items():
        unnamed = [axis for axis, size in enumerate(item.shape or ()) if size is None]
        letters = dict.fromkeys(unnamed, "T")
        if len(item.shape or ()) + 1 == IMAGE_AXES and len(unnamed) > 1:
            letters = dict(zip(unnamed, "HWC", strict=False))
        sizes: list[Any] = [symbol(BATCH) if item.batch_size is None else item.batch_size]
        for axis, size in enumerate(item.shape or ()):
            if isinstance(size, int):
                sizes.append(size)
                continue
            sizes.append(symbol(next(free[letters[axis]]) if size is None else size))
        found[name] = tuple(sizes)
    return found


def _free(letter: str, taken: set[str]) -> Iterator[str]:
    """A letter, and the letter with numbers from 2 on, without the names that are taken."""
    if letter not in taken:
        yield letter
    yield from (name for k in count(2) if (name := f"{letter}{k}") not in taken)


def show_value(value: Value) -> str:
    """The shape of a value with the names of unknown sizes: ``(N, T//2, 64)``, or ``unknown``."""
    return "unknown" if value.shape is None else show_shape(value.sizes or value.shape)


def infer_sizes(node: Node, problems: list[Diagnostic], start: int) -> list[Condition]:
    """Set the sizes of a call's outputs, whose shapes are known.

    Args:
        node: The call.
        problems: Diagnostics, of which those from ``start`` on are about this call; a call that
            fails for all values of the symbols is reported.
        start: The number of the earlier diagnostics.

    Returns:
        The equalities on which the call relies and which hold for some values only.
    """
    if len(problems) > start:
        problems[start:] = [_named(problem, node.inputs()) for problem in problems[start:]]
        return []
    if any(value.shape is None for value in (*node.inputs(), *node.outputs)):
        return []
    if node.unit.graph is not None:
        return _call_model(node, node.unit.graph, problems)
    result, noted = _result(node, problems)
    several = isinstance(result, tuple) and any(isinstance(item, tuple) for item in result)
    found = result if several else (result,)
    if len(found) != len(node.outputs):
        found = (None,) * len(node.outputs)
    for value, sizes in zip(node.outputs, found, strict=True):
        value.sizes = _aligned(value, sizes)
    return [Condition(node, a, b) for a, b in noted]


def _result(node: Node, problems: list[Diagnostic]) -> tuple[Any, list[tuple[Any, Any]]]:
    """The sizes of a call's outputs, and the equalities on which it relies."""
    args, keywords = call_shapes(node, lambda value: value.sizes or value.shape)
    try:
        with conditions() as noted:
            return node.layer.output_shape(*args, **keywords), noted
    except ShapeError as error:
        if _always_fails(node):
            problems.append(
                Diagnostic(
                    error.code,
                    f"{node.name} ({node.layer.type_name}): {error.message}, whatever the unknown "
                    "sizes are; Keras fails only when it is called",
                    (*node.path, error.field) if error.field else node.path,
                    error.hint,
                )
            )
    except (UndecidedError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError):
        pass  # this rule needs numbers: the sizes of its result stay without a name
    return None, []


def _always_fails(node: Node) -> bool:
    """Whether a call also fails for numbers in place of the symbols."""
    names = {
        name for value in node.inputs() for size in value.sizes or () for name in symbols_in(size)
    }
    for step in (0, 1):
        for number in TRIED:
            sizes = {name: number + step * place for place, name in enumerate(sorted(names))}
            args, keywords = call_shapes(
                node,
                lambda value, sizes=sizes: tuple(  # type: ignore[misc]
                    substitute(size, sizes) for size in value.sizes or value.shape
                ),
            )
            try:
                node.layer.output_shape(*args, **keywords)
            except ShapeError:
                continue
            return False
    return True


def _aligned(value: Value, sizes: Any) -> Sizes | None:
    """The shape of a value with symbols only where Keras's shape has None."""
    shape = value.shape or ()
    if not isinstance(sizes, tuple) or len(sizes) != len(shape):
        return value.shape
    return tuple(
        known
        if known is not None
        else size
        if isinstance(size, int) or (isinstance(size, Size) and len(str(size)) <= MAX_TEXT)
        else None
        for known, size in zip(shape, sizes, strict=True)
    )


def _named(problem: Diagnostic, values: Iterable[Value]) -> Diagnostic:
    """A diagnostic with the names of unknown sizes in the shapes that its message shows."""
    message = problem.message
    for value in values:
        if value.shape is not None and value.sizes is not None:
            message = message.replace(show_shape(value.shape), show_shape(value.sizes))
    return replace(problem, message=message)


def call_sizes(graph: Graph, given: Mapping[str, Sizes]) -> list[Sizes | None]:
    """The sizes of a model's outputs for a call; equalities on which it relies are noted.

    Args:
        graph: The model.
        given: The sizes of the call's tensors, by the name of the input.

    Raises:
        ShapeError: Sizes that have to be equal in the model never are.
    """
    bound: dict[str, Any] = {}
    for name, sizes in given.items():
        value = graph.inputs.get(name)
        if value is None:
            continue
        for size, actual in zip(value.sizes or value.shape or (), sizes, strict=False):
            for own in symbols_in(size) if size is not None else (BATCH,):
                if own != BATCH and not agree(bound.get(own), actual):
                    raise ShapeError(
                        f"one size for {own} in the inputs of {graph.name}",
                        f"{bound[own]} and {actual}",
                        "give the sizes different names in the nested model's `inputs`",
                        code="SF209",
                    )
                bound[own] = common(bound.get(own), actual)
    for condition in graph.conditions:
        first, second = (substitute(size, bound) for size in (condition.first, condition.second))
        if not agree(first, second):
            raise ShapeError(
                f"equal sizes in {condition.node.name} of {graph.name}",
                f"{first} and {second}",
                "change the tensors that are passed to the nested model",
            )
    return [
        None
        if value.shape is None
        else tuple(
            bound.get(BATCH) if size is None and axis == 0 else substitute(size, bound)
            for axis, size in enumerate(value.sizes or value.shape)
        )
        for value in graph.outputs.values()
    ]


def _call_model(node: Node, graph: Graph, problems: list[Diagnostic]) -> list[Condition]:
    """Set the sizes of the outputs of a nested model's call."""
    given = {
        name: value.sizes or value.shape or ()
        for name, value in node.args.items()
        if isinstance(value, Value)
    }
    try:
        with conditions() as noted:
            found = call_sizes(graph, given)
    except ShapeError as error:
        problems.append(Diagnostic(error.code, error.message, node.path, error.hint))
        return []
    for value, sizes in zip(node.outputs, found, strict=False):
        value.sizes = _aligned(value, sizes)
    return [Condition(node, first, second) for first, second in noted]
