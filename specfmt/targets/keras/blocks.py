"""Blocks in Keras code: functions with the blocks' parameters, and models that call them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from specfmt.fields.model import COMMON_FIELDS
from specfmt.graph.model import Graph, Node, Unit, Use, Value, values_in
from specfmt.graph.tracing import built_first
from specfmt.layers.base import Layer
from specfmt.layers.blocks import INDEX, Block
from specfmt.layers.custom import Custom
from specfmt.layers.entries import Model
from specfmt.layers.op import Op
from specfmt.targets.blocks import Line, NoFitError, Variant, merged
from specfmt.targets.blocks.lines import RANGE
from specfmt.targets.blocks.loops import loop_end, loop_offset, range_source
from specfmt.targets.blocks.merge import wrapped
from specfmt.targets.blocks.parameters import Parameters, code_value, plain, same, value_text
from specfmt.targets.blocks.signature import Parameter, parameters_of
from specfmt.targets.blocks.uses import (
    NAME,
    Step,
    all_uses,
    arguments,
    closed_uses,
    local_name,
    steps,
    texts_in,
)
from specfmt.targets.blocks.variables import CHAIN, INPUT, RETURN, Call, Tensor, Variables
from specfmt.targets.blocks.variables import variables as choose_variables
from specfmt.targets.keras.emit import Body, Functional, input_source, statement
from specfmt.targets.keras.file_scope import FileScope
from specfmt.targets.keras.values import (
    construction,
    given_arguments,
    is_function,
    layer_call,
    value_source,
)
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.source import argument, comment, literal
from specfmt.vocab.base import Term
from specfmt.vocab.naming import to_snake_case

TENSOR = "keras.KerasTensor"

NO_LIMIT = -(10**9)
"""An indentation with which every statement fits on a line."""


@dataclass(frozen=True)
class Function:
    """A function that builds the layers of a block; all texts are Python source.

    Attributes:
        name: Its name.
        doc: Its docstring.
        inputs: The variables of the tensors that it takes.
        kept: The indices of these among the block's inputs.
        parameters: Its further parameters.
        outputs: The number of tensors that it returns.
        lines: Its statements.
    """

    name: str
    doc: str
    inputs: list[str]
    kept: list[int]
    parameters: list[Parameter]
    outputs: int
    lines: list[str]

    @property
    def signature(self) -> str:
        """The parameters with their types and defaults."""
        tensors = [f"{name}: {TENSOR}" for name in self.inputs]
        return ", ".join([*tensors, *(item.declaration for item in self.parameters)])

    @property
    def returns(self) -> str:
        """The type of what it returns."""
        if self.outputs == 1:
            return TENSOR
        return f"tuple[{', '.join([TENSOR] * self.outputs)}]"

    @property
    def is_loop(self) -> bool:
        """Whether each turn of a loop can take what the one before returns."""
        return self.kept[: self.outputs] == list(range(self.outputs))


@dataclass(eq=False)
class Scene:
    """A use of a block, or a model: what one list of statements is written for.

    Attributes:
        graph: The model.
        steps: Its calls.
        inputs, outputs: The tensors that it takes and gives.
        values: The value of each parameter.
        around: The name of the use, which its layers' names begin with; empty for a model.
    """

    graph: Graph
    steps: list[Step]
    inputs: Sequence[Value]
    outputs: Sequence[Value]
    values: Mapping[str, Any] = field(default_factory=dict)
    around: str = ""

    def __post_init__(self) -> None:
        self.by_key = {step.key: step for step in self.steps}
        self.tensors: dict[Value, list[Tensor]] = {}
        for place, value in enumerate(self.inputs):
            self.tensors.setdefault(value, []).append((INPUT, place))
        for step in self.steps:
            for index, value in enumerate(step.outputs):
                self.tensors[value] = [(step.key, index)]

    def calls(self) -> Iterator[tuple[Any, Sequence[Value], int]]:
        """The key, the tensors read and the number of outputs of each call, and of the return."""
        for step in self.steps:
            yield step.key, step.reads, len(step.outputs)
        yield RETURN, self.outputs, 0


class Blocks:
    """The functions of the blocks in a file.

    Args:
        graphs: The models whose code calls layers one by one.
        file: Names shared by the file.
    """

    def __init__(self, graphs: Sequence[Graph], file: FileScope) -> None:
        self.file = file
        self.functions: dict[str, Function] = {}
        self.values: dict[Use, dict[str, Any]] = {}
        self.graph_of: dict[Use, Graph] = {}
        self.called: set[Use] = set()
        for graph in graphs:
            self.graph_of.update(dict.fromkeys(all_uses(graph.items or ()), graph))
            self.called.update(closed_uses(graph))
        for kind in by_depth(self.graph_of):
            uses = [use for use in self.graph_of if use in self.called and use.call.kind == kind]
            try:
                if len(uses) < 2:
                    raise NoFitError(["a block that is used once"], kind)
                self.functions[kind] = self._function(kind, uses)
            except NoFitError as error:
                import os

                if os.environ.get("DBG"):
                    print(kind, error)
                self.called.difference_update(uses)

    # ---------------------------------------------------------------------------- functions

    def _steps(
        self, items: list[Node | Use], written: Sequence[Any], use: Use | None
    ) -> list[Step]:
        def in_loops(item: Use) -> bool:
            return self.functions[item.call.kind].is_loop

        found = list(steps(items, self.called.__contains__, in_loops, written, use))
        for step in found:
            if step.uses:
                kept = self.functions[step.uses[0].call.kind].kept
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
            return code_value(value_source(getattr(node.layer, fields[key]), graph.policy))

        return arguments(use, value_of, self.values)

    def _function(self, kind: str, uses: Sequence[Use]) -> Function:
        """The function of a block.

        Raises:
            NoFitError: Its uses cannot be told apart by its parameters.
        """
        block = uses[0].call.block
        inside = [self._steps(use.items, block.layers, use) for use in uses]
        values = [self._arguments(use) for use in uses]
        kept = [
            place
            for place in range(len(block.inputs))
            if any(
                use.inputs[place] in (*(v for step in found for v in step.reads), *use.outputs)
                for use, found in zip(uses, inside, strict=True)
            )
        ]
        scope = Scope(self.file.scope.used)
        named = [block.inputs[place] for place in kept]
        inputs = [name if name == CHAIN else scope.claim(input_name(name)) for name in named]
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
        writer = _Writer(self, scenes, inputs, scope, varying, spelling)
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
            found.lines,
        )

    # -------------------------------------------------------------------------------- models

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
        writer = _Writer(self, [scene], inputs, scope, [], {})
        (lines,) = writer.lines()
        calls = [
            part
            for line in lines
            for part in (wrapped(line.source, 4).split("\n") if line.source else [""])
        ]
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


class BlockBody(Body):
    """Writes the calls of layers in a block.

    Attributes:
        said: What the spec says of the layer that is written.
    """

    said: Mapping[str, Any] = MappingProxyType({})

    def creation(self, unit: Unit) -> tuple[str, list[str]]:
        """As for other layers, but terms with expressions are written with these arguments."""
        if isinstance(unit.spec, Model) or not self.said:
            return super().creation(unit)
        sources = self.file.hold_tables(unit)
        for key, item in type(unit.layer).model_fields.items():
            said = self.said.get(item.alias or key)
            term = getattr(unit.layer, key)
            if not isinstance(said, Mapping) or not isinstance(term, Term) or is_function(term):
                continue
            if also := [name for name, text in said.items() if texts_in(text)]:
                sources[key] = construction(term, also)
        name = "" if unit in self.file.automatic else unit.name
        return layer_call(unit.layer, name, self.graph.policy, self.file.held, sources)


class _Writer:
    """Writes the statements of several uses of a block with the same variables, or of a model."""

    def __init__(
        self,
        blocks: Blocks,
        scenes: Sequence[Scene],
        inputs: Sequence[str],
        scope: Scope,
        varying: Sequence[str],
        spelling: Mapping[str, str],
    ) -> None:
        self.blocks = blocks
        self.scenes = scenes
        self.scope = scope
        self.varying = varying
        self.spelling = spelling
        self.is_model = scenes[0].around == "" and not scenes[0].values and not varying
        self.loops = {step.key for scene in scenes for step in scene.steps if len(step.uses) > 1}
        self.index = scope.claim(INDEX) if self.loops else INDEX
        self.held: dict[tuple[int, ...], str] = {}
        calls = self._calls()
        preferred: dict[Tensor, str] = {
            tensor: self._preferred(scene, step, index)
            for scene in scenes
            for step in scene.steps
            for index in range(len(step.outputs))
            if (tensor := (step.key, index))
        }
        for scene in scenes:
            for step in scene.steps:
                if step.node is not None and is_held(step.node) and step.key not in self.held:
                    first = step.node.unit.calls[0] is step.node
                    if first:
                        name = local_name(step.node.unit.name, scene.around)
                        self.held[step.key] = scope.claim(name)
        own: frozenset[Tensor] = frozenset()
        if self.is_model:
            own = frozenset(t for value in scenes[0].outputs for t in scenes[0].tensors[value])
        self.found: Variables = choose_variables(calls, inputs, preferred, scope, own)

    def _calls(self) -> list[list[Call]]:
        """The calls of each use with the tensors that they read.

        A tensor that a use gives for several inputs is that which other uses read at the place.
        """
        read: dict[tuple[Any, int], set[Tensor]] = {}
        for scene in self.scenes:
            for key, values, _ in scene.calls():
                for place, value in enumerate(values):
                    if len(scene.tensors[value]) == 1:
                        read.setdefault((key, place), set()).add(scene.tensors[value][0])
        found = []
        for scene in self.scenes:
            calls = []
            for key, values, outputs in scene.calls():
                tensors = []
                for place, value in enumerate(values):
                    choice = scene.tensors[value]
                    others = read.get((key, place), ())
                    tensors.append(next((item for item in choice if item in others), choice[0]))
                carried = outputs if key in self.loops else 0
                calls.append(Call(key, tuple(tensors), outputs, carried))
            found.append(calls)
        return found

    def _preferred(self, scene: Scene, step: Step, index: int) -> str:
        """The name to prefer for a variable."""
        if step.uses and len(step.outputs) == 1:
            name = step.uses[0].call.name
            return identifier(local_name(name, scene.around))
        value = step.outputs[index]
        return local_name(value.name, scene.around)

    def returned(self, scene: Scene) -> dict[Value, str]:
        """The variable of each output."""
        return {value: self.found.reads[RETURN, place] for place, value in enumerate(scene.outputs)}

    # --------------------------------------------------------------------------------- lines

    def lines(self) -> list[list[Line]]:
        """The statements of each use."""
        direct = self._returns_call()
        return [list(self._scene(scene, direct)) for scene in self.scenes]

    def _returns_call(self) -> bool:
        """Whether every use returns its last call, without a variable for it."""
        if self.is_model:
            return False
        for scene in self.scenes:
            last = scene.steps[-1]
            if (
                last.key != self.found.order[-2]
                or list(last.outputs) != list(scene.outputs)
                or last.key in self.loops
                or len(last.outputs) > 1
                or any(copy.before == RETURN for copy in self.found.copies)
            ):
                return False
        return True

    def _scene(self, scene: Scene, direct: bool) -> Iterator[Line]:
        body = BlockBody(scene.graph, self.blocks.file)
        body.scope = Scope({*self.scope.used, *self.spelling.values()})
        made = {tensor for tensors in scene.tensors.values() for tensor in tensors}
        if self.is_model:
            for unit in built_first(scene.graph):
                body.hold(unit)
                yield Line(("built", body.held[unit]), body.lines.pop())
        for key in self.found.order:
            for copy in self.found.copies:
                if copy.before == key and copy.of in made and (copy.always or key in scene.by_key):
                    name = ("copy", key, copy.target)
                    yield Line(name, f"{copy.target} = {copy.source}")
            step = scene.by_key.get(key)  # type: ignore[call-overload]
            if step is None:
                continue
            is_last = direct and key == self.found.order[-2]
            body.names = {
                value: self.found.reads[key, place] for place, value in enumerate(step.reads)
            }
            names = [self.found.outputs[key, index] for index in range(len(step.outputs))]
            if step.node is None:
                yield replace(self._block(scene, step, body, names, is_last), when=step.when)
            else:
                for line in self._layer(scene, step, step.node, body, names, is_last):
                    yield replace(line, when=step.when)
            if self.is_model and key != self.found.order[-2] and self._forks(scene, step):
                yield Line(("blank", key), "")
        if not self.is_model and not direct:
            given = ", ".join(self.returned(scene)[value] for value in scene.outputs)
            yield Line(RETURN, f"return {given}")

    def _forks(self, scene: Scene, step: Step) -> bool:
        readers = [other for other in scene.steps for value in step.outputs if value in other.reads]
        return len(readers) > len(step.outputs)

    def _layer(
        self, scene: Scene, step: Step, node: Node, body: BlockBody, names: list[str], is_last: bool
    ) -> Iterator[Line]:
        """The statements of one call of a layer."""
        hints, defaults = layer_hints(step, node, scene.graph.policy)
        order = keywords_of(node.unit)
        body.said = step.said
        if is_held(node) and node.unit not in body.held:
            if step.key not in self.held:
                raise NoFitError(["a layer that is called before it is created"], step.key)
            head, args = body.creation(node.unit)
            name = body.held[node.unit] = self.held[step.key]
            source = statement(f"{name} = {head}", args, "", NO_LIMIT)
            yield Line((*step.key, "layer"), source, hints=hints, defaults=defaults, order=order)
        if is_held(node):
            hints, defaults, order = {}, {}, []
        head, args, tail = body._right(node)
        target, after = body._targets(node, names)
        start = "return" if is_last and not after else f"{target} ="
        source = statement(f"{start} {head}", args, tail, NO_LIMIT)
        yield Line(step.key, source, hints=hints, defaults=defaults, order=order)
        for number, line in enumerate(after):
            yield Line((*step.key, "after", number), line)
        if is_last and after:
            yield Line(RETURN, f"return {names[0]}")

    def _block(
        self, scene: Scene, step: Step, body: BlockBody, names: list[str], is_last: bool
    ) -> Line:
        """The statement of a use of a block, or of a loop of them."""
        target = "return" if is_last else f"{', '.join(names)} ="
        turns = [self._call(step, use, body, target) for use in step.uses]
        if step.key not in self.loops:
            return turns[0]
        said = [text for texts in turns[0].hints.values() for text in texts]
        offset = loop_offset(said)
        variants = [
            Variant({**scene.values, INDEX: number}, [line]) for number, line in enumerate(turns)
        ]
        found = merged(
            variants,
            varying=[*self.varying, INDEX],
            spelling={**self.spelling, INDEX: self.index},
            offsets={INDEX: offset},
        )
        uses_index = INDEX in found.used
        bounds = range_source(len(turns), offset if uses_index else 0)
        end = loop_end(step.said.get("repeat"), offset if uses_index else 0)
        inner = "\n".join(f"    {line}" for line in found.lines)
        source = f"for {self.index if uses_index else '_'} in {bounds}:\n{inner}"
        hints = {**turns[0].hints, RANGE: end}
        return Line(step.key, source, hints=hints, defaults=turns[0].defaults, order=turns[0].order)

    def _call(self, step: Step, use: Use, body: BlockBody, target: str) -> Line:
        """The call of a block's function."""
        function = self.blocks.functions[use.call.kind]
        values = self.blocks._arguments(use)
        sources = [body.names[value] for value in step.reads]
        hints: dict[str | int, Sequence[str]] = {}
        defaults: dict[str, str] = {}
        for place, parameter in enumerate(function.parameters):
            value = values[parameter.name]
            said = (
                [step.name] if parameter.name == NAME else texts_in(step.said.get(parameter.name))
            )
            hints[parameter.variable] = said
            if parameter.is_optional and same(plain(value), plain(parameter.default)):
                defaults[parameter.variable] = value_text(value)
            elif not place and not parameter.is_optional and parameter.name != NAME:
                hints[len(sources)] = said
                sources.append(value_text(value))
            else:
                sources.append(argument(parameter.variable, value_text(value)))
        source = statement(f"{target} {function.name}", sources, "", NO_LIMIT)
        order = [parameter.variable for parameter in function.parameters]
        return Line(step.key, source, hints=hints, defaults=defaults, order=order)


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
        and node.unit.spec.name is None
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


