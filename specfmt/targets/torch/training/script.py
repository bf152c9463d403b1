"""Training scripts in PyTorch, with a plain training loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.graph.model import Graph
from specfmt.graph.training import normalizes
from specfmt.targets.naming import identifier
from specfmt.targets.source import literal, number, string
from specfmt.targets.torch.expr import STRING
from specfmt.targets.torch.program import ClassProgram, is_channels_first
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.steps import ModuleDef, ParamDef
from specfmt.targets.torch.training.callbacks import callbacks_of
from specfmt.targets.torch.training.loop import Loop
from specfmt.targets.torch.training.optimizers import OptimizerCode, optimizer_code
from specfmt.targets.torch.training.outputs import logit_outputs, training_outputs
from specfmt.targets.torch.training.penalties import constraint_code, penalty_code
from specfmt.targets.torch.user_objects import UserFunction, to_be_written
from specfmt.targets.torch.weight_source import torch_source
from specfmt.targets.training.adapt import Adapted, statistics_axes
from specfmt.targets.training.outputs import has_validation
from specfmt.targets.training.script import Script, script_scope
from specfmt.targets.user_objects import user_objects

__all__ = ["TorchScript", "logit_outputs"]

RESERVED = (
    "args", "average", "batches", "correct", "device", "epoch", "history", "loader", "loss", "loss_fn",
    "losses", "metric", "metrics", "model", "name", "optimizer", "outputs", "prediction",
    "predictions", "probabilities", "progress", "results", "row", "scheduler", "seen", "shown", "total", "total_loss",
    "value", "values", "weight", "weights",
)  # fmt: skip
"""Variables of the script, which no input or output may shadow."""


@dataclass(frozen=True)
class ClassWeights:
    """The class weights.

    Attributes:
        labels: The class number of each training sample, as an expression.
        size: The number of classes.
        table: The weight of each class; empty if only few classes have one (``keys``).
        keys: The classes that have a weight.
        values: Their weights.
    """

    labels: str
    size: int
    table: str
    keys: str
    values: str


class TorchScript(Script):
    """The values for the template ``torch/train.py.j2``; see `Script`."""

    def __init__(self, graph: Graph, program: ClassProgram, fidelity: str) -> None:
        super().__init__(graph, "torchvision")
        train, self.program = self.train, program
        scope = script_scope(RESERVED)
        inputs = {name: scope.claim(identifier(name, "inputs")) for name in graph.inputs}
        outputs = training_outputs(
            graph,
            train,
            scope,
            masked=program.output_masks,
            channels_first=not is_channels_first(graph),
        )
        self.optimizer = self._optimizer(fidelity)
        self.callbacks = callbacks_of(train)
        self.penalty, self.constraints = penalty_code(program), constraint_code(program)
        self.loop = Loop(
            graph,
            inputs,
            outputs,
            self.optimizer,
            weighted=self.data.weighted or train.class_weight is not None,
            penalty=bool(self.penalty.terms),
            activity=program.penalty is not None,
            constrain=bool(self.constraints.updates),
            model_class=program.name,
        )

    @property
    def context(self) -> dict[str, Any]:
        return {**super().context, "step": self.loop}

    def _optimizer(self, fidelity: str) -> OptimizerCode:
        try:
            return optimizer_code(
                self.train.optimizer,
                fidelity=fidelity,
                learning_rate="args.learning_rate",
                varying_rate=self.has_plateau,
            )
        except TargetError as error:
            path = ("train", "optimizer", error.field) if error.field else ("train", "optimizer")
            raise SpecError([Diagnostic(error.code, error.message, path, error.hint)]) from None

    @property
    def helper_names(self) -> list[str]:
        """The helper functions and classes that the script uses."""
        stopping = any(callback.type == "EarlyStopping" for callback in self.callbacks)
        return [
            *self.loop.helpers,
            *self.optimizer.helpers,
            *["EarlyStopping"] * stopping,
            *self.penalty.helpers,
            *self.constraints.helpers,
        ]

    @property
    def user_functions(self) -> dict[str, UserFunction]:
        """Functions that the user has to write, for user-defined objects used in training."""
        layers = [
            term
            for unit in self.graph.walk_units()
            for term in user_objects(unit.layer)
            if term.kind in ("regularizer", "constraint")
        ]
        return to_be_written(user_objects([self.train, layers]))

    @property
    def learning_rate(self) -> str:
        """The default learning rate."""
        return number(self.optimizer.learning_rate)

    @property
    def value_type(self) -> str:
        """The type of a logged value."""
        return "Any" if self.many_values else "float"

    @property
    def validates(self) -> bool:
        """Whether every epoch ends with an evaluation of the validation data."""
        return has_validation(self.train)

    @property
    def normalizes(self) -> bool:
        """Whether the model has layers that use batch statistics."""
        return any(map(normalizes, self.graph.units))

    @property
    def writes_board(self) -> bool:
        """Whether a callback logs for TensorBoard."""
        return any(callback.type == "TensorBoard" for callback in self.callbacks)

    @property
    def tensors(self) -> list[str]:
        """The inputs and targets as tensors, as expressions over ``x`` and ``y``."""
        inputs = [self._tensor(self.data.item("x", name), name) for name in self.graph.inputs]
        targets = []
        for output in self.loop.outputs:
            moves = output.moves and len(output.given) == len(output.loss_shape)
            permute = _to_channels_first(len(output.given)) if moves else ""
            targets.append(f"torch.from_numpy({self.data.item('y', output.name)}){permute}")
        return inputs + targets

    @property
    def sample_tensors(self) -> str:
        """The inputs of one sample as tensors: call arguments over ``sample``."""
        several = self.data.several("x")
        arrays = {n: f"sample[{string(n)}]" if several else "sample" for n in self.graph.inputs}
        strings = self.data.strings
        return ", ".join(
            array if name in strings else f"{self._tensor(array, name)}.to(args.device)"
            for name, array in arrays.items()
        )

    def _tensor(self, array: str, name: str) -> str:
        """An input array as a tensor, permuted from Keras's to PyTorch's axis order."""
        value = self.program.inputs[name]
        if value.dtype == STRING:
            return array
        permute = _to_channels_first(value.rank) if self.program.channels.get(value, False) else ""
        return f"torch.from_numpy({array}){permute}"

    @property
    def adapting(self) -> list[str]:
        """The statements of ``adapt``, over ``model`` and the arrays ``x``."""
        return [line for one in self.adapted.layers for line in adapt_statements(self.program, one)]

    @property
    def class_weights(self) -> ClassWeights | None:
        """The class weights, which become sample weights as in Keras's `fit`."""
        weights = self.train.class_weight
        if weights is None:
            return None
        (output,) = self.loop.outputs
        labels = "y_train"
        units = output.loss_shape[-1] or 2
        if len(output.given) == len(output.loss_shape):
            labels = "y_train.argmax(axis=-1)" if units > 1 else 'y_train.astype("int64").ravel()'
        size = max([units, 2, *(key + 1 for key in weights)])
        table = (
            [weights.get(index, 1.0) for index in range(size)] if size <= 2 * len(weights) else ()
        )
        return ClassWeights(
            labels,
            size,
            literal(table) if table else "",
            literal(list(weights)),
            literal(list(weights.values())),
        )

    @property
    def shown_batch(self) -> str:
        """The variables of a batch from which predictions are printed."""
        names = [*self.loop.inputs.values(), *(output.target for output in self.loop.outputs)]
        return ", ".join([*names, *["_"] * self.loop.weighted])


