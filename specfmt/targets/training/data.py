"""The ``load_data`` function of training scripts, the same for every target.

It gives NumPy arrays: ``(x_train, y_train), (x_test, y_test)``, with a validation part between
them where the spec holds one out by itself.  Several inputs or outputs are dicts of arrays;
parts with sample weights have a third item.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.graph.model import Graph
from specfmt.layers.base import Shape
from specfmt.spec.train import CsvData, InlineData, KerasData, NpzData, TrainSpec
from specfmt.targets.source import comment, literal, number, string
from specfmt.targets.templates import helper_sources
from specfmt.targets.training.data_checks import check_data
from specfmt.targets.training.data_sources import (
    CLASS_NAMES,
    TEXT_SETS,
    list_shape,
    sample_shape,
    source_code,
)
from specfmt.targets.training.outputs import is_classes, output_kind, takes_class_numbers


@dataclass
class DataCode:
    """Generated data loading.

    Attributes:
        imports: Import lines it needs.
        constants: Module-level statements (class names).
        helpers: Module-level functions it calls.
        body: The statements of ``load_data``.
        doc: Its docstring.
        returns: Its return annotation.
        classes: Names of the classes, if they are known.
        has_path: Whether the function takes the path of a data file.
        uses_seed: Whether it draws random numbers.
        has_test: Whether there is a test part.
        has_validation: Whether it returns a validation part of its own.
        weighted: Whether the train and validation parts also have sample weights.
        standardize: Whether the script standardizes the parts.
    """

    imports: set[str] = field(default_factory=lambda: {"import numpy as np"})
    constants: list[str] = field(default_factory=list)
    helpers: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    doc: str = ""
    returns: str = ""
    classes: tuple[str, ...] = ()
    has_path: bool = False
    uses_seed: bool = False
    has_test: bool = False
    has_validation: bool = False
    weighted: bool = False
    standardize: bool = False

    def part(self, name: str) -> str:
        """The variables of a part: ``x_train, y_train``, with weights where there are some."""
        weight = f", weight_{name}" if self.weighted and name != "test" else ""
        return f"x_{name}, y_{name}{weight}"

    @property
    def parts(self) -> list[str]:
        """Every part that the function returns."""
        return ["train", *["val"] * self.has_validation, *["test"] * self.has_test]

    @property
    def unpack(self) -> str:
        """The targets of the assignment that takes the function's result."""
        if len(self.parts) == 1:
            return self.part("train")
        return ", ".join(f"({self.part(name)})" for name in self.parts)

    @property
    def signature(self) -> str:
        """The parameters of the function."""
        return ", ".join(["path: Path | None"] * self.has_path + ["seed: int"] * self.uses_seed)

    @property
    def arguments(self) -> str:
        """The arguments of its call."""
        return ", ".join(["args.data"] * self.has_path + ["args.seed"] * self.uses_seed)

    def standardize_lines(self) -> list[str]:
        """Statements that standardize every part by the training part, and keep how."""
        if not self.standardize:
            return []
        return [
            "mean, deviation = x_train.mean(axis=0), np.maximum(x_train.std(axis=0), 1e-7)",
            'np.savez(args.out / "scaling.npz", mean=mean, deviation=deviation)',
            *(f"x_{name} = (x_{name} - mean) / deviation" for name in self.parts),
        ]

    def standardize_sample(self) -> list[str]:
        """Statements that standardize one sample as in training."""
        if not self.standardize:
            return []
        return [
            'with np.load(args.out / "scaling.npz") as scaling:',
            '    sample = (sample - scaling["mean"]) / scaling["deviation"]',
        ]


def data_code(graph: Graph, train: TrainSpec, loader: str = "keras") -> DataCode:
    """The data loading that a training script needs.

    Args:
        graph: The model.
        train: Its training section.
        loader: Who loads `keras.datasets`: ``keras``, or ``torchvision`` for torch scripts.

    Raises:
        SpecError: The data cannot feed this model.
    """
    if train.data is None:
        raise SpecError(
            [
                Diagnostic(
                    "SF213",
                    "expected `train.data` for a training script, it is missing",
                    ("train",),
                    "add for example `data: {source: sklearn, name: iris}`",
                )
            ]
        )
    check_data(graph, train)
    return _Writer(graph, train, loader).code()


