"""Functions that build models, and one for several models that differ in sizes and names only."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from specfmt.graph.model import Graph, Unit
from specfmt.layers.naming import keras_type
from specfmt.targets.blocks import Line, NoFitError, Variant, merged
from specfmt.targets.blocks.parameters import (
    Parameters,
    Source,
    plain,
    same,
    tree_value,
    value_text,
)
from specfmt.targets.blocks.signature import annotation
from specfmt.targets.blocks.uses import escaped
from specfmt.targets.keras.emit import Functional, ModelClass, Sequential
from specfmt.targets.keras.file_scope import FileScope
from specfmt.targets.keras.values import given_arguments, layer_call
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.source import argument, comment
from specfmt.vocab.naming import to_snake_case

BLANK = "_blank"
"""A statement that stands for a blank line."""

MAX_KINDS = 7
"""The number of kinds of layers from which on a docstring does not list them."""

MAX_PARAMETERS = 6
"""The most parameters of a function that builds several models."""


@dataclass(frozen=True)
class Builder:
    """A ``build_...`` function.

    Attributes:
        name: The function's name.
        doc: Its docstring.
        model_name: The model's name, as source.
        trainable: Whether the model is trained.
        signature: Its parameters; empty if it has none.
        model_class, sequential, functional: The body; exactly one of the three is set.
    """

    name: str
    doc: str
    model_name: str
    trainable: bool
    signature: str = ""
    model_class: ModelClass | None = None
    sequential: Sequential | None = None
    functional: Functional | None = None

    @property
    def lines(self) -> list[str]:
        """The statements and expressions of the body."""
        if self.model_class:
            return self.model_class.definitions
        return self.sequential.layers if self.sequential else self.functional.calls  # type: ignore[union-attr]

    @property
    def statements(self) -> list[str]:
        """The body as statements: the elements of a list are assigned to nothing in particular."""
        if self.sequential:
            return [*(f"_({layer})" for layer in self.sequential.layers), f"_({self.model_name})"]
        assert self.functional is not None
        inputs = [f"{variable} = {source}" for variable, source in self.functional.inputs]
        return [*inputs, *self.functional.calls, f"_({self.functional.model})"]

    def with_statements(self, statements: Sequence[str]) -> Builder:
        """The builder with another body of the same form, see `statements`."""
        *lines, last = statements
        last = last.removeprefix("_(").removesuffix(")")
        if self.sequential:
            layers = [line.removeprefix("_(").removesuffix(")") for line in lines]
            return replace(self, model_name=last, sequential=Sequential(layers))
        assert self.functional is not None
        count = len(self.functional.inputs)
        inputs = [tuple(line.split(" = ", 1)) for line in lines[:count]]
        return replace(self, functional=Functional(inputs, lines[count:], last))  # type: ignore[arg-type]


# ------------------------------------------------------------------------- models that are alike


def join_alike(
    builders: Sequence[Builder], own: Mapping[Unit, Builder], file: FileScope
) -> list[Builder]:
    """Replace the builders of models that differ in sizes and names by one with parameters.

    Args:
        builders: All builders.
        own: The nested models that stand in one model, with their builders.
        file: Gets the function and the arguments with which each model is built.
    """
    groups: dict[Any, list[Unit]] = {}
    for unit, builder in own.items():
        groups.setdefault(_structure(unit, builder), []).append(unit)
    result = list(builders)
    for units in groups.values():
        if len(units) < 2 or len(units[0].graph.nodes) < 2:  # type: ignore[union-attr]
            continue
        members = [own[unit] for unit in units]
        try:
            joined, arguments = Alike(units, members, file).joined()
        except (NoFitError, SyntaxError):
            continue
        for unit, given in zip(units, arguments, strict=True):
            file.builders[unit] = (joined.name, given)
        result[result.index(members[0])] = joined
        result = [item for item in result if item not in members]
    return result


def _structure(unit: Unit, builder: Builder) -> Any:
    """What is equal for models that may have one builder."""
    assert unit.graph is not None
    layers = []
    for inner in unit.graph.units:
        given = [] if inner.graph is not None else given_arguments(inner.layer)
        layers.append((inner.type_name, tuple(key for key, _, _ in given)))
    form = "list" if builder.sequential else "calls"
    return form, builder.trainable, tuple(layers), len(builder.statements)


class Alike:
    """Models that differ in sizes and names only.

    Args:
        units: The models.
        builders: Their builders.
        file: Names shared by the file.

    Attributes:
        trees: The statements of each model.
        values: For each model, parameter -> value.
        key: The parameter that is what the models' names differ in.
        counts: Whether it is a number.
        texts: Texts with this parameter in them, as in a spec.
    """

    def __init__(self, units: Sequence[Unit], builders: Sequence[Builder], file: FileScope) -> None:
        self.file = file
        self.units = units
        self.builders = builders
        self.scope = Scope(file.scope.used)
        self.names: dict[int, dict[str, str]] = {}
        self.values: list[dict[str, Any]] = [{} for _ in units]
        self.texts: list[str] = []
        self.key = ""
        self.counts = False
        self.trees = [
            [ast.parse(line or BLANK) for line in builder.statements] for builder in builders
        ]
        self.positional = {
            layer_call(unit.layer)[0]: [
                key for key, _, keyword in given_arguments(unit.layer) if not keyword
            ]
            for unit in _graph(units[0]).units
            if unit.graph is None
        }

    def joined(self) -> tuple[Builder, list[list[str]]]:
        """The builder of all, and the arguments for each.

        Raises:
            NoFitError: They differ in more than values.
        """
        self._rename_variables()
        names = [unit.name for unit in self.units]
        found = words(names)
        self.counts = is_number(found.middles)
        if self.counts:
            self.key = self._add("index", [int(item) for item in found.middles])
        else:
            self.key = self._add("name", found.middles)
        for trees in zip(*self.trees, strict=True):
            self._find(trees, "value")
        varying = [*(key for key in self.values[0] if key != self.key), self.key]
        variants = [
            Variant(values, [Line(place, ast.unparse(tree)) for place, tree in enumerate(trees)])
            for values, trees in zip(self.values, self.trees, strict=True)
        ]
        body = merged(variants, expressions=self.texts, varying=varying)
        parameters = [name for name in self.values[0] if name in body.used]
        if len(parameters) > MAX_PARAMETERS or len(body.lines) != len(self.trees[0]):
            raise NoFitError(["models with little in common"])
        signature = [
            f"{name}: {annotation([values[name] for values in self.values])}" for name in parameters
        ]
        arguments = [
            [
                value_text(values[name]) if not place else argument(name, value_text(values[name]))
                for place, name in enumerate(parameters)
            ]
            for values in self.values
        ]
        name = self.file.scope.claim(f"build_{identifier(found.shared or 'inner_model')}")
        lines = ["" if line == BLANK else line for line in body.lines]
        builder = replace(
            self.builders[0].with_statements(lines),
            name=name,
            doc=self._doc(),
            signature=", ".join(signature),
        )
        return builder, arguments

    def _doc(self) -> str:
        kinds = dict.fromkeys(keras_type(unit.spec) for unit in _graph(self.units[0]).units)
        names = [comment(kind) for kind in kinds]
        listed = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
        return f"A model with {listed if len(names) < MAX_KINDS else 'several kinds of layers'}."

    # ------------------------------------------------------------------------------ variables

    def _rename_variables(self) -> None:
        """Give the variables of all models the same names."""
        targets = [
            [
                part.id
                for tree in trees
                for part in ast.walk(tree)
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            ]
            for trees in self.trees
        ]
        targets = [list(dict.fromkeys(names)) for names in targets]
        renamed: list[dict[str, str]] = [{} for _ in targets]
        for names in zip_longest(*targets):
            if None in names:
                raise NoFitError(["other variables"])
            name = names[0]
            if len(set(names)) > 1:
                name = identifier(words(names).shared or "layer")
            name = name if name == "x" else self.scope.claim(name)
            for known, old in zip(renamed, names, strict=True):
                known[old] = name
        self.trees = [
            [_Renaming(known).visit(tree) for tree in trees]
            for known, trees in zip(renamed, self.trees, strict=True)
        ]

    # ----------------------------------------------------------------------------- parameters

    def _find(self, trees: Sequence[Any], name: str) -> None:
        """Add parameters for the values that differ in these trees.

        Args:
            trees: The same part of all models.
            name: What the part is called.
        """
        first = trees[0]
        if isinstance(first, list):
            for parts in zip_longest(*trees):
                self._find(parts, name)
            return
        if not isinstance(first, ast.AST) or any(type(tree) is not type(first) for tree in trees):
            return
        if isinstance(first, ast.Call):
            self._find([tree.func for tree in trees], name)
            positional = self.positional.get(ast.unparse(first.func), ["shape"])
            for place, parts in enumerate(zip_longest(*(tree.args for tree in trees))):
                self._find(parts, positional[place] if place < len(positional) else name)
            owner = to_snake_case(ast.unparse(first.func).rpartition(".")[2])
            for keywords in zip_longest(*(tree.keywords for tree in trees)):
                if None not in keywords:
                    key = keywords[0].arg or name
                    key = f"{owner}_name" if key == "name" else key
                    self._find([item.value for item in keywords], key)
            return
        values = [tree_value(tree) for tree in trees] if isinstance(first, ast.expr) else []
        if not values or any(isinstance(value, Source) for value in values):
            for key in first._fields:
                self._find([getattr(tree, key, None) for tree in trees], name)
        elif all(isinstance(value, str) for value in values):
            self._text(values, name)
        else:
            self._add(name, values)

    def _text(self, values: Sequence[str], name: str) -> None:
        """Find what says these texts: one with a parameter in it, or a new parameter."""
        if len(set(values)) == 1:
            return
        found = words(values)
        given = [known[self.key] for known in self.values]
        if list(values) == given:
            return
        offsets = set()
        if self.counts and is_number(found.middles):
            offsets = {int(item) - own for item, own in zip(found.middles, given, strict=True)}
        elif found.middles == given:
            offsets = {0}
        if len(offsets) != 1:
            self._add(name, values)
            return
        offset = offsets.pop()
        more = f" {'+' if offset > 0 else '-'} {abs(offset)}" if offset else ""
        self.texts.append(f"{escaped(found.before)}$({self.key}{more}){escaped(found.after)}")

    def _add(self, name: str, values: Sequence[Any]) -> str:
        """Add a parameter, unless all values are equal or others say them; returns its name."""
        values = [plain(value) for value in values]
        sizes = [
            {key: value for key, value in known.items() if key != self.key} for known in self.values
        ]
        wanted = dict(enumerate(values))
        known = Parameters(sizes)
        if all(same(value, values[0]) for value in values) or any(
            known.fits(text, wanted) for text in known.candidates(wanted)
        ):
            return ""
        name = self.scope.claim(name)
        for item, value in zip(self.values, values, strict=True):
            item[name] = value
        return name


@dataclass(frozen=True)
class Words:
    """Several names that differ at one place."""

    before: str
    after: str
    middles: list[str]

    @property
    def shared(self) -> str:
        """What they have in common, without what separates words."""
        before, after = self.before.rstrip("_-./ "), self.after.lstrip("_-./ ")
        found = "_".join(part for part in (before, after) if part)
        if found:
            return found
        # `dense` and `dense_1` have the first name in common.
        first = min(self.middles, key=len)
        return first if all(item.startswith(first) for item in self.middles) else ""


def words(names: Sequence[str]) -> Words:
    """What is before, after and at the place where names differ; words and numbers are not cut."""
    before = os.path.commonprefix(list(names)).rstrip("0123456789")
    rests = [name[len(before) :] for name in names]
    after = os.path.commonprefix([rest[::-1] for rest in rests])[::-1].lstrip("0123456789")
    middles = [rest[: len(rest) - len(after)] for rest in rests]
    if not is_number(middles):
        before = before[: len(before) - len(re.split(r"[\W_]", before)[-1])]
        after = after[len(re.split(r"[\W_]", after)[0]) :]
        middles = [name[len(before) : len(name) - len(after)] for name in names]
    return Words(before, after, middles)


def is_number(texts: Sequence[str]) -> bool:
    """Whether all texts are whole numbers in their usual form."""
    return all(text.isdecimal() and text.isascii() and str(int(text)) == text for text in texts)


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names.get(node.id, node.id), node.ctx)


def _graph(unit: Unit) -> Graph:
    assert unit.graph is not None
    return unit.graph
