"""Models inside layers (`TimeDistributed` around a model), with the interface of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final, Protocol

from specfmt.diagnostics import Path
from specfmt.graph.infer import infer, replay, show_shape
from specfmt.graph.keras_groups import members
from specfmt.graph.model import Graph, Node, Unit, Value
from specfmt.graph.symbolic import call_sizes
from specfmt.layers.base import Argument, Layer, Shape, ShapeError, Weight
from specfmt.layers.entries import InputSpec, Model
from specfmt.layers.naming import inner_name
from specfmt.layers.size_rules import agree
from specfmt.layers.symbols import Size


class HeldModel(Layer):
    """A model in a field of a layer.

    Attributes:
        definition: The model in the document.
        build: Builds its graph; a definition without inputs gets them from the first call.
        made: The graph, once it is built.
    """

    type_name: ClassVar[str] = "Model"
    family: ClassVar[str] = "held_models"
    call_arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("inputs"),
        Argument("training", "value", required=False),
        Argument("mask", required=False),
    )

    definition: Any
    build: Callable[[Model], Graph]
    made: list[Any]

    @property
    def graph(self) -> Graph:
        """The model's graph."""
        if not self.made:
            self.made.append(self.build(self.definition))
        graph: Graph = self.made[0]
        return graph

    @property
    def has_statistics(self) -> bool:  # type: ignore[override]
        """Whether a layer in it uses batch statistics in training mode."""
        return any(u.layer.has_statistics and u.trainable for u in self.graph.walk_units())

    def parts(self) -> Iterator[Layer]:
        for unit in self.graph.walk_units():
            yield unit.layer

    def _graph_for(self, x: Shape) -> Graph:
        if not self.made and self.definition.inputs is None:
            inputs = {"inputs": InputSpec(shape=x[1:])}
            self.made.append(self.build(self.definition.model_copy(update={"inputs": inputs})))
        return self.graph

    def output_shape(self, x: Shape, training: object = None, mask: Shape | None = None) -> Any:
        graph = self._graph_for(x)
        if len(graph.inputs) != 1:
            raise ShapeError("a model with one input", f"{len(graph.inputs)}", field="layer")
        ((name, value),) = graph.inputs.items()
        if value.shape is None:
            return None
        fits = len(value.shape) == len(x) and all(map(agree, value.shape[1:], x[1:]))
        if not fits:
            raise ShapeError(
                f"{show_shape(value.shape)} for input {name} of {self.name}",
                show_shape(x),
                "change the model's `inputs` or the tensor that is passed to it",
                field="layer",
                code="SF209",
            )
        if any(isinstance(size, Size) for size in x):
            symbolic = call_sizes(graph, {name: x})
            return tuple(symbolic) if len(symbolic) > 1 else symbolic[0]
        merged = tuple(g if w is None else w for w, g in zip(value.shape, x, strict=True))
        outputs = [found.shape for found in replay(graph, {name: merged})]
        if any(shape is None for shape in outputs):
            return None
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    def weights(self, x: Shape, **kwargs: Any) -> Iterator[Weight]:
        yield from weights_of(self._graph_for(x))

    def macs(self, output: Any, x: Shape, **kwargs: Any) -> int:
        """The sum over its layers."""
        return self._graph_for(x).macs

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str | tuple[str, ...]:
        """The dtypes of its outputs."""
        if not self.made:
            return compute_dtype
        found = tuple(value.dtype for value in self.graph.outputs.values())
        return found if len(found) > 1 else found[0]


def weights_of(graph: Graph) -> Iterator[Weight]:
    """Every weight of a model in Keras's order, named by its path in the model."""
    for member in members(graph):
        unit = member.unit
        inner = unit.weights if unit.graph is None else weights_of(unit.graph)
        for weight in inner:
            trainable = weight.trainable and (unit.graph is not None or unit.trainable)
            below = weight.below(f"layers/{member.group}", unit.name)
            yield replace(below, trainable=trainable)


_PLAIN: Final = frozenset({bool, int, float, str, tuple, list, dict, type(None)})
"""Types of values that contain no model and no layer."""


def with_models(layer: Any, build: Callable[[Model, str], Graph]) -> Any:
    """A layer with every `Model` in its fields replaced by a `HeldModel`; others are unchanged.

    Args:
        layer: The layer.
        build: Builds the graph of a model, given the field that contains it (``layer.layer``).
    """
    changed: dict[str, Any] = {}
    for name, value in vars(layer).items():
        if type(value) in _PLAIN:  # nearly all: asking a Pydantic class is slow
            continue
        if isinstance(value, Model):
            changed[name] = held(value, build, name)
        elif isinstance(value, Layer):

            def below(model: Model, field: str, name: str = name) -> Graph:
                return build(model, f"{name}.{field}")

            inner = with_models(value, below)
            if inner is not value:
                changed[name] = inner
    return layer.model_copy(update=changed) if changed else layer


def held(definition: Model, build: Callable[[Model, str], Graph], field: str) -> HeldModel:
    """A model of the document as a `HeldModel`."""
    model = HeldModel.model_construct(
        definition=definition,
        build=lambda found: build(found, field),
        made=[],
        name=definition.name,
        trainable=definition.trainable,
        dtype=definition.dtype,
    )
    if definition.inputs is not None:
        _ = model.graph
    return model


class Typed(Protocol):
    """What `layer_graph` needs to know of a tensor."""

    shape: Shape
    dtype: str


def layer_graph(
    layer: Layer,
    arguments: Mapping[str, Typed | None],
    *,
    trainable: bool,
    around: Any,
    path: Path,
) -> Graph:
    """A model of one layer inside another, called with its first argument (and a mask).

    Args:
        layer: The layer.
        arguments: Input name -> a tensor of its shape and dtype; None for an absent one.  The
            first is the layer's first argument, the others have the names of arguments.
        trainable: Whether its weights are trained.
        around: The dtype policy of a layer without its own.
        path: The path of the definition in the document.
    """
    name = inner_name(layer)
    inputs = {
        key: Value(key, tensor.shape, tensor.dtype)
        for key, tensor in arguments.items()
        if tensor is not None
    }
    first, *others = inputs.items()
    args = {layer.call_arguments[0].name: first[1], **dict(others)}
    unit = Unit(name, layer, None, path, trainable, policy=layer.policy_in(around), around=around)
    node = Node(name, unit, args, path)
    unit.calls.append(node)
    infer(node, around, [])
    (output,) = node.outputs
    model = Model.model_construct(name=f"{name}_step", layers=(layer,))
    return Graph(
        name=f"{name}_step",
        spec=model,
        inputs=inputs,
        input_specs={},
        nodes=[node],
        units=[unit],
        outputs={name: output},
        input_nest=list(inputs.values()),
        output_nest=output,
        policy=around,
    )
