"""The statements of Keras builder functions and classes for a graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from specfmt.graph.model import Graph, Node, Unit, Value, map_leaves
from specfmt.graph.tracing import built_first
from specfmt.layers.custom import Custom
from specfmt.layers.op import Op
from specfmt.targets.keras.file_scope import FileScope
from specfmt.targets.keras.operations import operation_source
from specfmt.targets.keras.values import layer_call
from specfmt.targets.naming import Scope, class_name, identifier
from specfmt.targets.ruff import WIDTH, text_width
from specfmt.targets.source import argument, literal


def input_source(graph: Graph, name: str) -> str:
    """The call that creates an input: ``keras.Input((28, 28, 1), name="image")``."""
    spec = graph.input_specs[name]
    parts = [literal(spec.static_shape)]
    if spec.batch_size is not None:
        parts.append(f"batch_size={spec.batch_size}")
    if spec.dtype != "float32":
        parts.append(f"dtype={literal(spec.dtype)}")
    for flag in ("sparse", "ragged", "optional"):
        if getattr(spec, flag):
            parts.append(f"{flag}=True")
    return f"keras.Input({', '.join(parts)}, name={literal(name)})"


def statement(head: str, args: list[str], tail: str | None, indent: int) -> str:
    """A call; if it does not fit on a line, a trailing comma makes ruff split the arguments.

    Args:
        head: The target and the callee; the whole statement if ``tail`` is None.
        args: The arguments.
        tail: The source after the call's ``)``.
        indent: The indentation in columns.
    """
    if tail is None:
        return head
    arguments = ", ".join(args)
    line = f"{head}({arguments}){tail}"
    fits = not args or ("\n" not in line and indent + text_width(line) <= WIDTH)
    return line if fits else f"{head}({arguments},){tail}"


class Body:
    """The calls of one graph as statements; chains of layers reassign ``x``.

    Args:
        graph: The model.
        file: Names shared by the file.
        owner: ``self`` if layers are attributes of a class; empty if each is created at its call.
    """

    def __init__(self, graph: Graph, file: FileScope, owner: str = "") -> None:
        self.graph = graph
        self.file = file
        self.owner = owner
        self.scope = Scope(file.scope.used)
        self.names: dict[Value, str] = {}
        self.held: dict[Unit, str] = {}
        self.lines: list[str] = []

    def creation(self, unit: Unit) -> tuple[str, list[str]]:
        """The callee and arguments that create a unit's layer or nested model."""
        if unit.graph is not None:
            return self.file.builders[unit]
        name = "" if unit in self.file.automatic else unit.name
        return layer_call(
            unit.layer, name, self.graph.policy, self.file.held, self.file.constants(unit)
        )

    def hold(self, unit: Unit) -> None:
        """Assign a unit to a variable or attribute, so that it can be called several times."""
        if self.owner:
            self.held[unit] = f"{self.owner}.{self.scope.claim(identifier(unit.name))}"
        else:
            self.held[unit] = self.scope.claim(identifier(unit.name))
        head, args = self.creation(unit)
        indent = 8 if self.owner else 4
        self.lines.append(statement(f"{self.held[unit]} = {head}", args, "", indent))

    def calls(self, indent: int) -> None:
        """Add the statements of all calls."""
        nodes = self.graph.nodes
        last: dict[Value, int] = {}
        readers: dict[Value, int] = {}
        for index, node in enumerate(nodes):
            for value in dict.fromkeys(node.inputs()):
                last[value] = index
                readers[value] = readers.get(value, 0) + 1
        returned = set(self.graph.outputs.values())
        for unit in built_first(self.graph):
            if unit not in self.held:
                self.hold(unit)
        for index, node in enumerate(nodes):
            inline = not self.owner and node.unit.graph is None and len(node.unit.calls) == 1
            if not inline and node.unit not in self.held and not _is_operation(node.unit):
                self.hold(node.unit)
            right = self._right(node)
            targets = []
            for value in node.outputs:
                chained = last.get(value) == index + 1 and len(node.outputs) == 1
                if chained and value not in returned:
                    self.names[value] = "x"
                elif value in last or value in returned:
                    self.names[value] = self.scope.claim(identifier(value.name))
                else:
                    self.names[value] = "_"
                targets.append(self.names[value])
            head, args, tail = right
            target, after = self._targets(node, targets)
            self.lines.append(statement(f"{target} = {head}", args, tail, indent))
            self.lines += after
            if any(readers.get(v, 0) > 1 for v in node.outputs) and index < len(nodes) - 1:
                self.lines.append("")

    def _targets(self, node: Node, names: list[str]) -> tuple[str, list[str]]:
        """The target of a call's assignment, and statements that unpack nested outputs."""
        inner = node.unit.graph
        nest = None if inner is None else inner.output_nest
        if inner is None and isinstance(node.layer, Custom):
            mapping = node.layer.returned_mapping(next(iter(node.args.values()), None))
            if mapping is not None:
                whole = self.scope.claim(f"{identifier(node.name)}_outputs")
                return whole, [
                    f"{names[number]} = {source}"
                    for number, source in numbered_paths(mapping, whole)
                    if number < len(names) and names[number] != "_"
                ]
        if inner is None and node.layer.output_nest() is not None:
            return nested_targets(node.layer.output_nest(), names), []
        if nest is None or isinstance(nest, Value):
            return ", ".join(names), []
        if all(isinstance(item, Value) for item in nest) and not isinstance(nest, dict):
            return ", ".join(names) + ("," if len(names) == 1 else ""), []
        whole = self.scope.claim(f"{identifier(node.name)}_outputs")
        pairs = zip(names, paths_of(nest, whole), strict=True)
        return whole, [f"{name} = {source}" for name, source in pairs if name != "_"]

    def _right(self, node: Node) -> tuple[str, list[str], str | None]:
        """The head, arguments and tail of a call; see `statement`."""
        if _is_operation(node.unit):
            return operation_source(node, self.names, self.file)
        if node.unit in self.held:
            return self.held[node.unit], self.arguments(node), ""
        head, args = self.creation(node.unit)
        return head, args, f"({', '.join(self.arguments(node))})"

    def arguments(self, node: Node) -> list[str]:
        """The arguments of one call, positional ones first."""
        if node.unit.graph is not None:
            inner = node.unit.graph
            form = node.form
            if form is None:
                form = map_leaves(inner.input_nest, lambda value: node.args.get(value.name))
            keywords = [
                argument(key, self.source(item))
                for key, item in node.args.items()
                if key not in inner.inputs and not (self.owner and key == "training")
            ]
            return [self.source(form), *keywords]
        nested = node.nested(node.args)
        if self.owner and not node.layer.takes_any_arguments:
            # `fit` and `predict` override it in a functional model; in a class it would stay.
            nested.pop("training", None)
        return [
            self.source(item) if index < node.positional else argument(key, self.source(item))
            for index, (key, item) in enumerate(nested.items())
        ]

    def source(self, item: Any) -> str:
        """The source of an argument: a variable, a nest of variables, or a constant."""
        if isinstance(item, Value):
            return self.names[item]
        if isinstance(item, list):
            return f"[{', '.join(self.source(inner) for inner in item)}]"
        if isinstance(item, dict):
            inner = ", ".join(f"{literal(key)}: {self.source(v)}" for key, v in item.items())
            return "{" + inner + "}"
        if isinstance(item, tuple):
            inner = ", ".join(self.source(part) for part in item)
            return f"({inner},)" if len(item) == 1 else f"({inner})"
        return literal(item)

    def returned(self) -> str:
        """The source of the outputs, nested as in the spec."""
        return self.source(self.graph.output_nest)


