"""Stub classes for layers that specfmt does not define: weights and shapes, but no forward.

Layers of the same Keras class share a stub class, whose constructor takes the arguments in which
they differ.  A layer with a user-defined PyTorch class (``torch:``) imports that class instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from specfmt.graph.model import Unit
from specfmt.layers.base import is_floating
from specfmt.layers.custom import Custom
from specfmt.layers.custom_weights import as_weight
from specfmt.layers.kept import kept_layer
from specfmt.layers.naming import is_identifier
from specfmt.targets.naming import Scope
from specfmt.targets.source import comment, literal
from specfmt.targets.torch.expr import Call, Name, Tensor, shape_text
from specfmt.targets.torch.steps import ModuleDef
from specfmt.targets.unknown import (
    INFERRED_SHAPE,
    StubWeight,
    attribute_names,
    claim_class,
    config_text,
    describe_layer,
    own_config,
    paragraph,
    preferred_class,
)

ANNOTATIONS = {bool: "bool", int: "int", float: "float", str: "str"}

CELL = (
    "A cell: it gets one time step and the states, and returns the output and a list of the states "
    "for the next step. The states are zeros at the first step."
)
"""A note in the docstring of a stub that is a cell of a recurrent layer."""


@dataclass(eq=False)
class Stub:
    """One call of a layer that specfmt does not define.

    Attributes:
        layer: The layer's definition.
        unit: The layer in the graph, or the wrapper around it.
        module: The module that replaces it.
        args, kwargs: The arguments of the call.
        outputs: The outputs of the call; of a cell its output, and a list of its states.
    """

    layer: Custom
    unit: Unit
    module: ModuleDef
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Tensor | list[Tensor], ...]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each weight."""
        return {name: as_weight(item).shape for name, item in self.layer.known_weights.items()}


@dataclass(frozen=True)
class StubContext:
    """The template's variables for one stub class.

    Attributes:
        name: The class's name.
        doc, notes: The first line and the body of its docstring.
        parameters: The parameters of its constructor and their types.
        attributes: The parameters that the constructor assigns to attributes.
        weights: Its weights.
        arguments, returns: The signature of ``forward``.
        task: What the user has to write.
    """

    name: str
    doc: str
    notes: list[str]
    parameters: list[tuple[str, str]]
    attributes: list[str]
    weights: list[StubWeight]
    arguments: list[tuple[str, str]]
    returns: str
    task: str


class Stubs:
    """All calls of unknown layers in one file.

    Attributes:
        contexts: The stub classes, after `define_classes`.
        imports: The import lines of the user-defined PyTorch classes.
        unfinished: For each stub class: its name, the layers that it replaces, and what the user
            has to write.
    """

    def __init__(self) -> None:
        self.calls: dict[ModuleDef, Stub] = {}
        self.contexts: list[StubContext] = []
        self.imports: dict[str, None] = {}
        self.unfinished: list[tuple[str, list[str], str]] = []

    def add(self, stub: Stub) -> None:
        """Add a call; of a shared layer, the call with the most arguments is kept."""
        known = self.calls.setdefault(stub.module, stub)
        if len(stub.args) > len(known.args) or len(stub.kwargs) > len(known.kwargs):
            self.calls[stub.module] = stub

    def define_classes(self, scope: Scope, assumed: frozenset[Unit]) -> None:
        """Define the stub classes and set the constructor call of every module.

        Args:
            scope: Module-level names in use in the file.
            assumed: Units whose output shape is inferred from the layers that follow.
        """
        groups: dict[Any, list[Stub]] = {}
        for stub in self.calls.values():
            groups.setdefault(_kind(stub), []).append(stub)
        for group in groups.values():
            first = group[0].layer
            if first.torch is not None:
                self._imported(first.torch, group, scope)
            else:
                preferred = preferred_class(first, group[0].unit)
                context = _define(claim_class(scope, preferred), group, assumed)
                self.contexts.append(context)
                names = list(dict.fromkeys(stub.unit.name for stub in group))
                self.unfinished.append((context.name, names, _task(context.name, group[0])))

    def _imported(self, dotted: str, group: list[Stub], scope: Scope) -> None:
        module, _, name = dotted.rpartition(".")
        own = claim_class(scope, name)
        self.imports[f"from {module} import {name if own == name else f'{name} as {own}'}"] = None
        for stub in group:
            config = own_config(stub.layer)
            if all(is_identifier(key) for key in config):
                stub.module.ctor = Call(own, (), config)
            else:
                stub.module.ctor = Call(own, (Name(f"**{literal(config)}"),))


