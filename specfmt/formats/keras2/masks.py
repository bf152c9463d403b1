"""Finding the places where a mask differs between Keras 2 and Keras 3.

Masks of both versions are tracked through the graph as tokens, which describe where a mask is
created and how it is combined with others.  The differences are:

- `Add` and similar layers combine masks by `or` in Keras 3, and the result has none if an input
  has none; in Keras 2 they combine the existing masks by `and`
  (`tf_keras.src.layers.merging.base_merge`).
- `Multiply`, `Maximum` and `Minimum` skip masked steps in Keras 3 only.
- `Identity`, `Normalization` and `Rescaling` drop the mask in Keras 2.
- `GroupNormalization` excludes masked steps from its statistics in Keras 2 only.
- `Concatenate` along the last axis combines masks by `or` in Keras 3, by `and` in Keras 2.
- `Softmax` returns zeros for a completely masked row in Keras 3, equal probabilities in Keras 2;
  so does a `MultiHeadAttention` with dropout or with returned scores.
- A recurrent layer with initial states applies the mask of its sequences in Keras 2 only.
- A convolutional recurrent layer inside a `Bidirectional` returns zeros at masked steps in Keras 3
  only.
- `MultiHeadAttention` removes the masks of its inputs in Keras 3 only (`specfmt.graph.mask_flow`).

A difference is reported if a layer uses the mask, and at the model's outputs, whose masks weight
the loss.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from specfmt.diagnostics import Path
from specfmt.formats.keras2.words import Refusals
from specfmt.graph.infer import split_arguments
from specfmt.graph.model import Graph, Node, Value, values_in
from specfmt.graph.tracing import carries_masks
from specfmt.layers.activations import Softmax
from specfmt.layers.attention import MultiHeadAttention
from specfmt.layers.base import Layer
from specfmt.layers.convolutional_recurrent import ConvLSTM
from specfmt.layers.custom import Custom
from specfmt.layers.merging import Concatenate, Merge

STATES: Final = "initial_state"

Token = Any
"""How a mask is computed; None for no mask.  Equal tokens are equal masks."""

_HINT: Final = "pass the mask as an argument of the call, or export to keras3"


class Change(NamedTuple):
    """A place where the masks of the two versions differ.

    Attributes:
        label: The call with its type, or the output.
        path: The path of the call.
        is_output: Whether it is an output of the model, whose mask weights the loss.
    """

    label: str
    path: Path
    is_output: bool = False


def check_masks(graph: Graph, refusals: Refusals) -> None:
    """Add an error for every call, also in nested models, that gets another mask in Keras 2."""
    for change in changed_masks(graph):
        if change.is_output:
            expected = f"the mask of the output {change.label} to be the same in Keras 2"
            refusals.add(
                expected, "one that Keras 2 combines differently or drops", change.path, _HINT
            )
            continue
        refusals.add(
            f"{change.label} to get the same masks in Keras 2",
            "inputs whose mask Keras 2 combines, drops or uses differently",
            (*change.path, "inputs"),
            _HINT,
        )


def changed_masks(graph: Graph) -> list[Change]:
    """All places where the masks of Keras 2 and Keras 3 differ."""
    found: list[Change] = []
    follow(Follower(found), graph)
    return found


def follow(follower: Follower, graph: Graph) -> None:
    """Collect the differences in a model, those of its outputs' masks last."""
    if not carries_masks(graph):
        return
    for node in graph.nodes:
        follower.follow(node)
    for value in values_in(graph.output_nest):
        if follower.differs(value) and value.node is not None:
            follower.found.append(Change(value.name, value.node.path, is_output=True))


