"""Calls in a fixed training mode, and the layers for which the mode matters."""

from __future__ import annotations

from collections.abc import Iterator

from specfmt.graph.model import Graph, Node, Unit
from specfmt.layers.base import Layer, held_layers


def fixed_calls(graph: Graph) -> Iterator[tuple[Node, bool]]:
    """Calls to which the document gives ``training``, in nested models too, and the mode."""
    for node in graph.nodes:
        training = node.args.get("training")
        if isinstance(training, bool):
            yield node, training
        elif node.unit.graph is not None:
            yield from fixed_calls(node.unit.graph)


def draws(unit: Unit) -> bool:
    """Whether a unit draws random numbers in training mode."""
    return any(layer.noise_fields() for _, layer in _layers(unit))


def normalizes(unit: Unit) -> bool:
    """Whether a unit takes the statistics of a batch in training mode."""
    return any(
        layer.has_statistics and owner.trainable and not layer.is_frozen()
        for owner, layer in _layers(unit)
    )


def _layers(unit: Unit) -> Iterator[tuple[Unit, Layer]]:
    """A unit's layers, those of a nested model and those that layers hold."""
    for owner in (unit,) if unit.graph is None else unit.graph.walk_units():
        for layer in (owner.layer, *held_layers(owner.layer)):
            yield owner, layer
