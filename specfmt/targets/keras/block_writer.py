"""The statements of blocks in Keras code, for each use with its own values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from specfmt.fields.model import COMMON_FIELDS
from specfmt.graph.model import Graph, Node, Unit, Use, Value
from specfmt.graph.tracing import built_first
from specfmt.layers.blocks import INDEX
from specfmt.layers.custom import Custom
from specfmt.layers.entries import Model
from specfmt.layers.op import Op
from specfmt.targets.blocks import Line, NoFitError, Variant, merged
from specfmt.targets.blocks.lines import RANGE
from specfmt.targets.blocks.loops import loop_end, loop_offset, range_source
from specfmt.targets.blocks.parameters import plain, same, value_text
from specfmt.targets.blocks.signature import Parameter
from specfmt.targets.blocks.uses import (
    NAME,
    Step,
    escaped,
    is_unnamed,
    local_name,
    texts_in,
)
from specfmt.targets.blocks.variables import INPUT, RETURN, Call, Tensor, Variables
from specfmt.targets.blocks.variables import variables as choose_variables
from specfmt.targets.keras.emit import Body, statement
from specfmt.targets.keras.file_scope import FileScope
from specfmt.targets.keras.values import (
    construction,
    given_arguments,
    is_function,
    layer_call,
    value_source,
)
from specfmt.targets.naming import Scope
from specfmt.targets.source import argument
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
        returns_list: Whether it returns a list of layers instead of calling them.
    """

    name: str
    doc: str
    inputs: list[str]
    kept: list[int]
    parameters: list[Parameter]
    outputs: int
    lines: list[str]
    returns_list: bool = False

    @property
    def signature(self) -> str:
        """The parameters with their types and defaults."""
        tensors = [f"{name}: {TENSOR}" for name in self.inputs]
        return ", ".join([*tensors, *(item.declaration for item in self.parameters)])

    @property
    def returns(self) -> str:
        """The type of what it returns."""
        if self.returns_list:
            return "list[layers.Layer]"
        if self.outputs == 1:
            return TENSOR
        return f"tuple[{', '.join([TENSOR] * self.outputs)}]"

    @property
    def is_loop(self) -> bool:
        """Whether each turn of a loop can take what the one before returns."""
        return self.returns_list or self.kept[: self.outputs] == list(range(self.outputs))


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
        self.readers = Counter(v for step in self.steps for v in dict.fromkeys(step.reads))
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
        sources = self.file.constants(unit)
        for key, item in type(unit.layer).model_fields.items():
            said = self.said.get(item.alias or key)
            term = getattr(unit.layer, key)
            if not isinstance(said, Mapping) or not isinstance(term, Term) or is_function(term):
                continue
            if also := [name for name, text in said.items() if texts_in(text)]:
                sources[key] = construction(term, also)
        name = "" if unit in self.file.automatic else unit.name
        return layer_call(unit.layer, name, self.graph.policy, self.file.held, sources)


class Writer:
    """Writes the statements of several uses of a block with the same variables, or of a model.

    Args:
        file: Names shared by the file.
        function_of: The function of a use of a block.
        arguments_of: The values of the parameters of a use.
        scenes: The uses, or the model.
        inputs: The variables of the tensors that they take.
        scope: The names in use.
        varying: The parameters that the function has.
        spelling: Parameter -> its name in the code.
    """

    def __init__(
        self,
        file: FileScope,
        function_of: Callable[[Use], Function],
        arguments_of: Callable[[Use], Mapping[str, Any]],
        scenes: Sequence[Scene],
        inputs: Sequence[str],
        scope: Scope,
        varying: Sequence[str],
        spelling: Mapping[str, str],
    ) -> None:
        self.file = file
        self.function_of = function_of
        self.arguments_of = arguments_of
        self.scenes = scenes
        self.scope = scope
        self.varying = varying
        self.spelling = spelling
        self.is_model = scenes[0].around == "" and not scenes[0].values and not varying
        self.loops = {step.key for scene in scenes for step in scene.steps if len(step.uses) > 1}
        self.index = scope.claim(INDEX) if self.loops else INDEX
        self.held: dict[tuple[int, ...], str] = {}
        self.found = self._variables(inputs)

    def _variables(self, inputs: Sequence[str]) -> Variables:
        """Choose the variables of all tensors, and of layers that are called several times."""
        scenes, scope = self.scenes, self.scope
        calls = self._calls()
        preferred: dict[Tensor, str] = {
            tensor: self._preferred(step, index)
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
                        self.held[step.key] = scope.claim(self._preferred(step, 0))
        own: frozenset[Tensor] = frozenset()
        if self.is_model:
            own = frozenset(t for value in scenes[0].outputs for t in scenes[0].tensors[value])
        return choose_variables(calls, inputs, preferred, scope, own)

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

    def _preferred(self, step: Step, index: int) -> str:
        """The name to prefer for a variable."""
        if step.node is not None:
            kind = to_snake_case(step.node.unit.type_name)
            is_plain = step.around is None or not is_unnamed(step.said, step.around)
            name = local_name(step.name, kind) if is_plain else kind
            return f"{name}_{index}" if index else name
        call = step.uses[0].call
        name = local_name(step.name, to_snake_case(call.kind))
        given = call.block.outputs if len(step.outputs) > 1 else None
        return f"{name}_{local_name(escaped(given[index]), '')}" if given else name

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
        body = BlockBody(scene.graph, self.file)
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
                yield replace(self._block(scene, step, names, is_last), when=step.when)
            else:
                for line in self._layer(scene, step, step.node, body, names, is_last):
                    yield replace(line, when=step.when)
            forks = any(scene.readers[value] > 1 for value in step.outputs)
            if self.is_model and key != self.found.order[-2] and forks:
                yield Line(("blank", key), "")
        if not self.is_model and not direct:
            given = ", ".join(self.returned(scene)[value] for value in scene.outputs)
            yield Line(RETURN, f"return {given}")

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

    def _block(self, scene: Scene, step: Step, names: list[str], is_last: bool) -> Line:
        """The statement of a use of a block, or of a loop of them."""
        target = "return" if is_last else f"{', '.join(names)} ="
        read = [self.found.reads[step.key, place] for place in range(len(step.reads))]
        turns = [self._call(step, use, read, target) for use in step.uses]
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

    def _call(self, step: Step, use: Use, read: Sequence[str], target: str) -> Line:
        """The call of a block's function."""
        function = self.function_of(use)
        values = self.arguments_of(use)
        sources = list(read)
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


def is_held(node: Node) -> bool:
    """Whether a call is of a layer with a variable of its own, because it is called again."""
    unit = node.unit
    return not isinstance(unit.spec, Op) and (unit.graph is not None or len(unit.calls) > 1)


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
