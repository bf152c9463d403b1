"""Training scripts in Keras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from specfmt.graph.model import Graph
from specfmt.spec.train import TrainSpec
from specfmt.targets.keras.values import NAMESPACES, value_source, word_arguments
from specfmt.targets.naming import identifier
from specfmt.targets.own_words import keras_call
from specfmt.targets.source import formatted, literal, string
from specfmt.targets.training.data import DataCode, data_code
from specfmt.targets.training.outputs import all_metrics, has_many_values, log_names, train_section
from specfmt.targets.training.script import (
    answer_source,
    describe_code,
    is_plotted,
    label,
    learning_rate_default,
    output_variables,
    path_help,
    plotted,
    sample_code,
    title,
)
from specfmt.vocab.base import CUSTOM, Term

PATH_ARGUMENTS = ("filepath", "filename", "log_dir")
"""Arguments of callbacks that name a file; it goes below ``--out``."""

MANY_EPOCHS = 50
"""From here on, one progress bar over all epochs reads better than one for each."""


@dataclass(frozen=True)
class TrainContext:
    """What ``keras/train.py.j2`` needs besides model and data; finished Python source."""

    title: str
    out: str
    epochs: int
    batch_size: int
    full_batch: bool
    learning_rate: str
    seed: int
    standardize: list[str]
    compile: list[str]
    bar: bool
    evaluate: str
    fit: list[str]
    value: str
    show: list[str]
    predict: list[str]
    columns: str
    plotted: str
    is_plotted: str
    saving: tuple[str, ...] = ()
    weights: str = "model.weights.h5"
    init_help: str = "a .weights.h5 file"
    rate_help: str = "learning rate of the optimizer"
    device: str = '    parser.add_argument("--device", help="gpu:0 or cpu:0, for example (default: what Keras finds)")'


def train_context(graph: Graph) -> dict[str, Any]:
    """Everything of the template that a model file does not have.

    Raises:
        SpecError: The training section cannot feed this model.
    """
    train = train_section(graph)
    data = data_code(graph, train)
    sample = sample_code(graph, train)
    rate = learning_rate_default(train)
    many = any(has_many_values(metric.term) for metric in all_metrics(graph, train))
    bar = train.epochs > MANY_EPOCHS
    context = TrainContext(
        title=title(graph),
        out=f"runs/{identifier(graph.name)}",
        epochs=train.epochs,
        batch_size=train.batch_size if isinstance(train.batch_size, int) else 0,
        full_batch=train.batch_size == "full",
        learning_rate=rate,
        seed=0 if train.seed is None else train.seed,
        standardize=data.standardize_lines(),
        compile=compile_lines(graph, train, rate),
        bar=bar,
        evaluate=answers(graph, "y_test", weighted=False),
        fit=fit_lines(graph, train, data, bar=bar),
        value="{np.round(value, 4)}" if many else "{value:.4f}",
        show=show_lines(graph, train, data),
        predict=predict_lines(graph, data),
        columns=literal([*log_names(graph, train), "learning_rate"]),
        plotted=plotted(train),
        is_plotted=is_plotted(train),
    )
    imports = {
        "import argparse",
        "import csv",
        "from pathlib import Path",
        "import matplotlib.pyplot as plt",
        "from matplotlib.ticker import MaxNLocator",
        *data.imports,
        *sample.imports,
        *["from tqdm import tqdm"] * bar,
    }
    return {
        "train": context,
        "data": data,
        "path_help": string(path_help(train)),
        "sample": sample,
        "describe": describe_code(graph, train, data),
        "script_imports": imports,
    }


def compile_lines(graph: Graph, train: TrainSpec, rate: str) -> list[str]:
    """``model.compile(...)``."""
    arguments = [f"optimizer={optimizer_source(train.optimizer, rate)}"]
    for key in ("loss", "loss_weights", "metrics", "weighted_metrics"):
        value = by_output(graph, train, key)
        if value is not None:
            arguments.append(f"{key}={nested_source(value)}")
    defaults = TrainSpec.model_fields
    for key in ("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"):
        if getattr(train, key) != defaults[key].default:
            arguments.append(f"{key}={literal(getattr(train, key))}")
    lines = []
    if not rate and "learning_rate" in type(train.optimizer.spec).model_fields:
        schedule = value_source(train.optimizer.spec.learning_rate)
        lines = [f"learning_rate = args.learning_rate or {schedule}"]
    return [*lines, f"model.compile({', '.join(arguments)})"]


def by_output(graph: Graph, train: TrainSpec, key: str) -> Any:
    """An argument of ``compile`` as Keras takes it for several outputs.

    Keras wants losses and their weights for every output, and all in one form: dicts by output
    name, or lists where an output's name is not what Keras calls it.
    """
    value = getattr(train, key)
    names = list(graph.outputs)
    if value is None or graph.output_form == "single":
        return value
    if not isinstance(value, (dict, tuple)):
        if key == "loss" and train.loss_weights is None:
            return value
        value = dict.fromkeys(names, value)
    filler = 1.0 if key == "loss_weights" else None
    given = value if isinstance(value, dict) else dict(zip(names, value, strict=True))
    if "metrics" in key:
        if not outputs_by_name(graph):
            return [given.get(name) or [] for name in names]
        return {name: item for name, item in given.items() if item not in (None, ())}
    items = {name: filler if given.get(name) is None else given[name] for name in names}
    return items if outputs_by_name(graph) else list(items.values())


def outputs_by_name(graph: Graph) -> bool:
    """Whether Keras knows each output by its name in the spec."""
    if graph.output_form != "list":
        return True
    nodes = [value.node for value in graph.outputs.values()]
    return all(
        node is not None and node.name == name == node.unit.name and len(node.outputs) == 1
        for name, node in zip(graph.outputs, nodes, strict=True)
    )


def optimizer_source(term: Term, rate: str) -> str:
    """The optimizer with its learning rate from the command line."""
    if term.type == CUSTOM:
        return keras_call(term)
    arguments = [
        source for source in word_arguments(term) if not source.startswith("learning_rate=")
    ]
    if "learning_rate" in type(term.spec).model_fields:
        arguments.insert(
            0, "learning_rate=args.learning_rate" if rate else "learning_rate=learning_rate"
        )
    return f"keras.optimizers.{term.type}({', '.join(arguments)})"


def nested_source(value: Any) -> str:
    """A term, or lists and dicts of them."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {nested_source(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(nested_source(item) for item in value)}]"
    return value_source(value)