def _kind(stub: Stub) -> Any:
    """A key that is equal for layers that share a class."""
    layer = stub.layer
    if layer.torch is not None:
        return layer.torch
    names = tuple(
        (name, as_weight(item).trainable, as_weight(item).dtype)
        for name, item in layer.known_weights.items()
    )
    # Each Lambda and each TensorFlow function computes something different.
    own = preferred_class(layer, stub.unit)
    call = (len(stub.args), tuple(stub.kwargs), len(stub.outputs))
    return layer.class_, own, names, call


def _define(name: str, group: list[Stub], assumed: frozenset[Unit]) -> StubContext:
    """Define the class of a group of layers and set the constructor call of each."""
    first = group[0]
    attrs = attribute_names(list(first.shapes))
    configs = [own_config(stub.layer) for stub in group]
    plain = [key for key in configs[0] if _varies_plainly(key, configs)]
    shaped = [key for key in attrs if len({stub.shapes[key] for stub in group}) > 1]
    parameters = [(key, _annotation([config[key] for config in configs])) for key in plain]
    parameters += [(f"{attrs[key]}_shape", "tuple[int, ...]") for key in shaped]
    for stub, config in zip(group, configs, strict=True):
        arguments = {key: config[key] for key in plain}
        arguments |= {f"{attrs[key]}_shape": stub.shapes[key] for key in shaped}
        stub.module.ctor = Call(name, (), arguments)
    weights = []
    for key, attr in attrs.items():
        weight = as_weight(first.layer.known_weights[key])
        floating = is_floating(weight.dtype or "float32")
        weights.append(
            StubWeight(
                owner="self",
                attribute=attr,
                name=key,
                shape=f"{attr}_shape" if key in shaped else literal(weight.shape),
                dtype=weight.dtype or "",
                trainable=weight.trainable and floating,
            )
        )
    signature = _signature(first)
    return StubContext(
        name=name,
        doc=f"Stub for {describe_layer(first.layer, first.unit)}: implement `forward`.",
        notes=_notes(group, configs, plain, signature, assumed),
        parameters=parameters,
        attributes=plain,
        weights=weights,
        arguments=signature,
        returns=_returned(first),
        task=_task(name, first),
    )


def _task(name: str, stub: Stub) -> str:
    """What the user has to write."""
    reads = ", ".join(map(_shown, _tensors((*stub.args, stub.kwargs))))
    returns = ", ".join(map(_shown, _tensors(stub.outputs)))
    return f"write what {name} computes: {reads} -> {returns}"


