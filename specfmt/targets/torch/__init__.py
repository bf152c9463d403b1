"""The PyTorch target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from specfmt.graph.model import Graph
from specfmt.targets.naming import identifier
from specfmt.targets.options import Axes, Fidelity, Style, TargetOptions, read_options
from specfmt.targets.registry import Target
from specfmt.targets.ruff import format_python
from specfmt.targets.source import comment, document_line
from specfmt.targets.tables import table_source
from specfmt.targets.templates import fill, helper_sources
from specfmt.targets.torch import emit
from specfmt.targets.torch.blocks.emit import function_context
from specfmt.targets.torch.graph_lowering import lower_graph
from specfmt.targets.torch.program import ClassProgram, Options
from specfmt.targets.torch.user_objects import UserFunction
from specfmt.targets.user_objects import with_distinct_names


@dataclass(frozen=True, kw_only=True)
class TorchOptions(TargetOptions):
    """Options of the PyTorch target; the types of the fields are documented with them."""

    style: Style = "auto"
    axes: Axes = "torch"
    fidelity: Fidelity = "idiomatic"


class Torch(Target[TorchOptions]):
    """PyTorch code."""

    name = "torch"
    title = "PyTorch"
    package = "torch"
    options = TorchOptions

    def generate(self, graph: Graph, options: TorchOptions) -> str:
        style, source = options.style, options.source
        program = program_options(axes=options.axes, fidelity=options.fidelity)
        if options.part == "model":
            return generate_model(graph, style=style, options=program, source=source)
        return generate_training(
            graph, style=style, options=program, source=source, script=options.script
        )


def program_options(*, axes: Axes | None = None, fidelity: Fidelity | None = None) -> Options:
    """The options that determine the layout of parameters, inputs and outputs.

    Raises:
        OptionError: A value is not allowed.
    """
    read = read_options(TorchOptions, {"axes": axes, "fidelity": fidelity}, Torch.name)
    return Options(axes=read.axes, fidelity=read.fidelity)


@with_distinct_names
def generate_model(
    graph: Graph, *, style: str = "auto", options: Options | None = None, source: str = ""
) -> str:
    """Generate a stand-alone file with the model.

    Args:
        graph: A graph without errors.
        style: ``auto`` writes an `nn.Sequential` if the model is a chain of stock modules and blocks, and
            otherwise a class; ``sequential`` requires such a chain; ``functional`` and
            ``subclass`` always write a class.
        options: Axis order and fidelity.
        source: The spec file's name, for the header.

    Raises:
        SpecError: PyTorch cannot express the model with these options.
    """
    program = lower_graph(graph, replace(options or Options(), adapts=True))
    return format_python(fill("torch/model.py.j2", **model_context(program, style, source)))


@with_distinct_names
def generate_training(
    graph: Graph,
    *,
    style: str = "auto",
    options: Options | None = None,
    source: str = "",
    script: str = "",
) -> str:
    """Generate a stand-alone script that trains, evaluates, saves and predicts.

    If the loss is a cross-entropy, the model's final softmax or sigmoid is left out: the model
    trains on logits, and ``predict`` returns probabilities.

    Args:
        graph: A graph without errors whose spec has a ``train:`` section.
        style, options, source: As for `generate_model`.
        script: The script's own file name, for its usage line.

    Raises:
        SpecError: PyTorch cannot express the model or its training with these options.
    """
    from specfmt.targets.torch.training.script import TorchScript, logit_outputs

    options = options or Options()
    logits = logit_outputs(graph)
    program = lower_graph(graph, replace(options, logits=logits, trains=True, adapts=True))
    train = TorchScript(graph, program, options.fidelity)
    context = model_context(program, style, source, train.helper_names, train.user_functions)
    context |= train.context
    context["script"] = comment(script) or f"{identifier(graph.name)}_torch.py"
    context["imports"] = emit.import_block([*context["helper_imports"], *train.data.imports])
    return format_python(fill("torch/train.py.j2", **context))


def model_context(
    program: ClassProgram,
    style: str,
    source: str,
    extra_helpers: Iterable[str] = (),
    extra_functions: Mapping[str, UserFunction] = MappingProxyType({}),
) -> dict[str, Any]:
    """The variables of the template ``torch/model.py.j2``.

    Args:
        program: The lowered model.
        style, source: As for `generate_model`.
        extra_helpers: Names of further helper functions and classes.
        extra_functions: Further functions that the user has to write, by name.

    Raises:
        SpecError: SF302 if ``style`` is ``sequential`` and the model is not a chain.
    """
    sequential = emit.sequential_context(program) if style in ("auto", "sequential") else None
    if style == "sequential" and sequential is None:
        raise not_sequential(program)
    classes = [
        emit.class_context(cls)
        for cls in program.classes()
        if cls.block is None and (sequential is None or cls is not program)
    ]
    asked = [helper for cls in program.classes() for helper in cls.builder.helpers]
    names = list(dict.fromkeys([*asked, *extra_helpers]))
    helper_imports, helpers = helper_sources(names, "torch/helpers")
    functions: dict[str, UserFunction] = {}
    for cls in program.classes():
        functions |= cls.builder.user_functions
    stubs = program.builder.stubs
    context: dict[str, Any] = {
        "doc": document_line(program.graph),
        "source": f" from {comment(source)}" if source else "",
        "tables": [
            table_source(name, values)
            for cls in program.classes()
            for name, values in cls.builder.tables.items()
        ],
        "helpers": helpers,
        "user_functions": [*{**functions, **extra_functions}.values()],
        "helper_imports": [*helper_imports, *stubs.imports],
        "stubs": stubs.contexts,
        "blocks": [
            function_context(made)
            if made.program.is_chain
            else emit.class_context(made.program, made)
            for made in program.block_classes
        ],
        "classes": classes,
        "sequential": sequential,
    }
    context["imports"] = emit.import_block(context["helper_imports"])
    return context


def not_sequential(program: ClassProgram) -> Exception:
    """The finding that a model is not a chain of stock modules and blocks."""
    from specfmt.diagnostics import Diagnostic, SpecError

    return SpecError(
        [
            Diagnostic(
                "SF302",
                f"expected a chain of stock modules and blocks for --style sequential, received {program.graph.name}",
                ("layers",),
                "use --style auto",
            )
        ]
    )
