"""Statements that load each source of data as NumPy arrays, before they are shaped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from specfmt.graph.model import Graph
from specfmt.layers.base import Shape
from specfmt.spec.train import (
    CsvData,
    Data,
    InlineData,
    KerasData,
    NpzData,
    SklearnData,
    SyntheticData,
)
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.source import literal, string

CLASS_NAMES = {
    "iris": ("setosa", "versicolor", "virginica"),
    "breast_cancer": ("malignant", "benign"),
}
"""What scikit-learn calls the classes of its sets."""

SAMPLE_SHAPES: dict[str, tuple[int, ...]] = {
    "mnist": (28, 28),
    "fashion_mnist": (28, 28),
    "cifar10": (32, 32, 3),
    "cifar100": (32, 32, 3),
    "iris": (4,),
    "digits": (64,),
    "wine": (13,),
    "breast_cancer": (30,),
    "diabetes": (10,),
    "linnerud": (3,),
    "california_housing": (8,),
}
"""The shape of one sample of each known set."""

TEXT_SETS = ("imdb", "reuters")
"""Sets whose samples are lists of word numbers of any length."""

TORCHVISION = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
}


@dataclass(frozen=True)
class Source:
    """How a source is loaded.

    Attributes:
        body: Statements that assign ``x`` and ``y``, or with ``presplit`` ``x_train``,
            ``y_train``, ``x_test`` and ``y_test``; dicts where there are several inputs or
            outputs; with ``weighted`` also ``weight`` or ``weight_train``.
        imports: Import lines that they need.
        has_path: Whether they read ``path``, which may be None.
        draws: Whether they make ``rng`` from ``seed``.
        presplit: Whether the source has its own test part.
        weighted: Whether it has sample weights.
        helpers: Functions that they call.
        shared: Names of functions in ``templates/common/data`` that they call.
    """

    body: list[str]
    imports: frozenset[str] = frozenset()
    has_path: bool = False
    draws: bool = False
    presplit: bool = False
    weighted: bool = False
    helpers: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


PAD_SEQUENCES = '''def pad_sequences(sequences: np.ndarray, length: int) -> np.ndarray:
    """Sequences as rows of one length: cut, or filled with zeros, at the front."""
    padded = np.zeros((len(sequences), length), dtype="int64")
    for row, sequence in zip(padded, sequences, strict=True):
        kept = sequence[-length:]
        row[length - len(kept) :] = kept
    return padded'''


def source_code(graph: Graph, data: Data, classes: frozenset[str], loader: str) -> Source:
    """The statements that load ``data``.

    Args:
        graph: The model.
        data: The checked data section.
        classes: Outputs that tell classes apart.
        loader: Who loads `keras.datasets`: ``keras``, or ``torchvision`` for torch scripts.
    """
    named = classes if data.classes else frozenset()
    return WRITERS[type(data)](_Context(graph, classes, named, loader), data)


@dataclass(frozen=True)
class _Context:
    graph: Graph
    classes: frozenset[str]
    named: frozenset[str]
    loader: str


def _sklearn(_context: _Context, data: SklearnData) -> Source:
    loader = f"load_{data.name}"
    loaded = f"{loader}(return_X_y=True)"
    if data.name == "diabetes":
        # scikit-learn has no types, and what checkers infer of this function is not so.
        loaded = f"map(np.asarray, {loaded})"
    return Source(
        [f"x, y = {loaded}"],
        frozenset((f"from sklearn.datasets import {loader}",)),
    )


def _keras(context: _Context, data: KerasData) -> Source:
    text = data.name in TEXT_SETS
    read = "read_texts" if text else "read_arrays"
    body = [
        "if path is None:",
        *(f"    {line}" for line in _download(context, data)),
        "else:",
        f'    x_train, y_train = {read}(path, "x_train", "y_train")',
        f'    x_test, y_test = {read}(path, "x_test", "y_test")',
    ]
    helpers: tuple[str, ...] = ()
    if text:
        sizes = [
            size for value in context.graph.inputs.values() for size in (value.shape or ())[1:]
        ]
        length = data.maxlen or (sizes[0] if sizes else None)
        if context.loader == "keras":
            cut = "" if length is None else f", maxlen={length}"
            call = f"keras.utils.pad_sequences({{}}{cut})"
        else:
            helpers = (PAD_SEQUENCES,)
            call = f"pad_sequences({{}}, {length or 'longest'})"
            if length is None:
                body.append("longest = max(len(words) for words in (*x_train, *x_test))")
        body += [f"{part} = {call.format(part)}" for part in ("x_train", "x_test")]
        if data.num_words is not None:
            # 2 is the number that Keras gives to words it leaves out.
            body += [f"{part}[{part} >= {data.num_words}] = 2" for part in ("x_train", "x_test")]
    return Source(body, has_path=True, presplit=True, helpers=helpers, shared=(read,))


def _download(context: _Context, data: KerasData) -> list[str]:
    words = f"num_words={data.num_words}" if data.num_words and data.name in TEXT_SETS else ""
    load = f"(x_train, y_train), (x_test, y_test) = keras.datasets.{data.name}.load_data({words})"
    if context.loader == "keras":
        return [load]
    if data.name not in TORCHVISION:
        return ["import keras  # which downloads this data set", "", load]
    cls = TORCHVISION[data.name]
    return [
        f"from torchvision.datasets import {cls}",
        "",
        f'train_set = {cls}("data", train=True, download=True)',
        f'test_set = {cls}("data", train=False, download=True)',
        "x_train, y_train = np.asarray(train_set.data), np.asarray(train_set.targets)",
        "x_test, y_test = np.asarray(test_set.data), np.asarray(test_set.targets)",
    ]


def by_name(given: Any, names: dict[str, Any]) -> Any:
    """A mapping with one key for each tensor; the item alone where there is one tensor.

    Lists follow the order of the tensors.
    """
    if isinstance(given, tuple) and len(names) > 1:
        given = dict(zip(names, given, strict=True))
    if isinstance(given, dict) and len(names) == 1:
        (given,) = given.values()
    return given


def _named(items: Any, write: Callable[[Any], str]) -> str:
    """One expression, or a dict of them."""
    if not isinstance(items, dict):
        return write(items)
    return "{" + ", ".join(f"{string(name)}: {write(item)}" for name, item in items.items()) + "}"


def _npz(context: _Context, data: NpzData) -> Source:
    presplit = data.x_test is not None
    body = [f"path = path or Path({string(data.path)})"]
    parts = {"_train" if presplit else "": (data.x, data.y)}
    if presplit:
        parts["_test"] = (data.x_test, data.y_test)
    for suffix, (x, y) in parts.items():
        scope = Scope(("x", "y", "weight", "path", "seed", "np", "order", "split", "train", "test"))
        targets, names, after = [], [], []
        for side, keys, tensors in (
            ("x", x, context.graph.inputs),
            ("y", y, context.graph.outputs),
        ):
            keys = by_name(keys, tensors)
            if not isinstance(keys, dict):
                targets.append(f"{side}{suffix}")
                names.append(keys[0] if isinstance(keys, tuple) else keys)
                continue
            variables = {name: scope.claim(identifier(f"{name}{suffix}")) for name in keys}
            targets += variables.values()
            names += (key[0] if isinstance(key, tuple) else key for key in keys.values())
            pairs = ", ".join(f"{string(name)}: {value}" for name, value in variables.items())
            after.append(f"{side}{suffix} = {{{pairs}}}")
        if data.sample_weight is not None and suffix != "_test":
            targets.append(f"weight{suffix}")
            names.append(data.sample_weight)
        arrays = ", ".join(string(name) for name in names)
        body += [f"{', '.join(targets)} = read_arrays(path, {arrays})", *after]
    return Source(
        body,
        has_path=True,
        presplit=presplit,
        weighted=data.sample_weight is not None,
        shared=("read_arrays",),
    )


def _csv(context: _Context, data: CsvData) -> Source:
    used: dict[str, None] = {}
    shared: dict[str, None] = {"read_rows": None}
    refusals: list[str] = []

    def cell(read: str, column: str) -> str:
        shared[read] = None
        return f"{read}(place, row, {column})"

    def columns(names: Any) -> str:
        if isinstance(names, str):
            names = (names,)
        used.update(dict.fromkeys(names))
        cells = f"[{cell('read_number', string(names[0]))}]"
        if len(names) > 1:
            cells = f"[{cell('read_number', 'name')} for name in {literal(list(names))}]"
        return f"np.array([{cells} for place, row in rows.items()])"

    def target(output: str, names: Any) -> str:
        if isinstance(names, tuple) and len(names) > 1:
            return columns(names)
        name = names if isinstance(names, str) else names[0]
        used[name] = None
        read = "read_class" if output in context.named else "read_number"
        if output in context.classes and output not in context.named:
            shared["refuse_names"] = None
            refusals.append(f"refuse_names(path, rows, {string(name)})")
        return f"np.array([{cell(read, string(name))} for place, row in rows.items()])"

    graph = context.graph
    features = data.features
    if isinstance(features, dict) and len(graph.inputs) == 1:
        (features,) = features.values()
    assignments = [f"x = {_named(features, columns)}"]
    targets = data.target
    if isinstance(targets, dict) and len(graph.outputs) == 1:
        (targets,) = targets.values()
    if isinstance(targets, dict):
        items = ", ".join(f"{string(name)}: {target(name, item)}" for name, item in targets.items())
        assignments.append(f"y = {{{items}}}")
    else:
        assignments.append(f"y = {target(next(iter(graph.outputs)), targets)}")
    if data.sample_weight is not None:
        assignments.append(f"weight = {target('', data.sample_weight)}")
    delimiter = "" if data.delimiter == "," else f", delimiter={string(data.delimiter)}"
    return Source(
        [
            f"path = path or Path({string(data.path)})",
            f"rows = read_rows(path, {literal(list(used))}{delimiter})",
            *refusals,
            *assignments,
        ],
        has_path=True,
        weighted=data.sample_weight is not None,
        shared=tuple(shared),
    )


def _inline(context: _Context, data: InlineData) -> Source:
    presplit = data.x_test is not None
    suffix = "_train" if presplit else ""
    parts = [(f"x{suffix}", data.x), (f"y{suffix}", data.y)]
    if presplit:
        parts += [("x_test", data.x_test), ("y_test", data.y_test)]
    if data.sample_weight is not None:
        parts.append((f"weight{suffix}", data.sample_weight))
    body = []
    for variable, value in parts:
        tensors = context.graph.inputs if variable[0] == "x" else context.graph.outputs
        if isinstance(value, dict) and len(tensors) == 1:
            (value,) = value.values()
        body.append(f"{variable} = {_named(value, lambda item: f'np.array({_lists(item)})')}")
    return Source(body, presplit=presplit, weighted=data.sample_weight is not None)


def _lists(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_lists(item) for item in value) + "]"
    return literal(value)


def _synthetic(context: _Context, data: SyntheticData) -> Source:
    graph = context.graph
    body = ["rng = np.random.default_rng(seed)"]
    scope = Scope(("x", "y", "rng", "seed", "np", "order", "split", "train", "test"))
    several = len(graph.inputs) > 1
    variables = {name: scope.claim(identifier(name)) if several else "x" for name in graph.inputs}
    for name, value in graph.inputs.items():
        sizes = [data.samples, *(16 if size is None else size for size in (value.shape or ())[1:])]
        size = literal(tuple(sizes)) if len(sizes) > 1 else str(sizes[0])
        array = f"rng.normal(size={size})"
        if value.dtype.startswith(("int", "uint")):
            array = f"rng.integers({_vocabulary(graph, name)}, size={size})"
        elif value.dtype == "bool":
            array = f"rng.random({size}) < 0.5"
        body.append(f"{variables[name]} = {array}")
    shapes = [(value.shape or ())[1:] for value in graph.inputs.values()]
    if several:
        pairs = ", ".join(f"{string(name)}: {variable}" for name, variable in variables.items())
        body.append("x = {" + pairs + "}")
    arrays = list(zip(variables.values(), shapes, strict=True))
    targets = {name: _task(_task_of(data, graph, name), arrays) for name in graph.outputs}
    if len(targets) > 1:
        pairs = ", ".join(f"{string(name)}: {target}" for name, target in targets.items())
        body.append("y = {" + pairs + "}")
    else:
        body += [f"y = {target}" for target in targets.values()]
    return Source(body, draws=True)


def _task_of(data: SyntheticData, graph: Graph, output: str) -> str:
    task = data.task
    if isinstance(task, dict):
        task = task.get(output)
    elif isinstance(task, tuple):
        task = task[list(graph.outputs).index(output)]
    return task or "sign"


def _task(task: str, arrays: list[tuple[str, Shape]]) -> str:
    """The target of a synthetic task, as an expression over the inputs."""
    first, shape = arrays[0]
    if task == "first":
        flat = first if len(shape) < 2 else f"{first}.reshape(len({first}), -1)"
        return f"{flat}[:, 0]" if shape else first
    if task == "same":
        return first
    if len(arrays) == 2 and shape == arrays[1][1]:
        total = _total(f"({first} - {arrays[1][0]})", first, shape)
    else:
        total = " + ".join(_total(name, name, shape) for name, shape in arrays)
    return total if task == "sum" else f"({total} > 0).astype(int)"


def _total(expression: str, name: str, shape: Shape) -> str:
    if not shape:
        return expression
    flat = expression if len(shape) == 1 else f"{expression}.reshape(len({name}), -1)"
    return f"{flat}.sum(axis=1)"


def _vocabulary(graph: Graph, name: str) -> int:
    """How many different tokens an integer input takes: the embedding that reads it knows."""
    value = graph.inputs[name]
    for node in graph.nodes:
        if value in node.inputs() and node.unit.graph is None:
            size = getattr(node.layer, "input_dim", None)
            if isinstance(size, int):
                return size
    return 10


WRITERS: dict[type[Data], Callable[[_Context, Any], Source]] = {
    SklearnData: _sklearn,
    KerasData: _keras,
    NpzData: _npz,
    CsvData: _csv,
    InlineData: _inline,
    SyntheticData: _synthetic,
}


def sample_shape(data: Data) -> tuple[int, ...] | None:
    """The shape of one sample as the source gives it, if that is known."""
    if isinstance(data, InlineData):
        return None if isinstance(data.x, dict) else list_shape(data.x)[1:]
    return SAMPLE_SHAPES.get(getattr(data, "name", ""))


def list_shape(value: Any) -> tuple[int, ...]:
    """The shape of nested lists, going by the first item of each."""
    shape = []
    while isinstance(value, tuple):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)
