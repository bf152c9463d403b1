"""What the training scripts of all targets share: samples, predictions, answers, arguments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from specfmt.graph.model import Graph
from specfmt.layers.base import Shape
from specfmt.spec.train import CsvData, KerasData, TrainSpec
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.source import comment, embedded, formatted, literal, string
from specfmt.targets.training.data import DataCode, number_source
from specfmt.targets.training.data_sources import SAMPLE_SHAPES
from specfmt.targets.training.outputs import (
    gives_logits,
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


def output_variables(graph: Graph) -> dict[str, str]:
    """Output -> the variable that holds its answer or prediction where they are printed."""
    scope = script_scope(
        (
            *("prediction", "predictions", "index", "values", "args", "model", "path", "sample"),
            *("columns", "logged", "names", "weights"),
        )
    )
    return {name: scope.claim(identifier(name, "output")) for name in graph.outputs}


@dataclass(frozen=True)
class Describe:
    """The body of ``describe``.

    Attributes:
        argument: The type of its argument.
        lines: Its statements.
    """

    argument: str
    lines: list[str]


def describe_code(graph: Graph, train: TrainSpec, data: DataCode) -> Describe:
    """How one sample's prediction is put into words."""
    if len(graph.outputs) == 1:
        (name,) = graph.outputs
        text = _phrase(graph, train, data, name, "prediction")
        if text.startswith("{np.array2string") and text.endswith("}"):
            return Describe("np.ndarray", [f"return {text[1:-1]}"])
        return Describe("np.ndarray", [f"return {formatted(text)}"])
    variables = output_variables(graph)
    lines = [f"{variable} = prediction[{string(name)}]" for name, variable in variables.items()]
    parts = [
        f"{label(name)} {_phrase(graph, train, data, name, variable)}"
        for name, variable in variables.items()
    ]
    return Describe("dict[str, np.ndarray]", [*lines, f"return {formatted(', '.join(parts))}"])


def label(name: str) -> str:
    """An output's name inside an f-string."""
    return embedded(name)


def _phrase(graph: Graph, train: TrainSpec, data: DataCode, name: str, p: str) -> str:
    """One output's prediction ``p`` as placeholders of an f-string."""
    kind, logits = output_kind(graph, train, name), gives_logits(graph, train, name)
    if kind == "classes":
        text = _class_name(graph, data, name, f"{p}.argmax()")
        return (
            text
            if logits or not _sums_to_one(graph, train, name)
            else f"{text} ({{{p}.max():.0%}})"
        )
    if kind == "binary":
        if len(data.classes) == 2:
            threshold = "0" if logits else "0.5"
            return f"{{CLASSES[int({p}[0] > {threshold})]}}" + (
                "" if logits else f" ({{{p}[0]:.0%}})"
            )
        return f"{{{p}[0]:.2f}}" if logits else f"{{{p}[0]:.0%}}"
    return f"{{np.array2string({p}, precision=3)}}"


def _sums_to_one(graph: Graph, train: TrainSpec, name: str) -> bool:
    """Whether an output's largest element can be read as a probability."""
    loss = resolved_loss(graph, train, name)
    return loss is not None and "ross" in loss.type


def _class_name(graph: Graph, data: DataCode, name: str, index: str) -> str:
    units = (graph.outputs[name].shape or (0,))[-1]
    return f"{{CLASSES[{index}]}}" if len(data.classes) == units else f"{{{index}}}"


def answer_source(graph: Graph, train: TrainSpec, name: str, target: str, data: DataCode) -> str:
    """How the right answer for an output is printed: placeholders of an f-string."""
    kind = output_kind(graph, train, name)
    if kind == "classes":
        numbers = takes_class_numbers(graph, train, name)
        return _class_name(graph, data, name, target if numbers else f"{target}.argmax()")
    if kind == "binary":
        if len(data.classes) == 2:
            return f"{{CLASSES[int({target}.item())]}}"
        return f"{{{target}.item():.0f}}"
    return f"{{np.array2string({target}, precision=3)}}"


@dataclass(frozen=True)
class Sample:
    """The body of ``read_sample``.

    Attributes:
        picture: Whether pictures can be read.
        lines: Its statements.
        returns: Its return type.
        doc: Its docstring.
        help: The help of ``--predict``.
        imports: Import lines it needs.
    """

    picture: bool
    lines: list[str]
    returns: str
    doc: str
    help: str
    imports: tuple[str, ...] = ()


def picture_shape(graph: Graph, train: TrainSpec) -> tuple[int, ...] | None:
    """Height, width (and channels) if the only input is a picture, else None."""
    if len(graph.inputs) != 1:
        return None
    (value,) = graph.inputs.values()
    shape = tuple(size or 0 for size in (value.shape or ())[1:])
    if len(shape) == 3 and 0 not in shape:
        if shape[-1] in (1, 3):
            return shape
        if shape[0] in (1, 3):
            return (*shape[1:], shape[0])
    known = SAMPLE_SHAPES.get(getattr(train.data, "name", ""), ())
    if isinstance(train.data, KerasData) and len(known) >= 2:
        return known
    return None


