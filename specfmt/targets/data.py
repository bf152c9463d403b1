"""The ``load_data`` function of training scripts, the same for every target.

It gives NumPy arrays: ``(x_train, y_train), (x_test, y_test)``, with a validation part between
them where the spec holds one out by itself.  Several inputs or outputs are dicts of arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

from specfmt.graph.model import Graph
from specfmt.spec.diagnostics import Diagnostic, SpecError
from specfmt.spec.train import (
    CsvData,
    Data,
    InlineData,
    KerasData,
    NpzData,
    SklearnData,
    SyntheticData,
    TrainSpec,
)
from specfmt.targets.source import literal, number, string
from specfmt.vocab.base import Term

CLASS_NAMES = {
    "iris": ("setosa", "versicolor", "virginica"),
    "breast_cancer": ("malignant", "benign"),
}
"""What scikit-learn calls the classes of its sets."""

SPARSE_LOSSES = frozenset(("SparseCategoricalCrossentropy",))
DIGIT_SETS = frozenset(("mnist", "fashion_mnist", "cifar10", "cifar100", "reuters", "digits"))


@dataclass
class DataCode:
    """Generated data loading.

    Attributes:
        imports: Import lines it needs.
        constants: Module-level statements (inline samples, class names).
        body: The statements of ``load_data``.
        doc: Its docstring.
        returns: Its return annotation.
        classes: Names of the classes, if they are known.
        has_path: Whether the function takes the path of a data file.
        has_test: Whether there is a test part.
        has_validation: Whether it returns a validation part of its own.
        weighted: Whether each part also has sample weights.
    """

    imports: set[str] = field(default_factory=lambda: {"import numpy as np"})
    constants: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    doc: str = ""
    returns: str = ""
    classes: tuple[str, ...] = ()
    has_path: bool = False
    has_test: bool = False
    has_validation: bool = False
    weighted: bool = False
    standardize: bool = False

    @property
    def uses_seed(self) -> bool:
        """Whether the function draws random numbers."""
        return any("seed" in line for line in self.body)

    @property
    def unpack(self) -> str:
        """The targets of the assignment that takes the function's result."""
        train = "x_train, y_train" + (", weight_train" if self.weighted else "")
        parts = [train, *["x_val, y_val"] * self.has_validation, *["x_test, y_test"] * self.has_test]
        return parts[0] if len(parts) == 1 else ", ".join(f"({part})" for part in parts)

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
        parts = ["x_train", *["x_val"] * self.has_validation, *["x_test"] * self.has_test]
        return [
            "mean, deviation = x_train.mean(axis=0), np.maximum(x_train.std(axis=0), 1e-7)",
            'np.savez(args.out / "scaling.npz", mean=mean, deviation=deviation)',
            *(f"{part} = ({part} - mean) / deviation" for part in parts),
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
    data = train.data
    if data is None:
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
    return _Writer(graph, train, data, loader).code()


class _Writer:
    """Writes the statements, stage by stage: load, shape, split, standardize."""

    def __init__(self, graph: Graph, train: TrainSpec, data: Data, loader: str) -> None:
        self.graph, self.train, self.data, self.loader = graph, train, data, loader
        self.result = DataCode(classes=data.classes or ())
        self.inputs = list(graph.inputs.values())
        self.outputs = list(graph.outputs.values())
        self.several = len(self.inputs) > 1 or len(self.outputs) > 1
        self.presplit = False

    def code(self) -> DataCode:
        load = {
            SklearnData: self._sklearn,
            KerasData: self._keras,
            NpzData: self._npz,
            CsvData: self._csv,
            InlineData: self._inline,
            SyntheticData: self._synthetic,
        }[type(self.data)]
        load()
        result = self.result
        if not self.presplit:
            self._shape("x", "y")
            if self.data.test_split:
                self._split()
                self.presplit = True
            else:
                self._line("x_train, y_train = x, y")
                if result.weighted:
                    self._line("weight_train = weight")
        else:
            self._shape("x_train", "y_train")
            self._shape("x_test", "y_test")
        result.has_test = self.presplit
        self._hold_out()
        self._standardize()
        self._finish()
        return result

    # -- sources -----------------------------------------------------------------------------

    def _line(self, *lines: str) -> None:
        self.result.body += lines

    def _sklearn(self) -> None:
        assert isinstance(self.data, SklearnData)
        name = self.data.name
        loader = f"load_{name}"
        self.result.imports.add(f"from sklearn.datasets import {loader}")
        self._line(f"x, y = {loader}(return_X_y=True)")
        if not self.result.classes:
            self.result.classes = CLASS_NAMES.get(name, ())

    def _keras(self) -> None:
        assert isinstance(self.data, KerasData)
        self.presplit = True
        self.result.has_path = True
        arguments = []
        if self.data.num_words is not None:
            arguments.append(f"num_words={self.data.num_words}")
        if self.data.maxlen is not None and self.data.name in ("imdb", "reuters"):
            arguments.append(f"maxlen={self.data.maxlen}")
        download = self._download(self.data.name, ", ".join(arguments))
        self._line("if path is None:")
        self._line(*(f"    {line}" for line in download))
        self._line("else:")
        self._line("    with np.load(path) as data:")
        self._line('        x_train, y_train = data["x_train"], data["y_train"]')
        self._line('        x_test, y_test = data["x_test"], data["y_test"]')

    def _download(self, name: str, arguments: str) -> list[str]:
        if self.loader == "keras" or name not in TORCHVISION:
            if self.loader != "keras":
                return [
                    "import keras",
                    "",
                    f"(x_train, y_train), (x_test, y_test) = keras.datasets.{name}.load_data({arguments})",
                ]
            return [
                f"(x_train, y_train), (x_test, y_test) = keras.datasets.{name}.load_data({arguments})"
            ]
        cls = TORCHVISION[name]
        return [
            f"from torchvision.datasets import {cls}",
            "",
            f'train_set = {cls}("data", train=True, download=True)',
            f'test_set = {cls}("data", train=False, download=True)',
            "x_train, y_train = np.asarray(train_set.data), np.asarray(train_set.targets)",
            "x_test, y_test = np.asarray(test_set.data), np.asarray(test_set.targets)",
        ]

    def _npz(self) -> None:
        assert isinstance(self.data, NpzData)
        data = self.data
        self.result.has_path = True
        self._line(f"with np.load(path or {string(data.path)}) as data:")
        self.presplit = data.x_test is not None and data.y_test is not None
        suffix = "_train" if self.presplit else ""
        self._line(f"    x{suffix} = {self._pick(data.x, self.graph.inputs)}")
        self._line(f"    y{suffix} = {self._pick(data.y, self.graph.outputs)}")
        if self.presplit:
            self._line(f"    x_test = {self._pick(data.x_test, self.graph.inputs)}")
            self._line(f"    y_test = {self._pick(data.y_test, self.graph.outputs)}")
        if data.sample_weight is not None:
            self.result.weighted = True
            self._line(f"    weight{suffix} = data[{string(data.sample_weight)}]")

    def _pick(self, keys: Any, names: dict[str, Any]) -> str:
        """Arrays of an open .npz by key."""
        if isinstance(keys, str):
            return f"data[{string(keys)}]"
        if isinstance(keys, tuple):
            keys = dict(zip(names, keys, strict=False))
        items = ", ".join(f"{string(name)}: data[{string(str(key))}]" for name, key in keys.items())
        return "{" + items + "}"

    def _csv(self) -> None:
        assert isinstance(self.data, CsvData)
        data = self.data
        self.result.has_path = True
        self.result.imports.add("import csv")
        delimiter = "" if data.delimiter == "," else f", delimiter={string(data.delimiter)}"
        self._line(
            f'with open(path or {string(data.path)}, newline="") as file:',
            f"    rows = list(csv.DictReader(file{delimiter}))",
        )
        self._line(f"x = {self._columns(data.features, self.graph.inputs, features=True)}")
        self._line(f"y = {self._columns(data.target, self.graph.outputs, features=False)}")
        if data.sample_weight is not None:
            self.result.weighted = True
            self._line(f"weight = np.array([float(row[{string(data.sample_weight)}]) for row in rows])")

    def _columns(self, names: Any, tensors: dict[str, Any], *, features: bool) -> str:
        if isinstance(names, dict):
            items = (
                f"{string(key)}: {self._columns(item, tensors, features=features)}"
                for key, item in names.items()
            )
            return "{" + ", ".join(items) + "}"
        if isinstance(names, tuple):
            return f"np.array([[float(row[name]) for name in {literal(list(names))}] for row in rows])"
        if not features and self.data.classes:
            self.result.constants.append("")
            return f"np.array([CLASSES.index(row[{string(names)}]) for row in rows])"
        shape = f"[float(row[{string(names)}])]" if features else f"float(row[{string(names)}])"
        return f"np.array([{shape} for row in rows])"

    def _inline(self) -> None:
        assert isinstance(self.data, InlineData)
        data = self.data
        self.presplit = data.x_test is not None and data.y_test is not None
        suffix = "_train" if self.presplit else ""
        self._line(f"x{suffix} = {self._array(data.x)}")
        self._line(f"y{suffix} = {self._array(data.y)}")
        if self.presplit:
            self._line(f"x_test = {self._array(data.x_test)}", f"y_test = {self._array(data.y_test)}")
        if data.sample_weight is not None:
            self.result.weighted = True
            self._line(f"weight{suffix} = {self._array(data.sample_weight)}")

    def _array(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{string(k)}: {self._array(v)}" for k, v in value.items()) + "}"
        return f"np.array({_lists(value)})"

    def _synthetic(self) -> None:
        assert isinstance(self.data, SyntheticData)
        data = self.data
        self._line("rng = np.random.default_rng(seed)")
        names = list(self.graph.inputs)
        for name, value in self.graph.inputs.items():
            shape = ", ".join(str(size or 16) for size in (value.shape or ())[1:])
            size = f"({data.samples}, {shape})" if shape else f"({data.samples},)"
            if value.dtype.startswith(("int", "uint")):
                array = f"rng.integers(0, {self._vocabulary(name)}, {size})"
            else:
                array = f"rng.normal(size={size})"
            target = "x" if not self.several else f"{self._variable(name)}"
            self._line(f"{target} = {array}")
        variables = ["x"] if not self.several else [self._variable(name) for name in names]
        tasks = data.task if isinstance(data.task, dict) else dict.fromkeys(self.graph.outputs, data.task)
        targets = {name: _task(tasks.get(name, "sign"), variables) for name in self.graph.outputs}
        if self.several:
            pairs = ", ".join(f"{string(n)}: {v}" for n, v in zip(names, variables, strict=True))
            self._line("x = {" + pairs + "}")
            self._line("y = {" + ", ".join(f"{string(n)}: {t}" for n, t in targets.items()) + "}")
        else:
            self._line(f"y = {next(iter(targets.values()))}")

    def _variable(self, name: str) -> str:
        from specfmt.targets.naming import identifier

        return identifier(name)

    def _vocabulary(self, name: str) -> int:
        """How many different tokens an integer input takes: the embedding that reads it knows."""
        value = self.graph.inputs[name]
        for node in self.graph.nodes:
            if value in node.inputs() and node.unit.graph is None:
                size = getattr(node.layer, "input_dim", None)
                if isinstance(size, int):
                    return size
        return 10

    # -- stages --------------------------------------------------------------------------------

    def _shape(self, x: str, y: str) -> None:
        """Types, scale and shapes as the model reads them."""
        if self.several:
            self._shape_several(x, y)
            return
        value, output = self.inputs[0], self.outputs[0]
        shape = (value.shape or ())[1:]
        expression = f'{x}.astype("{value.dtype}")'
        if self.data.scale is not None:
            expression += f" / {number_source(self.data.scale)}"
        if len(shape) != 1 or self.data.flatten:
            sizes = ", ".join("-1" if size is None else str(size) for size in shape)
            if all(size is not None for size in shape) or shape.count(None) == 1:
                inner = f"({expression})" if " / " in expression else expression
                if self._reshapes(shape):
                    expression = f"{inner}.reshape(len({x}), {sizes})"
        self._line(f"{x} = {expression}")
        self._line(f"{y} = {self._target(y, output.name, output.shape)}")

    def _reshapes(self, shape: tuple[int | None, ...]) -> bool:
        """Whether the source's samples have another shape than the input."""
        known = SAMPLE_SHAPES.get(getattr(self.data, "name", ""))
        return known is None or known != shape

    def _shape_several(self, x: str, y: str) -> None:
        inputs = {value.dtype for value in self.inputs}
        if len(inputs) == 1 and len(self.inputs) > 1:
            scale = f" / {number_source(self.data.scale)}" if self.data.scale is not None else ""
            dtype = inputs.pop()
            self._line(
                f'{x} = {{name: array.astype("{dtype}"){scale} for name, array in {x}.items()}}'
            )
        elif len(self.inputs) == 1:
            self._line(f'{x} = {x}.astype("{self.inputs[0].dtype}")')
        else:
            items = ", ".join(
                f'{string(name)}: {x}[{string(name)}].astype("{value.dtype}")'
                for name, value in self.graph.inputs.items()
            )
            self._line(f"{x} = {{{items}}}")
        items = ", ".join(
            f"{string(name)}: {self._target(f'{y}[{string(name)}]', name, value.shape)}"
            for name, value in self.graph.outputs.items()
        )
        if len(self.outputs) > 1:
            self._line(f"{y} = {{{items}}}")
        else:
            name, value = next(iter(self.graph.outputs.items()))
            self._line(f"{y} = {self._target(y, name, value.shape)}")

    def _target(self, source: str, name: str, shape: Any) -> str:
        """A target array as the loss wants it."""
        loss = loss_term(self.train, self.graph, name)
        if self.data.one_hot:
            return f'np.eye({shape[-1]}, dtype="float32")[{source}.astype("int64").ravel()]'
        if loss is not None and loss.type in SPARSE_LOSSES:
            flat = ".ravel()" if getattr(self.data, "name", "") in ("cifar10", "cifar100") else ""
            return f'{source}.astype("int64"){flat}'
        expression = f'{source}.astype("float32")'
        if shape and len(shape) == 2 and shape[-1] == 1:
            expression += ".reshape(-1, 1)"
        return expression

    def _each(self, name: str, index: str) -> str:
        """A part of an array, or of each array of a dict."""
        several = len(self.inputs) > 1 if name.startswith("x") else len(self.outputs) > 1
        if several:
            return f"{{key: array[{index}] for key, array in {name}.items()}}"
        return f"{name}[{index}]"

    def _split(self) -> None:
        """Shuffle, then keep the last part for the test."""
        count = "len(order)"
        source = "y" if len(self.outputs) == 1 else f"y[{string(next(iter(self.graph.outputs)))}]"
        split = self.data.test_split
        self._line(
            f"order = np.random.default_rng(seed).permutation(len({source}))",
            f"split = {count} - round({number(split)} * {count})",
            "train, test = order[:split], order[split:]",
            f"x_train, y_train = {self._each('x', 'train')}, {self._each('y', 'train')}",
            f"x_test, y_test = {self._each('x', 'test')}, {self._each('y', 'test')}",
        )
        if self.result.weighted:
            self._line("weight_train = weight[train]")

    def _hold_out(self) -> None:
        first = self.data.validation_first
        if first is None:
            return
        self.result.has_validation = True
        x, y = "x_train", "y_train"
        self._line(
            f"x_val, y_val = {self._each(x, f':{first}')}, {self._each(y, f':{first}')}",
            f"{x}, {y} = {self._each(x, f'{first}:')}, {self._each(y, f'{first}:')}",
        )
        if self.result.weighted:
            self._line(f"weight_train = weight_train[{first}:]")

    def _standardize(self) -> None:
        if not self.data.standardize:
            return
        if len(self.inputs) > 1:
            raise SpecError(
                [
                    Diagnostic(
                        "SF213",
                        f"expected one input for standardize, received {len(self.inputs)}",
                        ("train", "data", "standardize"),
                        "standardize with a Normalization layer in the model",
                    )
                ]
            )
        self.result.standardize = True

    def _finish(self) -> None:
        result = self.result
        train = "x_train, y_train" + (", weight_train" if result.weighted else "")
        parts = [f"({train})"]
        if result.has_validation:
            parts.append("(x_val, y_val)")
        if self.presplit:
            parts.append("(x_test, y_test)")
        result.body.append(f"return {', '.join(parts)}" if len(parts) > 1 else f"return {train}")
        single = len(self.inputs) == 1 and len(self.outputs) == 1
        pair = "tuple[np.ndarray, np.ndarray]" if single else "tuple"
        first = "tuple[np.ndarray, ...]" if result.weighted and single else pair
        result.returns = (
            first
            if len(parts) == 1
            else f"tuple[{', '.join([first, *[pair] * (len(parts) - 1)])}]"
        )
        result.doc = _document(self.data, result)
        if self.data.classes or result.classes:
            result.constants = [f"CLASSES = {literal(list(result.classes))}"]
        else:
            result.constants = []


def _document(data: Data, result: DataCode) -> str:
    """One line on what ``load_data`` gives."""
    what = {
        "sklearn": f"scikit-learn's {getattr(data, 'name', '')} data",
        "keras": f"{getattr(data, 'name', '')}, downloaded or from a file",
        "npz": "The arrays of an .npz file",
        "csv": "The columns of a .csv file",
        "inline": "The samples of the spec",
        "synthetic": "Random samples",
    }[data.source]
    share = f"{data.test_split:.0%}".replace("%", " %")
    parts = [what[:1].upper() + what[1:]]
    if data.test_split:
        parts.append(f"shuffled; the last {share} are for the test")
    elif result.has_test:
        parts.append("with its own test part")
    if data.validation_first is not None:
        parts.append(f"the first {data.validation_first:,} are for validation")
    return f"{', '.join(parts)}."


TORCHVISION = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
}

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
    "california_housing": (8,),
}
"""The shape of one sample of each known set."""


