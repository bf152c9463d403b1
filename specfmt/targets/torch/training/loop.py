"""What ``train_epoch``, ``evaluate`` and ``predict`` do; ``torch/loop.j2`` says it in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from specfmt.graph.model import Graph
from specfmt.targets.source import literal, string
from specfmt.targets.torch.activity import PENALTY
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
"""Stock losses as functions, which read better where there are several."""


@dataclass(frozen=True)
class Predictions:
    """What is kept of the model's answer.

    Attributes:
        names: The variables that take it, as they stand before ``=``.
        item: What the answer is subscripted with, for one output of several.
        picked: The outputs that are taken out of the mapping ``outputs`` instead.
    """

    names: str = ""
    item: str = ""
    picked: Sequence[Output] = ()


class Loop:
    """One training loop.

    Args:
        graph: The model.
        inputs: Input -> the variable that holds its batch.
        outputs: The model's outputs.
        optimizer: How weights are updated.
        weighted: Whether batches have sample weights.
        penalty: Whether regularizers of weights add to the loss.
        activity: Whether regularizers of outputs do.
        constrain: Whether weights have constraints.
        model_class: The model's class.
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
        self.optimizer = optimizer
        self.weighted, self.constrain = weighted, constrain
        # Of a module of any class, no checker knows that it keeps a penalty.
        self.model_type = model_class if activity else "nn.Module"
        self.penalties = ["penalty(model)"] * penalty + [f"model.{PENALTY}"] * activity
        self.trained = [output for output in outputs if output.loss is not None]

    @property
    def single(self) -> bool:
        """Whether there is one output."""
        return len(self.outputs) == 1

    @property
    def has_loss_fn(self) -> bool:
        """Whether one loss object is handed to the loop."""
        return self.single and bool(self.create(self.outputs[0]))

    @property
    def helpers(self) -> list[str]:
        """Helper functions and classes that the loop names."""
        losses = [name for output in self.trained if output.loss for name in output.loss.helpers]
        if self._hits:
            return losses
        return losses + [name for code in self._codes.values() for name in code.helpers]

    @property
    def metrics(self) -> str:
        """The metrics by their names in logs: a dict, or nothing where none needs an object."""
        if self._hits:
            return ""
        items = ", ".join(f"{string(k)}: {c.create}" for k, c in self._codes.items())
        return f"{{{items}}}" if items else ""

    @property
    def metric_type(self) -> str:
        """The classes of the metrics."""
        return " | ".join(dict.fromkeys(c.create.partition("(")[0] for c in self._codes.values()))

    @property
    def _codes(self) -> dict[str, MetricCode]:
        return {key: code for output in self.outputs for key, code in output.metrics.items()}

    @property
    def described(self) -> str:
        """What an epoch gives, in words."""
        if self._hits:
            return f"loss and {self.metric_name.replace('_', ' ')}"
        return "loss and the metrics" if self._codes else "loss"

    @property
    def _hits(self) -> MetricCode | None:
        """The only metric, where right answers can be counted without further ado."""
        if not (self.single and len(self._codes) == 1):
            return None
        ((key, code),) = self._codes.items()
        return code if code.hits and not self.weighs(self.outputs[0], key) else None

    @property
    def counts_hits(self) -> bool:
        """Whether right answers are counted instead of a metric kept."""
        return self._hits is not None

    @property
    def metric_name(self) -> str:
        """What the first metric is called in logs."""
        return next(iter(self._codes))

    @property
    def hits(self) -> str:
        """How many right answers a batch has."""
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
    def trained_names(self) -> str:
        """The names of the outputs that have a loss: a list."""
        return literal([output.name for output in self.trained])

    @property
    def model_call(self) -> str:
        """A call of the model."""
        return f"model({', '.join(self.inputs.values())})"

    @property
    def measured_predictions(self) -> Predictions:
        """What is kept of the model's answer for losses and metrics."""
        return self._predictions([o for o in self.outputs if o.loss is not None or o.metrics])

    @property
    def predictions(self) -> Predictions:
        """All of the model's answer."""
        return self._predictions(self.outputs)

    def _predictions(self, used: list[Output]) -> Predictions:
        form = self.graph.output_form
        if form == "mapping" and len(used) > 1:
            return Predictions(picked=used)
        if form == "mapping":
            return Predictions(used[0].prediction, f"[{string(used[0].name)}]")
        if form == "list" and self.single:
            return Predictions(self.outputs[0].prediction, "[0]")
        return Predictions(", ".join(o.prediction if o in used else "_" for o in self.outputs))

    def backward(self, loss: str) -> str:
        """The backward pass: the method has no types, which a known tensor's call would miss."""
        if not self.has_loss_fn:
            return f"torch.autograd.backward({loss})"
        return f"{loss}.backward()" if loss.isidentifier() else f"({loss}).backward()"

    def probabilities(self, output: Output) -> str:
        """The variable for what several metrics read; empty if at most one does."""
        readers = [code for code in output.metrics.values() if not code.on_logits]
        if not output.activation or len(readers) < 2:
            return ""
        return "probabilities" if self.single else f"{output.prediction}_probabilities"

    def measured(self, output: Output, key: str, detach: str) -> str:
        """What a metric reads."""
        plain = f"{output.prediction}{detach}"
        if output.metrics[key].on_logits:
            return plain
        return self.probabilities(output) or output.activated(plain)

    def weighs(self, output: Output, key: str) -> bool:
        """Whether sample weights count in a metric."""
        return self.weighted and key in output.weighted_metrics

    @property
    def predict_arguments(self) -> str:
        """The parameters of ``predict`` after the model."""
        return ", ".join(f"{variable}: torch.Tensor" for variable in self.inputs.values())

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
        """The expression that makes an output's loss object; empty if it needs none."""
        assert output.loss is not None
        return output.loss.create_weighted if self.weighted else output.loss.create

    def loss_of(self, output: Output) -> str:
        """An output's loss as an expression."""
        assert output.loss is not None
        text = output.loss.weighted_call if self.weighted else output.loss.call
        create = self.create(output)
        if create and not self.single:
            text = in_place(text, create)
        return text.format(
            prediction=output.prediction, target=self._target(output), weight="weight"
        )

    def _target(self, output: Output) -> str:
        """The target in the shape that the loss takes."""
        assert output.loss is not None
        wanted = output.loss.target_shape
        if len(output.given) == len(wanted):
            return output.target
        sizes = ", ".join("-1" if size is None else str(size) for size in wanted)
        return f"{output.target}.reshape({sizes})"


def in_place(call: str, create: str) -> str:
    """A call of ``loss_fn`` with the loss said on the spot.

    ``loss_fn(p, t).mean()`` and ``nn.MSELoss(reduction="none")`` give
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
