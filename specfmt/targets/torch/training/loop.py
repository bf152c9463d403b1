"""The values for ``train_epoch``, ``evaluate`` and ``predict`` in the template ``torch/loop.j2``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from specfmt.graph.model import Graph
from specfmt.layers.policies import HALVES
from specfmt.targets.source import literal, string
from specfmt.targets.torch.activity import PENALTY
from specfmt.targets.torch.expr import STRING
from specfmt.targets.torch.training.metrics import MetricCode
from specfmt.targets.torch.training.optimizers import OptimizerCode
from specfmt.targets.torch.training.outputs import Output

FUNCTIONAL = {
    "nn.BCELoss": "F.binary_cross_entropy",
    "nn.BCEWithLogitsLoss": "F.binary_cross_entropy_with_logits",
    "nn.CrossEntropyLoss": "F.cross_entropy",
    "nn.HuberLoss": "F.huber_loss",
    "nn.L1Loss": "F.l1_loss",
    "nn.MSELoss": "F.mse_loss",
    "nn.PoissonNLLLoss": "F.poisson_nll_loss",
}
"""Stock losses -> the equivalent functions, which are used if there are several outputs."""


@dataclass(frozen=True)
class Predictions:
    """How the outputs of the model's call are assigned to variables.

    Attributes:
        names: The target of the assignment.
        item: A subscript of the call, to select one output of several.
        picked: The outputs that are read from the mapping ``outputs`` instead.
        halves: The variables in half precision, which losses and metrics read as float32.
    """

    names: str = ""
    item: str = ""
    picked: Sequence[Output] = ()
    halves: Sequence[str] = ()


class Loop:
    """The values for the training loop.

    Args:
        graph: The model.
        inputs: Input -> the variable of its batch.
        outputs: The model's outputs.
        optimizer: The optimizer.
        weighted: Whether batches have sample weights.
        penalty: Whether there are weight regularizers.
        activity: Whether there are activity regularizers.
        constrain: Whether weights have constraints.
        model_class: The model's class.

    Attributes:
        strings: The variables of the inputs that are strings, which are no tensors.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: dict[str, str],
        outputs: list[Output],
        optimizer: OptimizerCode,
        *,
        weighted: bool,
        penalty: bool,
        activity: bool,
        constrain: bool,
        model_class: str = "nn.Module",
    ) -> None:
        self.graph, self.inputs, self.outputs = graph, inputs, outputs
        self.strings = {
            inputs[name] for name, value in graph.inputs.items() if value.dtype == STRING
        }
        self.optimizer = optimizer
        self.weighted, self.constrain = weighted, constrain
        # `nn.Module` does not declare the attribute with the penalty.
        self.model_type = model_class if activity else "nn.Module"
        self.penalties = ["penalty(model)"] * penalty + [f"model.{PENALTY}"] * activity
        self.trained = [output for output in outputs if output.loss is not None]

    @property
    def single(self) -> bool:
        """Whether there is one output."""
        return len(self.outputs) == 1

    @property
    def has_loss_fn(self) -> bool:
        """Whether the loop takes one loss object as an argument."""
        return self.single and bool(self.create(self.outputs[0]))

    @property
    def helpers(self) -> list[str]:
        """The helper functions and classes that the loop uses."""
        losses = [name for output in self.trained if output.loss for name in output.loss.helpers]
        losses += ["Samples"] * bool(self.strings)
        if self._hits:
            return losses
        return losses + [name for code in self._codes.values() for name in code.helpers]

    @property
    def metrics(self) -> str:
        """The metrics by log name, as source of a dict; empty if no metric needs an object."""
        if self._hits:
            return ""
        items = ", ".join(f"{string(k)}: {c.create}" for k, c in self._codes.items())
        return f"{{{items}}}" if items else ""

    @property
    def metric_type(self) -> str:
        """The classes of the metrics, as an annotation."""
        return " | ".join(dict.fromkeys(c.create.partition("(")[0] for c in self._codes.values()))

    @property
    def _codes(self) -> dict[str, MetricCode]:
        return {key: code for output in self.outputs for key, code in output.metrics.items()}

    @property
    def described(self) -> str:
        """The results of an epoch in words, for a docstring."""
        if self._hits:
            return f"loss and {self.metric_name.replace('_', ' ')}"
        return "loss and the metrics" if self._codes else "loss"

    @property
    def _hits(self) -> MetricCode | None:
        """The only metric, if it is an accuracy that can be computed by counting."""
        if not (self.single and len(self._codes) == 1):
            return None
        ((key, code),) = self._codes.items()
        return code if code.hits and not self.weighs(self.outputs[0], key) else None

    @property
    def counts_hits(self) -> bool:
        """Whether correct predictions are counted instead of using a metric object."""
        return self._hits is not None

    @property
    def metric_name(self) -> str:
        """The log name of the first metric."""
        return next(iter(self._codes))

    @property
    def hits(self) -> str:
        """The number of correct predictions in a batch, as an expression."""
        assert self._hits is not None
        (output,) = self.outputs
        plain = output.prediction
        return self._hits.counted(
            plain if self._hits.by_rank else output.activated(plain), output.target
        )

    @property
    def batch(self) -> list[str]:
        """The variables of a batch."""
        names = [*self.inputs.values(), *(output.target for output in self.outputs)]
        return [*names, *["weight"] * self.weighted]

    @property
    def moved(self) -> list[str]:
        """The variables of a batch that are tensors, which are moved to the device."""
        return [name for name in self.batch if name not in self.strings]

    @property
    def on_device(self) -> str:
        """The inputs of a batch as arguments, moved to the device."""
        return ", ".join(
            name if name in self.strings else f"{name}.to(device)" for name in self.inputs.values()
        )

    @property
    def dataset(self) -> str:
        """The class of the data sets."""
        return "Samples" if self.strings else "TensorDataset"

    @property
    def batch_type(self) -> str:
        """The type of a batch."""
        return "tuple[Any, ...]" if self.strings else "tuple[torch.Tensor, ...]"

    @property
    def trained_names(self) -> str:
        """The names of the outputs that have a loss, as source of a list."""
        return literal([output.name for output in self.trained])

    @property
    def model_call(self) -> str:
        """A call of the model."""
        return f"model({', '.join(self.inputs.values())})"

    @property
    def measured_predictions(self) -> Predictions:
        """How the outputs with losses or metrics are assigned."""
        return self._predictions([o for o in self.outputs if o.loss is not None or o.metrics])

    @property
    def predictions(self) -> Predictions:
        """How all outputs are assigned."""
        return self._predictions(self.outputs)

    def _predictions(self, used: list[Output]) -> Predictions:
        form = self.graph.output_form
        dtypes = {name: value.dtype for name, value in self.graph.outputs.items()}
        halves = [output.prediction for output in used if dtypes[output.name] in HALVES]
        if form == "mapping" and len(used) > 1:
            return Predictions(picked=used, halves=halves)
        if form == "mapping":
            return Predictions(used[0].prediction, f"[{string(used[0].name)}]", halves=halves)
        if form == "list" and self.single:
            return Predictions(self.outputs[0].prediction, "[0]", halves=halves)
        names = ", ".join(o.prediction if o in used else "_" for o in self.outputs)
        return Predictions(names, halves=halves)

    def backward(self, loss: str) -> str:
        """The backward pass; `Tensor.backward` has no type hints, so a known tensor cannot use it."""
        if not self.has_loss_fn:
            return f"torch.autograd.backward({loss})"
        return f"{loss}.backward()" if loss.isidentifier() else f"({loss}).backward()"

    def probabilities(self, output: Output) -> str:
        """The variable for probabilities that several metrics read; empty if at most one does."""
        readers = [code for code in output.metrics.values() if not code.on_logits]
        if not output.activation or len(readers) < 2:
            return ""
        return "probabilities" if self.single else f"{output.prediction}_probabilities"

    def measured(self, output: Output, key: str, detach: str) -> str:
        """The predictions that a metric takes, as an expression.

        Args:
            output: The output.
            key: The metric's log name.
            detach: ``.detach()`` or empty.
        """
        plain = f"{output.prediction}{detach}"
        if output.metrics[key].on_logits:
            return plain
        return self.probabilities(output) or output.activated(plain)

    def weighs(self, output: Output, key: str) -> bool:
        """Whether sample weights apply to a metric."""
        return self.weighted and key in output.weighted_metrics

    @property
    def predict_arguments(self) -> str:
        """The parameters of ``predict`` after the model."""
        return ", ".join(
            f"{name}: {'ArrayLike' if name in self.strings else 'torch.Tensor'}"
            for name in self.inputs.values()
        )

    @property
    def predict_returns(self) -> str:
        """The return annotation of ``predict``."""
        return "torch.Tensor" if self.single else "dict[str, torch.Tensor]"

    @property
    def predict_doc(self) -> str:
        """The docstring of ``predict``."""
        if self.single and self.outputs[0].activation:
            return "Probabilities: the model gives logits, which the loss takes."
        if any(output.activation for output in self.outputs):
            return "The outputs by name, with the activations that the losses apply."
        return "The prediction, in evaluation mode." if self.single else "The outputs by name."

    def create(self, output: Output) -> str:
        """The expression that creates an output's loss object; empty if it needs none."""
        assert output.loss is not None
        return output.loss.create_weighted if self.weighted else output.loss.create

    def loss_of(self, output: Output) -> str:
        """An output's loss as an expression."""
        assert output.loss is not None
        text = output.loss.weighted_call if self.weighted else output.loss.call
        create = self.create(output)
        if create and not self.single:
            text = with_inline_loss(text, create)
        return text.format(
            prediction=output.prediction, target=self._target(output), weight="weight"
        )

    def _target(self, output: Output) -> str:
        """The target in the shape that the loss takes."""
        assert output.loss is not None
        shape = output.loss.target_shape
        if len(output.given) == len(shape):
            return output.target
        sizes = ", ".join("-1" if size is None else str(size) for size in shape)
        return f"{output.target}.reshape({sizes})"


def with_inline_loss(call: str, create: str) -> str:
    """Replace ``loss_fn`` in a call by the loss itself, as a function if there is one.

    ``loss_fn(p, t).mean()`` with ``nn.MSELoss(reduction="none")`` becomes
    ``F.mse_loss(p, t, reduction="none").mean()``.
    """
    name, _, arguments = create.removesuffix(")").partition("(")
    if name not in FUNCTIONAL:
        return call.replace("loss_fn", create)
    start = call.index("loss_fn(")
    depth = 0
    for end in range(start + len("loss_fn"), len(call)):
        depth += {"(": 1, ")": -1}.get(call[end], 0)
        if depth == 0:
            break
    inner = call[start + len("loss_fn(") : end]
    extra = f", {arguments}" if arguments else ""
    return f"{call[:start]}{FUNCTIONAL[name]}({inner}{extra}){call[end + 1 :]}"
