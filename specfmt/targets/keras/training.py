"""Training scripts in Keras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from specfmt.graph.model import Graph
from specfmt.spec.train import TrainSpec
from specfmt.targets.data import DataCode, data_code
from specfmt.targets.keras.values import NAMESPACES, value_source, word_arguments
from specfmt.targets.naming import identifier
from specfmt.targets.source import comment, literal, string
from specfmt.targets.training import (
    describe_code,
    label_source,
    learning_rate_default,
    path_help,
    sample_code,
    train_section,
)
from specfmt.vocab.base import Term

PATH_ARGUMENTS = ("filepath", "filename", "log_dir")
"""Arguments of callbacks that name a file; it goes below ``--out``."""


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
    fit: list[str]
    evaluate: str
    show: list[str]
    predict: list[str]
    load: str
    device: str = '    parser.add_argument("--device", help="for example gpu:0 or cpu:0")'


def train_context(graph: Graph, custom: list[str]) -> dict[str, Any]:
    """Everything of the template that a model file does not have.

    Args:
        graph: The model.
        custom: Names of custom classes that loading the saved model needs.

    Raises:
        SpecError: The training section cannot feed this model.
    """
    train = train_section(graph)
    data = data_code(graph, train)
    sample = sample_code(graph, train)
    rate = learning_rate_default(train)
    context = TrainContext(
        title=string(f"Train {comment(graph.name)}."),
        out=f"runs/{identifier(graph.name)}",
        epochs=train.epochs,
        batch_size=train.batch_size if isinstance(train.batch_size, int) else 0,
        full_batch=train.batch_size == "full",
        learning_rate=rate,
        seed=0 if train.seed is None else train.seed,
        standardize=data.standardize_lines(),
        compile=compile_lines(train, rate),
        fit=fit_lines(train, data),
        evaluate="x_test, y_test",
        show=show_lines(graph, train, data),
        predict=predict_lines(graph, data),
        load=f", custom_objects={{{', '.join(f'{string(n)}: {n}' for n in custom)}}}" if custom else "",
    )
    imports = {
        "import argparse",
        "import csv",
        "from pathlib import Path",
        "import matplotlib.pyplot as plt",
        *data.imports,
        *sample.imports,
    }
    return {
        "train": context,
        "data": data,
        "path_help": string(path_help(train)),
        "sample": sample,
        "describe": describe_code(graph, train, data.classes),
        "script_imports": imports,
    }


def compile_lines(train: TrainSpec, rate: str) -> list[str]:
    """``model.compile(...)``."""
    arguments = [f"optimizer={optimizer_source(train.optimizer, rate)}"]
    for key in ("loss", "loss_weights", "metrics", "weighted_metrics"):
        value = getattr(train, key)
        if value is not None:
            arguments.append(f"{key}={nested_source(value)}")
    defaults = TrainSpec.model_fields
    for key in ("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"):
        if getattr(train, key) != defaults[key].default:
            arguments.append(f"{key}={literal(getattr(train, key))}")
    lines = []
    if not rate and "learning_rate" in type(train.optimizer.spec).model_fields:
        lines = [
            f"learning_rate = args.learning_rate or {value_source(train.optimizer.spec.learning_rate)}"
        ]
    return [*lines, f"model.compile({', '.join(arguments)})"]


def optimizer_source(term: Term, rate: str) -> str:
    """The optimizer with its learning rate from the command line."""
    arguments = [
        source
        for source in word_arguments(term)
        if not source.startswith("learning_rate=")
    ]
    if "learning_rate" in type(term.spec).model_fields:
        arguments.insert(0, "learning_rate=args.learning_rate" if rate else "learning_rate=learning_rate")
    return f"keras.optimizers.{term.type}({', '.join(arguments)})"


def nested_source(value: Any) -> str:
    """A term, or lists and dicts of them."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {nested_source(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(nested_source(item) for item in value)}]"
    return value_source(value)


def fit_lines(train: TrainSpec, data: DataCode) -> list[str]:
    """``history = model.fit(...)``."""
    batch = "args.batch_size"
    if train.batch_size == "full":
        batch = "args.batch_size or len(x_train)"
    arguments = ["x_train", "y_train", "epochs=args.epochs", f"batch_size={batch}"]
    if data.weighted:
        arguments.append("sample_weight=weight_train")
    if data.has_validation:
        arguments.append("validation_data=(x_val, y_val)")
    elif train.validation_split:
        arguments.append(f"validation_split={literal(train.validation_split)}")
    if not train.shuffle:
        arguments.append("shuffle=False")
    if train.class_weight is not None:
        arguments.append(f"class_weight={literal(train.class_weight)}")
    if train.callbacks:
        arguments.append(f"callbacks=[{', '.join(callback_source(t) for t in train.callbacks)}]")
    return [f"history = model.fit({', '.join(arguments)})"]


def callback_source(term: Term) -> str:
    """A callback; files it writes go below ``--out``."""
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
    x = _first("x", part, len(graph.inputs) > 1)
    lines = [f"predictions = model.predict({x}, verbose=0)"]
    names = list(graph.outputs)
    if len(names) == 1:
        label = label_source(graph, train, names[0], "answer", data)
        return [
            *lines,
            f"for prediction, answer in zip(predictions, y_{part}[:3], strict=True):",
            f'    print(f"{label}: predicted {{describe(prediction)}}")',
        ]
    if graph.output_form == "list":
        lines.append(f"predictions = dict(zip({literal(names)}, predictions, strict=True))")
    variables = {name: identifier(name) for name in names}
    answers = ", ".join(
        f"{comment(name)} {label_source(graph, train, name, variable, data)}"
        for name, variable in variables.items()
    )
    picked = ", ".join(f"y_{part}[{string(name)}][index]" for name in names)
    return [
        *lines,
        "for index in range(3):",
        "    prediction = {name: values[index] for name, values in predictions.items()}",
        f"    {', '.join(variables.values())} = {picked}",
        f'    print(f"{answers}: predicted {{describe(prediction)}}")',
    ]


def _first(name: str, part: str, several: bool) -> str:
    if several:
        return f"{{key: array[:3] for key, array in {name}_{part}.items()}}"
    return f"{name}_{part}[:3]"


def predict_lines(graph: Graph, data: DataCode) -> list[str]:
    """Statements that print the prediction for one sample."""
    lines = data.standardize_sample()
    names = list(graph.outputs)
    if len(names) == 1:
        return [*lines, "print(describe(model.predict(sample, verbose=0)[0]))"]
    lines.append("predictions = model.predict(sample, verbose=0)")
    if graph.output_form == "list":
        lines.append(f"predictions = dict(zip({literal(names)}, predictions, strict=True))")
    lines.append("print(describe({name: values[0] for name, values in predictions.items()}))")
    return lines
