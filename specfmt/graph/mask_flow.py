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
from specfmt.graph.infer import split_arguments
from specfmt.graph.model import Graph, Node, Value, flatten, values_in
from specfmt.graph.tracing import is_copied
from specfmt.layers.base import Layer, is_floating
from specfmt.layers.policies import compute_dtype

Token = Any
"""What identifies a mask: the call, input or argument that it comes from, or a tuple of those."""

Mask = tuple[int, Token]
"""The number of axes of a mask, and which mask it is."""


@dataclass(eq=False)
class MaskFlow:
    """The masks in one model, for inputs with given masks.

    Attributes:
        ranks: Value -> the number of axes of its mask, for values that have one.
        real: The values whose masks may differ from all true; see `MaskFlows`.
        hidden: Call -> its inputs whose mask it does not see, because it was removed.
        differing: Call -> the masks that it sees of inputs for which generated code would compute
            other ones.
        calls: The calls of models inside: call, model, input -> the number of axes of its mask, and
            the inputs whose masks are real.
        outputs: Output name -> the number of axes of its mask, at the end of the run.
        taken: The inputs from which the mask was removed.
        same: Output name -> the input whose tensor it is.
        masked: The values that have a mask in generated code.
    """

    ranks: dict[Value, int] = field(default_factory=dict)
    real: set[Value] = field(default_factory=set)
    hidden: dict[Node, frozenset[Value]] = field(default_factory=dict)
    differing: dict[Node, dict[Value, Mask]] = field(default_factory=dict)
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
    """Follows the calls of one model in the order in which Keras runs them.

    Attributes:
        symbolic: Value -> the mask that Keras computes while the model is built.
        attached: Value -> the mask that its tensor has at the moment.
        lowered: Value -> the mask that generated code computes for it: that of its inputs, also if a
            call before took them off.  It must be the one that a later call sees.
    """

    def __init__(
        self, flows: MaskFlows, graph: Graph, masked: Mapping[str, int], real: frozenset[str]
    ) -> None:
        self.flows = flows
        self.graph = graph
        self.flow = MaskFlow()
        self.same: dict[Value, Value] = {}
        self.symbolic: dict[Value, Mask] = {}
        self.attached: dict[Value, Mask] = {}
        self.lowered: dict[Value, Mask] = {}
        for name, value in graph.inputs.items():
            if name in masked:
                self._attach(value, (masked[name], name), name in real)
                self.lowered[value] = (masked[name], name)
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
                self.flow.outputs[name] = self.attached[tensor][0]
            if tensor in names:
                self.flow.same[name] = names[tensor]
        self.flow.masked = set(self.lowered)
        self.flow.taken = frozenset(
            name
            for name, value in graph.inputs.items()
            if name in masked and value not in self.attached
        )

    def _attach(self, value: Value, mask: Mask, real: bool) -> None:
        self.attached[self.same.get(value, value)] = mask
        self.flow.ranks[value] = mask[0]
        if real:
            self.flow.real.add(value)

    def _seen(self, value: Value, *, recorded: bool) -> Mask | None:
        """The mask that a call sees: the recorded one, or else the attached one."""
        found = self.symbolic.get(value) if recorded else None
        return found or self.attached.get(self.same.get(value, value))

    def _look(self, node: Node, *, recorded: bool) -> dict[Value, Mask]:
        """The masks that a call sees, which generated code must give it."""
        seen: dict[Value, Mask] = {}
        for value in node.inputs():
            found = self._seen(value, recorded=recorded)
            if found is not None:
                seen[value] = found
                if self.lowered.get(value) != found:
                    self.flow.differing.setdefault(node, {})[value] = found
        lost = frozenset(v for v in node.inputs() if v in self.lowered and v not in seen)
        if lost:
            self.flow.hidden[node] = lost
        return seen

    def _model(self, node: Node, inner: Graph) -> None:
        given = node.args.get("mask")
        recorded = given is None and not is_copied(node, self.graph.policy)
        arguments = {n: v for n, v in node.args.items() if n in inner.inputs}
        seen = self._look(node, recorded=recorded)
        masks = {name: seen[value] for name, value in arguments.items() if value in seen}
        real = {name for name in masks if arguments[name] in self.flow.real}
        if isinstance(given, Value):
            masks[first_input(inner)] = (len(given.shape or ()), given)
            real.add(first_input(inner))
        # The masks are attached to the arguments themselves, which stay masked after the call.
        for name, mask in masks.items():
            self._attach(arguments[name], mask, name in real)
        ranks = {name: mask[0] for name, mask in masks.items()}
        self.flow.calls.append((node, inner, ranks, frozenset(real)))
        found = self.flows.follow(inner, ranks, frozenset(real))
        for name in found.taken:
            self._detach(arguments[name])
        for value, (name, result) in zip(node.outputs, inner.outputs.items(), strict=False):
            passed = arguments.get(found.same.get(name, ""))
            if passed is not None:
                self.same[value] = self.same.get(passed, passed)
            if name in found.outputs:
                own = None if passed is None else self._seen(passed, recorded=False)
                self.lowered[value] = own or (found.outputs[name], (node, name))
                self._attach(value, self.lowered[value], result in found.real)

    def _detach(self, value: Value) -> None:
        self.attached.pop(self.same.get(value, value), None)

    def _layer(self, node: Node, layer: Layer) -> None:
        dtype = compute_dtype(layer.policy_in(self.graph.policy))
        recorded = _is_recorded(node, layer, dtype)
        reads = layer.reads_masks or _takes_mask(layer)
        seen = self._look(node, recorded=recorded) if reads else {}
        held = held_model(layer)
        if held is not None:
            self._held(node, *held, next(iter(seen.values()), None))
        self._give(node, recorded=recorded, reads=reads)
        first = next(iter(node.inputs()), None)
        if layer.returns_input() and first is not None and not _is_cast(first, dtype):
            self.same[node.outputs[0]] = self.same.get(first, first)
        for argument in layer.removes_masks_of:
            value = node.args.get(argument)
            if isinstance(value, Value) and not _is_cast(value, dtype):
                self._detach(value)

    def _held(self, node: Node, model: HeldModel, depth: int, mask: Mask | None) -> None:
        """The call of a model that a layer holds, with the mask of one time step."""
        given = node.args.get("mask")
        if isinstance(given, Value):
            mask = (len(given.shape or ()), given)
        ranks = {} if mask is None else {first_input(model.graph): max(mask[0] - depth, 0)}
        real = given is not None or any(value in self.flow.real for value in node.inputs())
        names = frozenset(ranks) if real else frozenset()
        self.flow.calls.append((node, model.graph, ranks, names))
        self.flows.follow(model.graph, ranks, names)

    def _give(self, node: Node, *, recorded: bool, reads: bool) -> None:
        """Give masks to the outputs of a layer."""
        values = node.inputs()
        seen = {v: m for v in values if (m := self._seen(v, recorded=recorded)) is not None}
        known = {v: self.symbolic[v] for v in values if v in self.symbolic}
        lowered = seen if reads else {v: self.lowered[v] for v in values if v in self.lowered}
        # Joined with a mask that is all true, all masks are; some layers pass on only one of them.
        real = any(_masks(node, {v: m for v, m in seen.items() if v in self.flow.real}))
        rank = node.layer.mask_rank(*(value.shape or () for value in values[:1]))
        real = real or rank is not None or node.args.get("mask") is not None
        for masks, kept in ((known, self.symbolic), (lowered, self.lowered)):
            mask = _made(node, masks)
            for value, flag in zip(node.outputs, _masks(node, masks), strict=False):
                if flag and mask is not None:
                    kept[value] = mask
        mask = _made(node, seen)
        for value, flag in zip(node.outputs, _masks(node, seen), strict=False):
            if flag and mask is not None:
                self._attach(value, mask, real)
        for value in node.outputs:  # the code gives it the mask of the first input that has one
            if value not in self.lowered and (value in known or value in self.symbolic):
                self.lowered[value] = next(iter(lowered.values()), self.symbolic[value])


