"""Stub classes for Keras layers that cannot be imported: weights and shapes, but no call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from specfmt.diagnostics import Path
from specfmt.graph.assumed import completed, inner_input, is_cell, unknown_layers, with_layer
from specfmt.graph.build import build
from specfmt.graph.infer import show_shape
from specfmt.graph.model import Graph, Unit, Value, values_in
from specfmt.graph.symbolic import show_value
from specfmt.layers.base import Shape
from specfmt.layers.custom import Custom
from specfmt.layers.custom_cells import output_and_states
from specfmt.layers.custom_weights import as_weight
from specfmt.layers.keras_names import KERAS_LAYERS
from specfmt.layers.naming import is_identifier
from specfmt.layers.policies import name_of_policy, policy_name
from specfmt.spec.document import ModelSpec
from specfmt.targets.keras.custom import KERAS_MODULES, is_importable
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.source import literal, string
from specfmt.targets.unknown import (
    INFERRED_SHAPE,
    StubWeight,
    claim_class,
    config_text,
    describe_layer,
    own_config,
    paragraph,
    preferred_class,
)

CELL = "A cell: it returns the output of one time step, and a list of the states for the next step."
"""A note in the docstring of a stub that is a cell of a recurrent layer."""


@dataclass(frozen=True)
class StubContext:
    """The template's variables for one stub class.

    Attributes:
        name: The class's name.
        package: The package under which it is registered in Keras; empty for the default.
        doc, notes: The first line and the body of its docstring.
        parameters: The parameters of its constructor, which are also in its config.
        parts: Sublayers that only have weights: the attribute and the name of each.
        weights: Its weights.
        arguments: The parameters of ``call``.
        task: What the user has to write.
        outputs: The sizes and the dtype of each output, as source.
        cell: Of a cell: the features of its output and its states, as source; else None.
    """

    name: str
    package: str
    doc: str
    notes: list[str]
    parameters: list[str]
    parts: list[tuple[str, str]]
    weights: list[StubWeight]
    arguments: list[str]
    task: str
    outputs: list[tuple[str, str]]
    cell: tuple[str, str] | None = None


@dataclass(frozen=True)
class Unknown:
    """A layer that cannot be imported.

    Attributes:
        unit: The layer in the graph, or the wrapper around it.
        path: Its path in the spec.
        layer: Its definition.
        reads: The arguments of its call.
        outputs: Shape and dtype of each output.
        is_cell: Whether it is a cell of a recurrent layer; its states follow its output.
    """

    unit: Unit
    path: Path
    layer: Custom
    reads: dict[str, Any]
    outputs: tuple[tuple[Shape, str], ...]
    is_cell: bool = False

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each weight."""
        return {name: as_weight(item).shape for name, item in self.layer.known_weights.items()}


def needs_stub(layer: Custom) -> bool:
    """Whether the class cannot be imported, or cannot be created from its config."""
    module, _, name = layer.class_.rpartition(".")
    if name == "Lambda":
        return True
    if module.startswith(KERAS_MODULES):
        return any(inner not in KERAS_LAYERS for inner in _inner_classes(layer.config))
    return not is_importable(layer.class_)


def _inner_classes(config: Any) -> Iterator[str]:
    """The classes of layers inside a wrapper's config that have no module."""
    for key in ("layer", "backward_layer", "cell"):
        inner = config.get(key) if isinstance(config, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get("class_name"), str):
            module = inner.get("module")
            if not (isinstance(module, str) and module.startswith("keras")):
                yield inner["class_name"]
            yield from _inner_classes(inner.get("config"))


