"""What the training scripts of all targets share: samples, predictions, answers, arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any

from specfmt.graph.model import Graph
from specfmt.layers.base import Shape
from specfmt.spec.train import CsvData, KerasData, TrainSpec, train_section
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.source import comment, embedded, formatted, literal, number, string
from specfmt.targets.training.data import DataCode, scaled
from specfmt.targets.training.data_sources import SAMPLE_SHAPES
from specfmt.targets.training.outputs import (
    all_metrics,
    gives_logits,
    has_many_values,
    output_kind,
    resolved_loss,
    takes_class_numbers,
)
from specfmt.vocab.base import Term

FUNCTIONS = (
    "build_model", "describe", "load_data", "main", "parse_arguments", "predict", "predict_file",
    "read_sample", "save_history", "train", "train_epoch", "evaluate", "to_dataset", "penalty",
    "constrain", "new_metrics", "pad_sequences", "reset_parameters", "positive", "existing_file",
    "export", "read_arrays", "read_texts", "read_rows", "read_number", "read_class", "refuse_names",
    "as_samples", "as_open_samples", "as_classes", "as_binary", "check_split",
)  # fmt: skip
"""Functions of training scripts, whose names no variable may hide."""

MODULES = (
    "argparse", "csv", "keras", "layers", "math", "nn", "np", "plt", "sys", "torch", "tqdm",
    "zipfile", "F",
)  # fmt: skip
"""Modules that training scripts import."""


def script_scope(taken: Iterable[str] = ()) -> Scope:
    """Names for variables of a training script."""
    return Scope((*FUNCTIONS, *MODULES, *taken))


class Script:
    """A training script as templates read it: what those of all targets share.

    Args:
        graph: The model.
        loader: Who loads `keras.datasets`, see `DataCode`.

    Attributes:
        train: The training section.
        data: The data loading.
        sample: How one sample is read.
        variables: Output -> the variable that holds its answer or prediction where they are
            printed; empty if there is one output.

    Raises:
        SpecError: The training section cannot feed this model.
    """

    def __init__(self, graph: Graph, loader: str = "keras") -> None:
        self.graph, self.train = graph, (train := train_section(graph.spec))
        self.data, self.sample = DataCode(graph, train, loader), Sample(graph, train)
        self.epochs, self.shuffle = train.epochs, train.shuffle
        self.batch_size = train.batch_size if isinstance(train.batch_size, int) else 0
        self.seed = 0 if train.seed is None else train.seed
        self.out = f"runs/{identifier(graph.name)}"
        self.variables: dict[str, str] = {}
        if len(graph.outputs) > 1:
            scope = script_scope(
                (
                    *("prediction", "predictions", "index", "values", "args", "model", "path"),
                    *("sample", "columns", "logged", "names", "weights"),
                )
            )
            self.variables = {
                name: scope.claim(identifier(name, "output")) for name in graph.outputs
            }

    @property
    def context(self) -> dict[str, Any]:
        """What the template of a script reads besides the model."""
        return {"train": self, "data": self.data, "sample": self.sample}

    @property
    def title(self) -> str:
        """The description of the script's arguments, in which argparse fills in ``%(prog)``."""
        return string(f"Train {comment(self.graph.name)}.".replace("%(prog)", "% (prog)"))

    @property
    def path_help(self) -> str:
        """The help of ``--data``; argparse fills in ``%``, so it is doubled."""
        if isinstance(self.train.data, KerasData):
            return "an .npz file with x_train, y_train, x_test, y_test instead of the download"
        kind = ".csv" if isinstance(self.train.data, CsvData) else ".npz"
        path = comment(getattr(self.train.data, "path", "")).replace("%", "%%")
        return f"another {kind} file than {path}"

    @property
    def has_plateau(self) -> bool:
        """Whether a callback changes the learning rate."""
        return any(term.type == "ReduceLROnPlateau" for term in self.train.callbacks)

    @property
    def rate_varies(self) -> bool:
        """Whether the learning rate changes from epoch to epoch."""
        rate = getattr(self.train.optimizer.spec, "learning_rate", None)
        return isinstance(rate, Term) or self.has_plateau

    @property
    def validation_split(self) -> str:
        """The share of the training data that is split off to validate; empty if none is."""
        return number(self.train.validation_split) if self.train.validation_split else ""

    @property
    def many_values(self) -> bool:
        """Whether a metric is a list of numbers."""
        return any(has_many_values(m.term) for m in all_metrics(self.graph, self.train))

    @property
    def shown(self) -> str:
        """How a logged value is printed: a placeholder of an f-string."""
        return "{np.round(value, 4)}" if self.many_values else "{value:.4f}"

    @property
    def part(self) -> str:
        """The part of the data that a few predictions are printed of."""
        return "test" if self.data.has_test else "train"

    @property
    def description(self) -> str:
        """How one sample's prediction is put into words: an expression."""
        if self.variables:
            return formatted(self._each(self._phrase))
        (name,) = self.graph.outputs
        text = self._phrase(name, "prediction")
        return text[1:-1] if text.startswith("{np.array2string") else formatted(text)

    @property
    def answer(self) -> str:
        """How the right answers are printed: placeholders of an f-string."""
        if self.variables:
            return self._each(self._answer)
        (name,) = self.graph.outputs
        return self._answer(name, "answer")

    def _each(self, write: Callable[[str, str], str]) -> str:
        """What is said of each output, with its name before it."""
        return ", ".join(
            f"{embedded(name)} {write(name, variable)}" for name, variable in self.variables.items()
        )

    def _phrase(self, name: str, p: str) -> str:
        """One output's prediction ``p`` as placeholders of an f-string."""
        kind = output_kind(self.graph, self.train, name)
        logits = gives_logits(self.graph, self.train, name)
        if kind == "classes":
            text = self._class_name(name, f"{p}.argmax()")
            loss = resolved_loss(self.graph, self.train, name)
            sums_to_one = loss is not None and "ross" in loss.type
            return f"{text} ({{{p}.max():.0%}})" if sums_to_one and not logits else text
        if kind == "value":
            return f"{{np.array2string({p}, precision=3)}}"
        if len(self.data.classes) != 2:
            return f"{{{p}[0]:.2f}}" if logits else f"{{{p}[0]:.0%}}"
        if logits:
            return f"{{CLASSES[int({p}[0] > 0)]}}"
        return f"{{CLASSES[int({p}[0] > 0.5)]}} ({{{p}[0]:.0%}})"

    def _answer(self, name: str, target: str) -> str:
        """The right answer for an output as placeholders of an f-string."""
        kind = output_kind(self.graph, self.train, name)
        if kind == "classes":
            numbers = takes_class_numbers(self.graph, self.train, name)
            return self._class_name(name, target if numbers else f"{target}.argmax()")
        if kind == "value":
            return f"{{np.array2string({target}, precision=3)}}"
        if len(self.data.classes) == 2:
            return f"{{CLASSES[int({target}.item())]}}"
        return f"{{{target}.item():.0f}}"

    def _class_name(self, name: str, index: str) -> str:
        units = (self.graph.outputs[name].shape or (0,))[-1]
        return f"{{CLASSES[{index}]}}" if len(self.data.classes) == units else f"{{{index}}}"


