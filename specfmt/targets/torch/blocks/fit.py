"""Expressions for what differs between the uses of a block."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from specfmt.fields.errors import FieldError
from specfmt.fields.expressions import Expression, expressions_in, parse_text
from specfmt.layers.blocks import Block
from specfmt.targets.blocks.parameters import Parameters, is_whole_number, plain, same, source_of
from specfmt.targets.torch.expr import Formula

LIKE_CHANNELS = 8
"""From this size on, a number that only some uses have is taken for one that follows from others."""


class DiffersError(Exception):
    """Uses that cannot be said by one class."""


class Fit:
    """Finds expressions, over the values of parameters in each sample.

    Args:
        values: For each sample, the value of each name; new names are added.
        block: The definition, whose expressions are tried first; None for a model.
        sizes: The names that are sizes of inputs.
        spelling: Name -> its name in the code.
    """

    def __init__(
        self,
        values: Sequence[dict[str, Any]],
        block: Block | None,
        sizes: Iterable[str],
        spelling: Mapping[str, str],
    ) -> None:
        self.values = values
        self.sizes = [f"$({name})" for name in sizes]
        self.spelling = spelling
        self.parameters = Parameters(values)
        found = expressions_in([] if block is None else block.layers)
        self.texts = list(dict.fromkeys(f"$({one.text})" for one in found))
        self.used: dict[str, None] = {}
        self.stored: dict[str, None] = {}

    def vary(self, name: str) -> None:
        """Let expressions use a new name."""
        self.parameters.varying.append(name)

    def value(
        self, wanted: Mapping[int, Any], hints: Sequence[str] = (), *, inner: bool = False
    ) -> Any:
        """A constant or an expression with these values.

        Args:
            wanted: Sample -> value.
            hints: Texts of the spec that say this value.
            inner: Whether it stands in ``forward``, which reads parameters as attributes.

        Raises:
            DiffersError: There is no expression.
        """
        items = {use: plain(item) for use, item in wanted.items()}
        first = next(iter(items.values()))
        text = self._first(hints, items)
        if text is None and all(same(item, first) for item in items.values()):
            like = isinstance(first, int) and first >= LIKE_CHANNELS
            if not like or len(items) == len(self.values):
                return first
            text = self._first([*self.texts, *self.sizes], items)
            if text is None:
                return first
        if text is None:
            names = [f"$({name})" for name in self.parameters.varying]
            text = self._first([*names, *self.texts], items)
        if text is None:
            text = self._first([*self._halves(), *self.parameters.candidates(items)], items)
        if text is None:
            text = self._split(items)
        if text is None:
            raise DiffersError(f"no expression for {list(items.values())[:4]}")
        return self.formula(text, inner=inner)

    def _split(self, wanted: Mapping[int, Any]) -> str | None:
        """``kernel_size // 2 if padding == 'same' else 0``: one value under a condition."""
        flags = self.parameters.flags()
        texts = (text for text in self.parameters.comparisons() if "== '" in text)
        tests = (f"$({node})" for text in self.texts for node in _tests(text))
        for text in (*flags, *tests, *texts):
            if not self.parameters.depends(text):
                continue
            sides: tuple[dict[int, Any], dict[int, Any]] = {}, {}
            try:
                for use, item in wanted.items():
                    sides[not self.parameters.value(text, use)][use] = item
            except FieldError:
                continue
            found = [self._simple(side) for side in sides if side]
            if len(found) == 2 and None not in found:
                return f"$({found[0]} if {text[2:-1]} else {found[1]})"
        return None

    def _simple(self, wanted: Mapping[int, Any]) -> str | None:
        """A constant, a parameter or half of one."""
        first = next(iter(wanted.values()))
        if is_whole_number(first) and all(same(item, first) for item in wanted.values()):
            return str(first)
        names = [f"$({name})" for name in self.parameters.varying]
        text = self._first([*names, *self._halves()], wanted)
        return None if text is None else text[2:-1]

    def _halves(self) -> list[str]:
        """Half a size, rounded down: the padding of a kernel."""
        sizes = [n for n in self.parameters.varying if all(_is_odd(v.get(n)) for v in self.values)]
        return [f"$({name} // 2)" for name in sizes]

    def _first(self, texts: Iterable[str], wanted: Mapping[int, Any]) -> str | None:
        for text in texts:
            if self.parameters.depends(text) and self.parameters.fits(text, wanted):
                return text
        return None

    def formula(self, text: str, *, inner: bool = False) -> Formula:
        """A text of the spec as an expression of the code."""
        node = self.parameters.source(text)
        if node is None:
            raise DiffersError(text)
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                name = part.id
                self.used[name] = None
                if inner:
                    self.stored[name] = None
                part.id = ("self." if inner else "") + self.spelling.get(name, name)
        return Formula(source_of(node))

    def condition(self, pattern: Sequence[bool], given: Sequence[str]) -> str | None:
        """The text that is true for exactly these samples; None if there is none."""
        whole = [text if text.startswith("$") else f"$({text})" for text in given]
        negated = [f"$(not ({text.removeprefix('$')}))" for text in whole]
        for texts in (whole, negated, self.parameters.flags(), self.parameters.comparisons()):
            for text in texts:
                if self.parameters.depends(text) and self._is_true(text, pattern):
                    return text
        return None

    def _is_true(self, text: str, pattern: Sequence[bool]) -> bool:
        try:
            return self.parameters.is_condition(text, pattern)
        except FieldError:
            return False


def _tests(text: str) -> list[str]:
    """The conditions in a text of the spec."""
    return [
        ast.unparse(part.test)
        for piece in parse_text(text)
        if isinstance(piece, Expression)
        for part in ast.walk(piece.node)
        if isinstance(part, ast.IfExp)
    ]


def _is_odd(value: Any) -> bool:
    return is_whole_number(value) and value % 2 == 1
