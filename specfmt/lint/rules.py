"""The lint rules.  A rule's docstring is the title of its page in ``reference/code_pages``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import lcm
from typing import Final

from specfmt.diagnostics import Diagnostic
from specfmt.fields.errors import show
from specfmt.fields.model import to_data
from specfmt.graph.infer import show_shape
from specfmt.graph.model import Condition, Graph, Node, Value
from specfmt.graph.training import draws, fixed_calls, normalizes
from specfmt.layers.base import nested_layers
from specfmt.layers.block_sizes import uses_in
from specfmt.layers.kept import kept_layer
from specfmt.layers.size_rules import MAX_MODULUS, fitting
from specfmt.layers.symbols import differ, symbols_in
from specfmt.lint.facts import (
    final_activation,
    is_identity,
    is_linear,
    loss_of,
    path_of_loss,
    readers,
    train_of,
)
from specfmt.spec.document import ModelSpec
from specfmt.spec.train import has_class_indices

Check = Callable[[Graph], Iterator[Diagnostic]]


RULES: Final[dict[str, Check]] = {}

SCOPE: Final = re.compile(r"[A-Za-z0-9_.>-]+")
ROOT_SCOPE: Final = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.>-]*")
"""TensorFlow's pattern of scope names (tensorflow/python/framework/ops.py), without slashes."""


def rule(code: str) -> Callable[[Check], Check]:
    """Decorator: registers a rule under its code."""

    def register(check: Check) -> Check:
        RULES[code] = check
        return check

    return register


def warning(
    code: str, message: str, path: tuple[str | int, ...], hint: str, *, on_key: bool = False
) -> Diagnostic:
    """A lint finding."""
    return Diagnostic(code, message, path, hint, "warning", on_key=on_key)


@rule("SF601")
def activation_with_logits(graph: Graph) -> Iterator[Diagnostic]:
    """Probabilities given to a loss that expects logits."""
    for name, value in graph.outputs.items():
        loss, activation = loss_of(graph, name), final_activation(value)
        if (
            loss is not None
            and activation in ("Softmax", "Sigmoid")
            and loss.args.get("from_logits")
        ):
            yield warning(
                "SF601",
                f"expected logits for {loss.type} with from_logits, "
                f"received the {activation.lower()} of {value.name}",
                path_of_loss(graph, name),
                "remove the layer's activation or `from_logits`",
            )


SQUARED = ("MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh")


@rule("SF602")
def squared_error_on_classes(graph: Graph) -> Iterator[Diagnostic]:
    """A regression loss on one-hot classes."""
    for name, value in graph.outputs.items():
        loss = loss_of(graph, name)
        units = value.shape[-1] if value.shape else None
        if (
            loss is not None
            and loss.type in SQUARED
            and final_activation(value) in ("Sigmoid", "Softmax")
            and (units or 0) > 1
        ):
            yield warning(
                "SF602",
                f"expected a cross-entropy for the {units} classes of {value.name}, "
                f"received {loss.name}",
                path_of_loss(graph, name),
                "use softmax with categorical_crossentropy",
            )


@rule("SF603")
def sparse_loss_with_one_hot(graph: Graph) -> Iterator[Diagnostic]:
    """A sparse loss with one-hot labels, or the reverse."""
    train = train_of(graph)
    data = getattr(train, "data", None)
    if data is None:
        return
    one_hot = bool(getattr(data, "one_hot", False))
    for name in graph.outputs:
        loss = loss_of(graph, name)
        if loss is None:
            continue
        if loss.type == "SparseCategoricalCrossentropy" and one_hot:
            yield warning(
                "SF603",
                "expected class indices for sparse_categorical_crossentropy, "
                "received one-hot labels",
                path_of_loss(graph, name),
                "use categorical_crossentropy or remove `one_hot`",
            )
        elif loss.type == "CategoricalCrossentropy" and not one_hot and has_class_indices(data):
            yield warning(
                "SF603",
                "expected one-hot labels for categorical_crossentropy, received class indices",
                path_of_loss(graph, name),
                "use sparse_categorical_crossentropy or add `one_hot: true`",
            )


@rule("SF604")
def two_linear_layers(graph: Graph) -> Iterator[Diagnostic]:
    """Two linear layers in a row."""
    table = readers(graph)
    for node in graph.nodes:
        if not is_linear(node) or len(node.outputs) != 1:
            continue
        following = _through(node.outputs[0], table)
        if following is not None and _is_dense_pair(node, following):
            yield warning(
                "SF604",
                f"expected an activation between {node.name} and {following.name}, received none",
                node.path,
                f"give {node.name} an activation, such as relu",
            )


def _is_dense_pair(first: Node, second: Node) -> bool:
    """Whether both are affine maps of the last axis, so that their composition is one too."""
    return all(hasattr(node.layer, "units") for node in (first, second)) and (
        _has_kernel(second) and first.unit.type_name == second.unit.type_name
    )


