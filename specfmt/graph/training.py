"""Calls with a fixed training mode, and the layers for which the mode matters."""

from __future__ import annotations

from collections.abc import Iterator

from specfmt.graph.model import Graph, Node, Unit
from specfmt.layers.base import Layer, nested_layers


def fixed_calls(graph: Graph) -> Iterator[tuple[Node, bool]]:
    """Calls for which the document gives ``training``, also in nested models, and the mode.

    The calls in a nested model come once, however often the model is called.
    """
    for node in graph.nodes:
        training = node.args.get("training")
        if isinstance(training, bool):
            yield node, training
    for unit in graph.units:
        if unit.graph is not None:
            yield from fixed_calls(unit.graph)


def draws(unit: Unit) -> bool:
    """Whether a unit draws random numbers in training mode."""
    return any(layer.noise_fields() for _, layer in _layers(unit))


def always_draws(unit: Unit) -> bool:
    """Whether a unit draws random numbers in training mode whatever its fields are."""
    return any(layer.noise_fields() and not layer.noise_off() for _, layer in _layers(unit))


def normalizes(unit: Unit) -> bool:
    """Whether a unit uses batch statistics in training mode."""
    return any(
        layer.has_statistics and owner.trainable and not layer.is_frozen()
        for owner, layer in _layers(unit)
    )


def _layers(unit: Unit) -> Iterator[tuple[Unit, Layer]]:
    """The layers of a unit, including those of a nested model and inside layers."""
    for owner in (unit,) if unit.graph is None else unit.graph.walk_units():
        for layer in (owner.layer, *nested_layers(owner.layer)):
            yield owner, layer
