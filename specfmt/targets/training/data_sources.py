"""How each data source is loaded as NumPy arrays, before they are converted for the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from specfmt.graph.model import Graph, Value
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
from specfmt.targets.source import literal, mapping, string

STRING: Final = "string"
"""Keras's dtype of texts."""

CLASS_NAMES = {
    "iris": ("setosa", "versicolor", "virginica"),
    "breast_cancer": ("malignant", "benign"),
}
"""The class names of scikit-learn's data sets."""

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
"""Data set -> the shape of one sample."""

TEXT_SETS = ("imdb", "reuters")
"""Data sets whose samples are sequences of word indices of any length."""

TORCHVISION = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
}
"""Data set -> its class in torchvision."""


@dataclass(frozen=True)
class KerasSet:
    """One of `keras.datasets`, downloaded or read from the user's file.

    Attributes:
        load: The call that downloads it with Keras.
        imports_keras: Whether the function that calls ``load`` must import Keras.
        torchvision: The torchvision class that downloads it; empty if there is none.
        read: The function that reads it from a file.
        pad: The function that pads texts to one length; empty if the set has no texts.
        length: The arguments of ``pad`` after the texts.
        num_words: Words with this index or above are left out; None keeps all words.
    """

    load: str
    imports_keras: bool
    torchvision: str
    read: str
    pad: str = ""
    length: str = ""
    num_words: int | None = None


@dataclass(frozen=True)
class Source:
    """How a data source is loaded.

    Attributes:
        arrays: Assignments: (target, expression).  Together they define ``x`` and ``y``, or if
            ``presplit``, ``x_train``, ``y_train``, ``x_test`` and ``y_test``; these are dicts if
            there are several inputs or outputs.  If ``weighted``, they also define ``weight`` or
            ``weight_train``.
        imports: The import lines that the expressions need.
        path: The default data file; None if no file is read.
        keras_set: The data set to load instead of ``arrays``.
        rows: The expression for the rows of a table; empty if the source is not a table.
        numbered: Columns that must have class numbers, not class names.
        draws: Whether the expressions use ``rng``, which is created from ``seed``.
        presplit: Whether the source has its own test part.
        weighted: Whether it has sample weights.
        helpers: The functions from ``templates/common/data`` that it calls.
    """

    arrays: Sequence[tuple[str, str]] = ()
    imports: frozenset[str] = frozenset()
    path: str | None = None
    keras_set: KerasSet | None = None
    rows: str = ""
    numbered: Sequence[str] = ()
    draws: bool = False
    presplit: bool = False
    weighted: bool = False
    helpers: tuple[str, ...] = ()


