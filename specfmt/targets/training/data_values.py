"""Checks of the data's columns, labels and sizes, where the spec alone tells them."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from specfmt.diagnostics import Diagnostic, Path
from specfmt.graph.model import Graph
from specfmt.spec.train import (
    CLASS_COUNTS,
    SAMPLE_COUNTS,
    CsvData,
    Data,
    InlineData,
    SyntheticData,
    TrainSpec,
)
from specfmt.targets.training.data_sources import by_name
from specfmt.targets.training.outputs import output_kind, takes_class_numbers

DATA: Path = ("train", "data")


def problem(message: str, path: Path, hint: str) -> Diagnostic:
    """A finding that the training section does not fit the model."""
    return Diagnostic("SF213", message, path, hint)


def columns(graph: Graph, data: Data) -> Iterator[Diagnostic]:
    """Each input gets as many columns of the table as it has elements."""
    if not isinstance(data, CsvData):
        return
    for name, value in graph.inputs.items():
        given = data.features
        if isinstance(given, dict):
            given = next(iter(given.values())) if len(graph.inputs) == 1 else given.get(name)
        shape = (value.shape or ())[1:]
        count = 1 if isinstance(given, str) else len(given or ())
        if (
            given is not None
            and None not in shape
            and count != (size := prod(s or 0 for s in shape))
        ):
            yield problem(
                f"expected {size} columns for {name}, received {count}",
                (*DATA, "features"),
                f"name {size} columns, or give the input the shape [{count}]",
            )


def labels(graph: Graph, train: TrainSpec, data: Data) -> Iterator[Diagnostic]:
    """Class numbers given in the spec are whole numbers from 0 to the number of classes - 1."""
    for name, value in graph.outputs.items():
        kind = output_kind(graph, train, name)
        takes = takes_class_numbers(graph, train, name) or (data.one_hot and kind == "classes")
        units = (value.shape or (None,))[-1]
        count = 2 if kind == "binary" and not takes else units
        if count is None or not (takes or kind == "binary"):
            continue
        low: float = 0
        high: float = CLASS_COUNTS.get(getattr(data, "name", ""), 0) - 1
        for field in ("y", "y_test"):
            if not isinstance(data, InlineData) or getattr(data, field) is None:
                continue
            given = by_name(getattr(data, field), graph.outputs)
            found = list(_numbers(given.get(name) if isinstance(given, dict) else given))
            odd = [label for label in found if takes and label != int(label)]
            if odd:
                yield problem(
                    f"expected whole class numbers for {name}, received {odd[0]}",
                    (*DATA, field),
                    "count the classes from 0",
                )
            low, high = min([low, *found]), max([high, *found])
        if low < 0 or high >= count:
            yield problem(
                f"expected classes from 0 to {count - 1} for {name}, received {low} to {high}",
                DATA,
                f"count the classes from 0 and give {name} one unit per class",
            )


def _numbers(value: Any) -> Iterator[float]:
    """The numbers in nested lists."""
    if isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    elif value is not None:
        yield value


def sizes(graph: Graph, train: TrainSpec, data: Data) -> Iterator[Diagnostic]:
    """The splits leave at least one sample for each part, where the number of samples is known."""
    count = SAMPLE_COUNTS.get(getattr(data, "name", ""))
    if isinstance(data, SyntheticData):
        count = data.samples
    elif isinstance(data, InlineData):
        given = by_name(data.x, graph.inputs)
        first = next(iter(given.values())) if isinstance(given, dict) else given
        count = len(first) if isinstance(first, tuple) else None
    if count is None:
        return
    splits: list[tuple[Path, int]] = []
    left = count
    if data.test_split:
        left = count - round(data.test_split * count)
        splits.append(((*DATA, "test_split"), count - left))
    if data.validation_first is not None:
        splits.append(((*DATA, "validation_first"), data.validation_first))
    elif train.validation_split:
        held = left - int(left * (1 - train.validation_split))
        splits.append((("train", "validation_split"), held))
    left = count
    for path, kept in splits:
        if not 0 < kept < left:
            yield problem(
                f"expected samples for training and for {path[-1]}, "
                f"received {left}, of which {path[-1]} takes {kept}",
                path,
                "use more samples or change the split",
            )
            return
        left -= kept
