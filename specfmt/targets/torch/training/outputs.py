"""The outputs of a model in the PyTorch training loop: losses, metrics, variables."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.graph.model import Graph
from specfmt.spec.train import TrainSpec, train_section
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.source import number
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.training.losses import LossCode, loss_code, trains_on_logits
from specfmt.targets.torch.training.metrics import MetricCode, metric_code
from specfmt.targets.training.outputs import (
    is_classes,
    item_of,
    known_shape,
    loss_term,
    metrics_of,
    resolved_loss,
    target_shape,
)
from specfmt.vocab.base import CUSTOM, Term


@dataclass
class Output:
    """One output in the training loop.

    Attributes:
        name: Its name in the spec.
        prediction: The variable of the model's output.
        target: The variable of the targets.
        loss_variable: The variable of its loss, if there are several.
        activation: The final activation that the model leaves out while it trains: ``Softmax``,
            ``Sigmoid`` or empty.
        loss: Its loss; None if it is not trained.
        loss_shape: Its shape in Keras's axis order, batch first.
        given: The shape of its targets as ``load_data`` returns them.
        weight: The weight of its loss in the total.
        metrics: Log name -> metric.
        weighted_metrics: The log names of metrics to which sample weights apply.
        moves: Whether targets with the output's shape are permuted to channels-first.
    """

    name: str
    prediction: str
    target: str
    loss_variable: str
    activation: str = ""
    loss: LossCode | None = None
    loss_shape: tuple[int | None, ...] = ()
    given: tuple[int | None, ...] = ()
    weight: float = 1.0
    metrics: dict[str, MetricCode] = field(default_factory=dict)
    weighted_metrics: set[str] = field(default_factory=set)
    moves: bool = False

    @property
    def share(self) -> str:
        """The factor of its loss in the total, as source; empty if it is 1."""
        return "" if self.weight == 1 else f"{number(self.weight)} * "

    def activated(self, source: str) -> str:
        """The final activation applied to an expression."""
        if self.activation == "Softmax":
            return f"{source}.softmax(dim={1 if self.moves else -1})"
        return f"torch.sigmoid({source})" if self.activation == "Sigmoid" else source


def final_term(graph: Graph, name: str) -> Term | None:
    """The activation of the layer that computes an output, if nothing else reads the output."""
    value = graph.outputs[name]
    node = value.node
    if node is None or node.unit.graph is not None or len(node.unit.calls) > 1:
        return None
    if any(value in other.inputs() for other in graph.nodes):
        return None
    term = getattr(node.layer, "activation", None)
    return term if isinstance(term, Term) and node.layer.activity_regularizer is None else None


def logit_outputs(graph: Graph) -> frozenset[str]:
    """The outputs whose final softmax or sigmoid is part of the loss."""
    train = train_section(graph.spec)
    found = []
    for name in graph.outputs:
        loss, term = resolved_loss(graph, train, name), final_term(graph, name)
        if loss is not None and trains_on_logits(loss, term):
            found.append(name)
    return frozenset(found)


def training_outputs(
    graph: Graph,
    train: TrainSpec,
    scope: Scope,
    *,
    masked: Container[str],
    channels_first: bool,
) -> list[Output]:
    """All outputs of a model for the training loop.

    Args:
        graph: The model.
        train: Its training section.
        scope: Names in use in the script.
        masked: The outputs that have a mask in Keras.
        channels_first: Whether outputs of rank 4 and 5 are channels-first.

    Raises:
        SpecError: PyTorch code cannot express a loss or metric (SF304), or there is no loss
            (SF213).
    """
    logits = logit_outputs(graph)
    single = len(graph.outputs) == 1
    outputs = []
    problems: list[Diagnostic] = []
    for name, value in graph.outputs.items():
        terms = loss_term(train, graph, name), *(m.term for m in metrics_of(graph, train, name))
        user_defined = all(term is None or term.type == CUSTOM for term in terms)
        shape = value.shape or () if user_defined else known_shape(graph, name)
        base = identifier(name, "output")
        preferred = base
        if single:
            preferred = "logits" if name in logits else "output"
        labels = "labels" if is_classes(graph, train, name) else "targets"
        output = Output(
            name,
            scope.claim(preferred),
            scope.claim(labels if single else f"{base}_target"),
            "loss" if single else scope.claim(f"{base}_loss"),
            loss_shape=shape,
            given=target_shape(graph, train, name),
            moves=channels_first and len(shape) in (4, 5),
        )
        term, loss = final_term(graph, name), resolved_loss(graph, train, name)
        if name in logits and term is not None:
            output.activation = term.type
        try:
            _measure(output, graph, train, loss, channels_first=channels_first)
        except TargetError as error:
            problems.append(Diagnostic(error.code, error.message, ("train",), error.hint))
        if name in masked and (output.loss is not None or output.metrics):
            problems.append(
                Diagnostic(
                    "SF304",
                    f"expected an output without a mask, received {name}, whose masked steps Keras "
                    "leaves out of the loss and the metrics",
                    ("train",),
                    f"let all steps count: write {{op: multiply, inputs: [{value.name}, 1.0]}}, which "
                    "drops the mask, and make it the output",
                )
            )
        weight = item_of(train.loss_weights, graph, name)
        output.weight = 1.0 if weight is None else weight
        outputs.append(output)
    if problems:
        raise SpecError(problems)
    if all(output.loss is None for output in outputs):
        raise SpecError(
            [
                Diagnostic(
                    "SF213",
                    "expected `train.loss` for a training script, received none",
                    ("train",),
                    "add for example `loss: sparse_categorical_crossentropy`",
                )
            ]
        )
    return outputs


def _measure(
    output: Output, graph: Graph, train: TrainSpec, loss: Term | None, *, channels_first: bool
) -> None:
    """Set the loss and the metrics of one output."""
    activation: Any = output.activation or None
    if loss is not None:
        output.loss = loss_code(
            loss,
            from_logits_of=activation,
            output_shape=output.loss_shape,
            channels_first=channels_first,
        )
    for metric in metrics_of(graph, train, output.name):
        output.metrics[metric.key] = metric_code(
            metric.term,
            output_shape=output.loss_shape,
            target_shape=output.given,
            channels_first=channels_first,
            from_logits_of=activation,
        )
        if metric.weighted:
            output.weighted_metrics.add(metric.key)