def _has_kernel(node: Node) -> bool:
    return any(weight.name == "kernel" for weight in node.unit.weights)


def _through(value: Value, table: dict[Value, list[Node]]) -> Node | None:
    """The only reader of a value, skipping layers that are the identity at inference."""
    while True:
        found = table.get(value, [])
        if len(found) != 1 or found[0].unit.graph is not None:
            return None
        if not is_identity(found[0]):
            return found[0]
        value = found[0].outputs[0]


@rule("SF605")
def bias_before_normalization(graph: Graph) -> Iterator[Diagnostic]:
    """A bias before batch normalization."""
    table = readers(graph)
    for node in graph.nodes:
        if node.unit.graph is not None or not getattr(node.layer, "use_bias", False):
            continue
        if not is_linear(node) or len(node.outputs) != 1:
            continue
        following = table.get(node.outputs[0], [])
        if len(following) == 1 and _normalizes_channels(following[0], node):
            yield warning(
                "SF605",
                f"expected no bias in {node.name}, since {following[0].name} subtracts it again",
                (*node.path, "use_bias"),
                "set use_bias: false",
            )


def _normalizes_channels(node: Node, before: Node) -> bool:
    if node.unit.graph is not None or not node.layer.has_statistics:
        return False
    axis = getattr(node.layer, "axis", -1)
    rank = len(before.outputs[0].shape or ())
    first = getattr(before.layer, "data_format", None) == "channels_first"
    return (
        bool(axis % rank == (1 if first else rank - 1)) if isinstance(axis, int) and rank else False
    )


@rule("SF606")
def unused_layer(graph: Graph) -> Iterator[Diagnostic]:
    """A layer that no output needs."""
    for node in graph.unused:
        yield warning(
            "SF606",
            f"expected {node.name} to be read by a layer or listed in `outputs`, but it is not",
            node.path,
            "read it, add it to `outputs`, or remove it",
        )
    read = {value for node in graph.nodes for value in node.inputs()}
    for name, value in graph.inputs.items():
        if value not in read and value not in graph.outputs.values():
            yield warning(
                "SF606",
                f"expected input {name} to be read by a layer, but it is not",
                ("inputs", name),
                "read it or remove it",
            )


@rule("SF607")
def untrained_output(graph: Graph) -> Iterator[Diagnostic]:
    """An output that no loss trains."""
    train = train_of(graph)
    loss = getattr(train, "loss", None)
    if not isinstance(loss, dict):
        return
    for name in graph.outputs:
        if name not in loss:
            yield warning(
                "SF607",
                f"expected a loss for output {name}, received none",
                ("train", "loss"),
                f"add `{name}:` with a loss, or null",
            )


@rule("SF608")
def softmax_of_one(graph: Graph) -> Iterator[Diagnostic]:
    """A softmax over a single unit."""
    for value in graph.outputs.values():
        if value.shape and value.shape[-1] == 1 and final_activation(value) == "Softmax":
            path = value.node.path if value.node else ()
            yield warning(
                "SF608",
                f"expected several units under the softmax of {value.name}, received one",
                path,
                "use sigmoid with binary_crossentropy",
            )


@rule("SF609")
def name_for_tensorflow(graph: Graph) -> Iterator[Diagnostic]:
    """A name that TensorFlow refuses."""
    names = [(unit.name, (*unit.path, "name"), SCOPE) for unit in graph.units]
    if isinstance(graph.spec, ModelSpec):
        names.append((graph.name, ("name",), ROOT_SCOPE))
    for name, path, pattern in names:
        if not pattern.fullmatch(name):
            yield warning(
                "SF609",
                f"expected a name that TensorFlow accepts, received {show(name)}",
                path,
                "write for example "
                + (re.sub(r"[^A-Za-z0-9.>-]+", "_", name).strip("_-") or "layer"),
            )


@rule("SF611")
def sizes_that_do_not_fit(graph: Graph) -> Iterator[Diagnostic]:
    """Sizes for which layers do not fit together."""
    if not isinstance(graph.spec, ModelSpec):
        return  # conditions of a nested model are those of its calls
    fits: dict[str, tuple[int, frozenset[int], list[Condition]]] = {}
    for condition in graph.conditions:
        first, second = condition.first, condition.second
        names = symbols_in(first)
        if differ(first, second):
            yield warning(
                "SF611",
                f"expected equal sizes in {condition.node.name}, received {first} and {second}, "
                "which can only be broadcast where one of them is 1",
                condition.node.path,
                "make the sizes equal, for example with padding: same or a Cropping layer",
            )
        elif len(names) == 1 and names == symbols_in(second):
            modulus, rests = fitting(first, second, names[0])
            before = fits.get(names[0], (1, frozenset({0}), []))
            both = lcm(modulus, before[0])
            if rests and both <= MAX_MODULUS:
                kept = (
                    n for n in range(both) if n % modulus in rests and n % before[0] in before[1]
                )
                fits[names[0]] = both, frozenset(kept), [*before[2], condition]
    for name, (modulus, rests, conditions) in fits.items():
        nodes = list(dict.fromkeys(condition.node.name for condition in conditions))
        several = f"{', '.join(nodes[:3])}{' and others' if len(nodes) > 3 else ''}"
        wanted = f"to be {_numbers(modulus, rests)}" if rests else "with a value that fits"
        yield warning(
            "SF611",
            f"expected the size {name} of the inputs {wanted}, since {several} "
            f"need{'s' if len(nodes) == 1 else ''} equal sizes "
            f"({', '.join(f'{c.first} = {c.second}' for c in conditions[:2])}), "
            "received a size that is not known",
            _place_of(graph, name),
            "pad or crop the data so, or give the size in `inputs`",
        )