def _notes(
    group: list[Stub],
    configs: list[dict[str, Any]],
    plain: list[str],
    signature: list[tuple[str, str]],
    assumed: frozenset[Unit],
) -> list[str]:
    """The docstring's body: config, weights, shapes."""
    lines: list[str] = []
    kept = [{k: v for k, v in config.items() if k not in plain} for config in configs]
    if len({config_text(config) for config in kept}) == 1:
        if kept[0]:
            lines += paragraph(f"Config: {config_text(kept[0])}.")
    else:
        for stub, config in zip(group, kept, strict=True):
            text = f"Config of {comment(stub.unit.name)}: {config_text(config)}."
            lines += paragraph(text)
    whole = kept_layer(group[0].layer.class_)
    if whole is not None:
        lines += paragraph(f"Keras code only: {whole.reason}.")
    if group[0].shapes:
        named = not all("weight_" in name for name in group[0].shapes)
        what = "names, shapes and order" if named else "shapes and order"
        lines += paragraph(f"Its weights have Keras's {what}.")
    # The two directions of a Bidirectional take and return the same.
    calls = dict.fromkeys((stub.unit.name, _call(stub)) for stub in group)
    for name, call in list(calls)[:3]:
        who = f"{comment(name)}: takes" if len(calls) > 1 else "Takes"
        lines += paragraph(f"{who} {call}.")
    reads = _tensors((*group[0].args, group[0].kwargs))
    if any(isinstance(output, list) for output in group[0].outputs):
        lines += paragraph(CELL)
    if any(value.rank > 3 for value in (*reads, *_tensors(group[0].outputs))):
        lines += paragraph("Axes are in Keras's order: channels last.")
    if any(stub.unit in assumed for stub in group):
        lines += paragraph(INFERRED_SHAPE)
    return lines


def _call(stub: Stub) -> str:
    """What a call takes and returns."""
    takes = ", ".join(map(_shown, _tensors((*stub.args, stub.kwargs))))
    return f"{takes or 'nothing'} and returns {', '.join(map(_shown, _tensors(stub.outputs)))}"


def _varies_plainly(key: str, configs: list[dict[str, Any]]) -> bool:
    """Whether a config entry is a plain value that differs between layers of the class."""
    if not is_identifier(key) or not all(key in config for config in configs):
        return False
    values = [config[key] for config in configs]
    plain = all(isinstance(value, (*ANNOTATIONS, type(None))) for value in values)
    return plain and any(value != values[0] for value in values)


def _annotation(values: list[Any]) -> str:
    kinds = dict.fromkeys(ANNOTATIONS[type(v)] for v in values if v is not None)
    if "float" in kinds:
        kinds.pop("int", None)
    return " | ".join([*kinds, *(["None"] if None in values else [])])


def _signature(stub: Stub) -> list[tuple[str, str]]:
    """Parameters of forward with their annotations."""
    scope = Scope(("self", "torch", "nn"))
    found = []
    for index, value in enumerate(stub.args):
        preferred = "x" if isinstance(value, (Tensor, list, tuple)) else "value"
        if isinstance(value, (list, tuple)):
            preferred = "xs"
        found.append(
            (scope.claim(preferred if not index else f"{preferred}{index + 1}"), _type(value))
        )
    return found + [(key, _type(value)) for key, value in stub.kwargs.items()]


def _type(value: Any) -> str:
    if isinstance(value, Tensor):
        return "torch.Tensor"
    if isinstance(value, dict):
        return f"dict[str, {_union(value.values())}]"
    if isinstance(value, (list, tuple)):
        inner = _union(value)
        return f"list[{inner}]" if isinstance(value, list) else f"tuple[{inner}, ...]"
    if value is None:
        return "None"
    return ANNOTATIONS.get(type(value), "object")


def _union(values: Any) -> str:
    return " | ".join(dict.fromkeys(_type(value) for value in values)) or "object"


def _returned(stub: Stub) -> str:
    if len(stub.outputs) == 1:
        return "torch.Tensor"
    return f"tuple[{', '.join(map(_type, stub.outputs))}]"


def _tensors(nest: Any) -> list[Tensor]:
    if isinstance(nest, Tensor):
        return [nest]
    items: Sequence[Any] = ()
    if isinstance(nest, dict):
        items = list(nest.values())
    elif isinstance(nest, (list, tuple)):
        items = nest
    return [tensor for item in items for tensor in _tensors(item)]


def _shown(tensor: Tensor) -> str:
    """A shape in Keras's axis order: ``(N, H, W, 3)``."""
    return shape_text(tensor, channels_first=False) if tensor.shape else "a tensor"