class Follower:
    """The masks of a graph's tensors in both versions."""

    def __init__(self, found: list[Change]) -> None:
        self.found = found
        self.keras_2: dict[Value, Token] = {}
        self.keras_3: dict[Value, Token] = {}
        self.removed: set[Value] = set()

    def differs(self, value: Value, node: Node | None = None) -> bool:
        """Whether a tensor's mask, as a call gets it, differs between the versions."""
        lost = node is not None and value in node.unmasked
        now = None if lost else self.keras_3.get(value)
        return bool(self.keras_2.get(value) != now)

    def follow(self, node: Node) -> None:
        if node.unit.graph is not None:
            self._model(node, node.unit.graph)
            return
        layer = node.layer
        if layer.is_operation or isinstance(layer, Custom):
            return
        if _looks_at_masks(layer):
            self._check(node, layer)
        for tokens, of_keras_2 in ((self.keras_3, False), (self.keras_2, True)):
            self._pass_on(node, layer, tokens, of_keras_2=of_keras_2)
        for name in layer.removes_masks_of:
            self.removed |= set(values_in(node.args.get(name)))

    def _check(self, node: Node, layer: Layer) -> None:
        seen = self._seen(node)
        if isinstance(layer, Merge) and layer.reads_masks:
            wrong = bool(seen)
        elif self.reads_otherwise(node):
            wrong = bool(seen) or bool(_given_masks(node))
        elif STATES in node.args and "mask" not in node.args:
            wrong = bool(seen)
        else:
            wrong = any(self.differs(value, node) for value in seen)
        if wrong:
            self.refuse(node)

    def reads_otherwise(self, node: Node) -> bool:
        """Whether the versions compute different outputs with equal masks."""
        layer: Any = node.layer
        if isinstance(layer, MultiHeadAttention):
            return _keeps_scores(node, layer)
        return isinstance(layer, Softmax) or layer.keras_2_reads_masks or _forces_zeros(layer)

    def differs_in(self, argument: Any, node: Node) -> bool:
        """Whether the mask of an argument, not passed explicitly, differs for a call."""
        values = [v for v in values_in(argument) if self.keras_2.get(v) or self.keras_3.get(v)]
        if STATES in node.args and argument is not node.args[STATES]:
            return bool(values)  # the mask of its sequences, which Keras 3 then ignores
        return any(self.differs(value, node) for value in values)

    def _seen(self, node: Node) -> list[Value]:
        """The tensors whose mask a call uses because no mask is passed as an argument."""
        given = {name for name in node.args if name.endswith("mask")}
        seen: list[Value] = []
        for index, (name, item) in enumerate(node.args.items()):
            if name in given or f"{name}_mask" in given or (index == 0 and "mask" in given):
                continue
            seen += (v for v in values_in(item) if self.keras_2.get(v) or self.keras_3.get(v))
        return seen

    def _pass_on(
        self, node: Node, layer: Layer, tokens: dict[Value, Token], *, of_keras_2: bool
    ) -> None:
        flags, keywords = split_arguments(node, lambda value: tokens.get(value) is not None)
        found = [tokens.get(value) for value in node.inputs()]
        masks: Any = layer.output_mask(*flags, **keywords)
        given = [("given", value) for value in values_in(node.args.get("mask"))]
        token: Token = next((t for t in [*given, *found] if t is not None), ("made", node))
        if isinstance(layer, Concatenate):
            lost = set() if of_keras_2 else self.removed
            kept = [None if value in lost else tokens.get(value) for value in node.inputs()]
            # Where all are lost, `Node.unmasked` of the calls that read the result tells.
            found = kept if any(kept) else found
            token = _side_by_side(layer, node, found, of_keras_2=of_keras_2)
        elif isinstance(layer, Merge) and layer.output_mask([True, True]):
            token = _joined(found, of_keras_2=of_keras_2)
            masks = token is not None
        if of_keras_2 and layer.keras_2_drops_masks:
            return
        several = (masks,) * len(node.outputs) if isinstance(masks, bool) else masks
        for value, is_masked in zip(node.outputs, several, strict=True):
            if is_masked:
                tokens[value] = token

    def _model(self, node: Node, graph: Graph) -> None:
        """A nested model: reported if an input has a mask that a layer inside may use."""
        inner = self.inside(graph)
        for call in graph.nodes:
            inner.follow(call)
        comes_in = any(
            tokens.get(value) is not None
            for value in node.inputs()
            for tokens in (self.keras_2, self.keras_3)
        )
        if comes_in and _may_look(graph):
            self.refuse(node)
        for value, result in zip(node.outputs, graph.outputs.values(), strict=False):
            for tokens, own in ((self.keras_2, inner.keras_2), (self.keras_3, inner.keras_3)):
                if own.get(result) is not None:
                    tokens[value] = ("inside", node.unit, node, own[result])
            if comes_in and value not in self.keras_2:
                self.keras_2[value] = ("through", node)

    def inside(self, graph: Graph) -> Follower:
        """A follower for a nested model."""
        return Follower(self.found)

    def refuse(self, node: Node) -> None:
        """Record that a call gets another mask."""
        self.found.append(Change(f"{node.name} ({node.unit.type_name})", node.path))


def _given_masks(node: Node) -> list[str]:
    """The masks that are passed to a call as arguments; a causal mask never masks a whole row."""
    return [name for name in node.args if name.endswith("mask") and name != "use_causal_mask"]


def _keeps_scores(node: Node, layer: Any) -> bool:
    """Whether Keras 3 computes the scores of a `MultiHeadAttention` explicitly."""
    query = node.args.get("query")
    rank = len(query.shape or ()) if isinstance(query, Value) else 0
    return bool(layer.dropout) or rank != 3 or bool(node.args.get("return_attention_scores"))


def _forces_zeros(layer: Any) -> bool:
    """Whether a `Bidirectional` makes a convolutional layer return zeros at masked steps."""
    inner: Any = getattr(layer, "layer", None)
    return isinstance(inner, ConvLSTM) and bool(inner.return_sequences)


def _joined(found: list[Token], *, of_keras_2: bool) -> Token:
    """The mask of the output of `Add` and similar layers."""
    given = [token for token in found if token is not None]
    if not given or (len(given) < len(found) and not of_keras_2):
        return None
    first, *others = given
    if all(token == first for token in others):
        return first
    return ("and" if of_keras_2 else "or", *given)


def _side_by_side(layer: Any, node: Node, found: list[Token], *, of_keras_2: bool) -> Token:
    """The mask of the output of `Concatenate`; along the last axis, masks are combined by `and` in
    Keras 2 and by `or` in Keras 3."""
    last = is_along_last_axis(layer, node)
    if None in found or (last and any(token != found[0] for token in found)):
        return ("all" if of_keras_2 else "any", node)
    return found[0] if last else ("joined", node, tuple(found))


def is_along_last_axis(layer: Concatenate, node: Node) -> bool:
    """Whether a `Concatenate` concatenates features, not time steps."""
    rank = len(node.outputs[0].shape or ())
    return rank == 0 or layer.axis % rank == rank - 1


def _looks_at_masks(layer: Layer) -> bool:
    return (
        layer.reads_masks
        or layer.keras_2_reads_masks
        or any(argument.name.endswith("mask") for argument in layer.call_arguments)
    )


def _may_look(graph: Graph) -> bool:
    """Whether any layer in a model, including nested ones, may use the mask of a model input."""
    return any(
        _may_look(unit.graph)
        if unit.graph is not None
        else _looks_at_masks(unit.layer) or isinstance(unit.layer, Custom)
        for unit in graph.units
    )
