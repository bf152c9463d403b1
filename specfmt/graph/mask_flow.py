"""The masks that tensors have while Keras runs a model, nested models included.

Keras propagates masks twice.  While a functional model is built, a mask is computed for every symbolic
tensor, and a layer that takes a ``mask`` argument and is called with a single tensor has that mask
recorded as an argument of the call (`Layer.__call__` of Keras 3.15).  A nested model passes no mask on
then.  While the model runs, masks are attached to the tensors, where all other layers find them,
whether they were made in the same model, came in with an argument of a nested model or leave one with
its output.  `MultiHeadAttention` removes the masks of its inputs, also from a tensor of the model
around it.  A nested model can be called with masks and without; see `MaskFlows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from specfmt.graph.execution import execution_order, takes_masks
from specfmt.graph.held import HeldModel
from specfmt.graph.infer import compute_dtype, split_arguments
from specfmt.graph.model import Graph, Node, Value, flatten, values_in
from specfmt.graph.tracing import is_copied
from specfmt.layers.base import Layer, is_floating
from specfmt.layers.wrappers import TimeDistributed


@dataclass(eq=False)
class MaskFlow:
    """The masks in one model, for inputs with given masks.

    Attributes:
        ranks: Value -> the number of axes of its mask, for values that have one.
        real: The values whose masks may differ from all true; see `MaskFlows`.
        hidden: Call -> its inputs whose mask it does not see, because it was removed.
        unclear: Calls whose recorded mask is not the one that is attached to the tensor.
        calls: The calls of models inside: call, model, input -> the number of axes of its mask, and
            the inputs whose masks are real.
        outputs: Output name -> the number of axes of its mask, at the end of the run.
        taken: The inputs from which the mask was removed.
        same: Output name -> the input whose tensor it is.
        masked: The values that have a mask, attached or recorded.
    """

    ranks: dict[Value, int] = field(default_factory=dict)
    real: set[Value] = field(default_factory=set)
    hidden: dict[Node, frozenset[Value]] = field(default_factory=dict)
    unclear: set[Node] = field(default_factory=set)
    calls: list[tuple[Node, Graph, dict[str, int], frozenset[str]]] = field(default_factory=list)
    outputs: dict[str, int] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()
    same: dict[str, str] = field(default_factory=dict)
    masked: set[Value] = field(default_factory=set)


class MaskFlows:
    """The masks in a model and in all models inside it.

    A model that is called several times computes with a mask for each input that has one in any
    call; in a call without it, the mask is all true, which changes nothing.

    Attributes:
        flows: Model -> its masks.
        masked: Model -> input -> the number of axes of its mask.
        mixed: Calls of models whose masks cannot be completed with masks that are all true: they
            would differ from Keras's after a layer that combines masks.
    """

    def __init__(self, graph: Graph) -> None:
        self.flows: dict[Graph, MaskFlow] = {}
        self.masked: dict[Graph, dict[str, int]] = {}
        self.mixed: set[Node] = set()
        self._known: dict[Any, MaskFlow] = {}
        self._settle(graph, {})

    def _settle(self, graph: Graph, masked: dict[str, int]) -> None:
        flow = self.flows[graph] = self.follow(graph, masked, frozenset(masked))
        self.masked[graph] = masked
        inner: dict[Graph, dict[str, int]] = {}
        for node, model, ranks, _ in flow.calls:
            found = inner.setdefault(model, {})
            for name, rank in ranks.items():
                if found.setdefault(name, rank) != rank:
                    self.mixed.add(node)
        for model, ranks in inner.items():
            self._settle(model, ranks)
        for node, model, ranks, real in flow.calls:
            if ranks.keys() != inner[model].keys() and not self._agrees(
                model, ranks, inner[model], real
            ):
                self.mixed.add(node)

    def _agrees(
        self, graph: Graph, own: dict[str, int], every: dict[str, int], real: frozenset[str]
    ) -> bool:
        """Whether a call with the masks ``own`` can be computed with the masks ``every``."""
        keras = self.follow(graph, own, frozenset(own))
        ours = self.follow(graph, every, real)
        if any(value not in keras.ranks for value in ours.real):
            return False
        return all(
            self._agrees(model, left[2], left[2] | right[2], right[3])
            for left, right in zip(keras.calls, ours.calls, strict=True)
            for model in (left[1],)
            if left[2].keys() != right[2].keys()
        )

    def follow(self, graph: Graph, masked: Mapping[str, int], real: frozenset[str]) -> MaskFlow:
        """The masks of a model.

        Args:
            graph: The model.
            masked: Input name -> the number of axes of its mask.
            real: The inputs whose masks may differ from all true.
        """
        key = (graph, frozenset(masked.items()), real)
        if key not in self._known:
            self._known[key] = _Run(self, graph, masked, real).flow
        return self._known[key]


class _Run:
    """Follows the calls of one model in the order in which Keras runs them."""

    def __init__(
        self, flows: MaskFlows, graph: Graph, masked: Mapping[str, int], real: frozenset[str]
    ) -> None:
        self.flows = flows
        self.graph = graph
        self.flow = MaskFlow()
        self.same: dict[Value, Value] = {}
        self.symbolic: dict[Value, int] = {}
        self.other: set[Value] = set()  # values whose symbolic mask is not the attached one
        self.attached: dict[Value, int] = {}
        for name, value in graph.inputs.items():
            if name in masked:
                self._attach(value, masked[name], name in real)
        removes = any(takes_masks(node.unit) for node in graph.nodes)
        for node in execution_order(graph) if removes else graph.nodes:
            if node.unit.graph is not None:
                self._model(node, node.unit.graph)
            elif not node.layer.is_operation:
                self._layer(node, node.layer)
        names = {value: name for name, value in graph.inputs.items()}
        for name, value in graph.outputs.items():
            tensor = self.same.get(value, value)
            if tensor in self.attached:
                self.flow.outputs[name] = self.attached[tensor]
            if tensor in names:
                self.flow.same[name] = names[tensor]
        self.flow.masked = {*self.flow.ranks, *self.symbolic}
        self.flow.taken = frozenset(
            name
            for name, value in graph.inputs.items()
            if name in masked and value not in self.attached
        )

    def _attach(self, value: Value, rank: int, real: bool) -> None:
        self.attached[self.same.get(value, value)] = rank
        self.flow.ranks[value] = rank
        if real:
            self.flow.real.add(value)

    def _detach(self, value: Value) -> None:
        self.attached.pop(self.same.get(value, value), None)

    def _rank(self, value: Value) -> int | None:
        return self.attached.get(self.same.get(value, value))

    def _seen(self, value: Value, *, recorded: bool) -> int | None:
        """The number of axes of the mask that a call sees; None if it sees none."""
        if recorded and value in self.symbolic:
            return self.symbolic[value]
        return self._rank(value)

    def _model(self, node: Node, inner: Graph) -> None:
        recorded = not is_copied(node, self.graph.policy)
        given = node.args.get("mask")
        ranks: dict[str, int] = {}
        for name, value in node.args.items():
            if name in inner.inputs and isinstance(value, Value):
                rank = self._seen(value, recorded=recorded and given is None)
                if rank is not None:
                    ranks[name] = rank
        if isinstance(given, Value):
            ranks[first_input(inner)] = len(given.shape or ())
        self._hide(node, recorded=recorded)
        # The masks are attached to the arguments themselves, which stay masked after the call.
        for name, rank in ranks.items():
            value = node.args[name]
            self._attach(value, rank, value in self.flow.real or isinstance(given, Value))
        real = frozenset(name for name in ranks if node.args[name] in self.flow.real)
        self.flow.calls.append((node, inner, ranks, real))
        found = self.flows.follow(inner, ranks, real)
        for name in found.taken:
            self._detach(node.args[name])
        for value, (name, result) in zip(node.outputs, inner.outputs.items(), strict=False):
            if name in found.same and found.same[name] in node.args:
                argument = node.args[found.same[name]]
                self.same[value] = self.same.get(argument, argument)
            if name in found.outputs:
                self._attach(value, found.outputs[name], result in found.real)

    def _hide(self, node: Node, *, recorded: bool) -> None:
        lost = frozenset(
            value
            for value in node.inputs()
            if (value in self.flow.ranks or value in self.symbolic)
            and self._seen(value, recorded=recorded) is None
        )
        if lost:
            self.flow.hidden[node] = lost

    def _layer(self, node: Node, layer: Layer) -> None:
        dtype = compute_dtype(layer.dtype or self.graph.policy)
        recorded = _is_recorded(node, layer, dtype)
        self._hide(node, recorded=recorded)
        inputs = node.inputs()
        if recorded and inputs[0] in self.other:
            self.flow.unclear.add(node)
        self._held(node, layer, recorded=recorded)
        self._give(node, layer, recorded=recorded)
        first = next(iter(inputs), None)
        if layer.returns_input() and first is not None and not _is_cast(first, dtype):
            self.same[node.outputs[0]] = self.same.get(first, first)
        for argument in layer.removes_masks_of:
            value = node.args.get(argument)
            if isinstance(value, Value) and not _is_cast(value, dtype):
                self._detach(value)

    def _held(self, node: Node, layer: Layer, *, recorded: bool) -> None:
        """The call of a model that a layer holds, with the mask of one time step."""
        depth = 0
        while isinstance(layer, TimeDistributed):
            layer, depth = layer.layer, depth + 1
        if not depth or not isinstance(layer, HeldModel):
            return
        (value, *_) = node.inputs()
        given = node.args.get("mask")
        rank = (
            len(given.shape or ())
            if isinstance(given, Value)
            else self._seen(value, recorded=recorded)
        )
        name = first_input(layer.graph)
        ranks = {} if rank is None else {name: max(rank - depth, 0)}
        real = frozenset(ranks) if value in self.flow.real or given is not None else frozenset()
        self.flow.calls.append((node, layer.graph, ranks, real))
        self.flows.follow(layer.graph, ranks, real)

    def _give(self, node: Node, layer: Layer, *, recorded: bool) -> None:
        """Attach masks to the outputs of a layer."""

        def seen(value: Value) -> bool:
            return self._seen(value, recorded=recorded) is not None

        def symbolic(value: Value) -> bool:
            return value in self.symbolic

        rank = layer.mask_rank(*(value.shape or () for value in node.inputs()[:1]))
        makes = rank is not None
        explicit = list(values_in(node.args.get("mask")))
        read = [value for value in node.inputs() if seen(value)]
        if rank is None:
            ranks = [len(value.shape or ()) for value in explicit]
            ranks += [self._seen(value, recorded=recorded) or 0 for value in read]
            ranks += [self.symbolic[value] for value in node.inputs() if symbolic(value)]
            rank = next(iter(ranks), None)
        if rank is None:
            return
        real = makes or bool(explicit) or any(value in self.flow.real for value in read)
        for value, ours, theirs in zip(
            node.outputs, _masks(node, seen), _masks(node, symbolic), strict=False
        ):
            if ours:
                self._attach(value, rank, real)
            if theirs:
                self.symbolic[value] = rank
                if not makes and not recorded and self._differs(node, symbolic, seen):
                    self.other.add(value)

    def _differs(self, node: Node, symbolic: Any, seen: Any) -> bool:
        """Whether the symbolic mask of a call's output is made from other masks."""
        inputs = node.inputs()
        several = sum(symbolic(value) for value in inputs) > 1
        return any(
            value in self.other or (seen(value) and not symbolic(value)) for value in inputs
        ) or (several and any(symbolic(value) and not seen(value) for value in inputs))