class _Writer:
    """Writes the statements, stage by stage: load, shape, split, hold out."""

    def __init__(self, graph: Graph, train: TrainSpec, loader: str) -> None:
        assert train.data is not None
        self.graph, self.train, self.data = graph, train, train.data
        self.result = DataCode(standardize=self.data.standardize)
        named = frozenset(name for name in graph.outputs if is_classes(graph, train, name))
        self.source = source_code(graph, self.data, named, loader)
        text = getattr(self.data, "name", "") in TEXT_SETS
        self.from_file = isinstance(self.data, (NpzData, CsvData, KerasData))
        self.any_shape = isinstance(self.data, (NpzData, KerasData))
        self.any_samples = self.any_shape and not text
        self.shared = dict.fromkeys(self.source.shared)

    def code(self) -> DataCode:
        result, source = self.result, self.source
        result.body = list(source.body)
        result.imports |= source.imports
        result.helpers = list(source.helpers)
        result.has_path = source.has_path
        result.weighted = source.weighted
        result.has_test = source.presplit or bool(self.data.test_split)
        result.uses_seed = source.draws or bool(self.data.test_split)
        if source.presplit:
            self._shape("_train", "_train")
            self._shape("_test", "_test")
        elif self.data.test_split:
            self._shape("", "")
            self._split(self.data.test_split)
        else:
            self._shape("", "_train")
        self._hold_out()
        self._finish()
        imports, bodies = helper_sources(list(self.shared), "common/data")
        result.imports |= {*imports, *["from pathlib import Path"] * result.has_path}
        result.helpers += bodies
        return result

    def _call(self, helper: str, *arguments: str) -> str:
        """A call of a function in ``templates/common/data``."""
        self.shared[helper] = None
        return f"{helper}({', '.join(arguments)})"

    def _fitted(self, array: str, shape: Shape, name: str) -> str | None:
        """An array in the shape that the model reads, if its samples may have another one."""
        if shape.count(None) > 1:
            return None
        helper = "as_open_samples" if None in shape else "as_samples"
        return self._call(helper, array, literal(shape), string(name))

    def _several(self, side: str) -> bool:
        return len(self.graph.inputs if side == "x" else self.graph.outputs) > 1

    def _line(self, *lines: str) -> None:
        self.result.body += lines

    # -- shapes and types ------------------------------------------------------------------------

    def _shape(self, suffix: str, to: str) -> None:
        """Types, scale and shapes as the model reads them."""
        x, y = f"x{suffix}", f"y{suffix}"
        inputs, outputs = self.graph.inputs, self.graph.outputs
        if not self._several("x"):
            (value,) = inputs.values()
            self._line(f"x{to} = {self._input(x, value)}")
        elif len(each := {self._input("array", value) for value in inputs.values()}) == 1:
            self._line(f"x{to} = {{name: {each.pop()} for name, array in {x}.items()}}")
        else:
            items = (
                f"{string(name)}: {self._input(f'{x}[{string(name)}]', value)}"
                for name, value in inputs.items()
            )
            self._line(f"x{to} = {{{', '.join(items)}}}")
        if not self._several("y"):
            (name,) = outputs
            self._line(f"y{to} = {self._target(y, name)}")
        else:
            items = (
                f"{string(name)}: {self._target(f'{y}[{string(name)}]', name)}" for name in outputs
            )
            self._line(f"y{to} = {{{', '.join(items)}}}")
        if self.result.weighted and suffix != "_test":
            self._line(f'weight{to} = weight{suffix}.astype("float32")')

    def _input(self, x: str, value: Any) -> str:
        """An input array: its type, scaled, in the input's shape."""
        shape = (value.shape or ())[1:]
        fitted = self._fitted(x, shape, value.name) if self.any_samples else None
        expression = f"{fitted or x}.astype({string(value.dtype)})"
        if self.data.scale is not None:
            expression += f" / {number_source(self.data.scale)}"
        if fitted or not self._reshapes(shape):
            return expression
        inner = f"({expression})" if self.data.scale is not None else expression
        return f"{inner}.reshape({_sizes(x, shape)})"

    def _reshapes(self, shape: tuple[int | None, ...]) -> bool:
        """Whether samples may come in another shape than the input's."""
        if self.data.source == "synthetic" or shape.count(None) > 1:
            return False
        if getattr(self.data, "name", "") in TEXT_SETS:
            return False
        known = sample_shape(self.data)
        if known is not None:
            return known != shape
        return len(shape) != 1 or self.data.flatten

    def _target(self, y: str, name: str) -> str:
        """A target array as the loss wants it."""
        shape = self.graph.outputs[name].shape or ()
        numbers = self._one_hot(name) or takes_class_numbers(self.graph, self.train, name)
        if self.from_file:
            return self._checked_target(y, name, shape, numbers=numbers)
        if numbers:
            ravel = ".ravel()" if self._may_be_column(name) and len(shape) == 2 else ""
            return self._classes(f'{y}.astype("int64"){ravel}', name, shape)
        expression = f'{y}.astype("float32")'
        if shape and shape[-1] == 1 and shape[1:].count(None) <= 1 and self._lacks_axis(name):
            expression += f".reshape({_sizes(y, shape[1:])})"
        return expression

    def _classes(self, numbers: str, name: str, shape: Shape) -> str:
        """Class numbers, or rows such as 0 1 0."""
        if not self._one_hot(name):
            return numbers
        return f'np.eye({shape[-1]}, dtype="float32")[{numbers}]'

    def _checked_target(self, y: str, name: str, shape: Shape, *, numbers: bool) -> str:
        """A target array of a file: its shape and its labels are what they are."""
        if numbers:
            fitted = self._fitted(y, shape[1:-1], name) if self.any_shape else None
            units = str(shape[-1])
            if shape[-1] is None:
                return self._classes(f'{fitted or y}.astype("int64")', name, shape)
            labels = self._call("as_classes", fitted or y, units, string(name))
            return self._classes(labels, name, shape)
        y = self._fitted(y, shape[1:], name) or y
        if output_kind(self.graph, self.train, name) == "binary":
            return self._call("as_binary", y, string(name))
        return f'{y}.astype("float32")'

    def _one_hot(self, name: str) -> bool:
        """Whether class numbers become one-hot rows; with several outputs, those that need them."""
        if not self.data.one_hot or takes_class_numbers(self.graph, self.train, name):
            return False
        return not self._several("y") or is_classes(self.graph, self.train, name)

    def _may_be_column(self, name: str) -> bool:
        """Whether class numbers may come as (N, 1)."""
        if isinstance(self.data, InlineData):
            return len(self._inline_target(name)) > 1
        return False

    def _lacks_axis(self, name: str) -> bool:
        """Whether targets of one number may come without an axis for it."""
        if isinstance(self.data, InlineData):
            return len(self._inline_target(name)) != len(self.graph.outputs[name].shape or ())
        return getattr(self.data, "task", "") != "same"

    def _inline_target(self, name: str) -> tuple[int, ...]:
        given = getattr(self.data, "y", ())
        return list_shape(given.get(name, ()) if isinstance(given, dict) else given)

    # -- parts -------------------------------------------------------------------------------------

    def _take(self, target: str, source: str, index: str) -> str:
        """Statement that takes a part of an array, or of each array of a dict."""
        if source[0] != "w" and self._several(source[0]):
            return f"{target} = {{name: array[{index}] for name, array in {source}.items()}}"
        return f"{target} = {source}[{index}]"

    def _split(self, split: float) -> None:
        """Shuffle, then keep the last part for the test."""
        (first, *_) = self.graph.outputs
        y = f"y[{string(first)}]" if self._several("y") else "y"
        generator = "rng" if self.source.draws else "np.random.default_rng(seed)"
        self._line(
            f"order = {generator}.permutation(len({y}))",
            f"split = len(order) - round({number(split)} * len(order))",
            *self._refuse_split("len(order)", "split", "test"),
            "train, test = order[:split], order[split:]",
            self._take("x_train", "x", "train"),
            self._take("y_train", "y", "train"),
        )
        if self.result.weighted:
            self._line("weight_train = weight[train]")
        self._line(self._take("x_test", "x", "test"), self._take("y_test", "y", "test"))

    def _hold_out(self) -> None:
        """Keep the first samples for validation."""
        first = self.data.validation_first
        (output, *_) = self.graph.outputs
        count = f"len(y_train[{string(output)}])" if self._several("y") else "len(y_train)"
        if first is None:
            share = self.train.validation_split
            if share:
                boundary = f"int({count} * (1 - {number(share)}))"
                self._line(*self._refuse_split(count, boundary, "validation"))
            return
        self._line(*self._refuse_split(count, str(first), "validation"))
        self.result.has_validation = True
        names = ["x", "y", *["weight"] * self.result.weighted]
        self._line(*(self._take(f"{name}_val", f"{name}_train", f":{first}") for name in names))
        self._line(*(self._take(f"{name}_train", f"{name}_train", f"{first}:") for name in names))

    def _refuse_split(self, count: str, kept: str, part: str) -> list[str]:
        """The statement that refuses too few samples; only a file may hold any number."""
        if not self.from_file:
            return []
        return [self._call("check_split", count, kept, string(part))]

    def _finish(self) -> None:
        result = self.result
        texts = [result.part(name) for name in result.parts]
        result.body.append(
            f"return {texts[0]}"
            if len(texts) == 1
            else f"return {', '.join(f'({text})' for text in texts)}"
        )
        kinds = ["dict[str, np.ndarray]" if self._several(side) else "np.ndarray" for side in "xy"]
        annotations = []
        for name in result.parts:
            weight = ["np.ndarray"] * (result.weighted and name != "test")
            annotations.append(f"tuple[{', '.join([*kinds, *weight])}]")
        joined = ", ".join(annotations)
        result.returns = joined if len(annotations) == 1 else f"tuple[{joined}]"
        result.doc = self._document()
        name = getattr(self.data, "name", "")
        result.classes = self.data.classes or (
            CLASS_NAMES.get(name, ()) if self.data.source == "sklearn" else ()
        )
        if result.classes:
            result.constants = [f"CLASSES = {literal(list(result.classes))}"]

    def _document(self) -> str:
        """One line on what ``load_data`` gives."""
        name = getattr(self.data, "name", "")
        parts = [
            {
                "sklearn": f"The {name} data of scikit-learn",
                "keras": f"The {name} data, from an .npz file or downloaded",
                "npz": "The arrays of an .npz file",
                "csv": "The columns of a .csv file",
                "inline": "The samples of the spec",
                "synthetic": "Random samples",
            }[self.data.source]
        ]
        if self.data.test_split:
            share = f"{self.data.test_split:.0%}".replace("%", " %")
            parts.append(f"shuffled; the last {share} are to test on")
        elif self.result.has_test and self.data.source != "keras":
            parts.append("with a part to test on")
        if self.data.validation_first is not None:
            parts.append(f"the first {self.data.validation_first:,} are for validation")
        return comment(f"{', '.join(parts)}.")


def _sizes(x: str, shape: tuple[int | None, ...]) -> str:
    """Arguments of ``reshape`` for samples of a shape."""
    if not shape or None in shape:
        return ", ".join([f"len({x})", *("-1" if size is None else str(size) for size in shape)])
    return ", ".join(["-1", *(str(size) for size in shape)])


def number_source(value: float) -> str:
    """``255`` rather than ``255.0``."""
    return str(int(value)) if value.is_integer() else number(value)
