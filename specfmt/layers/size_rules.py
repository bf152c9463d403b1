"""What the shape rules of layers need of sizes that may be symbols: equality, broadcasting, slices.

Every function also takes ints, and None for a size about which nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import lcm
from typing import Any, Final

from specfmt.layers.symbols import (
    Size,
    UndecidedError,
    differ,
    larger,
    same,
    smaller,
    substitute,
    symbol,
    symbols_in,
)

MAX_MODULUS: Final = 256
"""The largest modulus for which `fitting` tries all remainders."""

_CONDITIONS: ContextVar[list[tuple[Any, Any]] | None] = ContextVar("conditions", default=None)


@contextmanager
def conditions() -> Iterator[list[tuple[Any, Any]]]:
    """Collect the equalities between sizes on which `agree` relies in the block."""
    noted: list[tuple[Any, Any]] = []
    before = _CONDITIONS.set(noted)
    try:
        yield noted
    finally:
        _CONDITIONS.reset(before)


def agree(*sizes: Any) -> bool:
    """Whether sizes that a layer needs to be equal can be; None can be anything.

    Equalities that hold only for some values of the symbols are noted for `conditions`.
    """
    first = sizes[0]
    if all(size is first for size in sizes):  # most calls
        return True
    known = [size for size in sizes if size is not None]
    if any(differ(known[0], size) for size in known[1:]):
        return False
    for size in known[1:]:
        if not same(known[0], size):
            _note(known[0], size)
    return True


def matching(a: Any, b: Any) -> bool:
    """Whether two sizes that Keras compares when it builds a model are equal, or symbols that can
    be: None equals None only."""
    return agree(a, b) if isinstance(a, Size) or isinstance(b, Size) else bool(a == b)


def divides(divisor: int, size: Any) -> bool:
    """Whether a size can be a multiple of ``divisor``; see `agree`."""
    return divisor > 0 and agree(size, size // divisor * divisor)


def common(*sizes: Any) -> Any:
    """The value of sizes that are equal: an int if one is, else the shortest; None if all are."""
    first = sizes[0]
    if all(size is first for size in sizes):  # most calls
        return first
    known = [size for size in sizes if size is not None]
    return next((s for s in known if isinstance(s, int)), min(known, key=lambda s: len(str(s))))


def settled(size: Any, *others: Any) -> Any:
    """The shortest of equal sizes in place of the first one, if that is an expression."""
    return common(size, *others) if isinstance(size, Size) else size


def broadcast(*sizes: Any) -> Any:
    """The broadcast size of sizes, each of which is the result or 1 or None.

    Raises:
        ValueError: Two of them are different for all values of the symbols, and neither is 1.
    """
    first = sizes[0]
    if all(size is first for size in sizes):  # most calls
        return first
    known = [size for size in sizes if size is not None and not (type(size) is int and size == 1)]
    if not known:
        return None if None in sizes else 1
    result = known[0]
    for size in known[1:]:
        equal = agree(result, size)
        if not equal:
            if not (_can_be_one(result) or _can_be_one(size)):
                raise ValueError(f"{result} and {size} differ")
            _note(result, size)
        related = isinstance(result, int) or isinstance(size, int)
        related = related or not set(symbols_in(result)).isdisjoint(symbols_in(size))
        result = common(result, size) if equal and related else larger(result, size)
    if None in sizes and not isinstance(result, int):
        return None
    return result


def broadcasts(size: Any, other: Any) -> bool:
    """Whether an axis of ``size`` can be broadcast to ``other``; None can be anything."""
    if isinstance(size, int):
        return size == 1 or agree(size, other)
    return agree(size, other) or _can_be_one(size)


def slice_size(size: Any, part: slice) -> Any:
    """The size of ``x[part]`` along an axis; None if ``size`` is.

    An unknown size is assumed to be large enough for the slice not to be empty: ``x[:-2]`` has
    ``T - 2`` elements.
    """
    if not isinstance(size, Size):
        return None if size is None else len(range(*part.indices(size)))
    start, stop, step = part.start or 0, part.stop, 1 if part.step is None else part.step
    if step < 0:
        if part.start is not None or stop is not None:
            raise UndecidedError
        return (size - 1) // -step + 1
    if stop is None:
        length = size - start if start >= 0 else smaller(size, -start)
    elif stop >= 0:
        if start < 0:
            raise UndecidedError
        length = smaller(stop, size) - start
    else:
        length = size + stop - start if start >= 0 else smaller(size, -start) + stop
    return (length - 1) // step + 1


def part_size(size: Any, start: Any, stop: Any) -> Any:
    """The size of the part of an axis from ``start`` to ``stop``, at which it is split."""
    if not isinstance(size, Size):
        return slice_size(size, slice(start, stop))
    first, last = (
        size if place is None else place if place >= 0 else size + place for place in (start, stop)
    )
    return last - first


def fitting(a: Any, b: Any, name: str) -> tuple[int, frozenset[int]]:
    """For which values of the symbol ``name`` two sizes are equal.

    Returns:
        A modulus, and the remainders of these values; no remainders if others decide it.
    """
    modulus = lcm(*_divisors(a), *_divisors(b))
    if modulus > MAX_MODULUS:
        return 1, frozenset()
    quotient = symbol(name)
    fits = (
        rest
        for rest in range(modulus)
        if same(*(substitute(size, {name: modulus * quotient + rest}) for size in (a, b)))
    )
    return modulus, frozenset(fits)


def _divisors(size: Any) -> Iterator[int]:
    for atom in (atom for atoms in size.terms for atom in atoms) if isinstance(size, Size) else ():
        if atom.numerator is not None:
            yield atom.divisor
            yield from (atom.divisor * inner for inner in _divisors(atom.numerator))


def _note(a: Any, b: Any) -> None:
    noted = _CONDITIONS.get()
    if noted is not None:
        noted.append((a, b))


def _can_be_one(size: Any) -> bool:
    return isinstance(size, Size) and not differ(size, 1)