def fit_lines(graph: Graph, train: TrainSpec, data: DataCode, *, bar: bool) -> list[str]:
    """``logged = model.fit(...).history``."""
    batch = "args.batch_size"
    if train.batch_size == "full":
        several = len(graph.inputs) > 1
        x = f"x_train[{string(next(iter(graph.inputs)))}]" if several else "x_train"
        batch = f"args.batch_size or len({x})"
    y = answers(graph, "y_train", weighted=data.weighted)
    arguments = ["x_train", y, "epochs=args.epochs", f"batch_size={batch}"]
    if data.weighted:
        arguments.append("sample_weight=weight_train")
    if data.has_validation:
        part = data.part("val").replace("y_val", answers(graph, "y_val", weighted=data.weighted))
        arguments.append(f"validation_data=({part})")
    elif train.validation_split:
        arguments.append(f"validation_split={literal(train.validation_split)}")
    if not train.shuffle:
        arguments.append("shuffle=False")
    if train.class_weight is not None:
        arguments.append(f"class_weight={literal(train.class_weight)}")
    # First, so that the other callbacks find the rate before one of them changes it.
    callbacks = ["keras.callbacks.LambdaCallback(on_epoch_end=log_rate)"]
    callbacks += [callback_source(term) for term in train.callbacks]
    if bar:
        callbacks.append("keras.callbacks.LambdaCallback(on_epoch_end=show)")
        arguments.append("verbose=0")
    arguments.append(f"callbacks=[{', '.join(callbacks)}]")
    return [f"logged = model.fit({', '.join(arguments)}).history"]


