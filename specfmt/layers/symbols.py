"""Sizes that are known only at run time, as expressions of named symbols: ``2*(T//2) + 1``.

A `Size` takes the place of an int in a shape.  Arithmetic with it gives another `Size`, or an int
where the symbols cancel out.  Every symbol stands for a size of at least 1, and expressions are kept
in one normal form, so that equal expressions are usually recognized: ``(T - 2)//2 + 1`` is ``T//2``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import gcd, prod
from typing import Any, Final

MAX_TERMS: Final = 12
MAX_FACTORS: Final = 6
MAX_TEXT: Final = 100
"""The most terms of a sum, factors of a product and characters of a quotient; operations whose result
would be longer raise `UndecidedError`, so that the time for each is bounded."""


class UndecidedError(Exception):
    """The result depends on the values of the symbols, or is too long an expression."""


class Atom:
    """A symbol, ``numerator//divisor``, or the larger or smaller one of two sizes; equal if written
    equally."""

    __slots__ = ("choices", "divisor", "numerator", "text")

    def __init__(
        self,
        text: str,
        numerator: Size | None = None,
        divisor: int = 1,
        choices: tuple[Any, ...] = (),
    ) -> None:
        self.text, self.numerator, self.divisor, self.choices = text, numerator, divisor, choices

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def calculate(self, sizes: Mapping[str, Any]) -> Any:
        """The atom with sizes in place of its symbols."""
        if self.numerator is not None:
            return self.numerator.calculate(sizes) // self.divisor
        if self.choices:
            pick = larger if self.text.startswith("max(") else smaller
            return pick(*(substitute(choice, sizes) for choice in self.choices))
        return sizes.get(self.text, Size({(self,): 1}, 0))

    def symbols(self) -> Iterator[str]:
        """The names of the symbols in it."""
        if self.numerator is not None:
            yield from self.numerator.symbols()
        elif self.choices:
            for choice in self.choices:
                yield from symbols_in(choice)
        else:
            yield self.text

    def least(self) -> int:
        """A lower bound of its value, which is never negative."""
        if self.numerator is not None:
            at_least = self.numerator.constant + sum(
                factor * prod(atom.least() for atom in atoms)
                for atoms, factor in self.numerator.terms.items()
            )
            return at_least // self.divisor
        return 0 if self.choices else 1


Terms = dict[tuple[Atom, ...], int]


class Size:
    """A sum of products of atoms, each with an integer factor, and a constant.

    Comparisons that depend on the values of the symbols raise `UndecidedError`.
    """

    __slots__ = ("_text", "constant", "terms")
    __hash__ = None  # type: ignore[assignment]  # a set could not tell which sizes may be equal

    def __init__(self, terms: Terms, constant: int) -> None:
        self.terms, self.constant = terms, constant
        self._text = ""

    def __repr__(self) -> str:
        if not self._text:
            self._text = _written(self)
        return self._text

    def symbols(self) -> Iterator[str]:
        """The names of the symbols in it, in order; they may repeat."""
        for atoms in self.terms:
            for atom in atoms:
                yield from atom.symbols()

    def calculate(self, sizes: Mapping[str, Any]) -> Any:
        """The value with sizes in place of the symbols; symbols without one stay."""
        total: Any = self.constant
        for atoms, factor in self.terms.items():
            total += factor * prod(atom.calculate(sizes) for atom in atoms)
        return total

    def __add__(self, other: Any) -> Any:
        if isinstance(other, int):
            return Size(self.terms, self.constant + other) if other else self
        if not isinstance(other, Size):
            return NotImplemented
        terms = dict(self.terms)
        for atoms, factor in other.terms.items():
            terms[atoms] = terms.get(atoms, 0) + factor
        return _made(terms, self.constant + other.constant)

    __radd__ = __add__

    def __neg__(self) -> Any:
        return self * -1

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, int):
            return Size(self.terms, self.constant - other) if other else self
        return self + -other if isinstance(other, Size) else NotImplemented

    def __rsub__(self, other: Any) -> Any:
        return -self + other if isinstance(other, int) else NotImplemented

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, int):
            terms = {atoms: factor * other for atoms, factor in self.terms.items()}
            return _made(terms, self.constant * other)
        if not isinstance(other, Size):
            return NotImplemented
        product: Terms = {}
        for left, a in (*self.terms.items(), ((), self.constant)):
            for right, b in (*other.terms.items(), ((), other.constant)):
                atoms = tuple(sorted(left + right, key=lambda atom: atom.text))
                if len(atoms) > MAX_FACTORS:
                    raise UndecidedError
                product[atoms] = product.get(atoms, 0) + a * b
        return _made(product, product.pop((), 0))

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        if isinstance(other, Size):
            return _exact_quotient(self, other)
        if not isinstance(other, int):
            return NotImplemented
        return _floor(self, other) if other > 0 else _floor(-self, -other)

    def __mod__(self, other: Any) -> Any:
        return self - (self // other) * other if isinstance(other, int) else NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (int, Size)):
            return False
        if isinstance(other, Size) and self.terms == other.terms:
            return self.constant == other.constant
        if differ(self, other):
            return False
        raise UndecidedError

    def __bool__(self) -> bool:
        return self != 0

    def __lt__(self, other: Any) -> bool:
        low, high = _bounds(other - self)
        if low is not None and low > 0:
            return True
        if high is not None and high <= 0:
            return False
        raise UndecidedError

    def __gt__(self, other: Any) -> bool:
        return bool(-self < -other)

    def __le__(self, other: Any) -> bool:
        return not self > other

    def __ge__(self, other: Any) -> bool:
        return not self < other


def symbol(name: str) -> Size:
    """The size with this name."""
    return Size({(Atom(name),): 1}, 0)


def symbols_in(size: Any) -> tuple[str, ...]:
    """The names of the symbols in a size, each once; none for an int or None."""
    return tuple(dict.fromkeys(size.symbols())) if isinstance(size, Size) else ()


def substitute(size: Any, sizes: Mapping[str, Any]) -> Any:
    """A size with others in place of its symbols; None if it needs one that is None or undecided."""
    if not isinstance(size, Size):
        return size
    if any(sizes.get(name, 1) is None for name in size.symbols()):
        return None
    try:
        return size.calculate(sizes)
    except UndecidedError:
        return None


def differ(a: Any, b: Any) -> bool:
    """Whether two sizes are different for all values of the symbols; False if one is None."""
    if a is None or b is None:
        return False
    if a is b:
        return False
    try:
        difference = a - b
    except UndecidedError:
        return False
    if not isinstance(difference, Size):
        return bool(difference)
    if difference.constant % gcd(*difference.terms.values()):
        return True
    low, high = _bounds(difference)
    return (low is not None and low > 0) or (high is not None and high < 0)


def larger(a: Any, b: Any) -> Any:
    """The larger one of two sizes; None if one is."""
    if a is None or b is None:
        return None
    low, high = _bounds(a - b)
    if low is not None and low >= 0:
        return a
    return b if high is not None and high <= 0 else _choice("max", a, b)


def smaller(a: Any, b: Any) -> Any:
    """The smaller one of two sizes; None if one is."""
    if a is None or b is None:
        return None
    low, high = _bounds(a - b)
    if low is not None and low >= 0:
        return b
    return a if high is not None and high <= 0 else _choice("min", a, b)


def _choice(function: str, a: Any, b: Any) -> Size:
    first, second = sorted((a, b), key=str)
    text = f"{function}({first}, {second})"
    if len(text) > MAX_TEXT:
        raise UndecidedError
    return Size({(Atom(text, choices=(first, second)),): 1}, 0)


def is_below(size: Any, limit: Any) -> bool:
    """Whether a size is below a limit for all values of the symbols; False if it is None."""
    if size is None or limit is None:
        return False
    try:
        return bool(size < limit)
    except UndecidedError:
        return False


def same(a: Any, b: Any) -> bool:
    """Whether two sizes are equal for all values of the symbols."""
    try:
        return bool(a == b)
    except UndecidedError:
        return False


def _made(terms: Terms, constant: int) -> Any:
    """A sum without its terms of factor 0; an int if no term is left."""
    terms = {atoms: factor for atoms, factor in terms.items() if factor}
    if len(terms) > MAX_TERMS:
        raise UndecidedError
    return Size(terms, constant) if terms else constant


def _floor(size: Any, divisor: int) -> Any:
    """``size // divisor``: whole multiples leave the quotient, quotients of quotients become one."""
    if isinstance(size, int) or divisor == 1:
        return size // divisor if divisor > 1 else size
    whole = {atoms: factor // divisor for atoms, factor in size.terms.items()}
    rest = {atoms: factor % divisor for atoms, factor in size.terms.items() if factor % divisor}
    outside = _made(whole, size.constant // divisor)
    if not rest:
        return outside
    constant = size.constant % divisor
    ((atoms, factor), *others) = rest.items()
    atom = atoms[0]
    if not others and factor == 1 and len(atoms) == 1 and atom.numerator is not None:
        inner = atom.numerator + constant * atom.divisor
        return outside + _floor(inner, atom.divisor * divisor)
    shared = gcd(divisor, *rest.values())
    divisor //= shared
    if divisor == 1:
        return outside + Size({a: f // shared for a, f in rest.items()}, constant // shared)
    numerator = Size({a: f // shared for a, f in rest.items()}, constant // shared)
    text = f"{numerator}" if _is_symbol(numerator) else f"({numerator})"
    if len(text) > MAX_TEXT:
        raise UndecidedError
    return outside + Size({(Atom(f"{text}//{divisor}", numerator, divisor),): 1}, 0)


def _is_symbol(size: Size) -> bool:
    ((atoms, factor), *others) = size.terms.items()
    plain = not others and not size.constant and factor == 1 and len(atoms) == 1
    return plain and atoms[0].numerator is None


def _exact_quotient(size: Size, divisor: Size) -> Any:
    """A sum divided by a single product that divides all its terms."""
    if size.terms == divisor.terms and size.constant == divisor.constant:
        return 1
    ((atoms, factor), *others) = divisor.terms.items()
    if others or divisor.constant or size.constant:
        raise UndecidedError
    quotient: Terms = {}
    for term, count in size.terms.items():
        left = list(term)
        for atom in atoms:
            if atom not in left:
                raise UndecidedError
            left.remove(atom)
        if count % factor:
            raise UndecidedError
        quotient[tuple(left)] = count // factor
    return _made(quotient, quotient.pop((), 0))


def _bounds(size: Any) -> tuple[Any, Any]:
    """The lower and upper bound of a size when every symbol is at least 1; None for none."""
    if isinstance(size, int):
        return size, size
    low = _relaxed(size, 1)
    high = _relaxed(size, -1)
    return low, None if high is None else -high


def _relaxed(size: Size, sign: int) -> Any:
    """A lower bound of ``sign * size``: quotients are bounded by fractions of their numerators."""
    from fractions import Fraction  # not needed for a model whose sizes are known

    total = Fraction(sign * size.constant)
    slopes: dict[tuple[Atom, ...], Fraction] = {}
    work = [(atoms, Fraction(sign * factor)) for atoms, factor in size.terms.items()]
    while work:
        atoms, factor = work.pop()
        numerator = atoms[0].numerator if len(atoms) == 1 else None
        if numerator is None:
            slopes[atoms] = slopes.get(atoms, Fraction(0)) + factor
            continue
        divisor = atoms[0].divisor
        lost = divisor - 1 if factor > 0 else 0
        total += factor * Fraction(numerator.constant - lost, divisor)
        work += [(inner, factor * f / divisor) for inner, f in numerator.terms.items()]
    for atoms, slope in slopes.items():
        if slope < 0:
            return None
        total += slope * prod(atom.least() for atom in atoms)
    return total


def _written(size: Size) -> str:
    """The expression in Python's notation, products of more factors first."""
    ordered = sorted(
        size.terms.items(),
        key=lambda item: (item[1] < 0, -len(item[0]), "/" in item[0][0].text, item[0][0].text),
    )
    text = str(size.constant) if ordered[0][1] < 0 and size.constant > 0 else ""
    rest = 0 if text else size.constant
    for atoms, factor in ordered:
        alone = len(atoms) == 1 and (factor == 1 or (factor == -1 and text))
        names = [a.text if alone or a.numerator is None else f"({a.text})" for a in atoms]
        product = "*".join(([] if abs(factor) == 1 else [str(abs(factor))]) + names)
        sign = "-" if factor < 0 else "+"
        text += f" {sign} {product}" if text else product if factor > 0 else f"-{product}"
    return text + (f" {'-' if rest < 0 else '+'} {abs(rest)}" if rest else "")