def with_stubs(graph: Graph, taken: set[str]) -> tuple[Graph, list[StubContext]]:
    """Replace layers that need a stub by classes of the file.

    Args:
        graph: A graph without errors.
        taken: Names in use in the file; those of the classes are added.

    Returns:
        The new graph, and the stub classes.

    Raises:
        SpecError: The output shape of a layer is unknown (SF307).
    """
    if not any(needs_stub(layer) for _, _, layer in unknown_layers(graph)):
        return graph, []
    whole = completed(graph)
    groups: dict[Any, list[Unknown]] = {}
    for unit, path, layer in unknown_layers(whole):
        if needs_stub(layer):
            found = _unknown(unit, path, layer)
            names = tuple(layer.known_weights)
            call = tuple(found.reads), len(found.outputs)
            groups.setdefault((layer.class_, preferred_class(layer, unit), names, call), []).append(
                found
            )
    spec = whole.spec
    contexts = []
    scope = Scope(taken)
    for group in groups.values():
        first = group[0]
        name = claim_class(scope, preferred_class(first.layer, first.unit))
        context, arguments = _define(name, group, whole.assumed)
        contexts.append(context)
        for item, config in zip(group, arguments, strict=True):
            spec = with_layer(spec, item.path, {"class_": name, "config": config})
    taken.update(scope.used)
    assert isinstance(spec, ModelSpec)
    return build(spec)[0], contexts


def _unknown(unit: Unit, path: Path, layer: Custom) -> Unknown:
    node = unit.calls[0]
    if unit.spec is layer:
        outputs = tuple((value.shape or (None,), value.dtype) for value in node.outputs)
        return Unknown(unit, path, layer, node.args, outputs)
    (value,) = node.inputs()[:1]
    inside = path[len(unit.path) :]
    step = Value(value.name, inner_input(unit.layer, inside, value.shape or (None,)), value.dtype)
    if is_cell(inside):
        sizes = output_and_states(layer)
        dtype = node.outputs[0].dtype
        cell_outputs = tuple(((None, size), dtype) for size in sizes)
        states = [Value(value.name, shape, dtype) for shape, _ in cell_outputs[1:]]
        reads = {"inputs": step, "states": states}
        return Unknown(unit, path, layer, reads, cell_outputs, is_cell=True)
    output = layer.output_shape(step.shape)
    return Unknown(unit, path, layer, {"inputs": step}, ((output, node.outputs[0].dtype),))


def _define(
    name: str, group: list[Unknown], assumed: frozenset[Unit]
) -> tuple[StubContext, list[dict[str, Any]]]:
    """Define the class of a group of layers.

    Returns:
        The class, and the constructor arguments of each layer.
    """
    first = group[0]
    configs = [
        {key: value for key, value in own_config(item.layer).items() if is_identifier(key)}
        for item in group
    ]
    keys = list(dict.fromkeys(key for config in configs for key in config))
    attrs = {key: identifier(key.replace("/", "_")) for key in first.shapes}
    shaped = [key for key in attrs if len({item.shapes[key] for item in group}) > 1]
    varies = any(item.outputs != first.outputs for item in group)
    given = "sizes" if first.is_cell else "gives"
    arguments = []
    for item, config in zip(group, configs, strict=True):
        own = {key: config[key] for key in keys if key in config}
        own |= {f"{attrs[key]}_shape": item.shapes[key] for key in shaped}
        if varies and item.is_cell:
            own["sizes"] = [shape[1] for shape, _ in item.outputs]
        elif varies:
            own["gives"] = [shape[1:] for shape, _ in item.outputs]
        own |= _common(item.layer, item.unit.around)
        arguments.append(own)
    parameters = [*keys, *(f"{attrs[key]}_shape" for key in shaped), *([given] if varies else [])]
    stores = dict.fromkeys(
        "/".join(key.split("/")[:depth]) for key in attrs for depth in range(1, key.count("/") + 1)
    )
    parts = [
        (".".join(["self", *map(identifier, store.split("/"))]), store.rpartition("/")[2])
        for store in stores
    ]
    weights = []
    for key, attr in attrs.items():
        *above, last = [identifier(part, "weight") for part in key.split("/")]
        weight = as_weight(first.layer.known_weights[key])
        weights.append(
            StubWeight(
                owner=".".join(["self", *above]),
                attribute=last,
                name=key.rpartition("/")[2],
                shape=f"{attr}_shape" if key in shaped else literal(weight.shape),
                dtype=weight.dtype or "",
                trainable=weight.trainable,
            )
        )
    tensors = list(values_in(first.reads))
    positional = _parameters(first.reads)
    batch = f"{positional[0]}.shape[0]" if _is_tensor_first(first.reads) else "None"
    outputs = []
    for index, (shape, dtype) in enumerate(first.outputs):
        sizes = f"{batch}, *self.gives[{index}]" if varies else _sizes(batch, shape)
        kind = "self.compute_dtype" if dtype == "float32" else string(dtype)
        outputs.append((sizes, kind))
    reads = ", ".join(show_value(value) for value in tensors if value.shape)
    returned = ", ".join(show_shape(shape) for shape, _ in first.outputs)
    return (
        StubContext(
            name=name,
            package=_package(first.layer),
            doc=f"Stub for {describe_layer(first.layer, first.unit)}: implement `call`.",
            notes=_notes(group, configs, reads, returned, assumed),
            parameters=parameters,
            parts=parts,
            weights=weights,
            arguments=positional,
            task=f"write what {name} computes: {reads} -> {returned}",
            outputs=outputs,
            cell=_cell_sizes(first, varies=varies),
        ),
        arguments,
    )