def loss_term(train: TrainSpec, graph: Graph, output: str) -> Term | None:
    """The loss of one output, however the document writes it."""
    loss = train.loss
    if isinstance(loss, dict):
        loss = loss.get(output)
    elif isinstance(loss, tuple):
        index = list(graph.outputs).index(output)
        loss = loss[index] if index < len(loss) else None
    return loss if isinstance(loss, Term) else None


def _task(task: str, variables: list[str]) -> str:
    """The target of a synthetic task, as an expression over the inputs."""
    total = " + ".join(f"{name}.reshape(len({name}), -1).sum(axis=1)" for name in variables)
    if len(variables) == 2:
        first, second = variables
        total = f"({first} - {second}).reshape(len({first}), -1).sum(axis=1)"
    if task == "first":
        return f"{variables[0]}.reshape(len({variables[0]}), -1)[:, 0]"
    if task == "same":
        return variables[0]
    return total if task == "sum" else f"({total} > 0).astype(int)"


def _lists(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_lists(item) for item in value) + "]"
    return literal(value)


def number_source(value: float) -> str:
    """``255`` rather than ``255.0``."""
    return str(int(value)) if value.is_integer() else number(value)


def sample_size(shape: tuple[int | None, ...]) -> int:
    """The number of elements of one sample; an unknown size counts as one."""
    return prod(size or 1 for size in shape[1:])
