"""Anti-unification: one statement for several that differ, with expressions where they do."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from specfmt.targets.blocks.lines import RANGE, Hints, Line, NoFitError
from specfmt.targets.blocks.parameters import (
    Parameters,
    Source,
    formatted_string,
    source_of,
    tree_value,
)

Trees = Mapping[int, Any]
"""Use -> the part of its statement at the same place."""


class Unifier:
    """Makes one statement of several.

    Args:
        parameters: The parameters and their values.
        expressions: The texts of the block's definition, in order, which are tried before others.
    """

    def __init__(self, parameters: Parameters, expressions: Sequence[str]) -> None:
        self.parameters = parameters
        self.expressions = [text for text in expressions if parameters.depends(text)]
        self.hints: Hints = {}
        self.order: Sequence[str] = ()
        self.defaults: dict[int, Mapping[str, str]] = {}
        self.main: set[int] = set()

    def statement(self, lines: Mapping[int, Line]) -> str:
        """The statement that says these lines, each of a use.

        Raises:
            NoFitError: No expression says what differs.
        """
        first = next(iter(lines.values()))
        self.hints, self.order = first.hints, first.order
        trees: dict[int, Any] = {}
        self.main = set()
        for use, line in lines.items():
            (trees[use],) = ast.parse(line.source).body
            self.main.add(id(main_call(trees[use])))
        self.defaults = {use: line.defaults for use, line in lines.items()}
        sources = {line.source for line in lines.values()}
        if len(sources) == 1 and not self._must_change():
            return first.source
        try:
            return source_of(self._unify(trees, ()))
        except NoFitError as error:
            raise NoFitError(error.sources, first.key) from None

    def _must_change(self) -> bool:
        """Whether an argument is an expression even where all uses agree."""
        texts = (text for texts in self.hints.values() for text in texts)
        return any(self.parameters.depends(text) for text in texts)

    def _unify(self, trees: Trees, hints: Sequence[str]) -> Any:
        """One tree for several: what the spec says, else part by part, else any expression."""
        first = next(iter(trees.values()))
        values = literals(trees, self.parameters.has_sources)
        if values is not None and (found := self._said(hints, values)) is not None:
            return found
        try:
            return self._parts(trees, hints)
        except NoFitError:
            if values is None:
                raise
        found = self._said(self.expressions, values)
        if found is None:
            found = self._said(self.parameters.candidates(values), values)
        if found is None:
            raise NoFitError([source_of(tree) for tree in trees.values()])
        assert isinstance(first, ast.AST)
        return found

    def _said(self, texts: Any, values: Mapping[int, Any]) -> ast.expr | None:
        """The first of these texts that has the values of all uses, as an expression."""
        for text in texts:
            if self.parameters.depends(text) and self.parameters.fits(text, values):
                found = self.parameters.source(text)
                if found is not None:
                    return found
        return None

    def _parts(self, trees: Trees, hints: Sequence[str]) -> Any:
        first = next(iter(trees.values()))
        kinds = {type(tree) for tree in trees.values()}
        if len(kinds) > 1:
            raise NoFitError([shown(tree) for tree in trees.values()])
        if isinstance(first, list):
            if len({len(tree) for tree in trees.values()}) > 1:
                raise NoFitError([shown(tree) for tree in trees.values()])
            return [
                self._unify_part({use: tree[place] for use, tree in trees.items()}, hints)
                for place in range(len(first))
            ]
        if not isinstance(first, ast.AST):
            if len({(type(tree), tree) for tree in trees.values()}) > 1:
                raise NoFitError([shown(tree) for tree in trees.values()])
            return first
        if isinstance(first, ast.Call):
            return self._call(trees, hints)
        if isinstance(first, ast.JoinedStr):
            return self._joined(trees, hints)
        if isinstance(first, ast.For):
            return self._loop(trees)
        found = {
            name: self._unify_part(
                {use: getattr(tree, name, None) for use, tree in trees.items()}, hints
            )
            for name in first._fields
        }
        return type(first)(**found)

    def _unify_part(self, trees: Trees, hints: Sequence[str]) -> Any:
        first = next(iter(trees.values()))
        if isinstance(first, ast.expr):
            return self._unify(trees, hints)
        return self._parts(trees, hints)

    def _call(self, trees: Trees, hints: Sequence[str]) -> ast.Call:
        """A call: keywords that a use leaves out because they are the default are written."""
        first = next(iter(trees.values()))
        main = all(id(tree) in self.main for tree in trees.values())
        args = {use: tree.args for use, tree in trees.items()}
        if len({len(items) for items in args.values()}) > 1:
            raise NoFitError([source_of(tree) for tree in trees.values()])
        unified = [
            self._unify(
                {use: items[place] for use, items in args.items()},
                self.hints.get(place, ()) if main else hints,
            )
            for place in range(len(first.args))
        ]
        keywords = []
        for name in keyword_order(list(trees.values()), self.order if main else ()):
            given: dict[int, ast.expr] = {}
            for use, tree in trees.items():
                found = [item.value for item in tree.keywords if item.arg == name]
                if not found and main and name in self.defaults[use]:
                    found = [ast.parse(self.defaults[use][str(name)], mode="eval").body]
                if len(found) != 1:
                    raise NoFitError([source_of(tree) for tree in trees.values()])
                (given[use],) = found
            inner = self.hints.get(name, ()) if main and name else hints
            keywords.append(ast.keyword(name, self._unify(given, inner)))
        function = self._unify({use: tree.func for use, tree in trees.items()}, hints)
        return ast.Call(function, unified, keywords)

    def _joined(self, trees: Trees, hints: Sequence[str]) -> ast.expr:
        """An f-string; its plain parts become parts of one with more in it."""
        lengths = {len(tree.values) for tree in trees.values()}
        if len(lengths) > 1:
            raise NoFitError([source_of(tree) for tree in trees.values()])
        parts: list[ast.expr] = []
        for place in range(lengths.pop()):
            part = self._unify({use: tree.values[place] for use, tree in trees.items()}, hints)
            if isinstance(part, ast.JoinedStr):
                parts += part.values
            elif isinstance(part, (ast.Constant, ast.FormattedValue)):
                parts.append(part)
            else:
                parts.append(ast.FormattedValue(part, -1, None))
        return formatted_string(parts)

    def _loop(self, trees: Trees) -> ast.For:
        """A loop: its bounds have their own hints."""
        bounds = self._unify(
            {use: tree.iter for use, tree in trees.items()}, self.hints.get(RANGE, ())
        )
        body = [
            self._parts({use: tree.body[place] for use, tree in trees.items()}, ())
            for place in range(len(next(iter(trees.values())).body))
        ]
        target = self._unify({use: tree.target for use, tree in trees.items()}, ())
        return ast.For(target, bounds, body, [], None)


def main_call(statement: ast.stmt) -> ast.expr | None:
    """The first call in a statement: ``f`` in ``x = f(1)(x)``; in a loop that of its body."""
    if isinstance(statement, ast.For):
        return main_call(statement.body[0])
    value = getattr(statement, "value", None)
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Call):
        value = value.func
    return value if isinstance(value, ast.Call) else None


def keyword_order(calls: Sequence[ast.Call], given: Sequence[str]) -> list[str | None]:
    """The keywords of several calls in an order that agrees with each, or in the one that is given."""
    order: list[str | None] = []
    for call in calls:
        place = 0
        for name in (item.arg for item in call.keywords):
            if name in order:
                place = order.index(name) + 1
            else:
                order.insert(place, name)
                place += 1
    if not set(order) <= set(given):
        return order
    return [name for name in given if name in order]


def literals(trees: Trees, with_sources: bool) -> dict[int, Any] | None:
    """The value of each tree; None if one has none.

    Args:
        trees: The trees.
        with_sources: Whether an expression that is no plain data is a value too.
    """
    found = {}
    for use, tree in trees.items():
        if not isinstance(tree, ast.expr):
            return None
        found[use] = tree_value(tree)
        if isinstance(found[use], Source) and not with_sources:
            return None
    return found


def shown(tree: Any) -> str:
    """A part of a tree, for messages."""
    return source_of(tree) if isinstance(tree, ast.AST) else repr(tree)