def _cell_sizes(item: Unknown, *, varies: bool) -> tuple[str, str] | None:
    """The source of the attributes ``output_size`` and ``state_size`` of a cell."""
    if not item.is_cell:
        return None
    output, *states = (shape[1] for shape, _ in item.outputs)
    if varies:
        return "sizes[0]", "sizes[1:]" if len(states) > 1 else "sizes[1]"
    return literal(output), literal(states if len(states) > 1 else states[0])


def _sizes(batch: str, shape: Shape) -> str:
    return ", ".join([batch, *(literal(size) for size in shape[1:])]) + ("," * (len(shape) == 1))


def _is_tensor_first(reads: dict[str, Any]) -> bool:
    return isinstance(next(iter(reads.values()), None), Value)


def _parameters(reads: dict[str, Any]) -> list[str]:
    """The names of the parameters of `call`."""
    scope = Scope(("self",))
    names = []
    for key in reads or {"inputs": None}:
        names.append(scope.claim(identifier(key if not key.startswith("*") else f"value{key[1:]}")))
    return names


def _common(layer: Custom, around: Any) -> dict[str, Any]:
    """The arguments that every Keras layer takes, if they are not the defaults.

    Args:
        layer: The layer.
        around: The dtype policy of its model, which Keras applies to no layer by itself.
    """
    arguments: dict[str, Any] = {}
    if layer.config.get("trainable") is False:
        arguments["trainable"] = False
    policy = layer.policy_in(around)
    name = name_of_policy(policy) or policy_name(policy)
    if name != "float32":
        arguments["dtype"] = name
    return arguments


def _package(layer: Custom) -> str:
    """The package under which the class is registered in Keras; empty for the default."""
    full = layer.registered_name or layer.class_
    package, found, _ = full.rpartition(".")[2].rpartition(">")
    return package if found and package != "Custom" else ""


def _notes(
    group: list[Unknown],
    configs: list[dict[str, Any]],
    reads: str,
    given: str,
    assumed: frozenset[Unit],
) -> list[str]:
    lines = []
    if len(group) == 1 and configs[0]:
        lines += paragraph(f"Config: {config_text(configs[0])}.")
    lines += paragraph(f"Takes {reads or 'nothing'} and returns {given}.")
    if group[0].is_cell:
        lines += paragraph(CELL)
    if any(item.unit in assumed for item in group):
        lines += paragraph(INFERRED_SHAPE)
    return lines