def is_held(node: Node) -> bool:
    """Whether a call is of a layer with a variable of its own, because it is called again."""
    unit = node.unit
    return not isinstance(unit.spec, Op) and (unit.graph is not None or len(unit.calls) > 1)


def input_name(name: str) -> str:
    """The variable of a block's input."""
    return identifier(name, "inputs")


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
            name = step.uses[0].call.kind if step.uses else step.node.unit.type_name  # type: ignore[union-attr]
            kinds[name] = None
    names = [comment(name) for name in kinds]
    listed = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    return f"Applies {listed}." if len(names) < 7 else f"Applies {len(names)} kinds of layers."


def keywords_of(unit: Unit) -> list[str]:
    """The keywords of a layer in the order in which they are written."""
    if isinstance(unit.spec, (Model, Custom, Op)):
        return []
    fields = type(unit.spec).model_fields
    own = [key for key in fields if key not in COMMON_FIELDS]
    common = [key for key in COMMON_FIELDS if key in fields and key != "name"]
    return [*(fields[key].alias or key for key in (*own, *common)), "name"]


def layer_hints(
    step: Step, node: Node, policy: Any
) -> tuple[dict[str | int, Sequence[str]], dict[str, str]]:
    """What the spec says of the arguments of a layer, and the defaults of those left out."""
    spec = node.unit.spec
    hints: dict[str | int, Sequence[str]] = {"name": [step.name]}
    defaults: dict[str, str] = {}
    if isinstance(spec, Model) or not step.said:
        return hints, defaults
    said = {key: texts_in(item) for key, item in step.said.items() if key not in ("name", "when")}
    if isinstance(spec, Custom) and isinstance(step.said.get("config"), Mapping):
        said |= {key: texts_in(item) for key, item in step.said["config"].items()}
    hints |= {key: texts for key, texts in said.items() if texts and key != "inputs"}
    if isinstance(spec, Op):
        return hints, defaults
    given = given_arguments(spec, policy)
    for place, (key, _, keyword) in enumerate(given):
        if not keyword:
            alias = type(spec).model_fields[key].alias or key
            hints[place] = said.get(alias) or said.get(key, [])
    written = {key for key, _, _ in given}
    for key, item in type(spec).model_fields.items():
        alias = item.alias or key
        if key not in written and said.get(alias) and not item.is_required():
            defaults[alias] = value_source(item.default, policy)
    return hints, defaults
