"""Blocks in Keras code: functions with the blocks' parameters, and models that call them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from specfmt.graph.model import Graph, Node, Use, values_in
from specfmt.layers.base import Layer
from specfmt.layers.blocks import Block
from specfmt.layers.custom import Custom
from specfmt.layers.naming import keras_type
from specfmt.layers.op import Op
from specfmt.targets.blocks import NoFitError, Variant, merged
from specfmt.targets.blocks.parameters import Parameters, code_value
from specfmt.targets.blocks.signature import parameters_of
from specfmt.targets.blocks.uses import (
    Step,
    all_uses,
    arguments,
    closed_uses,
    is_unnamed,
    said_of,
    slot_of,
    steps,
    texts_in,
)
from specfmt.targets.blocks.variables import CHAIN
from specfmt.targets.keras.block_lists import ListWriter, list_statements, sequence_elements
from specfmt.targets.keras.block_writer import Function, Scene, Writer
from specfmt.targets.keras.emit import Body, Functional, Sequential, input_source, statement
from specfmt.targets.keras.file_scope import FileScope
from specfmt.targets.keras.values import value_source
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.source import argument, comment, literal
from specfmt.vocab.naming import to_snake_case

Key = tuple[str, bool]
"""A kind of block, and whether its function returns a list of layers."""


class Blocks:
    """The functions of the blocks in a file.

    Args:
        graphs: The models in the file.
        file: Names shared by the file.
        is_list: Whether a model's code is a list of layers, as that of a `keras.Sequential`; else it
            calls them one by one.
    """

    def __init__(
        self, graphs: Sequence[Graph], file: FileScope, is_list: Callable[[Graph], bool]
    ) -> None:
        self.file = file
        self.functions: dict[Key, Function] = {}
        self.values: dict[Use, dict[str, Any]] = {}
        self.graph_of: dict[Use, Graph] = {}
        self.key_of: dict[Use, Key] = {}
        self.called: set[Use] = set()
        for graph in graphs:
            for use in all_uses(graph.items or ()):
                self.graph_of[use] = graph
                self.key_of[use] = (use.call.kind, is_list(graph))
            self.called.update(closed_uses(graph))
        by_key: dict[Key, list[Use]] = {}
        for use, key in self.key_of.items():
            if use in self.called:
                by_key.setdefault(key, []).append(use)
        for kind in by_depth(self.graph_of):
            for key in ((kind, False), (kind, True)):
                uses = by_key.get(key, [])
                try:
                    if len(uses) < 2:
                        raise NoFitError(["a block that is used once"], kind)
                    self.functions[key] = self._function(kind, uses, returns_list=key[1])
                except NoFitError:
                    self.called.difference_update(uses)

    # ---------------------------------------------------------------------------- functions

    def _function_of(self, use: Use) -> Function:
        return self.functions[self.key_of[use]]

    def _writer(
        self,
        scenes: Sequence[Scene],
        inputs: Sequence[str],
        scope: Scope,
        varying: Sequence[str],
        spelling: Mapping[str, str],
        *,
        returns_list: bool = False,
    ) -> Writer:
        kind = ListWriter if returns_list else Writer
        return kind(
            self.file, self._function_of, self._arguments, scenes, inputs, scope, varying, spelling
        )

    def _steps(
        self, items: list[Node | Use], written: Sequence[Any], use: Use | None
    ) -> list[Step]:
        def in_loops(item: Use) -> bool:
            return self._function_of(item).is_loop

        found = list(steps(items, self.called.__contains__, in_loops, written, use))
        for step in found:
            if step.uses:
                kept = self._function_of(step.uses[0]).kept
                step.reads = tuple(step.reads[place] for place in kept)
        return found

    def _arguments(self, use: Use) -> dict[str, Any]:
        graph = self.graph_of[use]

        def value_of(node: Node, key: str) -> Any:
            fields = {
                field.alias or name: name for name, field in type(node.layer).model_fields.items()
            }
            if node.unit.graph is not None or key not in fields:
                raise LookupError(key)
            name = fields[key]
            if constant := self.file.term_names.get(node.unit, {}).get(name):
                return code_value(constant)
            return code_value(value_source(getattr(node.layer, name), graph.policy))

        return arguments(use, value_of, self.values)

    def _function(self, kind: str, uses: Sequence[Use], *, returns_list: bool) -> Function:
        """The function of a block.

        Raises:
            NoFitError: Its uses cannot be told apart by its parameters.
        """
        block = uses[0].call.block
        inside = [self._steps(use.items, block.layers, use) for use in uses]
        values = [self._arguments(use) for use in uses]
        kept = [
            place
            for place in range(0 if returns_list else len(block.inputs))
            if any(
                use.inputs[place] in (*(v for step in found for v in step.reads), *use.outputs)
                for use, found in zip(uses, inside, strict=True)
            )
        ]
        scope = Scope(self.file.scope.used)
        named = [block.inputs[place] for place in kept]
        inputs = [
            name if name == CHAIN else scope.claim(identifier(name, "inputs")) for name in named
        ]
        varying = Parameters(values).varying
        spelling = {name: scope.claim(identifier(name, "value")) for name in varying}
        scenes = [
            Scene(
                self.graph_of[use],
                found,
                [use.inputs[place] for place in kept],
                use.outputs,
                values[place],
                use.call.name,
            )
            for place, (use, found) in enumerate(zip(uses, inside, strict=True))
        ]
        writer = self._writer(scenes, inputs, scope, varying, spelling, returns_list=returns_list)
        variants = [
            Variant(scene.values, lines)
            for scene, lines in zip(scenes, writer.lines(), strict=True)
        ]
        entries = [item for item in block.layers if isinstance(item, dict)]
        found = merged(
            variants,
            expressions=list(dict.fromkeys(texts_in(entries))),
            conditions=[text for item in entries for text in texts_in(item.get("when"))],
            varying=varying,
            spelling=spelling,
        )
        return Function(
            self.file.scope.claim(identifier(to_snake_case(kind), "block")),
            docstring_of(block, inside),
            inputs,
            kept,
            parameters_of(
                block,
                [name for name in varying if name in found.used],
                uses_values(uses, values),
                spelling,
            ),
            len(uses[0].outputs),
            list_statements(found.lines, scope) if returns_list else found.lines,
            returns_list,
        )

    # -------------------------------------------------------------------------------- models

    def sequential(self, graph: Graph) -> Sequential:
        """A `keras.Sequential` that has the layers of the functions, and others."""
        scope = Scope(self.file.scope.used)
        written = getattr(graph.spec.layers, "written", ())
        found = self._steps(graph.items or list(graph.nodes), written, None)
        scene = Scene(graph, found, list(graph.inputs.values()), list(graph.outputs.values()))
        (lines,) = self._writer([scene], [], scope, [], {}, returns_list=True).lines()
        inputs = [input_source(graph, next(iter(graph.inputs)))] if graph.input_specs else []
        return Sequential([*inputs, *sequence_elements([line.source for line in lines])])

    def functional(self, graph: Graph) -> Functional:
        """A model that calls the functions, and its other layers one by one.

        Raises:
            NoFitError: It cannot be written.
        """
        scope = Scope(self.file.scope.used)
        inputs = [scope.claim(identifier(name, "inputs")) for name in graph.inputs]
        written = getattr(graph.spec.layers, "written", ())
        outputs = list(dict.fromkeys(values_in(graph.output_nest)))
        scene = Scene(
            graph,
            self._steps(graph.items or list(graph.nodes), written, None),
            list(graph.inputs.values()),
            outputs,
        )
        writer = self._writer([scene], inputs, scope, [], {})
        (lines,) = writer.lines()
        calls = [part for line in lines for part in line.source.split("\n")]
        body = Body(graph, self.file)
        body.names = writer.returned(scene)
        body.names.update(zip(graph.inputs.values(), inputs, strict=True))
        body.names.update(writer.returned(scene))
        arguments = [
            body.source(graph.input_nest),
            body.source(graph.output_nest),
            argument("name", literal(graph.name)),
        ]
        model = statement("return keras.Model", arguments, "", 4).removeprefix("return ")
        sources = [input_source(graph, name) for name in graph.inputs]
        return Functional(list(zip(inputs, sources, strict=True)), calls, model)


def repeated_uses(graphs: Sequence[Graph]) -> list[Use]:
    """The uses that may be calls of a function, of blocks with several of them."""
    uses = [use for graph in graphs for use in closed_uses(graph)]
    counts = Counter(use.call.kind for use in uses)
    return [use for use in uses if counts[use.call.kind] > 1]


def unnamed_classes(uses: Iterable[Use]) -> frozenset[str]:
    """The classes of layers without a name in some uses of blocks.

    A function cannot name them, since their names do not begin with that of the use.
    """
    return frozenset(
        node.unit.type_name
        for use in uses
        for node in use.items
        if isinstance(node, Node)
        and isinstance(node.unit.spec, Layer)
        and not isinstance(node.unit.spec, (Custom, Op))
        and is_unnamed(said_of(use.call.block.layers, slot_of(node)), use)
    )


def by_depth(uses: Mapping[Use, Any]) -> list[str]:
    """The kinds of blocks, those inside others before them."""
    inside: dict[str, set[str]] = {}
    for use in uses:
        inner = inside.setdefault(use.call.kind, set())
        inner.update(item.call.kind for item in use.items if isinstance(item, Use))
    depths: dict[str, int] = {}

    def depth(kind: str) -> int:
        if kind not in depths:
            depths[kind] = 1 + max(map(depth, inside[kind]), default=0)
        return depths[kind]

    return sorted(inside, key=depth)


def uses_values(uses: Sequence[Use], values: Sequence[Mapping[str, Any]]) -> list[tuple[Any, Any]]:
    """For each use what the spec gives for its parameters, and what the code has."""
    return [(use.call.arguments, found) for use, found in zip(uses, values, strict=True)]


def docstring_of(block: Block, inside: Sequence[list[Step]]) -> str:
    """A function's docstring: the block's description, or the layers in it."""
    if block.description:
        text = comment(block.description)
        return text if text.endswith((".", "!", "?")) else f"{text}."
    kinds: dict[str, None] = {}
    for found in inside:
        for step in found:
            name = step.uses[0].call.kind if step.uses else keras_type(step.node.unit.spec)  # type: ignore[union-attr]
            kinds[name] = None
    names = [comment(name) for name in kinds]
    listed = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    return f"Applies {listed}." if len(names) < 7 else f"Applies {len(names)} kinds of layers."
