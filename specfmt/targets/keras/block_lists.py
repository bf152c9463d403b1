"""Blocks in a `keras.Sequential`: functions that return a list of layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from specfmt.targets.blocks import Line
from specfmt.targets.blocks.merge import merged_order
from specfmt.targets.blocks.variables import RETURN, Variables
from specfmt.targets.keras.block_writer import BlockBody, Scene, Writer, keywords_of, layer_hints
from specfmt.targets.keras.emit import statement
from specfmt.targets.naming import Scope

ONE, MANY = "one", "many"
"""The target of a statement that gives a layer, and of one that gives a list of them."""

NO_LIMIT = -(10**9)
"""An indentation with which every statement fits on a line."""

_STATEMENT = re.compile(rf"( *)({ONE}|{MANY}) = (.*)", re.DOTALL)


class ListWriter(Writer):
    """Writes the layers of several uses of a block, as statements ``one = ...`` or ``many = ...``."""

    def _variables(self, inputs: Sequence[str]) -> Variables:
        orders = [[step.key for step in scene.steps] for scene in self.scenes]
        return Variables([*merged_order(orders), RETURN])

    def _scene(self, scene: Scene, direct: bool) -> Iterator[Line]:
        body = BlockBody(scene.graph, self.file)
        for step in scene.steps:
            if step.node is None:
                found = self._block(scene, step, [MANY], is_last=False)
            else:
                hints, defaults = layer_hints(step, step.node, scene.graph.policy)
                body.said = step.said
                head, args = body.creation(step.node.unit)
                source = statement(f"{ONE} = {head}", args, "", NO_LIMIT)
                order = keywords_of(step.node.unit)
                found = Line(step.key, source, hints=hints, defaults=defaults, order=order)
            yield Line(
                found.key, found.source, "", found.hints, found.defaults, found.order, step.when
            )


def sequence_elements(sources: Sequence[str]) -> list[str]:
    """The elements of a list of layers, from statements without conditions."""
    elements = []
    for source in sources:
        loop, _, inner = source.rpartition(":\n")
        target, _, value = (inner or source).strip().partition(" = ")
        if loop:
            elements.append(f"*(layer {loop} for layer in {value})")
        else:
            elements.append(f"*{value}" if target == MANY else value)
    return elements


def list_statements(lines: Sequence[str], scope: Scope) -> list[str]:
    """The statements of a function that returns a list of layers."""
    whole = [_STATEMENT.fullmatch(line) for line in lines]
    if all(found is not None and not found[1] for found in whole):
        return [f"return [{', '.join(sequence_elements(lines))},]"]
    start = 0
    while (found := whole[start]) is not None and not found[1]:
        start += 1
    name = scope.claim("stack")
    annotation = "" if start else ": list[layers.Layer]"
    result = [f"{name}{annotation} = [{', '.join(sequence_elements(lines[:start]))}]"]
    for line, found in zip(lines[start:], whole[start:], strict=True):
        if found is None:
            result.append(line)
        elif found[2] == ONE:
            result.append(f"{found[1]}{name}.append({found[3]})")
        else:
            result.append(f"{found[1]}{name} += {found[3]}")
    return [*result, f"return {name}"]
