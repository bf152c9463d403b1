"""The loss, targets, metrics and log names of each output in a training section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.graph.model import Graph
from specfmt.layers.base import Shape
from specfmt.spec.train import TrainSpec, has_class_indices
from specfmt.targets.training.data_sources import list_shape
from specfmt.vocab.base import Term
from specfmt.vocab.by_shape import resolve
from specfmt.vocab.naming import to_snake_case

CLASS_LOSSES = frozenset(
    (
        "SparseCategoricalCrossentropy",
        "CategoricalCrossentropy",
        "CategoricalFocalCrossentropy",
        "CategoricalGeneralizedCrossEntropy",
        "CategoricalHinge",
    )
)
"""Losses for multi-class classification."""


def item_of(given: Any, graph: Graph, output: str) -> Any:
    """The entry for one output.

    Args:
        given: A mapping by output name, a list in the order of the outputs, or one value for all.
        graph: The model.
        output: The output's name.
    """
    if isinstance(given, dict):
        return given.get(output)
    if isinstance(given, tuple):
        index = list(graph.outputs).index(output)
        return given[index] if index < len(given) else None
    return given


def loss_term(train: TrainSpec, graph: Graph, output: str) -> Term | None:
    """The loss of one output; None if it has none."""
    loss = item_of(train.loss, graph, output)
    return loss if isinstance(loss, Term) else None


def resolved_loss(graph: Graph, train: TrainSpec, name: str) -> Term | None:
    """The loss of an output; ``crossentropy`` is resolved from the shapes."""
    loss = loss_term(train, graph, name)
    if loss is None:
        return None
    return resolve(loss, graph.outputs[name].shape or (), target_shape(graph, train, name))


def takes_class_numbers(graph: Graph, train: TrainSpec, name: str) -> bool:
    """Whether the targets of an output are class numbers, not values or one-hot rows."""
    loss = loss_term(train, graph, name)
    shape = graph.outputs[name].shape or ()
    if loss is None:
        return False
    if loss.type == "CrossentropyByShape":
        return bool(shape) and shape[-1] != 1 and not _wide(graph, train, name)
    return bool(type(loss.spec).targets == "classes")


def known_shape(graph: Graph, name: str) -> Shape:
    """The shape of an output whose loss or targets depend on it.

    Raises:
        SpecError: SF213: the shape is not known.
    """
    value = graph.outputs[name]
    if value.shape is None:
        message = f"expected the shape of the output {name}, which its loss needs, received none"
        hint = f"give the layer {value.name} its `shape:`, without the batch axis"
        path = value.node.path if value.node is not None else ()
        raise SpecError([Diagnostic("SF213", message, path, hint)])
    return value.shape


def _wide(graph: Graph, train: TrainSpec, name: str) -> bool:
    """Whether the targets in the data have one element per class."""
    data = train.data
    if data is None or data.one_hot:
        return True
    given = getattr(data, "y", None)
    if data.source == "inline":
        shape = list_shape(given.get(name, ()) if isinstance(given, dict) else given)
        return len(shape) > 1 and shape[-1] == (graph.outputs[name].shape or (0,))[-1]
    return data.source not in ("synthetic", "csv", "npz") and not has_class_indices(data)


def target_shape(graph: Graph, train: TrainSpec, name: str) -> Shape:
    """The shape of an output's targets as ``load_data`` returns them, in Keras's axis order."""
    shape = graph.outputs[name].shape or ()
    return shape[:-1] if takes_class_numbers(graph, train, name) else shape


def is_classes(graph: Graph, train: TrainSpec, name: str) -> bool:
    """Whether an output is a classification, multi-class or binary."""
    return output_kind(graph, train, name) in ("classes", "binary")


def output_kind(graph: Graph, train: TrainSpec, name: str) -> str:
    """The meaning of an output: ``classes``, ``binary`` or ``value``."""
    shape = graph.outputs[name].shape or ()
    units = shape[-1] if len(shape) == 2 else None
    loss = resolved_loss(graph, train, name)
    one_hot = train.data is not None and train.data.one_hot and len(graph.outputs) == 1
    if units is not None and units > 1 and ((loss and loss.type in CLASS_LOSSES) or one_hot):
        return "classes"
    if units == 1 and loss is not None and loss.type.startswith("Binary"):
        return "binary"
    return "value"


def gives_logits(graph: Graph, train: TrainSpec, name: str) -> bool:
    """Whether an output is logits: its loss has ``from_logits``."""
    loss = resolved_loss(graph, train, name)
    return loss is not None and bool(getattr(loss.spec, "from_logits", False))


@dataclass(frozen=True)
class Metric:
    """A metric of one output.

    Attributes:
        key: Its name in logs; with several outputs, it starts with the output's name.
        term: The metric; ``accuracy`` is resolved from the shapes.
        weighted: Whether sample and class weights apply to it.
    """

    key: str
    term: Term
    weighted: bool


def metrics_of(graph: Graph, train: TrainSpec, name: str) -> list[Metric]:
    """The metrics of one output.

    The key of a weighted metric that is also measured unweighted starts with ``weighted_``.
    """
    found: dict[str, Metric] = {}
    prefix = "" if len(graph.outputs) == 1 else f"{name}_"
    shapes = graph.outputs[name].shape or (), target_shape(graph, train, name)
    for weighted, given in ((False, train.metrics), (True, train.weighted_metrics)):
        nested = isinstance(given, tuple) and any(isinstance(item, tuple) for item in given)
        if isinstance(given, dict) or nested or len(graph.outputs) > 1:
            given = item_of(given, graph, name)
        for item in given if isinstance(given, tuple) else (given,):
            if not isinstance(item, Term):
                continue
            metric = resolve(item, *shapes)
            # Keras names a metric object after its class.
            named = metric.spec.name or to_snake_case(metric.type)
            plain = named if item.args else item.name
            key = f"{prefix}{plain}"
            if key in found and weighted:
                key = f"{prefix}weighted_{plain}"
            base, number = key, 0
            while key in found:
                number += 1
                key = f"{base}_{number}"
            found[key] = Metric(key, metric, weighted)
    return list(found.values())


def all_metrics(graph: Graph, train: TrainSpec) -> list[Metric]:
    """The metrics of all outputs."""
    return [metric for name in graph.outputs for metric in metrics_of(graph, train, name)]


def has_many_values(metric: Term) -> bool:
    """Whether a metric has several values: one per class, output or threshold."""
    spec = metric.spec
    if metric.type in ("F1Score", "FBetaScore"):
        return spec.average is None
    if metric.type == "R2Score":
        return spec.class_aggregation is None
    thresholds = getattr(spec, "thresholds", None)
    return isinstance(thresholds, tuple) and len(thresholds) > 1 and metric.type != "AUC"


def has_validation(train: TrainSpec) -> bool:
    """Whether part of the training data is held out for validation."""
    first = train.data is not None and train.data.validation_first is not None
    return first or bool(train.validation_split)


def log_names(graph: Graph, train: TrainSpec) -> list[str]:
    """The names of the values logged every epoch, as callbacks see them."""
    names = ["loss"]
    trained = [name for name in graph.outputs if loss_term(train, graph, name) is not None]
    if len(trained) > 1:
        names += [f"{name}_loss" for name in trained]
    names += [metric.key for metric in all_metrics(graph, train)]
    return names + [f"val_{name}" for name in names] * has_validation(train)
