"""Checks that a training section and its data fit the model, before any script runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from typing import Any

from specfmt.diagnostics import Diagnostic, Path, SpecError
from specfmt.fields.errors import did_you_mean
from specfmt.graph.infer import show_shape
from specfmt.graph.model import Graph
from specfmt.spec.train import (
    TARGET_SIZES,
    CsvData,
    Data,
    InlineData,
    NpzData,
    SyntheticData,
    TrainSpec,
    has_class_indices,
)
from specfmt.targets.training.data_sources import STRING, sample_shape
from specfmt.targets.training.data_values import DATA, columns, labels, problem, sizes
from specfmt.targets.training.outputs import (
    has_validation,
    is_classes,
    log_names,
    loss_term,
    output_kind,
    takes_class_numbers,
)
from specfmt.vocab.base import Term


def check_data(graph: Graph, train: TrainSpec) -> None:
    """Check a training section against its model.

    Raises:
        SpecError: SF213, with all findings.
    """
    found = training_problems(graph, train)
    if found:
        raise SpecError(found)


def training_problems(graph: Graph, train: TrainSpec) -> list[Diagnostic]:
    """All findings about a training section and its data.

    The data of a model with an input or output of unknown shape is not checked.
    """
    found = [*_outputs(graph, train), *_schedules(train)]
    if any(value.shape is None for value in (*graph.inputs.values(), *graph.outputs.values())):
        return found
    data = train.data
    if data is None:
        return [*found, *_weights(graph, train, None)]
    return [
        *found,
        *_names(graph, data),
        *_parts(data),
        *_samples(graph, data),
        *columns(graph, data),
        *_targets(graph, train, data),
        *labels(graph, train, data),
        *sizes(graph, train, data),
        *_classes(graph, train, data),
        *_weights(graph, train, data),
        *_monitors(graph, train),
    ]


def _schedules(train: TrainSpec) -> Iterator[Diagnostic]:
    """The learning rate is changed by a schedule or by a callback, not by both."""
    rate = getattr(train.optimizer.spec, "learning_rate", None)
    for index, term in enumerate(train.callbacks):
        if term.type == "ReduceLROnPlateau" and isinstance(rate, Term):
            yield problem(
                f"expected a number as learning rate for ReduceLROnPlateau, received {rate.name}",
                ("train", "callbacks", index),
                "Keras cannot set the learning rate of a schedule: remove one of the two",
            )


def _outputs(graph: Graph, train: TrainSpec) -> Iterator[Diagnostic]:
    """Losses, weights and metrics refer to existing outputs, or list one item per output."""
    names = list(graph.outputs)
    for key in ("loss", "loss_weights", "metrics", "weighted_metrics"):
        given = getattr(train, key)
        if isinstance(given, dict):
            yield from _known(given, names, "output", ("train", key))
        elif isinstance(given, tuple) and len(given) != len(names):
            if "metrics" in key and len(names) == 1:
                continue
            yield problem(
                f"expected one item for each of {len(names)} outputs, received {len(given)}",
                ("train", key),
                f"list them in the order {', '.join(names)}, or use a mapping by output name",
            )


def _known(given: Iterable[str], names: list[str], kind: str, path: Path) -> Iterator[Diagnostic]:
    for name in given:
        if name not in names:
            yield problem(
                f"expected the name of an {kind}, received {name}",
                (*path, name),
                did_you_mean(name, names) or f"one of {', '.join(names)}",
            )


def _names(graph: Graph, data: Data) -> Iterator[Diagnostic]:
    """With several inputs or outputs, their data is a mapping with all names."""
    inputs, outputs = list(graph.inputs), list(graph.outputs)
    if isinstance(data, SyntheticData):
        if isinstance(data.task, dict):
            yield from _known(data.task, outputs, "output", (*DATA, "task"))
        return
    if isinstance(data, (NpzData, InlineData)):
        fields = {"x": inputs, "y": outputs, "x_test": inputs, "y_test": outputs}
    elif isinstance(data, CsvData):
        fields = {"features": inputs, "target": outputs}
    else:
        for kind, names in (("input", inputs), ("output", outputs)):
            if len(names) > 1:
                yield problem(
                    f"expected a model with one {kind} for {data.source} data, received {len(names)}",
                    DATA,
                    "save the arrays in an .npz file and use `source: npz`",
                )
        return
    for field, names in fields.items():
        given = getattr(data, field)
        if given is None:
            continue
        path = (*DATA, field)
        if isinstance(given, dict):
            kind = "input" if names is inputs else "output"
            yield from _known(given, names, kind, path)
            missing = [name for name in names if name not in given]
            if missing:
                yield problem(
                    f"expected data for {kind} {missing[0]}, received none", path, "add it"
                )
            continue
        count = len(given) if isinstance(data, NpzData) and isinstance(given, tuple) else 1
        if count != len(names):
            hint = "{" + ", ".join(f"{name}: ..." for name in names) + "}"
            received = f"a list of {count}" if count > 1 else "one item"
            expected = f"a mapping from {', '.join(names)}" if len(names) > 1 else "one name"
            yield problem(
                f"expected {expected}, received {received}",
                path,
                f"write {hint}" if len(names) > 1 else f"name the array of {names[0]}",
            )


def _parts(data: Data) -> Iterator[Diagnostic]:
    """The test data comes from one place only, and has inputs and targets."""
    x_test, y_test = getattr(data, "x_test", None), getattr(data, "y_test", None)
    if (x_test is None) != (y_test is None):
        there, missing = ("y_test", "x_test") if x_test is None else ("x_test", "y_test")
        message = f"expected {there} and {missing}, received {there} alone"
        yield problem(message, (*DATA, there), f"add {missing}")
    if data.test_split and (data.source == "keras" or x_test is not None):
        yield problem(
            "expected no test_split for data with its own test part, received one",
            (*DATA, "test_split"),
            "remove it",
        )


def _samples(graph: Graph, data: Data) -> Iterator[Diagnostic]:
    """Samples of known shape fit the input; scaled and standardized inputs are floats."""
    for key in ("scale", "standardize"):
        for name, value in graph.inputs.items():
            if getattr(data, key) and not value.dtype.startswith(("float", "bfloat")):
                yield problem(
                    f"expected a float input for {key}, received {value.dtype} in {name}",
                    (*DATA, key),
                    f"remove it, or the dtype of {name}",
                )
    if data.standardize and len(graph.inputs) > 1:
        yield problem(
            f"expected one input for standardize, received {len(graph.inputs)}",
            (*DATA, "standardize"),
            "add a Normalization layer to the model",
        )
    for name, value in graph.inputs.items():
        if value.dtype == STRING and not isinstance(data, CsvData):
            yield problem(
                f"expected data with strings for {name}, received {data.source} data",
                DATA,
                "write the strings into a column of a table and use `source: csv`",
            )
    known = sample_shape(data)
    if known is None or len(graph.inputs) != 1:
        return
    (value,) = graph.inputs.values()
    shape = (value.shape or ())[1:]
    sizes = [size for size in shape if size is not None]
    fits = (
        prod(known) == prod(sizes) if len(sizes) == len(shape) else prod(known) % prod(sizes) == 0
    )
    if not fits:
        yield problem(
            f"expected samples of shape {show_shape(shape)} for {value.name}, "
            f"received {show_shape(known)}",
            DATA,
            f"give the input the shape {list(known)}",
        )
    elif len(known) > 1 and len(shape) == 1 and not data.flatten:
        yield problem(
            f"expected samples of shape {show_shape(shape)} for {value.name}, "
            f"received {show_shape(known)}",
            DATA,
            "add `flatten: true`",
        )


def _targets(graph: Graph, train: TrainSpec, data: Data) -> Iterator[Diagnostic]:
    """Class numbers and one-hot labels go with losses that take them."""
    for name, value in graph.outputs.items():
        loss = loss_term(train, graph, name)
        units = (value.shape or (None,))[-1]
        if loss is None:
            continue
        if data.one_hot and takes_class_numbers(graph, train, name):
            yield problem(
                f"expected class numbers for {loss.name}, received one-hot labels",
                (*DATA, "one_hot"),
                "use categorical_crossentropy or remove `one_hot`",
            )
        elif (
            has_class_indices(data)
            and not data.one_hot
            and units not in (1, None)
            and not takes_class_numbers(graph, train, name)
        ):
            yield problem(
                f"expected one-hot labels for {loss.name}, received class numbers",
                DATA,
                "add `one_hot: true`, or use sparse_categorical_crossentropy",
            )
        numbers = TARGET_SIZES.get(getattr(data, "name", ""))
        if numbers is not None and units is not None and units != (numbers or 1):
            yield problem(
                f"expected {numbers or 1} unit{'s' * (numbers > 1)} in output {name}, "
                f"received {units}",
                DATA,
                "use one unit for each number in a target",
            )


def _classes(graph: Graph, train: TrainSpec, data: Data) -> Iterator[Diagnostic]:
    """``classes`` has one name per class."""
    if data.classes is None:
        return
    counts = {
        name: 2 if output_kind(graph, train, name) == "binary" else (value.shape or (0,))[-1]
        for name, value in graph.outputs.items()
        if is_classes(graph, train, name)
    }
    if counts and len(data.classes) not in counts.values():
        name, count = next(iter(counts.items()))
        yield problem(
            f"expected {count} class names for output {name}, received {len(data.classes)}",
            (*DATA, "classes"),
            "name every class once",
        )


def _weights(graph: Graph, train: TrainSpec, data: Data | None) -> Iterator[Diagnostic]:
    """Class and sample weights are used as Keras allows: one weight per sample."""
    sampled = getattr(data, "sample_weight", None) is not None
    key: Path = ("train", "class_weight")
    if train.class_weight is not None:
        if sampled:
            yield problem(
                "expected class_weight or sample_weight, received both",
                key,
                "multiply the sample weights by the class weights",
            )
        if len(graph.outputs) > 1:
            yield problem(
                f"expected one output for class_weight, received {len(graph.outputs)}",
                key,
                "use sample_weight",
            )
    elif sampled:
        key = (*DATA, "sample_weight")
    else:
        return
    for name, value in graph.outputs.items():
        if len(value.shape or ()) > 2:
            yield problem(
                f"expected outputs of shape (N, units) for {key[-1]}, "
                f"received {show_shape(value.shape or ())} in {name}",
                key,
                "a weight applies to a whole sample: flatten the output or remove the weights",
            )


def _monitors(graph: Graph, train: TrainSpec) -> Iterator[Diagnostic]:
    """Callbacks monitor values that training logs."""
    names = log_names(graph, train)
    for index, term in enumerate(train.callbacks):
        monitor: Any = getattr(term.spec, "monitor", None)
        if monitor is None or monitor in names or monitor == "learning_rate":
            continue
        if term.type == "ModelCheckpoint" and not term.spec.save_best_only:
            continue
        hint = did_you_mean(monitor, names) or f"one of {', '.join(names)}"
        if monitor.startswith("val_") and not has_validation(train):
            hint = "add `validation_split: 0.2`, or monitor loss"
        yield problem(
            f"expected a value that training logs, received {monitor}",
            ("train", "callbacks", index, "monitor"),
            hint,
        )