def adapt_statements(program: ClassProgram, one: Adapted) -> list[str]:
    """The statements that adapt a layer of ``model``, by its method or by its statistics."""
    name = one.unit.name
    for item in program.definitions():
        if isinstance(item, ModuleDef) and item.unit.name == name:
            return [f"model.{item.attr}.adapt({one.samples})"]
    shape = one.unit.calls[0].inputs()[0].shape or ()
    axes = statistics_axes(one.unit, shape)
    along = f"axis={literal(axes if len(axes) > 1 else axes[0])}"
    arrays = {"mean": f"{one.samples}.mean({along})", "variance": f"{one.samples}.var({along})"}
    buffers = {
        item.attr: program.resolve(item.value)
        for item in program.definitions()
        if isinstance(item, ParamDef) and item.unit.name == name
    }
    return [
        f"model.{attr}.copy_({torch_source(value, lambda weight: as_tensor(arrays[weight]))})"
        for attr, value in sorted(buffers.items())
    ]


def as_tensor(array: str) -> str:
    """A NumPy array as a tensor."""
    return f"torch.as_tensor({array})"


def _to_channels_first(rank: int) -> str:
    axes = ", ".join(str(axis) for axis in (0, rank - 1, *range(1, rank - 1)))
    return f".permute({axes})"