def sample_code(graph: Graph, train: TrainSpec) -> Sample:
    """How ``--predict FILE`` reads one sample."""
    scale = train.data.scale if train.data is not None else None
    divide = "" if scale is None else f" / {number_source(scale)}"
    if len(graph.inputs) > 1:
        items = ", ".join(
            f"{string(name)}: data[{string(name)}].astype({string(value.dtype)})[None]{divide}"
            for name, value in graph.inputs.items()
        )
        names = literal(list(graph.inputs))
        return Sample(
            False,
            [
                *_refuse_other(".npz"),
                "with np.load(path) as data:",
                f"    for name in {names}:",
                "        if name not in data:",
                '            sys.exit(f"{path}: expected an array {name}, received '
                "{', '.join(data)}\")",
                f"    return {{{items}}}",
            ],
            "dict[str, np.ndarray]",
            "One sample from an .npz file with an array for each input, as a batch of one.",
            "say what the model makes of an .npz file with one sample for each input",
            ("import sys",),
        )
    (value,) = graph.inputs.values()
    read = f"np.load(path).astype({string(value.dtype)}){divide}"
    shape = (value.shape or ())[1:]
    size = ", ".join("-1" if size is None else str(size) for size in (1, *shape))
    reshape = f"return sample.reshape({size})" if shape.count(None) < 2 else "return sample[None]"
    fits = _refuse_shape(shape)
    picture = picture_shape(graph, train)
    if picture is None:
        return Sample(
            False,
            [*_refuse_other(".npy"), f"sample: np.ndarray = {read}", *fits, reshape],
            "np.ndarray",
            "One sample from a .npy file, as a batch of one.",
            "say what the model makes of the sample in a .npy file",
            ("import sys",),
        )
    height, width, *channels = picture
    mode = "RGB" if channels == [3] else "L"
    light = "1" if scale is not None else "255"
    pixels = f"np.asarray(picture, dtype={string(value.dtype)})" + (
        " / 255" if scale is not None else ""
    )
    first = len(shape) == 3 and channels == [3] and shape[0] == 3 != shape[-1]
    moved = ["    sample = sample.transpose(2, 0, 1)"] if first else []
    return Sample(
        True,
        [
            'if path.suffix == ".npy":',
            f"    sample: np.ndarray = {read}",
            "else:",
            "    try:",
            f"        picture = Image.open(path).convert({string(mode)}).resize(({width}, {height}))",
            "    except UnidentifiedImageError:",
            '        sys.exit(f"{path}: expected a picture or a .npy file")',
            f"    sample = {pixels}",
            "    if invert:",
            f"        sample = {light} - sample",
            *moved,
            *fits,
            reshape,
        ],
        "np.ndarray",
        "One sample from a .npy file or a picture, as a batch of one.",
        "say what the model makes of a picture, or of the sample in a .npy file",
        ("import sys", "from PIL import Image, UnidentifiedImageError"),
    )


def _refuse_other(suffix: str) -> list[str]:
    """Statements that refuse a file of another kind."""
    article = "an" if suffix == ".npz" else "a"
    return [
        f"if path.suffix != {string(suffix)}:",
        f"    sys.exit({formatted('{path}' + embedded(f': expected {article} {suffix} file'))})",
    ]


def _refuse_shape(shape: Shape) -> list[str]:
    """Statements that refuse a sample that does not fill the input."""
    known = prod(size for size in shape if size is not None)
    if shape.count(None) > 1 or (None in shape and known == 1):
        return []
    condition = f"sample.size % {known}" if None in shape else f"sample.size != {known}"
    text = embedded(f"expected a sample of shape {shape}, received")
    message = formatted("{path}: " + text + " {sample.shape}")
    return [f"if {condition}:", f"    sys.exit({message})"]


def title(graph: Graph) -> str:
    """The description of the script's arguments, in which argparse fills in ``%(prog)``."""
    return string(f"Train {comment(graph.name)}.".replace("%(prog)", "% (prog)"))


def learning_rate_default(train: TrainSpec) -> str:
    """The optimizer's learning rate as source; empty where it is a schedule or has none."""
    rate = getattr(train.optimizer.spec, "learning_rate", None)
    return literal(rate) if isinstance(rate, (int, float)) else ""


def rate_varies(train: TrainSpec) -> bool:
    """Whether the learning rate changes from epoch to epoch."""
    rate = getattr(train.optimizer.spec, "learning_rate", None)
    plateau = any(term.type == "ReduceLROnPlateau" for term in train.callbacks)
    return isinstance(rate, Term) or plateau


def plotted(train: TrainSpec) -> str:
    """What history.png shows, in words."""
    return (
        "the loss, metrics and learning rate" if rate_varies(train) else "the loss and each metric"
    )


def is_plotted(train: TrainSpec) -> str:
    """The condition under which a column of history.csv has a plot of its own."""
    own = 'not name.startswith("val_")'
    return own if rate_varies(train) else f'{own} and name != "learning_rate"'


def path_help(train: TrainSpec) -> str:
    """The help of ``--data``; argparse fills in ``%``, so it is doubled."""
    if isinstance(train.data, KerasData):
        return "an .npz file with x_train, y_train, x_test, y_test instead of the download"
    kind = ".csv" if isinstance(train.data, CsvData) else ".npz"
    path = comment(getattr(train.data, "path", "")).replace("%", "%%")
    return f"another {kind} file than {path}"
