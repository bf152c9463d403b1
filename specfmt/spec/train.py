"""The ``train:`` section: data, loss, optimizer, metrics, epochs and callbacks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from specfmt.diagnostics import Diagnostic
from specfmt.fields.errors import FieldError, NestedError, did_you_mean, error_to_diagnostic
from specfmt.fields.model import SpecModel
from specfmt.fields.rules import (
    Boolean,
    Either,
    Integer,
    Nullable,
    Number,
    OneOf,
    Rule,
    Text,
    Tuple,
    choice_schema,
)
from specfmt.fields.spellings import FormerArguments
from specfmt.fields.types import (
    Bool,
    OpenFraction,
    OptionalPositiveFloat,
    OptionalPositiveInt,
    PositiveInt,
    Seed,
    Str,
)
from specfmt.fields.validation import validate
from specfmt.vocab.base import Term, TermRule
from specfmt.vocab.fields import Optimizer

SKLEARN_SETS = ("iris", "digits", "wine", "breast_cancer", "diabetes", "linnerud")
KERAS_SETS = (
    "mnist",
    "fashion_mnist",
    "cifar10",
    "cifar100",
    "imdb",
    "reuters",
    "california_housing",
)

TARGET_SIZES = {"linnerud": 3, "diabetes": 0, "california_housing": 0}
"""Regression data sets -> the number of values per target; 0 for a scalar."""

CLASS_COUNTS = {
    "iris": 3,
    "digits": 10,
    "wine": 3,
    "breast_cancer": 2,
    "mnist": 10,
    "fashion_mnist": 10,
    "cifar10": 10,
    "cifar100": 100,
    "imdb": 2,
    "reuters": 46,
}
"""Classification data sets -> the number of classes."""

SAMPLE_COUNTS = {
    "iris": 150,
    "digits": 1797,
    "wine": 178,
    "breast_cancer": 569,
    "diabetes": 442,
    "linnerud": 20,
}
"""Data sets without a test split -> the number of samples."""


class MappingOf(Rule):
    """A mapping whose values all follow one rule."""

    def __init__(self, item: Rule, what: str) -> None:
        self.item, self.what = item, what

    def check(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not value:
            raise FieldError(self.what, value)
        found, problems = {}, []
        for key, item in value.items():
            try:
                found[key] = self.item.check(item)
            except FieldError as error:
                problems.append(error_to_diagnostic(error, (key,)))
            except NestedError as error:
                problems.extend(d.under((key,)) for d in error.diagnostics)
        if problems:
            raise NestedError(problems)
        return found

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": self.item.schema(),
        }


class PerOutput(Rule):
    """An item for the only output, a list with one per output, or a mapping from output name."""

    def __init__(self, item: Rule, *, lists: bool = True) -> None:
        self.item = item
        self.sequence = Tuple(Nullable(item), 1) if lists else None
        self.mapping = MappingOf(Nullable(item), "a mapping from output name")

    def check(self, value: Any) -> Any:
        if isinstance(value, dict) and "type" not in value:
            return self.mapping.check(value)
        if isinstance(value, (list, tuple)) and self.sequence is not None:
            return self.sequence.check(value)
        return self.item.check(value)

    def schema(self) -> dict[str, Any]:
        mapping = {**self.mapping.schema(), "not": {"required": ["type"]}}
        choices = [self.item.schema(), mapping]
        if self.sequence is not None:
            choices.append(self.sequence.schema())
        return {"anyOf": choices}


class MetricsRule(Rule):
    """A list of metrics, a list of lists, or a mapping from output name to a metric or a list."""

    def __init__(self) -> None:
        metric = TermRule("metric")
        several = Either(
            metric, Tuple(metric), Nullable(metric), expected="a metric or a list of them"
        )
        self.sequence = Tuple(several)
        self.mapping = MappingOf(several, "a mapping from output name")

    def check(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self.mapping.check(value)
        return self.sequence.check(value)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.sequence.schema(), self.mapping.schema()]}


_NAMES = Either(
    Text("a name", r"\S"),
    Tuple(Text("a name", r"\S"), 1),
    MappingOf(
        Either(Text("a name", r"\S"), Tuple(Text("a name", r"\S"), 1), expected="a name or a list"),
        "a mapping",
    ),
    expected="a name, a list of names, or a mapping",
)


class Data(SpecModel):
    """Base of the data sources: where samples come from and how they are prepared."""

    source: ClassVar[str] = ""

    test_split: OpenFraction = 0.0
    validation_first: OptionalPositiveInt = None
    scale: OptionalPositiveFloat = None
    flatten: Bool = False
    standardize: Bool = False
    one_hot: Bool = False
    classes: Annotated[tuple[str, ...] | None, Nullable(Tuple(Text("a class name"), 2))] = None

    def tag(self) -> dict[str, str]:
        return {"source": self.source}


class SklearnData(Data):
    """A data set that scikit-learn includes."""

    source: ClassVar[str] = "sklearn"
    name: Annotated[str, OneOf(*SKLEARN_SETS)]


class KerasData(Data):
    """A data set of `keras.datasets`; the script's option ``--data FILE.npz`` reads it from a
    file."""

    source: ClassVar[str] = "keras"
    name: Annotated[str, OneOf(*KERAS_SETS)]
    num_words: OptionalPositiveInt = None
    maxlen: OptionalPositiveInt = None


class NpzData(Data):
    """Arrays in an .npz file."""

    source: ClassVar[str] = "npz"
    path: Str
    x: Annotated[Any, _NAMES] = "x_train"
    y: Annotated[Any, _NAMES] = "y_train"
    x_test: Annotated[Any, Nullable(_NAMES)] = None
    y_test: Annotated[Any, Nullable(_NAMES)] = None
    sample_weight: Annotated[str | None, Nullable(Text("a name", r"\S"))] = None


class CsvData(Data):
    """A CSV file whose first line names the columns."""

    source: ClassVar[str] = "csv"
    path: Str
    features: Annotated[Any, _NAMES]
    target: Annotated[Any, _NAMES]
    delimiter: Annotated[str, Text("one character", r"^.$(?!\n)")] = ","
    sample_weight: Annotated[str | None, Nullable(Text("a column's name", r"\S"))] = None


class NumbersRule(Rule):
    """Numbers in nested lists, or a mapping from name to such lists."""

    def check(self, value: Any) -> Any:
        if isinstance(value, dict) and value:
            return {key: self._list(item) for key, item in value.items()}
        return self._list(value)

    def _list(self, value: Any) -> Any:
        if not isinstance(value, (list, tuple)) or not value:
            raise FieldError("a list of numbers, which may nest", value)
        return self._items(value)

    def _items(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return tuple(self._items(item) for item in value)
        number = Number().check(value)
        return value if type(value) is int else number

    def schema(self) -> dict[str, Any]:
        nested = {"$ref": "#/$defs/numbers"}
        named = {"type": "object", "minProperties": 1, "additionalProperties": nested}
        return {"anyOf": [nested, named]}


Numbers = Annotated[Any, NumbersRule()]
OptionalNumbers = Annotated[Any, Nullable(NumbersRule())]


class InlineData(Data):
    """Samples written in the spec itself."""

    source: ClassVar[str] = "inline"
    x: Numbers
    y: Numbers
    x_test: OptionalNumbers = None
    y_test: OptionalNumbers = None
    sample_weight: OptionalNumbers = None


class SyntheticData(Data):
    """Random samples that the script generates, with targets that can be learned.

    ``task`` sets the target: ``first`` is the first token of a sequence, ``sum`` the sum of the
    inputs, ``sign`` whether that sum is positive, ``same`` the inputs themselves.
    """

    source: ClassVar[str] = "synthetic"
    task: Annotated[Any, PerOutput(OneOf("first", "sum", "sign", "same"))] = "sign"
    samples: PositiveInt = 1000


SOURCES: dict[str, type[Data]] = {
    cls.source: cls for cls in (SklearnData, KerasData, NpzData, CsvData, InlineData, SyntheticData)
}


def has_class_indices(data: Data) -> bool:
    """Whether the targets of a source are known to be class indices."""
    name = getattr(data, "name", None)
    return name is not None and name not in TARGET_SIZES


class DataRule(Rule):
    """A data source, which ``source`` selects, with its fields."""

    def check(self, value: Any) -> Data:
        if isinstance(value, Data):
            return value
        if not isinstance(value, dict):
            raise FieldError("a mapping with `source`", value)
        source = value.get("source")
        cls = SOURCES.get(source) if isinstance(source, str) else None
        if "source" not in value:
            message = "data is missing the required field `source`"
            raise NestedError([Diagnostic("SF122", message, (), "one of " + ", ".join(SOURCES))])
        if cls is None:
            message = FieldError("one of " + ", ".join(SOURCES), source).message
            hint = did_you_mean(source, SOURCES)
            raise NestedError([Diagnostic("SF123", message, ("source",), hint)])
        fields = {key: item for key, item in value.items() if key != "source"}
        return validate(cls, fields, f"data from {source}")

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/$defs/data"}


class BatchSizeRule(Rule):
    """A positive integer, or ``full`` for all samples at once."""

    def check(self, value: Any) -> int | str:
        if value == "full":
            return "full"
        try:
            return Integer(1).check(value)
        except FieldError:
            raise FieldError("a positive integer or full", value) from None

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [Integer(1).schema(), {"const": "full"}]}


CLASS_INDEX = r"^[0-9]{1,6}$(?!\n)"
"""A class index of at most 6 digits; Keras and PyTorch make an array as long as the largest."""


class ClassWeightRule(MappingOf):
    """A mapping from class index to weight."""

    def __init__(self) -> None:
        super().__init__(Number(minimum=0), "a mapping from class index to weight")

    def check(self, value: Any) -> dict[Any, Any]:
        found = super().check(value)
        for key in found:
            if not re.search(CLASS_INDEX, key):
                raise FieldError("class indices of at most 6 digits as keys", key)
        return {int(key): weight for key, weight in found.items()}

    def schema(self) -> dict[str, Any]:
        return {**super().schema(), "propertyNames": {"pattern": CLASS_INDEX}}


class TrainSpec(SpecModel):
    """How the model is compiled and trained."""

    former_arguments: ClassVar[FormerArguments] = dict.fromkeys(("nb_epoch", "nb_epochs"), "epochs")

    data: Annotated[Any, Nullable(DataRule())] = None
    loss: Annotated[Any, Nullable(PerOutput(TermRule("loss")))] = None
    loss_weights: Annotated[Any, Nullable(PerOutput(Number()))] = None
    optimizer: Optimizer = Term("optimizer", "RMSprop")
    metrics: Annotated[Any, Nullable(MetricsRule())] = None
    weighted_metrics: Annotated[Any, Nullable(MetricsRule())] = None
    epochs: PositiveInt = 1
    batch_size: Annotated[int | str, BatchSizeRule()] = 32
    validation_split: OpenFraction = 0.0
    shuffle: Bool = True
    class_weight: Annotated[dict[int, float] | None, Nullable(ClassWeightRule())] = None
    callbacks: Annotated[tuple[Term, ...], Tuple(TermRule("callback"))] = ()
    seed: Seed = None
    run_eagerly: Bool = False
    steps_per_execution: PositiveInt = 1
    jit_compile: Annotated[
        Any, Either(OneOf("auto"), Boolean(), expected="auto, true or false")
    ] = "auto"
    auto_scale_loss: Bool = True


def schema_definitions(
    object_schema: Callable[..., dict[str, Any]],
) -> dict[str, Any]:
    """The definitions that the schema of the ``train:`` section refers to."""
    definitions: dict[str, Any] = {
        "numbers": {
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/$defs/number_or_list"},
        },
        "number_or_list": {
            "anyOf": [
                Number().schema(),
                {"type": "array", "items": {"$ref": "#/$defs/number_or_list"}},
            ]
        },
        "data": choice_schema("source", {name: f"data_{name}" for name in SOURCES}),
    }
    for name, cls in SOURCES.items():
        definitions[f"data_{name}"] = object_schema(cls, tag=("source", name))
    return definitions


def train_section(model: Any) -> TrainSpec:
    """The ``train:`` section of a document, or one with Keras's defaults."""
    train = getattr(model, "train", None)
    return train if isinstance(train, TrainSpec) else TrainSpec()
