"""The Keras target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.fields.errors import show
from specfmt.graph.held import HeldModel
from specfmt.graph.keras_order import refuse_taken_names
from specfmt.graph.model import Graph, Unit, Value
from specfmt.graph.symbolic import show_value
from specfmt.graph.tracing import traced
from specfmt.layers.base import nested_layers
from specfmt.lint.rules import ROOT_SCOPE
from specfmt.spec.train import train_section
from specfmt.targets.blocks import NoFitError
from specfmt.targets.blocks.uses import all_uses
from specfmt.targets.imports import import_lines
from specfmt.targets.keras.block_writer import Function
from specfmt.targets.keras.blocks import Blocks, repeated_uses, unnamed_classes
from specfmt.targets.keras.builders import Builder, join_alike
from specfmt.targets.keras.custom import custom_imports, with_names
from specfmt.targets.keras.emit import (
    functional,
    sequential,
    subclass,
)
from specfmt.targets.keras.file_scope import RESERVED, FileScope
from specfmt.targets.keras.stubs import with_stubs
from specfmt.targets.keras.training import KerasScript
from specfmt.targets.keras.user_objects import keras_imports, to_be_written
from specfmt.targets.keras.values import activation_functions
from specfmt.targets.naming import identifier
from specfmt.targets.options import Flavor, Style, TargetOptions
from specfmt.targets.registry import Target
from specfmt.targets.ruff import format_python
from specfmt.targets.source import comment, document_line, literal
from specfmt.targets.tables import table_source
from specfmt.targets.templates import fill
from specfmt.targets.user_objects import (
    python_name,
    user_objects,
    with_distinct_names,
)


@dataclass(frozen=True, kw_only=True)
class KerasOptions(TargetOptions):
    """Options of the Keras target; the types of the fields are documented with them."""

    style: Style = "auto"
    flavor: Flavor = "tf.keras"


class Keras(Target[KerasOptions]):
    """Keras code."""

    name = "keras"
    title = "Keras"
    package = "tensorflow"
    options = KerasOptions

    def generate(self, graph: Graph, options: KerasOptions) -> str:
        style, flavor, source = options.style, options.flavor, options.source
        if options.part == "model":
            return generate_model(graph, style=style, flavor=flavor, source=source)
        return generate_training(
            graph, style=style, flavor=flavor, source=source, script=options.script
        )


@with_distinct_names
def generate_model(
    graph: Graph, *, style: str = "auto", flavor: str = "tf.keras", source: str = ""
) -> str:
    """Generate a stand-alone file with the model.

    Args:
        graph: A graph without errors.
        style: ``auto`` (sequential if the spec's model is, else functional), ``sequential``,
            ``functional`` or ``subclass``.
        flavor: ``tf.keras`` (``from tensorflow import keras``) or ``keras``.
        source: The spec file's name, for the header.

    Raises:
        SpecError: The model cannot be expressed with these options.
    """
    return format_python(fill("keras/model.py.j2", **model_context(graph, style, flavor, source)))


@with_distinct_names
def generate_training(
    graph: Graph,
    *,
    style: str = "auto",
    flavor: str = "tf.keras",
    source: str = "",
    script: str = "",
) -> str:
    """Generate a stand-alone script that trains, evaluates, saves and predicts.

    Args:
        graph: A graph without errors whose spec has a ``train:`` section.
        style, flavor, source: As for `generate_model`.
        script: The script's own file name, for its usage line.

    Raises:
        SpecError: The training section or its data does not fit the model.
    """
    context = model_context(graph, style, flavor, source, training=True)
    file: FileScope = context["file"]
    train = KerasScript(graph)
    context |= train.context
    context["script"] = comment(script) or f"{identifier(graph.name)}_keras.py"
    tensors = ["import tensorflow as tf"] * bool(train.data.strings)
    context["imports"] = import_block(flavor, [*file.imports, *train.data.imports, *tensors])
    return format_python(fill("keras/train.py.j2", **context))


def model_context(
    graph: Graph, style: str, flavor: str, source: str, *, training: bool = False
) -> dict[str, Any]:
    """Everything that ``keras/model.py.j2`` reads; ``training`` brings the words of `train:`."""
    if style == "sequential" and not (graph.is_chain or graph.is_sequential):
        raise SpecError(
            [
                Diagnostic(
                    "SF302",
                    f"expected a chain of layers for --style sequential, received {graph.name}",
                    ("layers",),
                    "use --style functional",
                )
            ]
        )
    if style == "subclass":
        refuse_scopes(graph)
    taken = set(RESERVED)
    layers = [unit.layer for unit in graph.walk_units()]
    words = user_objects([layers, train_section(graph.spec) if training else None])
    taken.update(python_name(term) for term in words)
    graph, layer_classes = with_stubs(graph, taken)
    trace = traced(graph)
    if style != "subclass":
        refuse_taken_names(trace.graph)
    imports, class_names = custom_imports(graph, taken)
    layers = [unit.layer for unit in graph.walk_units()]
    imports += keras_imports(words)
    penalties = user_objects([layer.output_penalty() for layer in layers])
    unwritten = to_be_written(words, activity=penalties)
    taken.update(line.rpartition(" ")[2] for line in imports)
    with with_names(class_names):
        file, functions, builders = _with_blocks(graph, style, trace.automatic, taken, imports)
    context: dict[str, Any] = {
        "doc": document_line(graph),
        "source": f" from {comment(source)}" if source else "",
        "constants": [
            *(table_source(name, values) for name, values in file.tables.items()),
            *(constant.source(name) for name, constant in file.terms.items()),
        ],
        "activations": activation_functions(layers),
        "user_objects": unwritten,
        "file": file,
        "stubs": layer_classes,
        "functions": functions,
        "builders": builders,
    }
    context["imports"] = import_block(flavor, list(file.imports))
    return context


def _with_blocks(
    graph: Graph, style: str, automatic: frozenset[Unit], taken: set[str], imports: list[str]
) -> tuple[FileScope, list[Function], list[Builder]]:
    """The names of a file, the functions of its blocks, and a builder for each model.

    Args:
        graph: The model.
        style: The style of its code.
        automatic: The units with automatic names in code without functions.
        taken: Names in use in the file.
        imports: Its import lines.
    """
    graphs = list(models_with_layers(graph, style))
    unnamed = unnamed_classes(repeated_uses([item for item, _ in graphs]))
    unwanted: list[str] = []
    while True:
        file = FileScope(automatic=traced(graph, unnamed).automatic if unnamed else automatic)
        file.imports.update(dict.fromkeys(imports))
        file.scope.used.update(taken)
        file.hold_terms(graph, unwanted)
        blocks = Blocks([item for item, _ in graphs], file, dict(graphs).__getitem__)
        # Layers get their names, unless they stand in a function that cannot name them.
        if (needed := unnamed_classes(blocks.called)) != unnamed:
            unnamed = needed
            continue
        try:
            builders = nested_builders(graph, file, blocks)
            builders.append(_builder("build_model", graph, file, blocks, style))
        except NoFitError:  # its tensors cannot be told apart: written without functions
            graphs, unnamed = [], frozenset()
            continue
        functions = list(blocks.functions.values())
        bodies = [*(part.lines for part in functions), *(part.lines for part in builders)]
        if rare := file.rare_terms([line for lines in bodies for line in lines]):
            unwanted += rare
            continue
        return file, functions, builders


def models_with_layers(graph: Graph, style: str = "auto") -> Iterator[tuple[Graph, bool]]:
    """The models that are no classes, with those inside, and whether each is a list of layers."""
    if style != "subclass":
        yield graph, is_list(graph, style)
    for unit in graph.units:
        if unit.graph is not None:
            yield from models_with_layers(unit.graph)
            continue
        for part in nested_layers(unit.layer):
            if isinstance(part, HeldModel):
                yield from models_with_layers(part.graph)


def is_list(graph: Graph, style: str) -> bool:
    """Whether a model's code is a `keras.Sequential`."""
    return style == "sequential" or (style == "auto" and graph.is_sequential)


def refuse_scopes(graph: Graph) -> None:
    """Refuse names that are not valid TensorFlow scopes, which a subclass model needs.

    Raises:
        SpecError: SF302, with a finding for each name.
    """
    names = [(graph.name, ("name",)), *((u.name, (*u.path, "name")) for u in graph.walk_units())]
    problems = [
        Diagnostic(
            "SF302",
            f"expected a valid TensorFlow scope as name for --style subclass, received {show(name)}",
            path,
            "begin with a letter and use only letters, digits, _, - and ., or --style functional",
        )
        for name, path in names
        if not ROOT_SCOPE.fullmatch(name)
    ]
    if problems:
        raise SpecError(problems)


def nested_builders(graph: Graph, file: FileScope, blocks: Blocks) -> list[Builder]:
    """A builder function for every nested model; each follows those it calls."""
    builders: list[Builder] = []
    own: dict[Unit, Builder] = {}
    for unit in graph.units:
        if unit.graph is not None:
            builders += nested_builders(unit.graph, file, blocks)
            name = file.scope.claim(f"build_{identifier(unit.name, 'model')}")
            own[unit] = _builder(name, unit.graph, file, blocks)
            file.builders[unit] = (name, [])
            builders.append(own[unit])
            continue
        for part in nested_layers(unit.layer):
            if isinstance(part, HeldModel):
                held = part.graph
                builders += nested_builders(held, file, blocks)
                file.held[held] = name = file.scope.claim(f"build_{identifier(held.name, 'model')}")
                builders.append(_builder(name, held, file, blocks))
    return join_alike(builders, own, file)


def _builder(
    name: str, graph: Graph, file: FileScope, blocks: Blocks, style: str = "auto"
) -> Builder:
    make = partial(Builder, name, model_doc(graph), literal(graph.name), graph.spec.trainable)
    if style == "subclass":
        return make(model_class=subclass(graph, file))
    with_blocks = any(use in blocks.called for use in all_uses(graph.items or ()))
    if is_list(graph, style):
        return make(sequential=blocks.sequential(graph) if with_blocks else sequential(graph, file))
    if with_blocks:
        return make(functional=blocks.functional(graph))
    return make(functional=functional(graph, file))


def import_block(flavor: str, extra: list[str]) -> str:
    """Every import that a file may need; ruff removes the unused ones."""
    package = "keras" if flavor == "keras" else "tensorflow.keras"
    keras = "import keras" if flavor == "keras" else "from tensorflow import keras"
    return import_lines([keras, f"from {package} import layers", *extra])


def model_doc(graph: Graph) -> str:
    """A builder's docstring: ``image (N, 32, 32, 3) -> label (N, 10); 20,090 parameters.``"""

    def side(values: dict[str, Value]) -> str:
        return ", ".join(
            comment(name) + ("" if value.shape is None else f" {show_value(value)}")
            for name, value in values.items()
        )

    total, trainable = graph.count(), graph.count(trainable=True)
    counts = f"{total:,} parameters" + ("" if total == trainable else f", {trainable:,} trainable")
    if not graph.is_counted:
        counts += " besides those of custom layers and what follows them"
    return f"{side(graph.inputs)} -> {side(graph.outputs)}; {counts}."
