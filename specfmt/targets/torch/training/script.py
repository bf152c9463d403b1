"""Training scripts in PyTorch: the plain loop that its users write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.graph.model import Graph
from specfmt.targets.naming import identifier
from specfmt.targets.own_words import own_words, torch_stubs
from specfmt.targets.source import formatted, literal, number, remark, string
from specfmt.targets.torch.program import ClassProgram, is_channels_first
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.training.callbacks import callback_lines
from specfmt.targets.torch.training.loop import Loop
from specfmt.targets.torch.training.optimizers import OptimizerCode, optimizer_code
from specfmt.targets.torch.training.outputs import logit_outputs, training_outputs
from specfmt.targets.torch.training.penalties import constraint_lines, penalty_lines
from specfmt.targets.training.data import data_code
from specfmt.targets.training.outputs import has_validation, train_section
from specfmt.targets.training.script import (
    answer_source,
    describe_code,
    is_plotted,
    label,
    output_variables,
    path_help,
    plotted,
    sample_code,
    script_scope,
    title,
)

__all__ = ["logit_outputs", "train_context"]

CPU_OR_CUDA = (
    '    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", '
    'help="cpu or cuda (default: %(default)s)")'
)

SAVING = (
    'parser.add_argument("--save-whole-model", action="store_true", '
    'help="also save model.pt: the pickled model, which needs this file to be loaded")',
    'parser.add_argument("--export", action="store_true", '
    'help="also save model.pt2: a program that runs without this file")',
)

RESERVED = (
    "args", "average", "batches", "correct", "device", "epoch", "history", "loader", "loss", "loss_fn",
    "losses", "metric", "metrics", "model", "name", "optimizer", "outputs", "prediction",
    "predictions", "probabilities", "progress", "results", "row", "scheduler", "seen", "shown", "total", "total_loss",
    "value", "values", "weight", "weights",
)  # fmt: skip
"""Variables of the script, which inputs and outputs must not hide."""


@dataclass(frozen=True)
class TrainContext:
    """What ``torch/train.py.j2`` needs besides model, data and loop; finished Python source."""

    title: str
    out: str
    epochs: int
    batch_size: int
    full_batch: bool
    learning_rate: str
    seed: int
    device: str
    penalty: list[str]
    constrain: list[str]
    prepare: list[str]
    setup: list[str]
    validation: bool
    after_epoch: list[str]
    finish: list[str]
    show: list[str]
    predict_file: list[str]
    example: str
    plotted: str
    is_plotted: str
    saving: tuple[str, ...] = SAVING
    weights: str = "weights.pt"
    init_help: str = "a state_dict in a .pt file"
    rate_help: str = "learning rate of the optimizer"


def train_context(graph: Graph, program: ClassProgram, fidelity: str) -> dict[str, Any]:
    """Everything of the template that a model file does not have.

    Raises:
        SpecError: The training section cannot feed this model, or PyTorch cannot express it.
    """
    return Script(graph, program, fidelity).context()


class Script:
    """Assembles the pieces of one training script."""

    def __init__(self, graph: Graph, program: ClassProgram, fidelity: str) -> None:
        self.graph, self.program = graph, program
        self.train = train_section(graph)
        self.data = data_code(graph, self.train, "torchvision")
        scope = script_scope(RESERVED)
        inputs = {name: scope.claim(identifier(name, "inputs")) for name in graph.inputs}
        outputs = training_outputs(
            graph, self.train, scope, channels_first=not is_channels_first(graph)
        )
        self.optimizer = self._optimizer(fidelity)
        self.penalty, self.constrain = penalty_lines(program), constraint_lines(program)
        self.loop = Loop(
            graph,
            self.train,
            inputs,
            outputs,
            self.optimizer,
            weighted=self.data.weighted or self.train.class_weight is not None,
            penalty=bool(self.penalty.lines),
            activity=program.penalty is not None,
            constrain=bool(self.constrain.lines),
            model_class=program.name,
        )

    def _optimizer(self, fidelity: str) -> OptimizerCode:
        varying = any(term.type == "ReduceLROnPlateau" for term in self.train.callbacks)
        try:
            return optimizer_code(
                self.train.optimizer,
                fidelity=fidelity,
                learning_rate="args.learning_rate",
                varying_rate=varying,
            )
        except TargetError as error:
            path = ("train", "optimizer", error.field) if error.field else ("train", "optimizer")
            raise SpecError([Diagnostic(error.code, error.message, path, error.hint)]) from None

    def context(self) -> dict[str, Any]:
        """Everything that the template reads besides the model."""
        train, loop, optimizer = self.train, self.loop, self.optimizer
        callbacks = callback_lines(train)
        validation = has_validation(train)
        context = TrainContext(
            title=title(self.graph),
            out=f"runs/{identifier(self.graph.name)}",
            epochs=train.epochs,
            batch_size=train.batch_size if isinstance(train.batch_size, int) else 0,
            full_batch=train.batch_size == "full",
            learning_rate=number(optimizer.learning_rate),
            seed=0 if train.seed is None else train.seed,
            device=CPU_OR_CUDA,
            penalty=self.penalty.lines,
            constrain=self.constrain.lines,
            prepare=self._prepare(validation),
            setup=[*self._setup(), *callbacks.setup],
            validation=validation,
            after_epoch=callbacks.after_epoch,
            finish=[*optimizer.at_end, *callbacks.finish],
            show=self._show(),
            predict_file=self._predict_file(),
            example=items(list(self.loop.inputs.values())),
            plotted=plotted(train),
            is_plotted=is_plotted(train),
        )
        sample = sample_code(self.graph, train)
        # What only training asks of the layers.
        layers = [
            term
            for unit in self.graph.walk_units()
            for term in own_words(unit.layer)
            if term.kind in ("regularizer", "constraint")
        ]
        return {
            "train": context,
            "step": loop,
            "data": self.data,
            "dataset": self._dataset(),
            "path_help": string(path_help(train)),
            "sample": sample,
            "describe": describe_code(self.graph, train, self.data),
            "helper_names": [
                *loop.helpers,
                *optimizer.helpers,
                *callbacks.helpers,
                *self.penalty.helpers,
                *self.constrain.helpers,
            ],
            "word_stubs": torch_stubs(own_words([train, layers])),
            "script_imports": {
                "import argparse",
                "import csv",
                "import sys",
                "from pathlib import Path",
                "import matplotlib.pyplot as plt",
                "from matplotlib.ticker import MaxNLocator",
                "import torch",
                "from torch import nn",
                "from torch.utils.data import DataLoader, TensorDataset",
                "from tqdm import tqdm",
                *self.data.imports,
                *sample.imports,
                *callbacks.imports,
            },
        }

    # -- data ----------------------------------------------------------------------------------

    def _several(self, side: str) -> bool:
        return len(self.graph.inputs if side == "x" else self.graph.outputs) > 1

    def _dataset(self) -> dict[str, Any]:
        """The parameters, docstring and statements of ``to_dataset``."""
        parts = [
            f"{side}: {'dict[str, np.ndarray]' if self._several(side) else 'np.ndarray'}"
            for side in "xy"
        ]
        tensors = []
        for name in self.graph.inputs:
            array = f"x[{string(name)}]" if self._several("x") else "x"
            tensors.append(f"torch.from_numpy({array}){self._input_permute(name)}")
        for output in self.loop.outputs:
            array = f"y[{string(output.name)}]" if self._several("y") else "y"
            moved = output.moves and len(output.given) == len(output.loss_shape)
            permute = _to_channels_first(len(output.given)) if moved else ""
            tensors.append(f"torch.from_numpy({array}){permute}")
        lines = []
        if self.loop.weighted:
            parts.append("weight: np.ndarray | None = None")
            (first, *_) = self.graph.inputs
            x = f"x[{string(first)}]" if self._several("x") else "x"
            lines = ["if weight is None:", f'    weight = np.ones(len({x}), dtype="float32")']
            tensors.append("torch.from_numpy(weight)")
        doc = "NumPy arrays as tensors"
        if any(".permute" in tensor for tensor in tensors):
            doc += ", images channels-first"
        if self.loop.weighted:
            doc += "; every sample weighs 1 by default"
        return {
            "arguments": ", ".join(parts),
            "doc": f"{doc}.",
            "lines": [*lines, f"return TensorDataset({', '.join(tensors)})"],
        }

    def _input_permute(self, name: str) -> str:
        """How an input in Keras's order is brought to torch's."""
        tensor = self.program.inputs[name]
        moved = self.program.channels.get(tensor, False)
        return _to_channels_first(tensor.rank) if moved else ""

    def _prepare(self, validation: bool) -> list[str]:
        """Statements from the arrays to the loaders."""
        data = self.data
        lines = [*data.standardize_lines()]
        if validation and not data.has_validation:
            lines += self._split_validation()
        train, val = data.part("train"), data.part("val")
        if self.train.class_weight is not None:
            lines += self._class_weights()
            train += ", weight_train"
        size = "args.batch_size"
        if self.train.batch_size == "full":
            lines.append(f"batch_size = args.batch_size or {self._length('x_train')}")
            size = "batch_size"
        options = ", shuffle=True" if self.train.shuffle else ""
        if self._normalizes:
            lines += [
                f"train_set = to_dataset({train})",
                "# Batch normalization cannot train on a batch of one sample.",
                f"one_left = len(train_set) % {size} == 1",
            ]
            train_set, options = "train_set", f"{options}, drop_last=one_left"
        else:
            train_set = f"to_dataset({train})"
        lines.append(f"train_loader = DataLoader({train_set}, batch_size={size}{options})")
        if validation:
            lines.append(f"val_loader = DataLoader(to_dataset({val}), batch_size={size})")
        if data.has_test:
            lines.append(f"test_loader = DataLoader(to_dataset(x_test, y_test), batch_size={size})")
        return lines

    @property
    def _normalizes(self) -> bool:
        """Whether the model has layers that take statistics of each batch."""
        return any(unit.type_name == "BatchNormalization" for unit in self.graph.walk_units())

    def _length(self, x: str) -> str:
        (first, *_) = self.graph.inputs
        return f"len({x}[{string(first)}])" if self._several("x") else f"len({x})"

    def _split_validation(self) -> list[str]:
        """Keras's split: the last block, before shuffling, its start rounded down."""

        def take(target: str, source: str, index: str) -> str:
            if source[0] != "w" and self._several(source[0]):
                return f"{target} = {{name: array[{index}] for name, array in {source}.items()}}"
            return f"{target} = {source}[{index}]"

        names = ["x", "y", *["weight"] * self.data.weighted]
        split = number(self.train.validation_split)
        return [
            f"boundary = int({self._length('x_train')} * (1 - {split}))",
            *(take(f"{name}_val", f"{name}_train", "boundary:") for name in names),
            *(take(f"{name}_train", f"{name}_train", ":boundary") for name in names),
        ]

    def _class_weights(self) -> list[str]:
        """Each training sample's weight by its class, as Keras's fit makes them."""
        weights = self.train.class_weight
        assert weights is not None
        (output,) = self.loop.outputs
        labels = "y_train"
        units = output.loss_shape[-1] or 2
        if len(output.given) == len(output.loss_shape):
            labels = "y_train.argmax(axis=-1)" if units > 1 else 'y_train.astype("int64").ravel()'
        size = max([units, 2, *(key + 1 for key in weights)])
        table = literal([weights.get(index, 1.0) for index in range(min(size, 2 * len(weights)))])
        lines = [f'class_weights = np.array({table}, dtype="float32")']
        if size > 2 * len(weights):
            keys, given = literal(list(weights)), literal(list(weights.values()))
            lines = [
                f'class_weights = np.ones({size}, dtype="float32")',
                f"class_weights[{keys}] = {given}",
            ]
        return [*lines, f"weight_train = class_weights[{labels}]"]

    # -- around the loop -----------------------------------------------------------------------

    def _setup(self) -> list[str]:
        optimizer = self.optimizer
        lines = []
        if self.loop.has_loss_fn:
            lines.append(f"loss_fn = {self.loop.create(self.loop.outputs[0])}")
        if optimizer.comment:
            lines.append(remark(optimizer.comment))
        lines.append(f"optimizer = {optimizer.create}")
        if optimizer.schedule:
            lines.append(f"scheduler = {optimizer.schedule.create}")
        return [*lines, *optimizer.setup]

    def _show(self) -> list[str]:
        """Statements that print a few predictions beside the right answers."""
        part = "test" if self.data.has_test else "train"
        names = list(self.loop.inputs.values())
        targets = [output.target for output in self.loop.outputs]
        rest = ["_"] * self.loop.weighted
        sources = ", ".join(f"{name}.to(device)" for name in names)
        lines = [f"{', '.join([*names, *targets, *rest])} = {part}_loader.dataset[:3]"]
        if self.loop.single:
            (output,) = self.loop.outputs
            text = answer_source(self.graph, self.train, output.name, "answer", self.data)
            return [
                *lines,
                f"predictions = predict(model, {sources}).cpu().numpy()",
                f"for prediction, answer in zip(predictions, {targets[0]}.numpy(), strict=True):",
                f"    print({formatted(text + ': predicted {describe(prediction)}')})",
            ]
        variables = output_variables(self.graph)
        answers = ", ".join(
            f"{label(name)} {answer_source(self.graph, self.train, name, variable, self.data)}"
            for name, variable in variables.items()
        )
        return [
            *lines,
            f"predictions = predict(model, {sources})",
            f"for index in range(len({names[0]})):",
            "    prediction = {name: values[index].cpu().numpy() for name, values in predictions.items()}",
            *(
                f"    {variable} = {target}[index].numpy()"
                for variable, target in zip(variables.values(), targets, strict=True)
            ),
            f"    print({formatted(answers + ': predicted {describe(prediction)}')})",
        ]

    def _predict_file(self) -> list[str]:
        lines = self.data.standardize_sample()
        tensors = []
        for name in self.graph.inputs:
            array = f"sample[{string(name)}]" if self._several("x") else "sample"
            tensors.append(f"torch.from_numpy({array}){self._input_permute(name)}.to(args.device)")
        call = f"predict(model, {', '.join(tensors)})"
        if self.loop.single:
            return [*lines, f"prediction = {call}[0]", "print(describe(prediction.cpu().numpy()))"]
        return [
            *lines,
            f"predictions = {call}",
            "print(describe({name: values[0].cpu().numpy() for name, values in predictions.items()}))",
        ]


def items(names: list[str]) -> str:
    """A tuple of variables."""
    return f"({names[0]},)" if len(names) == 1 else f"({', '.join(names)})"


def _to_channels_first(rank: int) -> str:
    axes = ", ".join(str(axis) for axis in (0, rank - 1, *range(1, rank - 1)))
    return f".permute({axes})"