def _made(node: Node, masks: Mapping[Value, Mask]) -> Mask | None:
    """The mask that the outputs of a layer get, if its inputs have the given masks."""
    inputs = node.inputs()
    rank = node.layer.mask_rank(*(value.shape or () for value in inputs[:1]))
    if rank is not None:
        return rank, node
    for given in values_in(node.args.get("mask")):
        return len(given.shape or ()), given
    found = [masks.get(value) for value in inputs]
    first = next((mask for mask in found if mask is not None), None)
    listed = isinstance(next(iter(node.args.values()), None), (list, tuple))
    if first is None or not listed:
        return first
    alone = [[place == i for place in range(len(found))] for i in (0, 1)]
    if [bool(node.layer.output_mask(flags)) for flags in alone] == [True, False]:
        return found[0]  # that of the query
    same = _joins(node) and len(set(found)) == 1
    return first if same else (first[0], (node.unit, tuple(found)))


def _joins(node: Node) -> bool:
    """Whether a layer called with a list keeps what any of the masks keeps, and all else without one."""
    listed = isinstance(next(iter(node.args.values()), None), (list, tuple))
    return listed and not node.layer.output_mask([True, *[False] * (len(node.inputs()) - 1)])


def held_model(layer: Layer) -> tuple[HeldModel, int] | None:
    """The model in a layer, and in how many layers that take single steps it is."""
    depth = 0
    while layer.step_layer is not None:
        layer, depth = layer.step_layer, depth + 1
    return (layer, depth) if isinstance(layer, HeldModel) and depth else None


def _masks(node: Node, masks: Mapping[Value, Mask]) -> tuple[bool, ...]:
    """Whether each output has a mask, if the inputs have the given masks."""
    flags, keywords = split_arguments(node, lambda value: value in masks)
    found = node.layer.output_mask(*flags, **keywords)
    return found if isinstance(found, tuple) else (bool(found),) * len(node.outputs)


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
        if node.unit.graph is None:
            node.unmasked = lost


def _takes_mask(layer: Layer) -> bool:
    return any(argument.name.endswith("mask") for argument in layer.call_arguments)
