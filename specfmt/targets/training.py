"""What the training scripts of all targets share: data, samples, predictions, arguments."""

from __future__ import annotations

from dataclasses import dataclass

from specfmt.graph.model import Graph
from specfmt.spec.document import ModelSpec
from specfmt.spec.train import CsvData, KerasData, TrainSpec
from specfmt.targets.data import SAMPLE_SHAPES, DataCode, loss_term, number_source
from specfmt.targets.naming import identifier
from specfmt.targets.source import comment, literal, string

CLASS_LOSSES = frozenset(
    ("SparseCategoricalCrossentropy", "CategoricalCrossentropy", "CategoricalFocalCrossentropy")
)


def train_section(graph: Graph) -> TrainSpec:
    """The ``train:`` section of a graph's document; Keras's defaults where there is none."""
    spec = graph.spec
    train = spec.train if isinstance(spec, ModelSpec) else None
    return train if isinstance(train, TrainSpec) else TrainSpec()


def output_kind(graph: Graph, train: TrainSpec, name: str) -> str:
    """How to read an output: ``classes``, ``binary`` or ``value``."""
    value = graph.outputs[name]
    units = value.shape[-1] if value.shape and len(value.shape) == 2 else None
    loss = loss_term(train, graph, name)
    one_hot = train.data is not None and train.data.one_hot
    if units is not None and units > 1 and ((loss and loss.type in CLASS_LOSSES) or one_hot):
        return "classes"
    if units == 1 and loss is not None and loss.type.startswith("Binary"):
        return "binary"
    return "value"


@dataclass(frozen=True)
class Describe:
    """The body of ``describe``.

    Attributes:
        argument: The type of its argument.
        lines: Its statements.
    """

    argument: str
    lines: list[str]


def describe_code(graph: Graph, train: TrainSpec, classes: tuple[str, ...]) -> Describe:
    """How one sample's prediction is put into words."""

    def phrase(kind: str, p: str) -> str:
        if kind == "classes":
            label = f"CLASSES[{p}.argmax()]" if classes else f"{p}.argmax()"
            return f"{{{label}}} ({{{p}.max():.0%}})"
        if kind == "binary":
            return f"{{{p}[0]:.0%}}"
        return f"{{np.array2string({p}, precision=3)}}"

    kinds = {name: output_kind(graph, train, name) for name in graph.outputs}
    if len(kinds) == 1:
        kind = next(iter(kinds.values()))
        if kind == "value":
            return Describe("np.ndarray", ["return np.array2string(prediction, precision=3)"])
        text = phrase(kind, "prediction")
        return Describe("np.ndarray", [f'return f"{text}"'])
    lines = [f"{identifier(name)} = prediction[{string(name)}]" for name in kinds]
    parts = ", ".join(f"{comment(name)} {phrase(kind, identifier(name))}" for name, kind in kinds.items())
    return Describe("dict[str, np.ndarray]", [*lines, f'return f"{parts}"'])


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
    if len(shape) == 3 and shape[-1] in (1, 3) and 0 not in shape:
        return shape
    known = SAMPLE_SHAPES.get(getattr(train.data, "name", ""), ())
    if isinstance(train.data, KerasData) and len(known) >= 2:
        return known
    return None


def sample_code(graph: Graph, train: TrainSpec) -> Sample:
    """How ``--predict FILE`` reads one sample."""
    if len(graph.inputs) > 1:
        items = ", ".join(
            f'{string(name)}: data[{string(name)}].astype("{value.dtype}")[None]'
            for name, value in graph.inputs.items()
        )
        return Sample(
            False,
            ["with np.load(path) as data:", f"    return {{{items}}}"],
            "dict[str, np.ndarray]",
            "One sample from an .npz file with an array for each input, as a batch of one.",
            "an .npz file with one sample for each input",
        )
    (value,) = graph.inputs.values()
    scale = train.data.scale if train.data is not None else None
    read = f'np.load(path).astype("{value.dtype}")'
    if scale is not None:
        read += f" / {number_source(scale)}"
    size = ", ".join(str(s) if s is not None else "-1" for s in (value.shape or ())[1:])
    reshape = f"return sample.reshape(1, {size})" if size else "return sample.reshape(1)"
    picture = picture_shape(graph, train)
    if picture is None:
        return Sample(
            False,
            [f"sample = {read}", reshape],
            "np.ndarray",
            "One sample from a .npy file, as a batch of one.",
            "a .npy file with one sample",
        )
    height, width, *channels = picture
    mode = "RGB" if channels == [3] else "L"
    pixels = 'np.asarray(picture, "float32")' + (" / 255" if scale is not None else "")
    light = "1" if scale is not None else "255"
    return Sample(
        True,
        [
            'if path.suffix == ".npy":',
            f"    sample = {read}",
            "else:",
            f'    picture = Image.open(path).convert("{mode}").resize(({width}, {height}))',
            f"    sample = {pixels}",
            "    if invert:",
            f"        sample = {light} - sample",
            reshape,
        ],
        "np.ndarray",
        "One sample from a .npy file or a picture, as a batch of one.",
        "a .npy file or a picture",
        ("from PIL import Image",),
    )


def label_source(graph: Graph, train: TrainSpec, name: str, target: str, data: DataCode) -> str:
    """How the right answer for an output is printed: a placeholder of an f-string."""
    kind = output_kind(graph, train, name)
    one_hot = train.data is not None and train.data.one_hot
    loss = loss_term(train, graph, name)
    if kind == "classes":
        hot = one_hot or (loss is not None and loss.type != "SparseCategoricalCrossentropy")
        index = f"{target}.argmax()" if hot else target
        return f"{{CLASSES[{index}]}}" if data.classes else f"{{{index}}}"
    if kind == "binary":
        return f"{{{target}.item():.0f}}"
    return f"{{np.array2string({target}, precision=3)}}"


def learning_rate_default(train: TrainSpec) -> str:
    """The optimizer's learning rate as source; empty where it is a schedule or has none."""
    rate = getattr(train.optimizer.spec, "learning_rate", None)
    return literal(rate) if isinstance(rate, (int, float)) else ""


def path_help(train: TrainSpec) -> str:
    """The help of ``--data``."""
    if isinstance(train.data, KerasData):
        return "an .npz file with x_train, y_train, x_test, y_test instead of the download"
    if isinstance(train.data, CsvData):
        return f"another .csv file than {comment(train.data.path)}"
    return f"another .npz file than {comment(getattr(train.data, 'path', ''))}"