def _masks(node: Node, read: Any) -> tuple[bool, ...]:
    """Whether each output has a mask, if `read` says which inputs have one."""
    flags, keywords = split_arguments(node, read)
    masks = node.layer.output_mask(*flags, **keywords)
    return (bool(masks),) * len(node.outputs) if not isinstance(masks, tuple) else masks


def first_input(graph: Graph) -> str:
    """The input that gets the mask if a model is called with a single one."""
    names = {value: name for name, value in graph.inputs.items()}
    return names[flatten(graph.input_nest)[0]]


def _is_recorded(node: Node, layer: Layer, dtype: str) -> bool:
    """Whether the mask of the symbolic tensor is an argument of the recorded call."""
    if not any(argument.name == "mask" for argument in layer.call_arguments):
        return False
    values = list(node.args.values())
    return len(values) == 1 and isinstance(values[0], Value) and values[0].dtype == dtype


def _is_cast(value: Value, dtype: str) -> bool:
    """Whether Keras passes the layer a copy of the tensor, cast to its compute dtype."""
    return is_floating(value.dtype) and value.dtype != dtype


def settle_masks(graph: Graph) -> None:
    """Set `Node.unmasked` in a graph with layers that remove the masks of their inputs."""
    if not any(takes_masks(node.unit) for node in graph.nodes):
        return
    if not any(value.masked for node in graph.nodes for value in node.outputs):
        return
    for node, lost in MaskFlows(graph).flows[graph].hidden.items():
        layer = node.unit.spec
        if isinstance(layer, Layer) and (layer.reads_masks or _takes_mask(layer)):
            node.unmasked = lost


def _takes_mask(layer: Layer) -> bool:
    return any(argument.name.endswith("mask") for argument in layer.call_arguments)