class Sample:
    """How ``--predict FILE`` reads one sample: what ``common/read_sample.j2`` says in Python.

    Args:
        graph: The model.
        train: Its training section.

    Attributes:
        inputs: Several inputs: name -> dtype; empty if there is one.
        scale: What follows an array to bring it to the scale of the data.
        dtype: The dtype of the only input.
        picture: Height, width (and channels) if the only input is a picture, else None.
    """

    def __init__(self, graph: Graph, train: TrainSpec) -> None:
        self.scale = scaled(train)
        self.inputs: dict[str, str] = {}
        self.picture: tuple[int, ...] | None = None
        self.shape: Shape = ()
        if len(graph.inputs) > 1:
            self.inputs = {name: value.dtype for name, value in graph.inputs.items()}
            return
        (value,) = graph.inputs.values()
        self.dtype, self.shape = value.dtype, (value.shape or ())[1:]
        self.picture = picture_shape(self.shape, train)

    @property
    def names(self) -> str:
        """The names of several inputs: a list."""
        return literal(list(self.inputs))

    @property
    def mode(self) -> str:
        """What pictures are converted to."""
        return "RGB" if self.picture and self.picture[2:] == (3,) else "L"

    @property
    def channels_first(self) -> bool:
        """Whether the model reads pictures with their colours first."""
        shape = self.shape
        return len(shape) == 3 and self.mode == "RGB" and shape[0] == 3 != shape[-1]

    @property
    def misfit(self) -> str:
        """The condition under which a sample does not fill the input; empty if all do."""
        known = prod(size for size in self.shape if size is not None)
        if self.shape.count(None) > 1 or (None in self.shape and known == 1):
            return ""
        return f"sample.size % {known}" if None in self.shape else f"sample.size != {known}"

    @property
    def wanted(self) -> str:
        """The shape of one sample in words."""
        return embedded(str(self.shape))

    @property
    def batch(self) -> str:
        """The sample as a batch of one."""
        if self.shape.count(None) > 1:
            return "sample[None]"
        sizes = ", ".join("-1" if size is None else str(size) for size in (1, *self.shape))
        return f"sample.reshape({sizes})"


def picture_shape(shape: Shape, train: TrainSpec) -> tuple[int, ...] | None:
    """Height, width (and channels) if samples of this shape are pictures, else None."""
    sizes = tuple(size or 0 for size in shape)
    if len(sizes) == 3 and 0 not in sizes:
        if sizes[-1] in (1, 3):
            return sizes
        if sizes[0] in (1, 3):
            return (*sizes[1:], sizes[0])
    known = SAMPLE_SHAPES.get(getattr(train.data, "name", ""), ())
    return known if isinstance(train.data, KerasData) and len(known) >= 2 else None