@dataclass(frozen=True)
class Sequential:
    """The layers of a `keras.Sequential`, as source."""

    layers: list[str]


@dataclass(frozen=True)
class Functional:
    """A model that is built layer by layer, as source.

    Attributes:
        inputs: The variable of each input, and the call that creates it.
        calls: The statements that call the layers.
        model: The call of `keras.Model`.
    """

    inputs: list[tuple[str, str]]
    calls: list[str]
    model: str


@dataclass(frozen=True)
class ModelClass:
    """A `keras.Model` subclass, as source.

    Attributes:
        name: The class's name.
        definitions: The statements that create its layers.
        calls: The statements of ``call``.
        example: The inputs with which the model is called once to build it.
    """

    name: str
    definitions: list[str]
    calls: list[str]
    example: str


def functional(graph: Graph, file: FileScope) -> Functional:
    """The model, built layer by layer."""
    body = Body(graph, file)
    inputs = []
    for name, value in graph.inputs.items():
        body.names[value] = body.scope.claim(identifier(name, "inputs"))
        inputs.append((body.names[value], input_source(graph, name)))
    body.calls(indent=4)
    arguments = [
        body.source(graph.input_nest),
        body.returned(),
        argument("name", literal(graph.name)),
    ]
    model = statement("return keras.Model", arguments, "", 4).removeprefix("return ")
    return Functional(inputs, body.lines, model)


def sequential(graph: Graph, file: FileScope) -> Sequential:
    """The model as a `keras.Sequential`."""
    body = Body(graph, file)
    inputs = [input_source(graph, next(iter(graph.inputs)))] if graph.input_specs else []
    layers = [statement(*body.creation(node.unit), "", 12) for node in graph.nodes]
    return Sequential([*inputs, *layers])


