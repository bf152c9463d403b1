"""The parts of a training script that all targets share: samples, predictions, arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any

from specfmt.graph.model import Graph
from specfmt.layers.base import Shape
from specfmt.spec.train import CsvData, KerasData, TrainSpec, train_section
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.source import comment, embedded, formatted, literal, number, string
from specfmt.targets.training.adapt import adaptations, summary
from specfmt.targets.training.data import DataCode, scaled
from specfmt.targets.training.data_sources import SAMPLE_SHAPES, STRING
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
    "adapt", "as_samples", "as_open_samples", "as_classes", "as_binary", "check_split",
)  # fmt: skip
"""Functions of training scripts, which no variable may shadow."""

MODULES = (
    "argparse", "csv", "keras", "layers", "math", "nn", "np", "plt", "sys", "torch", "tqdm",
    "zipfile", "F",
)  # fmt: skip
"""Modules that training scripts import."""


def script_scope(taken: Iterable[str] = ()) -> Scope:
    """A scope for variables of a training script.

    Args:
        taken: Further names in use.
    """
    return Scope((*FUNCTIONS, *MODULES, *taken))


class Script:
    """The values that the templates of training scripts need, for all targets.

    Args:
        graph: The model.
        loader: The package that loads `keras.datasets`; see `DataCode`.

    Attributes:
        train: The training section.
        data: The ``load_data`` function.
        sample: How ``--predict`` reads a sample.
        adapted: The layers that are adapted to the training samples.
        variables: Output -> the variable for its target or prediction where these are printed;
            empty if there is one output.

    Raises:
        SpecError: The training section or its data does not fit the model.
    """

    def __init__(self, graph: Graph, loader: str = "keras") -> None:
        self.graph, self.train = graph, (train := train_section(graph.spec))
        self.data, self.sample = DataCode(graph, train, loader), Sample(graph, train)
        self.adapted = adaptations(graph, self.data)
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
        """The variables of the template besides those of the model."""
        return {"train": self, "data": self.data, "sample": self.sample}

    @property
    def title(self) -> str:
        """The description for argparse, which would replace ``%(prog)``."""
        return string(f"Train {comment(self.graph.name)}.".replace("%(prog)", "% (prog)"))

    @property
    def path_help(self) -> str:
        """The help text of ``--data``; ``%`` is doubled because argparse interpolates it."""
        if isinstance(self.train.data, KerasData):
            return "an .npz file with x_train, y_train, x_test, y_test instead of the download"
        kind = ".csv" if isinstance(self.train.data, CsvData) else ".npz"
        path = comment(getattr(self.train.data, "path", "")).replace("%", "%%")
        return f"another {kind} file than {path}"

    @property
    def adapt_doc(self) -> str:
        """The docstring of ``adapt``."""
        return summary(self.adapted)

    @property
    def adapted_samples(self) -> str:
        """The training samples for ``adapt``, without those that Keras's `fit` holds out."""
        held = self.train.validation_split and not self.data.has_validation
        return self.data.cut("x_train", f":{self.data.validation_size}") if held else "x_train"

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
        """The fraction of the training data used for validation; empty if there is none."""
        return number(self.train.validation_split) if self.train.validation_split else ""

    @property
    def many_values(self) -> bool:
        """Whether a metric has several values, such as one per class."""
        return any(has_many_values(m.term) for m in all_metrics(self.graph, self.train))

    @property
    def shown(self) -> str:
        """The f-string placeholder that prints a logged value."""
        return "{np.round(value, 4)}" if self.many_values else "{value:.4f}"

    @property
    def part(self) -> str:
        """The part of the data for which some predictions are printed."""
        return "test" if self.data.has_test else "train"

    @property
    def description(self) -> str:
        """The expression that describes the prediction for one sample."""
        if self.variables:
            return formatted(self._each(self._phrase))
        (name,) = self.graph.outputs
        text = self._phrase(name, "prediction")
        return text[1:-1] if text.startswith("{np.array2string") else formatted(text)

    @property
    def answer(self) -> str:
        """The f-string placeholders that print the targets of one sample."""
        if self.variables:
            return self._each(self._answer)
        (name,) = self.graph.outputs
        return self._answer(name, "answer")

    def _each(self, write: Callable[[str, str], str]) -> str:
        """Text for every output, preceded by the output's name."""
        return ", ".join(
            f"{embedded(name)} {write(name, variable)}" for name, variable in self.variables.items()
        )

    def _phrase(self, name: str, p: str) -> str:
        """The f-string text that describes one output's prediction.

        Args:
            name: The output.
            p: The variable that holds the prediction.
        """
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
        """The f-string text that prints one output's target."""
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
    """How ``--predict FILE`` reads one sample, for the template ``common/read_sample.j2``.

    Args:
        graph: The model.
        train: Its training section.

    Attributes:
        inputs: Input -> dtype if there are several inputs; empty if there is one.
        scale: The division by the data's ``scale``; see `scaled`.
        shape: The shape of the only input, without the batch axis.
        dtype: The dtype of the only input.
        picture: (height, width) or (height, width, channels) if the only input is an image.
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
        """The input names, as source of a list."""
        return literal(list(self.inputs))

    @property
    def texts(self) -> int:
        """The number of strings in a sample of the only input; 0 if it is not of strings."""
        sizes = [size or 2 for size in self.shape]
        return prod(sizes) if not self.inputs and self.dtype == STRING else 0

    def read(self, name: str) -> str:
        """The array of one of several inputs, as a batch of one."""
        array = f"data[{string(name)}]"
        if self.inputs[name] == STRING:
            return f"{array}[None]"
        return f"{array}.astype({string(self.inputs[name])})[None]{self.scale}"

    @property
    def mode(self) -> str:
        """The Pillow mode to which images are converted."""
        return "RGB" if self.picture and self.picture[2:] == (3,) else "L"

    @property
    def channels_first(self) -> bool:
        """Whether the model takes channels-first images."""
        shape = self.shape
        return len(shape) == 3 and self.mode == "RGB" and shape[0] == 3 != shape[-1]

    @property
    def misfit(self) -> str:
        """The condition under which a sample does not fit the input; empty if every sample fits."""
        known = prod(size for size in self.shape if size is not None)
        if self.shape.count(None) > 1 or (None in self.shape and known == 1):
            return ""
        return f"sample.size % {known}" if None in self.shape else f"sample.size != {known}"

    @property
    def wanted(self) -> str:
        """The expected shape of a sample, as text inside an f-string."""
        return embedded(str(self.shape))

    @property
    def batch(self) -> str:
        """The sample as a batch of one."""
        if self.shape.count(None) > 1:
            return "sample[None]"
        sizes = ", ".join("-1" if size is None else str(size) for size in (1, *self.shape))
        return f"sample.reshape({sizes})"


def picture_shape(shape: Shape, train: TrainSpec) -> tuple[int, ...] | None:
    """The size of images of this shape.

    Returns:
        (height, width) or (height, width, channels); None if the samples are not images.
    """
    sizes = tuple(size or 0 for size in shape)
    if len(sizes) == 3 and 0 not in sizes:
        if sizes[-1] in (1, 3):
            return sizes
        if sizes[0] in (1, 3):
            return (*sizes[1:], sizes[0])
    known = SAMPLE_SHAPES.get(getattr(train.data, "name", ""), ())
    return known if isinstance(train.data, KerasData) and len(known) >= 2 else None