def source_code(graph: Graph, data: Data, classes: frozenset[str], loader: str) -> Source:
    """How ``data`` is loaded.

    Args:
        graph: The model.
        data: The data section, already checked.
        classes: The outputs that are classifications.
        loader: The package that loads `keras.datasets`: ``keras``, or ``torchvision`` for torch
            scripts.
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
        # scikit-learn has no type hints, and checkers infer a wrong type for this function.
        loaded = f"map(np.asarray, {loaded})"
    return Source([("x, y", loaded)], frozenset((f"from sklearn.datasets import {loader}",)))


def _keras(context: _Context, data: KerasData) -> Source:
    text, own = data.name in TEXT_SETS, context.loader == "keras"
    read = "read_texts" if text else "read_arrays"
    pad = length = ""
    if text:
        values = context.graph.inputs.values()
        sizes = [size for value in values for size in (value.shape or ())[1:]]
        known = data.maxlen or (sizes[0] if sizes else None)
        pad = "keras.utils.pad_sequences" if own else "pad_sequences"
        length = f", {known or 'longest'}"
        if own:
            length = "" if known is None else f", maxlen={known}"
    words = f"num_words={data.num_words}" if data.num_words and text else ""
    keras_set = KerasSet(
        f"keras.datasets.{data.name}.load_data({words})",
        not own,
        "" if own else TORCHVISION.get(data.name, ""),
        read,
        pad,
        length,
        data.num_words if text else None,
    )
    helpers = ("pad_sequences", read) if text and not own else (read,)
    return Source(keras_set=keras_set, presplit=True, helpers=helpers)


def by_name(given: Any, names: dict[str, Any], *, lists: bool = True) -> Any:
    """The entries of a data field by tensor name.

    Args:
        given: The field's value.
        names: The inputs or outputs.
        lists: Whether a list has one item per tensor, in order.

    Returns:
        A mapping with one key per tensor, or the entry itself if there is only one tensor.
    """
    if lists and isinstance(given, tuple) and len(names) > 1:
        given = dict(zip(names, given, strict=True))
    if isinstance(given, dict) and len(names) == 1:
        (given,) = given.values()
    return given


def _each(items: Any, write: Callable[[Any], str]) -> str:
    """The source of one item, or of a dict of items."""
    if not isinstance(items, dict):
        return write(items)
    return mapping({name: write(item) for name, item in items.items()})


def _npz(context: _Context, data: NpzData) -> Source:
    presplit = data.x_test is not None
    arrays: list[tuple[str, str]] = []
    parts = {"_train" if presplit else "": (data.x, data.y)}
    if presplit:
        parts["_test"] = (data.x_test, data.y_test)
    for suffix, (x, y) in parts.items():
        scope = Scope(("x", "y", "weight", "path", "seed", "np", "order", "split", "train", "test"))
        read: list[tuple[str, Any]] = []
        joined: list[tuple[str, str]] = []
        for side, given, tensors in (
            (f"x{suffix}", x, context.graph.inputs),
            (f"y{suffix}", y, context.graph.outputs),
        ):
            keys = by_name(given, tensors)
            if not isinstance(keys, dict):
                read.append((side, keys))
                continue
            variables = {name: scope.claim(identifier(f"{name}{suffix}")) for name in keys}
            read += zip(variables.values(), keys.values(), strict=True)
            joined.append((side, mapping(variables)))
        if data.sample_weight is not None and suffix != "_test":
            read.append((f"weight{suffix}", data.sample_weight))
        names = ", ".join(string(k[0] if isinstance(k, tuple) else k) for _, k in read)
        targets = ", ".join(variable for variable, _ in read)
        arrays += [(targets, f"read_arrays(path, {names})"), *joined]
    return Source(
        arrays,
        path=data.path,
        presplit=presplit,
        weighted=data.sample_weight is not None,
        helpers=("read_arrays",),
    )


def _csv(context: _Context, data: CsvData) -> Source:
    used: dict[str, None] = {}
    helpers: dict[str, None] = {"read_rows": None}
    numbered: list[str] = []

    def column(cells: str) -> str:
        return f"np.array([{cells} for place, row in rows.items()])"

    def cell(name: str, read: str = "read_number") -> str:
        helpers[read] = None
        return f"{read}(place, row, {name})"

    def features(names: Any, value: Value) -> str:
        names = (names,) if isinstance(names, str) else names
        if value.dtype == STRING:
            used.update(dict.fromkeys(names))
            return texts(names, listed=len(value.shape or ()) > 1)
        return columns(names)

    def columns(names: tuple[str, ...]) -> str:
        used.update(dict.fromkeys(names))
        if len(names) == 1:
            return column(f"[{cell(string(names[0]))}]")
        return column(f"[{cell('name')} for name in {literal(list(names))}]")

    def texts(names: Sequence[str], *, listed: bool) -> str:
        """The columns of texts: one list for each row, or the text itself."""
        cells = f"row[{string(names[0])}]"
        if len(names) > 1:
            cells = f"[row[name] for name in {literal(list(names))}]"
        elif listed:
            cells = f"[{cells}]"
        return f"np.array([{cells} for row in rows.values()])"

    def target(output: str, names: Any) -> str:
        if isinstance(names, tuple) and len(names) > 1:
            return columns(names)
        name = names if isinstance(names, str) else names[0]
        used[name] = None
        named = output in context.named
        if output in context.classes and not named:
            helpers["refuse_names"] = None
            numbered.append(name)
        return column(cell(string(name), "read_class" if named else "read_number"))

    graph = context.graph
    given = by_name(data.features, graph.inputs, lists=False)
    if isinstance(given, dict):
        read = {name: features(given[name], value) for name, value in graph.inputs.items()}
        arrays = [("x", mapping(read))]
    else:
        arrays = [("x", features(given, next(iter(graph.inputs.values()))))]
    targets = by_name(data.target, graph.outputs, lists=False)
    if not isinstance(targets, dict):
        arrays.append(("y", target(next(iter(graph.outputs)), targets)))
    else:
        arrays.append(("y", mapping({name: target(name, item) for name, item in targets.items()})))
    if data.sample_weight is not None:
        arrays.append(("weight", target("", data.sample_weight)))
    delimiter = "" if data.delimiter == "," else f", delimiter={string(data.delimiter)}"
    return Source(
        arrays,
        path=data.path,
        rows=f"read_rows(path, {literal(list(used))}{delimiter})",
        numbered=numbered,
        weighted=data.sample_weight is not None,
        helpers=tuple(helpers),
    )


def _inline(context: _Context, data: InlineData) -> Source:
    presplit = data.x_test is not None
    suffix = "_train" if presplit else ""
    parts: list[tuple[str, Any]] = [(f"x{suffix}", data.x), (f"y{suffix}", data.y)]
    if presplit:
        parts += [("x_test", data.x_test), ("y_test", data.y_test)]
    if data.sample_weight is not None:
        parts.append((f"weight{suffix}", data.sample_weight))
    arrays = []
    for variable, value in parts:
        tensors = context.graph.inputs if variable[0] == "x" else context.graph.outputs
        given = by_name(value, tensors, lists=False)
        arrays.append((variable, _each(given, lambda item: f"np.array({_lists(item)})")))
    return Source(arrays, presplit=presplit, weighted=data.sample_weight is not None)


def _lists(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_lists(item) for item in value) + "]"
    return literal(value)


def _synthetic(context: _Context, data: SyntheticData) -> Source:
    graph = context.graph
    scope = Scope(("x", "y", "rng", "seed", "np", "order", "split", "train", "test"))
    several = len(graph.inputs) > 1
    variables = {name: scope.claim(identifier(name)) if several else "x" for name in graph.inputs}
    arrays = []
    for name, value in graph.inputs.items():
        sizes = [data.samples, *(16 if size is None else size for size in (value.shape or ())[1:])]
        size = literal(tuple(sizes)) if len(sizes) > 1 else str(sizes[0])
        array = f"rng.normal(size={size})"
        if value.dtype.startswith(("int", "uint")):
            array = f"rng.integers({_vocabulary(graph, name)}, size={size})"
        elif value.dtype == "bool":
            array = f"rng.random({size}) < 0.5"
        arrays.append((variables[name], array))
    if several:
        arrays.append(("x", mapping(variables)))
    shapes = [(value.shape or ())[1:] for value in graph.inputs.values()]
    read = list(zip(variables.values(), shapes, strict=True))
    targets = {name: _task(_task_of(data, graph, name), read) for name in graph.outputs}
    arrays.append(("y", mapping(targets) if len(targets) > 1 else targets.popitem()[1]))
    return Source(arrays, draws=True)


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
    """The number of different tokens in an integer input: ``input_dim`` of its `Embedding`."""
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
    """The shape of one sample in the source; None if it is unknown."""
    if isinstance(data, InlineData):
        return None if isinstance(data.x, dict) else list_shape(data.x)[1:]
    return SAMPLE_SHAPES.get(getattr(data, "name", ""))


def list_shape(value: Any) -> tuple[int, ...]:
    """The shape of nested lists, from the first item of each list."""
    shape = []
    while isinstance(value, tuple):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)