def subclass(graph: Graph, file: FileScope) -> ModelClass:
    """The model as a class with ``call``."""
    body = Body(graph, file, owner="self")
    body.scope.used.update(dir_of_model())
    for node in graph.nodes:
        if node.unit not in body.held and not _is_operation(node.unit):
            body.hold(node.unit)
    definitions, body.lines = body.lines, []
    scope = Scope({*file.scope.used, "inputs"})
    whole = isinstance(graph.input_nest, Value)
    read = {value for node in graph.nodes for value in node.inputs()} | {*graph.outputs.values()}
    for name, value in graph.inputs.items():
        hidden = "" if value in read else "_"
        body.names[value] = "inputs" if whole else scope.claim(hidden + identifier(name, "inputs"))
    body.scope = scope
    if not whole:
        body.lines += unpacking(graph.input_nest, "inputs", body.names)
    body.calls(indent=8)
    body.lines.append(f"return {body.returned()}")
    name = file.scope.claim(class_name(graph.name))
    example = Body(graph, file, owner="self")
    example.names = {value: input_source(graph, name) for name, value in graph.inputs.items()}
    return ModelClass(name, definitions, body.lines, example.source(graph.input_nest))


def paths_of(nest: Any, source: str) -> Iterator[str]:
    """The subscripts of every tensor in nested lists and dicts, in the order of the spec."""
    if isinstance(nest, dict):
        for key, item in nest.items():
            yield from paths_of(item, f"{source}[{literal(key)}]")
    elif isinstance(nest, list):
        for index, item in enumerate(nest):
            yield from paths_of(item, f"{source}[{index}]")
    else:
        yield source


def numbered_paths(nest: Any, source: str) -> Iterator[tuple[int, str]]:
    """The number and the subscripts of every tensor in nested dicts of numbers."""
    if isinstance(nest, int):
        yield nest, source
        return
    for key, item in nest.items():
        yield from numbered_paths(item, f"{source}[{literal(key)}]")


def nested_targets(nest: Any, names: list[str]) -> str:
    """The target that unpacks nested outputs in one assignment: ``x, a, (b, c)``."""
    parts = [
        names[item] if isinstance(item, int) else f"({nested_targets(item, names)})"
        for item in nest
    ]
    return ", ".join(parts) + ("," if len(parts) == 1 else "")


def unpacking(nest: Any, source: str, names: dict[Value, str]) -> list[str]:
    """The statements that assign every tensor in nested lists and dicts to its variable."""
    if isinstance(nest, Value):
        return [f"{names[nest]} = {source}"]
    if isinstance(nest, dict):
        parts = [(f"{source}[{literal(key)}]", item) for key, item in nest.items()]
    elif all(isinstance(item, Value) for item in nest):
        end = "," if len(nest) == 1 else ""
        return [f"{', '.join(names[item] for item in nest)}{end} = {source}"]
    else:
        parts = [(f"{source}[{index}]", item) for index, item in enumerate(nest)]
    return [line for part, item in parts for line in unpacking(item, part, names)]


def dir_of_model() -> set[str]:
    """The attributes of `keras.Model`, which no layer's name may shadow."""
    return set(
        "activity_regularizer add_loss add_metric add_weight autocast build built call compile "
        "compiled compute_dtype compute_loss compute_mask compute_metrics compute_output_shape "
        "compute_output_spec count_params dtype dtype_policy evaluate export fit from_config "
        "get_build_config get_compile_config get_config get_layer get_metrics_result get_weights "
        "input input_dtype input_shape input_spec inputs layers load_own_variables load_weights loss "
        "losses make_predict_function metrics metrics_names metrics_variables name "
        "non_trainable_variables non_trainable_weights optimizer output output_shape outputs path "
        "predict predict_on_batch predict_step quantize run_eagerly save save_weights set_weights "
        "stateless_call summary supports_masking symbolic_call test_on_batch test_step to_json "
        "train_on_batch train_step trainable trainable_variables trainable_weights variable_dtype "
        "variables weights add add_variable build_from_config call_signature_parameters "
        "compile_from_config compiled_loss compiled_metrics distribute_reduction_method "
        "distribute_strategy get_quantization_layer_structure get_state_tree jit_compile "
        "make_test_function make_train_function pop predict_function quantization_mode "
        "quantized_build quantized_call rematerialized_call reset_metrics save_own_variables "
        "set_state_tree stateless_compute_loss steps_per_execution stop_training supports_jit "
        "test_function train_function unrolled_steps_per_execution".split()
    )


def _is_operation(unit: Unit) -> bool:
    return isinstance(unit.spec, Op)
