"""The order in which a model was built, as far as the names that Keras gave away tell it.

Keras numbers the operations that it makes for masks in the order of the calls they come from.
A spec whose entries stand in that order is noted with the same numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise
from typing import Any

from specfmt.diagnostics import Path
from specfmt.formats.config.reading import Json
from specfmt.formats.read.layer_entries import MODELS
from specfmt.formats.source.locate import Located
from specfmt.graph.model import Graph
from specfmt.graph.recording import Recording
from specfmt.layers.naming import is_automatic, to_snake_case

Place = tuple[str, ...]
"""A nested model: the names of the models that lead to it."""


def order_of_calls(
    source: Located, written: Json, noted: Recording, places: dict[Path, list[Path]]
) -> dict[Path, list[Path]]:
    """Which calls must come before which, so that Keras gives the names of the source.

    Args:
        source: The serialized model.
        written: The model as it would be noted with its calls in another order.
        noted: Where the operations of ``written`` come from.
        places: Place of a model's layers in the source -> the place of the call of each entry.

    Returns:
        Place of a call in the source -> places of calls before it.
    """
    classes = {unit.type_name for unit, _ in noted.named}
    theirs = dict(_numbers(source.topology, classes))
    causes = {id(unit): path for unit, path in noted.named}
    owners = {
        (place, unit.name): causes[id(unit)]
        for place, graph in _models(noted.graph)
        for unit in dict.fromkeys(node.unit for node in graph.nodes)
        if id(unit) in causes
    }
    calls: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for key, ours in _numbers(written, classes):
        place, class_name, _ = key
        named = theirs.get(key, [])
        if len(named) == len(ours):
            calls[class_name] += [
                (number, owners[place, name])
                for (number, _), (_, name) in zip(named, ours, strict=True)
                if (place, name) in owners
            ]
    before: dict[Path, list[Path]] = defaultdict(list)
    root = (*source.path, "config", "layers")
    for found in calls.values():
        found.sort(key=lambda item: item[0])
        for (_, first), (_, second) in pairwise(found):
            _constrain(before, places, root, first, second)
    return dict(before)


def _models(graph: Graph, place: Place = ()) -> Iterator[tuple[Place, Graph]]:
    yield place, graph
    for unit in dict.fromkeys(node.unit for node in graph.nodes):
        if unit.graph is not None:
            yield from _models(unit.graph, (*place, unit.name))


Numbers = tuple[tuple[Place, str, str], list[tuple[int, str]]]


def _numbers(model: Json, classes: set[str], place: Place = ()) -> Iterator[Numbers]:
    """(Model, class, what is computed for whom) -> number and name of the operations."""
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list):
        return
    by_name: dict[str, Json] = {
        layer["name"]: layer
        for layer in layers
        if isinstance(layer, dict) and isinstance(layer.get("name"), str)
    }
    keys: dict[str, str] = {}
    readers: dict[str, set[str]] = defaultdict(set)
    for name, layer in by_name.items():
        for read in _reads(layer.get("inbound_nodes")):
            readers[read].add(_key(name, by_name, classes, keys))
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name, layer in by_name.items():
        class_name = str(layer.get("class_name"))
        if class_name in MODELS:
            yield from _numbers(layer, classes, (*place, name))
        elif class_name in classes and is_automatic(name, class_name):
            number = name.removeprefix(to_snake_case(class_name)).removeprefix("_")
            key = f"{_key(name, by_name, classes, keys)} for {sorted(readers[name])}"
            found[key].append((int(number or 0), name))
    for key, items in found.items():
        yield (place, by_name[items[0][1]]["class_name"], key), sorted(items)


def _key(name: str, layers: dict[str, Json], classes: set[str], keys: dict[str, str]) -> str:
    """What a layer computes, told without the names that Keras numbers."""
    waiting = [name]
    while waiting:
        now = waiting[-1]
        layer = layers.get(now, {})
        class_name = str(layer.get("class_name"))
        if class_name not in classes or not is_automatic(now, class_name):
            keys[now] = now
        if now in keys:
            waiting.pop()
            continue
        reads = list(_reads(layer.get("inbound_nodes")))
        missing = [read for read in reads if read not in keys and read not in waiting]
        if missing:
            waiting += missing
            continue
        config = {k: v for k, v in layer.get("config", {}).items() if k != "name"}
        calls = _renamed(layer.get("inbound_nodes"), keys)
        text = f"{class_name} {sorted(config.items(), key=str)} {calls}"
        # What stands in it twice would double it again and again.
        keys[now] = blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()
        waiting.pop()
    return keys[name]


def _reads(value: Any) -> Iterator[str]:
    """The names of the layers whose tensors stand in a value."""
    if isinstance(value, dict):
        history = value.get("keras_history")
        if isinstance(history, list):
            yield str(history[0])
        for item in value.values():
            yield from _reads(item)
    elif isinstance(value, list):
        for item in value:
            yield from _reads(item)


def _renamed(value: Any, keys: dict[str, str]) -> Any:
    """Calls with every layer's name replaced by what it computes, and nothing but that."""
    if isinstance(value, dict):
        history = value.get("keras_history")
        if isinstance(history, list):
            return [keys.get(str(history[0]), ""), *history[1:]]
        return [(key, _renamed(item, keys)) for key, item in sorted(value.items())]
    return [_renamed(item, keys) for item in value] if isinstance(value, list) else value


def _constrain(
    before: dict[Path, list[Path]],
    places: dict[Path, list[Path]],
    root: Path,
    first: Path,
    second: Path,
) -> None:
    """Note that one call comes before another of the same model.

    A call inside a nested model has no place among those around it: the model is built at once.
    """
    if len(first) != len(second) or first[:-1] != second[:-1] or first == second:
        return
    model = root
    for step in first[1:-2:2]:
        entries = places.get(model, [])
        if not isinstance(step, int) or step >= len(entries):
            return
        model = (*entries[step][:-2], "config", "layers")
    entries = places.get(model, [])
    earlier, later = first[-1], second[-1]
    if isinstance(earlier, int) and isinstance(later, int) and max(earlier, later) < len(entries):
        before[entries[later]].append(entries[earlier])
