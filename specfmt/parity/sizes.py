"""Values for unknown input sizes that every layer accepts, as different from each other as possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Final

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.graph.infer import infer
from specfmt.graph.model import Graph, Node, Value, map_values
from specfmt.layers.base import Shape

Sizes = tuple[int, ...]
Shapes = dict[str, tuple[int, ...]]

PLAIN: Final = ((7, 1), (12, 1), (5, 1))
"""First sizes tried: a size, and the increment to the next one."""

UNITS: Final = (2, 4, 8, 16, 32, 64, 128, 3, 6, 12, 24, 48, 5, 10, 20, 15, 30, 7, 14, 28, 9)
"""Factors that sizes may have to be multiples of: each level of a U-Net doubles the factor."""

LARGE: Final = (33, 64, 96, 128, 224, 331)
"""Larger sizes, tried if small ones leave nothing after pooling."""

MAX_SIZE: Final = 2**17
MAX_NUMBERS: Final = 2**22
"""The most numbers in one sample of an input."""

VARIANTS: Final = 2
"""How many assignments of the unknown sizes are compared."""

MAX_TIED: Final = 5
"""The most unknown sizes for which every way to make some of them equal is tried."""

MANY: Final = 300
"""In models with more calls, only the most common ways are tried."""


def input_shapes(graph: Graph, batches: tuple[int, ...]) -> list[Shapes]:
    """Shapes of all inputs, for every batch size and several values of the unknown sizes.

    Raises:
        SpecError: SF511 if no sizes are found that all layers accept.
    """
    fixed = [value.shape for value in graph.inputs.values()]
    given = {shape[0] for shape in fixed if shape and shape[0] is not None}
    counts = tuple(given) if given else batches
    open_axes = list(dict.fromkeys(_open_sizes(graph).values()))
    if not open_axes:
        return [_filled(graph, batch, {}) for batch in counts]
    found = _solutions(graph, open_axes)
    if not found:
        message = (
            f"expected all layers to accept some sizes up to {MAX_SIZE:,}, with at most "
            f"{MAX_NUMBERS:,} numbers per input, received a model for which none were found"
        )
        raise SpecError([Diagnostic("SF511", message, ("inputs",), "give the sizes in `inputs`")])
    chosen = [dict(zip(open_axes, sizes, strict=True)) for sizes in found]
    shapes = [_filled(graph, batch, chosen[0]) for batch in counts]
    return shapes + [_filled(graph, counts[-1], sizes) for sizes in chosen[1:]]


def _solutions(graph: Graph, open_axes: list[tuple[str, int]]) -> list[Sizes]:
    """Up to `VARIANTS` assignments that all layers accept: small ones first, equal sizes only if needed."""
    ties = list(_ties(open_axes, MAX_TIED if len(graph.nodes) < MANY else 1))

    def good(sizes: Sizes) -> bool:
        shapes = _filled(graph, 2, dict(zip(open_axes, sizes, strict=True)))
        small = all(prod(shape[1:]) <= MAX_NUMBERS for shape in shapes.values())
        return small and passes(graph, shapes)

    steps = (*PLAIN, *((2 * u, u) for u in UNITS), *((n, 1) for n in LARGE))
    found: list[Sizes] = []
    for tie in ties:
        for first, step in steps:
            sizes = tuple(first + step * group for group in tie)
            if sizes not in found and good(sizes):
                found.append(sizes)
            if len(found) == VARIANTS:
                return found
        if found:  # assignments with fewer equal sizes test more
            return found
    return found or _smallest(good, len(open_axes))


def _smallest(good: Callable[[Sizes], bool], count: int) -> list[Sizes]:
    """The smallest value that is accepted for all sizes, and the next one."""
    high = 2 * max(LARGE)
    while not good((high,) * count):
        high *= 2
        if high > MAX_SIZE:
            return []
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if good((middle,) * count) else (middle, high)
    more = next((n for n in (high + 1, high + 2, 2 * high) if good((n,) * count)), None)
    return [(size,) * count for size in (high, more) if size is not None]


def _ties(open_axes: list[tuple[str, int]], limit: int) -> Iterator[Sizes]:
    """Ways to make unknown sizes equal, as a group number for each: none equal first, all last.

    Args:
        open_axes: Input and axis of every unknown size.
        limit: The most unknown sizes for which all possible ways are tried.
    """
    count = len(open_axes)
    if count <= limit:
        yield from sorted(_partitions(count), key=lambda groups: -len(set(groups)))
        return
    names = list(dict.fromkeys(name for name, _ in open_axes))
    yield tuple(range(count))
    yield tuple(names.index(name) for name, _ in open_axes)
    yield tuple(axis - 1 for _, axis in open_axes)
    yield tuple(min(axis - 1, 1) for _, axis in open_axes)
    yield (0,) * count


def _partitions(count: int) -> Iterator[Sizes]:
    """All partitions of ``count`` items, as the group number of each item."""
    if count == 0:
        yield ()
        return
    for rest in _partitions(count - 1):
        for group in range(max(rest, default=-1) + 2):
            yield (*rest, group)


def _open_sizes(graph: Graph) -> dict[tuple[str, int], tuple[str, int]]:
    """Every unknown size of the inputs, with the first one of its name, to which it is equal."""
    first: dict[str, tuple[str, int]] = {}
    found: dict[tuple[str, int], tuple[str, int]] = {}
    for name, value in graph.inputs.items():
        for axis, size in enumerate(value.shape or ()):
            if axis and size is None:
                symbol = str(value.sizes[axis]) if value.sizes else f"{name} {axis}"
                found[name, axis] = first.setdefault(symbol, (name, axis))
    return found


def _filled(graph: Graph, batch: int, sizes: dict[tuple[str, int], int]) -> Shapes:
    """The input shapes with these values for the unknown sizes."""
    first = _open_sizes(graph)
    return {
        name: (
            batch,
            *(
                sizes[first[name, axis]] if size is None else size
                for axis, size in enumerate(value.shape or ())
                if axis
            ),
        )
        for name, value in graph.inputs.items()
    }


def passes(graph: Graph, shapes: Shapes) -> bool:
    """Whether all layers accept inputs of these shapes and no output is empty."""
    new: dict[Value, Value] = {
        value: Value(value.name, shapes[name], value.dtype, value.masked)
        for name, value in graph.inputs.items()
    }
    problems: list[Diagnostic] = []
    for node in graph.nodes:
        call = Node(node.name, node.unit, map_values(node.args, lambda v: new.get(v, v)), node.path)
        infer(call, getattr(graph.spec, "dtype", None), problems)
        if problems or any(not _positive(value.shape) for value in call.outputs):
            return False
        new.update(zip(node.outputs, call.outputs, strict=False))
    return True


def _positive(shape: Shape | None) -> bool:
    return shape is not None and all(size is None or size > 0 for size in shape)