def answers(graph: Graph, y: str, *, weighted: bool) -> str:
    """Targets as ``fit`` takes them; beside sample weights, Keras wants the form of the outputs."""
    as_list = not outputs_by_name(graph) or (weighted and graph.output_form == "list")
    return f"list({y}.values())" if as_list else y


def callback_source(term: Term) -> str:
    """A callback; files it writes go below ``--out``."""
    if term.type == CUSTOM:
        return keras_call(term)
    fields = type(term.spec).model_fields
    arguments = []
    for source in word_arguments(term):
        key, equals, _ = source.partition("=")
        arguments.append(source if equals and key in fields and key not in PATH_ARGUMENTS else "")
    paths = [
        f"{key}=str(args.out / {literal(getattr(term.spec, key))})"
        for key in PATH_ARGUMENTS
        if key in fields
    ]
    named = [source for source in arguments if source]
    return f"keras.{NAMESPACES['callback']}.{term.type}({', '.join([*paths, *named])})"


def show_lines(graph: Graph, train: TrainSpec, data: DataCode) -> list[str]:
    """Statements that print a few predictions beside the right answers."""
    part = "test" if data.has_test else "train"
    x = _first("x", part, several=len(graph.inputs) > 1)
    lines = [f"predictions = model.predict({x}, verbose=0)"]
    names = list(graph.outputs)
    if len(names) == 1:
        text = answer_source(graph, train, names[0], "answer", data)
        return [
            *lines,
            *_single(graph),
            f"for prediction, answer in zip(predictions, y_{part}[:3], strict=True):",
            f"    print({formatted(text + ': predicted {describe(prediction)}')})",
        ]
    variables = output_variables(graph)
    answers = ", ".join(
        f"{label(name)} {answer_source(graph, train, name, variable, data)}"
        for name, variable in variables.items()
    )
    return [
        *lines,
        *_as_dict(graph),
        "for index in range(len(next(iter(predictions.values())))):",
        "    prediction = {name: values[index] for name, values in predictions.items()}",
        *(
            f"    {variable} = y_{part}[{string(name)}][index]"
            for name, variable in variables.items()
        ),
        f"    print({formatted(answers + ': predicted {describe(prediction)}')})",
    ]


def _first(name: str, part: str, *, several: bool) -> str:
    if several:
        return f"{{name: array[:3] for name, array in {name}_{part}.items()}}"
    return f"{name}_{part}[:3]"


def _single(graph: Graph) -> list[str]:
    """The only output, out of the list or dict that the model gives."""
    if graph.output_form == "single":
        return []
    key = "0" if graph.output_form == "list" else string(next(iter(graph.outputs)))
    return [f"predictions = predictions[{key}]"]


def _as_dict(graph: Graph) -> list[str]:
    if graph.output_form != "list":
        return []
    names = literal(list(graph.outputs))
    return [f"predictions = dict(zip({names}, predictions, strict=True))"]


def predict_lines(graph: Graph, data: DataCode) -> list[str]:
    """Statements that print the prediction for one sample."""
    lines = data.standardize_sample()
    if len(graph.outputs) == 1 and graph.output_form == "single":
        return [*lines, "print(describe(model.predict(sample, verbose=0)[0]))"]
    lines.append("predictions = model.predict(sample, verbose=0)")
    if len(graph.outputs) == 1:
        return [*lines, *_single(graph), "print(describe(predictions[0]))"]
    return [
        *lines,
        *_as_dict(graph),
        "print(describe({name: values[0] for name, values in predictions.items()}))",
    ]
