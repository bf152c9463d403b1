"""The ``load_data`` function of a training script, for the template ``common/load_data.j2``.

The function returns NumPy arrays, ``(x_train, y_train), (x_test, y_test)``, with a validation
part between them if the data section has ``validation_first``.  Several inputs or outputs are
dicts of arrays; with sample weights, a part has a third item.
"""

from __future__ import annotations

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.graph.model import Graph, Value
from specfmt.layers.base import Shape
from specfmt.spec.train import InlineData, KerasData, NpzData, TrainSpec
from specfmt.targets.source import literal, mapping, number, string
from specfmt.targets.templates import helper_sources
from specfmt.targets.training.data_checks import check_data
from specfmt.targets.training.data_sources import (
    CLASS_NAMES,
    STRING,
    TEXT_SETS,
    list_shape,
    sample_shape,
    source_code,
)
from specfmt.targets.training.outputs import (
    is_classes,
    known_shape,
    output_kind,
    takes_class_numbers,
)


class DataCode:
    """The source of ``load_data``.

    Args:
        graph: The model.
        train: Its training section.
        loader: The package that loads `keras.datasets`: ``keras``, or ``torchvision`` for torch
            scripts.

    Attributes:
        arrays: Variable -> expression that converts an array of the source to the type and shape
            that the model takes.
        imports: The import lines it needs.
        helpers: The definitions of the functions it calls.

    Raises:
        SpecError: The data does not fit the model.
    """

    def __init__(self, graph: Graph, train: TrainSpec, loader: str = "keras") -> None:
        if train.data is None:
            raise SpecError(
                [
                    Diagnostic(
                        "SF213",
                        "expected `train.data` for a training script, received none",
                        ("train",),
                        "add for example `data: {source: sklearn, name: iris}`",
                    )
                ]
            )
        check_data(graph, train)
        self.graph, self.train, self.data = graph, train, train.data
        named = frozenset(name for name in graph.outputs if is_classes(graph, train, name))
        self.source = source_code(graph, self.data, named, loader)
        self.standardize = self.data.standardize
        self.weighted = self.source.weighted
        self.name = getattr(self.data, "name", "")
        self._called = dict.fromkeys(self.source.helpers)
        self._any_shape = isinstance(self.data, (NpzData, KerasData))
        self.arrays: dict[str, str] = {}
        if self.source.presplit:
            self._shape("_train", "_train")
            self._shape("_test", "_test")
        else:
            self._shape("", "" if self.test_split else "_train")
        self.arrays = {to: array for to, array in self.arrays.items() if to != array}
        if self.has_path and (self.test_split or self.validation_size):
            self._called["check_split"] = None
        imports, self.helpers = helper_sources(list(self._called), "common/data")
        paths = ["from pathlib import Path"] * self.has_path
        self.imports = {"import numpy as np", *self.source.imports, *imports, *paths}

    # -- parameters and results of load_data -------------------------------------------------------

    @property
    def has_path(self) -> bool:
        """Whether the function takes the path of a data file, of any number of samples."""
        return self.source.path is not None or self.source.keras_set is not None

    @property
    def uses_seed(self) -> bool:
        """Whether it draws random numbers."""
        return self.source.draws or bool(self.test_split)

    @property
    def has_test(self) -> bool:
        """Whether there is a test part."""
        return self.source.presplit or bool(self.test_split)

    @property
    def has_validation(self) -> bool:
        """Whether it returns a validation part."""
        return self.data.validation_first is not None

    @property
    def test_split(self) -> str:
        """The fraction of the samples that become the test part; empty if none are split off."""
        share = None if self.source.presplit else self.data.test_split
        return number(share) if share else ""

    @property
    def validation_size(self) -> str:
        """The number of validation samples, as source; empty if there are none."""
        if self.data.validation_first is not None:
            return str(self.data.validation_first)
        share = self.train.validation_split
        return f"int({self.length('y_train')} * (1 - {number(share)}))" if share else ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty if they are unknown."""
        known = CLASS_NAMES.get(self.name, ()) if self.data.source == "sklearn" else ()
        return self.data.classes or known

    @property
    def class_names(self) -> str:
        """The names of the classes, as source of a list."""
        return literal(list(self.classes))

    def part(self, name: str) -> str:
        """The variables of a part: ``x_train, y_train``, and ``weight_train`` if there is one."""
        weight = f", weight_{name}" if self.weighted and name != "test" else ""
        return f"x_{name}, y_{name}{weight}"

    @property
    def parts(self) -> list[str]:
        """Every part that the function returns."""
        return ["train", *["val"] * self.has_validation, *["test"] * self.has_test]

    @property
    def unpack(self) -> str:
        """The returned tuple, which is also the target of the assignment at the call."""
        if len(self.parts) == 1:
            return self.part("train")
        return ", ".join(f"({self.part(name)})" for name in self.parts)

    @property
    def returns(self) -> str:
        """The return annotation."""
        annotations = []
        for name in self.parts:
            weight = ", np.ndarray" * (self.weighted and name != "test")
            annotations.append(f"tuple[{self.array_type('x')}, {self.array_type('y')}{weight}]")
        joined = ", ".join(annotations)
        return joined if len(annotations) == 1 else f"tuple[{joined}]"

    @property
    def signature(self) -> str:
        """The function's parameters, with annotations."""
        return ", ".join(["path: Path | None"] * self.has_path + ["seed: int"] * self.uses_seed)

    @property
    def arguments(self) -> str:
        """The arguments of the call."""
        return ", ".join(["args.data"] * self.has_path + ["args.seed"] * self.uses_seed)

    @property
    def doc(self) -> str:
        """The function's docstring, one line."""
        parts = [
            {
                "sklearn": f"The {self.name} data of scikit-learn",
                "keras": f"The {self.name} data, from an .npz file or downloaded",
                "npz": "The arrays of an .npz file",
                "csv": "The columns of a .csv file",
                "inline": "The samples of the spec",
                "synthetic": "Random samples",
            }[self.data.source]
        ]
        if self.data.test_split:
            share = f"{self.data.test_split:.0%}".replace("%", " %")
            parts.append(f"shuffled; the last {share} are to test on")
        elif self.has_test and self.data.source != "keras":
            parts.append("with a part to test on")
        if self.data.validation_first is not None:
            parts.append(f"the first {self.data.validation_first:,} are for validation")
        return f"{', '.join(parts)}."

    # -- expressions over the arrays ---------------------------------------------------------------

    def several(self, side: str) -> bool:
        """Whether ``x`` or ``y`` are dicts of arrays."""
        return len(self.graph.inputs if side == "x" else self.graph.outputs) > 1

    def array_type(self, side: str) -> str:
        """The type of ``x`` or ``y``."""
        return "dict[str, np.ndarray]" if self.several(side) else "np.ndarray"

    def item(self, array: str, name: str) -> str:
        """The array of one input or output."""
        return f"{array}[{string(name)}]" if self.several(array[0]) else array

    def cut(self, array: str, index: str) -> str:
        """An array, or each array of a dict, indexed with ``index``."""
        if array[0] in "xy" and self.several(array[0]):
            return f"{{name: array[{index}] for name, array in {array}.items()}}"
        return f"{array}[{index}]"

    def length(self, array: str) -> str:
        """The number of samples in an array or a dict of arrays."""
        (first, *_) = self.graph.inputs if array[0] == "x" else self.graph.outputs
        return f"len({self.item(array, first)})"

    @property
    def strings(self) -> list[str]:
        """The inputs of strings."""
        return [name for name, value in self.graph.inputs.items() if value.dtype == STRING]

    def tensors(self, x: str) -> str:
        """Samples with their strings as TensorFlow tensors, as Keras takes them."""
        if not self.several("x"):
            return f"tf.constant({x})"
        tensors = {name: f"tf.constant({x}[{string(name)}])" for name in self.strings}
        return f"{x} | {mapping(tensors)}"

    # -- shapes and types --------------------------------------------------------------------------

    def _shape(self, suffix: str, to: str) -> None:
        """Convert a part of the data to the types, scale and shapes that the model takes.

        Args:
            suffix: The suffix of the source variables: empty, ``_train`` or ``_test``.
            to: The suffix of the converted variables.
        """
        x, y = f"x{suffix}", f"y{suffix}"
        inputs, outputs = self.graph.inputs, self.graph.outputs
        if not self.several("x"):
            (value,) = inputs.values()
            self.arrays[f"x{to}"] = self._input(x, value)
        elif len(self.strings) == len(inputs):
            self.arrays[f"x{to}"] = x
        elif len(each := {self._input("array", value) for value in inputs.values()}) == 1:
            self.arrays[f"x{to}"] = f"{{name: {each.pop()} for name, array in {x}.items()}}"
        else:
            self.arrays[f"x{to}"] = mapping(
                {name: self._input(self.item(x, name), v) for name, v in inputs.items()}
            )
        targets = {name: self._target(self.item(y, name), name) for name in outputs}
        self.arrays[f"y{to}"] = mapping(targets) if self.several("y") else targets.popitem()[1]
        if self.weighted and suffix != "_test":
            self.arrays[f"weight{to}"] = f'weight{suffix}.astype("float32")'

    def _call(self, helper: str, *arguments: str) -> str:
        """A call of a function from ``templates/common/data``."""
        self._called[helper] = None
        return f"{helper}({', '.join(arguments)})"

    def _fitted(self, array: str, shape: Shape, name: str) -> str | None:
        """The array reshaped to the model's shape; None if it cannot be reshaped."""
        if shape.count(None) > 1:
            return None
        helper = "as_open_samples" if None in shape else "as_samples"
        return self._call(helper, array, literal(shape), string(name))

    def _input(self, x: str, value: Value) -> str:
        """An input array with the input's dtype, scale and shape."""
        if value.dtype == STRING:
            return x
        shape = (value.shape or ())[1:]
        fits = self._any_shape and self.name not in TEXT_SETS
        fitted = self._fitted(x, shape, value.name) if fits else None
        scale = scaled(self.train)
        expression = f"{fitted or x}.astype({string(value.dtype)}){scale}"
        if fitted or not self._reshapes(shape):
            return expression
        return f"{f'({expression})' if scale else expression}.reshape({_sizes(x, shape)})"

    def _reshapes(self, shape: Shape) -> bool:
        """Whether the samples' shape may differ from the input's."""
        if self.data.source == "synthetic" or shape.count(None) > 1 or self.name in TEXT_SETS:
            return False
        known = sample_shape(self.data)
        if known is not None:
            return known != shape
        return len(shape) != 1 or self.data.flatten

    def _target(self, y: str, name: str) -> str:
        """A target array in the form that the loss takes."""
        shape = self.graph.outputs[name].shape or ()
        numbers = self._one_hot(name) or takes_class_numbers(self.graph, self.train, name)
        if numbers:
            shape = known_shape(self.graph, name)
        if self.has_path:
            return self._checked_target(y, name, shape, numbers=numbers)
        given = self._inline_target(name) if isinstance(self.data, InlineData) else None
        if numbers:  # their shape may be (N, 1)
            column = given is not None and len(given) > 1 and len(shape) == 2
            return self._classes(f'{y}.astype("int64"){".ravel()" * column}', name, shape)
        # The targets of an output (N, 1) may have shape (N,).
        lacks = getattr(self.data, "task", "") != "same"
        if given is not None:
            lacks = len(given) != len(shape)
        expression = f'{y}.astype("float32")'
        if shape and shape[-1] == 1 and shape[1:].count(None) <= 1 and lacks:
            expression += f".reshape({_sizes(y, shape[1:])})"
        return expression

    def _classes(self, numbers: str, name: str, shape: Shape) -> str:
        """Class numbers, or one-hot rows."""
        if not self._one_hot(name):
            return numbers
        return f'np.eye({shape[-1]}, dtype="float32")[{numbers}]'

    def _checked_target(self, y: str, name: str, shape: Shape, *, numbers: bool) -> str:
        """A target array from a file, whose shape and labels the script checks."""
        if numbers:
            y = (self._fitted(y, shape[1:-1], name) if self._any_shape else None) or y
            if shape[-1] is None:
                return self._classes(f'{y}.astype("int64")', name, shape)
            labels = self._call("as_classes", y, str(shape[-1]), string(name))
            return self._classes(labels, name, shape)
        y = self._fitted(y, shape[1:], name) or y
        if output_kind(self.graph, self.train, name) == "binary":
            return self._call("as_binary", y, string(name))
        return f'{y}.astype("float32")'

    def _one_hot(self, name: str) -> bool:
        """Whether class numbers become one-hot rows; with several outputs, where the loss needs it."""
        if not self.data.one_hot or takes_class_numbers(self.graph, self.train, name):
            return False
        return not self.several("y") or is_classes(self.graph, self.train, name)

    def _inline_target(self, name: str) -> tuple[int, ...]:
        given = getattr(self.data, "y", ())
        return list_shape(given.get(name, ()) if isinstance(given, dict) else given)


def scaled(train: TrainSpec) -> str:
    """The division by the spec's ``scale``, such as `` / 255``; empty if there is none."""
    scale = train.data.scale if train.data is not None else None
    if scale is None:
        return ""
    return f" / {int(scale) if scale.is_integer() else number(scale)}"


def _sizes(x: str, shape: Shape) -> str:
    """The arguments of ``reshape`` for samples of a shape."""
    count = f"len({x})" if not shape or None in shape else "-1"
    return ", ".join([count, *("-1" if size is None else str(size) for size in shape)])