def _numbers(modulus: int, rests: frozenset[int]) -> str:
    """The numbers with these remainders in words: ``a multiple of 4``."""
    for smaller in range(1, modulus + 1):
        found = {rest % smaller for rest in rests}
        if modulus % smaller == 0 and len(found) * (modulus // smaller) == len(rests):
            break
    first, *others = sorted(found)
    if not others:
        return f"a multiple of {smaller}" + (f", plus {first}" if first else "")
    return f"a multiple of {smaller}, plus {first} or " + " or ".join(map(str, others[:4]))


def _place_of(graph: Graph, name: str) -> tuple[str | int, ...]:
    """The place of a named size in the inputs."""
    for key, value in graph.inputs.items():
        for axis, size in enumerate(value.sizes or ()):
            if name in symbols_in(size):
                return ("inputs", key, "shape", axis - 1)
    return ("inputs",)


@rule("SF612")
def fixed_mode(graph: Graph) -> Iterator[Diagnostic]:
    """A fixed training mode that has no effect."""
    if not isinstance(graph.spec, ModelSpec):
        return  # the outermost model reports those of nested models too
    for node, training in fixed_calls(graph):
        if draws(node.unit) or normalizes(node.unit):
            yield warning(
                "SF612",
                f"expected {node.name} to follow the mode of the model, received `training: "
                f"{str(training).lower()}`, which fit, evaluate and predict override",
                node.path,
                "remove `training`; `specfmt explain SF612` says how to fix a mode",
            )


@rule("SF610")
def size_at_inference(graph: Graph) -> Iterator[Diagnostic]:
    """Images that are cropped in training only."""
    for node in graph.nodes:
        if node.unit.graph is not None or not is_identity(node):
            continue
        given = next(iter(node.inputs())).shape
        shape = node.outputs[0].shape
        if given is not None and shape is not None and given != shape and None not in given[1:]:
            yield warning(
                "SF610",
                f"expected images of the size that {node.layer.type_name} crops to, "
                f"received {show_shape(given)}, which stay so at inference",
                node.path,
                "put a CenterCrop or Resizing after it",
            )


@rule("SF314")
def kept_whole(graph: Graph) -> Iterator[Diagnostic]:
    """PyTorch code lacks what a layer computes."""
    own = [unit for unit in graph.units if unit.graph is None]
    parts = (part for unit in own for part in (unit.layer, *nested_layers(unit.layer)))
    if not any(part.takes_any_arguments for part in parts):
        return  # what follows is imported only for a model with such a layer
    from specfmt.graph.assumed import unknown_layers

    for unit, path, layer in unknown_layers(graph):
        found = kept_layer(layer.class_)
        if unit in own and found is not None and layer.torch is None:
            yield warning(
                "SF314",
                f"expected a layer that PyTorch code can compute, received {unit.name}, a "
                f"{layer.class_name}: {found.reason}",
                (*path, "class"),
                found.advice,
            )


@rule("SF613")
def unused_block(graph: Graph) -> Iterator[Diagnostic]:
    """An unused block."""
    blocks = getattr(graph.spec, "blocks", None)
    if not blocks:
        return
    used: set[str] = set()
    found = {use["block"] for use in uses_in(to_data(graph.spec.layers))}
    while found:
        used |= found
        inside = (uses_in(blocks[name].layers) for name in found if name in blocks)
        found = {use["block"] for uses in inside for use in uses} - used
    for name in blocks:
        if name not in used:
            yield warning(
                "SF613",
                f"expected the block {name} to be used by an entry of the model, but it is not",
                ("blocks", name),
                f"use it, `{{block: {name}, ...}}`, or remove it",
                on_key=True,
            )


@rule("SF614")
def unscaled_loss(graph: Graph) -> Iterator[Diagnostic]:
    """Training in float16 without loss scaling."""
    if train_of(graph) is not None and graph.policy == "mixed_float16":
        yield warning(
            "SF614",
            "expected a policy that needs no loss scaling for training, received mixed_float16",
            ("dtype",),
            "use mixed_bfloat16",
        )
