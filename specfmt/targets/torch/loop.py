"""The statements inside ``train_epoch``, ``evaluate`` and ``predict``."""

from __future__ import annotations

from specfmt.graph.model import Graph
from specfmt.spec.train import TrainSpec
from specfmt.targets.outputs import all_metrics, has_many_values
from specfmt.targets.source import literal, string
from specfmt.targets.torch.activity import PENALTY
from specfmt.targets.torch.metrics import MetricCode
from specfmt.targets.torch.optimizers import OptimizerCode
from specfmt.targets.torch.training_outputs import Output

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


class Loop:
    """One training loop.

    Args:
        graph: The model.
        train: Its training section.
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
        train: TrainSpec,
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
        self.many_values = any(has_many_values(m.term) for m in all_metrics(graph, train))

    # -- what the template asks for ------------------------------------------------------------

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
        if self._accuracy:
            return losses
        return losses + [name for code in self._metrics.values() for name in code.helpers]

    @property
    def value_type(self) -> str:
        """The type of what an epoch logs."""
        return "Any" if self.many_values else "float"

    @property
    def shown(self) -> str:
        """How a logged value is printed: a placeholder of an f-string."""
        return "{np.round(value, 4)}" if self.many_values else "{value:.4f}"

    @property
    def metrics(self) -> str:
        """The metrics by their names in logs: a dict, or nothing where none needs an object."""
        if self._accuracy:
            return ""
        items = ", ".join(f"{string(k)}: {c.create}" for k, c in self._metrics.items())
        return f"{{{items}}}" if items else ""

    @property
    def metric_type(self) -> str:
        """The classes of the metrics."""
        return " | ".join(dict.fromkeys(c.create.partition("(")[0] for c in self._metrics.values()))

    @property
    def _metrics(self) -> dict[str, MetricCode]:
        return {key: code for output in self.outputs for key, code in output.metrics.items()}

    @property
    def measured(self) -> str:
        """What an epoch gives, in words."""
        if self._accuracy:
            return f"loss and {next(iter(self._metrics)).replace('_', ' ')}"
        return "loss and the metrics" if self._metrics else "loss"

    @property
    def _accuracy(self) -> MetricCode | None:
        """The only metric, where right answers can be counted without further ado."""
        if not (self.single and len(self._metrics) == 1):
            return None
        ((key, code),) = self._metrics.items()
        weighs = self.weighted and key in self.outputs[0].weighted_metrics
        return code if code.hits and not weighs else None

    @property
    def train_arguments(self) -> str:
        """The parameters of ``train_epoch``."""
        return self._arguments(
            [
                "optimizer: torch.optim.Optimizer",
                *["scheduler: torch.optim.lr_scheduler.LRScheduler"]
                * bool(self.optimizer.schedule),
                *["average: torch.optim.swa_utils.AveragedModel"] * self._averages,
                "device: torch.device",
                *["epoch: int"] * bool(self.optimizer.accumulation_steps),
            ]
        )

    @property
    def evaluate_arguments(self) -> str:
        """The parameters of ``evaluate``."""
        return self._arguments(["device: torch.device"])

    def call(self, loader: str, *, training: bool = False) -> str:
        """The arguments of a call of ``train_epoch`` or ``evaluate``."""
        parts = ["model", loader, *["loss_fn"] * self.has_loss_fn]
        if training:
            parts += ["optimizer", *["scheduler"] * bool(self.optimizer.schedule)]
            parts += ["average"] * self._averages
        parts.append("device")
        if training and self.optimizer.accumulation_steps:
            parts.append("epoch")
        return ", ".join(parts)

    @property
    def _averages(self) -> bool:
        return any(line.startswith("average = ") for line in self.optimizer.setup)

    def _arguments(self, rest: list[str]) -> str:
        return ", ".join(
            [
                f"model: {self.model_type}",
                "loader: DataLoader[tuple[torch.Tensor, ...]]",
                *["loss_fn: nn.Module"] * self.has_loss_fn,
                *rest,
            ]
        )

    @property
    def batch(self) -> str:
        """The variables of a batch."""
        names = [*self.inputs.values(), *(output.target for output in self.outputs)]
        return ", ".join([*names, *["weight"] * self.weighted])

    @property
    def move(self) -> list[str]:
        """Statements that bring a batch to the device."""
        names = self.batch.split(", ")
        if len(names) > 3:
            return [f"{name} = {name}.to(device)" for name in names]
        return [f"{self.batch} = {', '.join(f'{name}.to(device)' for name in names)}"]

    @property
    def start(self) -> list[str]:
        """Statements before the first batch."""
        if self._accuracy:
            return ["total_loss, correct, seen = 0.0, 0, 0"]
        lines = ["total_loss, seen = 0.0, 0"]
        if len(self.trained) > 1:
            names = literal([output.name for output in self.trained])
            lines.append(f"losses = dict.fromkeys({names}, 0.0)")
        if self._metrics:
            lines.append("metrics = new_metrics()")
        return lines

    @property
    def train_start(self) -> list[str]:
        """Statements of ``train_epoch`` before the first batch."""
        if not self.optimizer.accumulation_steps:
            return self.start
        # Keras counts batches over the whole training.
        return [*self.start, "batches = (epoch - 1) * len(loader)"]

    @property
    def forward(self) -> list[str]:
        """Statements from the batch to the loss."""
        lines = self._call_model([o for o in self.outputs if o.loss is not None or o.metrics])
        if len(self.trained) == 1:
            (output,) = self.trained
            lines.append(f"loss = {output.share}{self._loss(output)}")
        else:
            lines += [f"{o.loss_variable} = {self._loss(o)}" for o in self.trained]
            total = " + ".join(f"{o.share}{o.loss_variable}" for o in self.trained)
            lines.append(f"loss = {total}")
        if self.penalties:
            lines.append(f"loss = loss + {' + '.join(self.penalties)}")
        return lines

    @property
    def train_step(self) -> list[str]:
        """Statements from the batch to the updated weights."""
        optimizer = self.optimizer
        update = [*optimizer.before_step, "optimizer.step()"]
        update += [*optimizer.after_step, *["constrain(model)"] * self.constrain]
        scheduler = ["scheduler.step()"] * bool(optimizer.schedule)
        steps = optimizer.accumulation_steps
        if not steps:
            return [
                "optimizer.zero_grad()",
                *self.forward,
                self._backward("loss"),
                *update,
                *scheduler,
            ]
        return [
            *self.forward,
            self._backward(f"loss / {steps}"),
            "batches += 1",
            f"if batches % {steps} == 0:",
            *(f"    {line}" for line in (*update, "optimizer.zero_grad()")),
            *scheduler,
        ]

    def _backward(self, loss: str) -> str:
        """The backward pass: the method has no types, which a known tensor's call would miss."""
        if not self.has_loss_fn:
            return f"torch.autograd.backward({loss})"
        return f"{loss}.backward()" if loss.isidentifier() else f"({loss}).backward()"

    @property
    def train_count(self) -> list[str]:
        """Statements that add up a training batch's loss and metrics."""
        return self._count(".detach()")

    @property
    def count(self) -> list[str]:
        """Statements that add up a batch's loss and metrics."""
        return self._count("")

    def _count(self, detach: str) -> list[str]:
        first = next(iter(self.inputs.values()))
        lines = [f"total_loss += loss.item() * len({first})"]
        if self._accuracy:
            (output,) = self.outputs
            prediction = output.prediction
            if not self._accuracy.by_rank:
                prediction = output.activated(prediction)
            right = self._accuracy.counted(prediction, output.target)
            return [*lines, f"correct += {right}", f"seen += len({first})"]
        lines.append(f"seen += len({first})")
        if len(self.trained) > 1:
            lines += [
                f"losses[{string(o.name)}] += {o.loss_variable}.item() * len({first})"
                for o in self.trained
            ]
        for output in self.outputs:
            plain = f"{output.prediction}{detach}"
            activated = output.activated(plain)
            on_activated = [code for code in output.metrics.values() if not code.on_logits]
            if output.activation and len(on_activated) > 1:
                name = "probabilities" if self.single else f"{output.prediction}_probabilities"
                lines.append(f"{name} = {activated}")
                activated = name
            for key, code in output.metrics.items():
                prediction = plain if code.on_logits else activated
                weight = ", weight" if self.weighted and key in output.weighted_metrics else ""
                lines.append(
                    f"metrics[{string(key)}].update({prediction}, {output.target}{weight})"
                )
        return lines

    @property
    def result(self) -> str:
        """What an epoch logs: a dict."""
        parts = ['"loss": total_loss / seen']
        if self._accuracy:
            return f"{{{parts[0]}, {string(next(iter(self._metrics)))}: correct / seen}}"
        if len(self.trained) > 1:
            parts.append('**{f"{name}_loss": total / seen for name, total in losses.items()}')
        if self._metrics:
            parts.append("**{name: metric.result() for name, metric in metrics.items()}")
        return "{" + ", ".join(parts) + "}"

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

    @property
    def predict(self) -> list[str]:
        """Statements of ``predict``."""
        if self.single:
            (output,) = self.outputs
            *lines, last = self._call_model(self.outputs)
            name, _, call = last.partition(" = ")
            result = output.activated(name)
            return [*lines, f"{name}: torch.Tensor = {call}", f"return {result}"]
        items = ", ".join(f"{string(o.name)}: {o.activated(o.prediction)}" for o in self.outputs)
        return [*self._call_model(self.outputs), f"return {{{items}}}"]

    # -- parts -----------------------------------------------------------------------------------

    def _call_model(self, used: list[Output]) -> list[str]:
        """Statements that assign the predictions that are used."""
        call = f"model({', '.join(self.inputs.values())})"
        form = self.graph.output_form
        if form == "mapping":
            if len(used) == 1:
                return [f"{used[0].prediction} = {call}[{string(used[0].name)}]"]
            picks = [f"{o.prediction} = outputs[{string(o.name)}]" for o in used]
            return [f"outputs = {call}", *picks]
        if form == "list" and self.single:
            return [f"{self.outputs[0].prediction} = {call}[0]"]
        return [f"{', '.join(o.prediction if o in used else '_' for o in self.outputs)} = {call}"]

    def create(self, output: Output) -> str:
        """The expression that makes an output's loss object; empty if it needs none."""
        assert output.loss is not None
        return output.loss.create_weighted if self.weighted else output.loss.create

    def _loss(self, output: Output) -> str:
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
