"""Writing models for Keras 2: layers, and the calls between them as nested lists.

A call is a list of ``[layer, node, tensor, keywords]`` for each tensor of its first argument, with
the same keywords in all of them.  Building a nested model counts as its call 0, so that its first
use is call 1.  Source: `tf_keras.src.engine.functional` (`get_network_config`,
`reconstruct_from_config`) and `tf_keras.src.engine.node` of 2.21.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.formats.config.reading import Json
from specfmt.formats.keras2.layers import Keras2LayerWriter
from specfmt.formats.keras2.masks import check_masks
from specfmt.formats.keras2.operations import OperationWriter
from specfmt.formats.keras2.words import Refusals
from specfmt.formats.keras3.build_configs import shapes
from specfmt.formats.read.nodes import CONSTANT
from specfmt.formats.read.tensorflow.operations import CLASSES as TF_OPERATIONS
from specfmt.graph.held import HeldModel
from specfmt.graph.keras_order import keras_layers
from specfmt.graph.model import Array, Graph, Node, Unit, Value, flat_order, map_leaves
from specfmt.graph.training import draws, normalizes
from specfmt.layers.attention import MultiHeadAttention
from specfmt.layers.custom import Custom
from specfmt.layers.op import Op
from specfmt.lint.rules import ROOT_SCOPE, SCOPE

KERAS_VERSION: Final = "2.15.0"
"""The last release of Keras 2 named Keras; later ones are called tf_keras."""

LACKING_ARGUMENTS: Final = ("query_mask", "value_mask", "key_mask")
"""Arguments of a call that Keras 2 does not have."""

STATES: Final = "initial_state"


def keras2_model(graph: Graph) -> Json:
    """A model as `to_json` of Keras 2 writes it, without the training configuration.

    Raises:
        SpecError: SF306 for everything that Keras 2 cannot express.
    """
    refusals = Refusals()
    check_masks(graph, refusals)
    item = Keras2ModelWriter(graph, refusals).model()
    refusals.check()
    return {**item, "keras_version": KERAS_VERSION, "backend": "tensorflow"}


class Keras2ModelWriter:
    """Writes a model and its nested models.

    Args:
        graph: A graph without errors.
        refusals: Collects errors about what Keras 2 cannot express.
        policy: The dtype policy of the model that contains it.
        trainable: Whether the model that contains it is trainable.
    """

    def __init__(
        self, graph: Graph, refusals: Refusals, policy: Any = None, *, trainable: bool = True
    ) -> None:
        self.graph = graph
        self.refusals = refusals
        self.policy = graph.spec.dtype or policy or "float32"
        self.trainable = trainable and graph.spec.trainable
        self.layers = Keras2LayerWriter(self.policy, refusals, self._held)
        self.operations = OperationWriter(self.policy, refusals)
        self.input_names = {value: name for name, value in graph.inputs.items()}

    def _held(self, layer: HeldModel, trainable: bool) -> Json:
        """A model in a field of a layer."""
        return Keras2ModelWriter(
            layer.graph, self.refusals, self.policy, trainable=trainable
        ).model()

    def model(self, path: Path = ()) -> Json:
        """The model as ``{"class_name", "config"}``."""
        self._check_name(self.graph.name, (*path, "name"), ROOT_SCOPE)
        if self.graph.is_sequential:
            layers = [self._input(name) for name in self.graph.input_specs]
            layers += [self._unit(unit) for unit in self.graph.units]
            for node in self.graph.nodes:
                if node.unit.graph is None:
                    self.layers.check_inputs(node.layer, node)
            config = {"name": self.graph.name, "trainable": self.trainable, "layers": layers}
            return {"class_name": "Sequential", "config": config}
        layers = [
            {**self._input(item), "name": item, "inbound_nodes": []}
            if isinstance(item, str)
            else self._layer(item)
            for item in keras_layers(self.graph)
        ]
        config = {
            "name": self.graph.name,
            "trainable": self.trainable,
            "layers": layers,
            "input_layers": _tensors(map_leaves(self.graph.input_nest, self._history)),
            "output_layers": _tensors(map_leaves(self.graph.output_nest, self._history)),
        }
        return {"class_name": "Functional", "config": config}

    def _input(self, name: str) -> Json:
        spec, value = self.graph.input_specs[name], self.graph.inputs[name]
        self._check_name(name, ("inputs", name), SCOPE)
        config = {
            "batch_input_shape": shapes(value),
            "dtype": spec.dtype,
            "sparse": spec.sparse,
            "ragged": spec.ragged,
            "name": name,
        }
        if spec.optional:
            config["optional"] = True
        return {"class_name": "InputLayer", "config": config}

    def _layer(self, unit: Unit) -> Json:
        if isinstance(unit.spec, Op):
            item, calls = self._operation(unit, unit.spec)
        else:
            item, calls = self._unit(unit), [self._call(node) for node in unit.calls]
        return {**item, "name": unit.name, "inbound_nodes": calls}

    def _unit(self, unit: Unit) -> Json:
        self._check_name(unit.name, (*unit.path, "name"), SCOPE)
        if unit.graph is not None:
            writer = Keras2ModelWriter(
                unit.graph, self.refusals, self.policy, trainable=self.trainable
            )
            return writer.model(unit.path)
        args = unit.calls[0].args if unit.calls and self.graph.input_specs else None
        return self.layers.write(
            unit.layer, unit.name, args, unit.path, around_is_trained=self.trainable
        )

    def _check_name(self, name: str, path: Path, pattern: Any) -> None:
        if not pattern.fullmatch(name):
            self.refusals.add(
                "a name that TensorFlow accepts",
                repr(name),
                path,
                "use only letters (A-Z, a-z), digits and _ . -, beginning with a letter or digit",
            )

    def _operation(self, unit: Unit, op: Op) -> tuple[Json, list[Any]]:
        self._check_name(unit.name, (*unit.path, "name"), SCOPE)
        calls = []
        item: Json = {}
        for node in unit.calls:
            item, first, keywords = self.operations.write(node, op)
            leaves = self._leaves(first, self._keywords(keywords))
            calls.append(leaves)
        return item, calls

    def _call(self, node: Node) -> Any:
        unit = node.unit
        if node.args.get("training") is True and (draws(unit) or normalizes(unit)):
            self.refusals.add(
                f"training of {node.name} ({unit.type_name}) not to be fixed to true",
                "true, which Keras 2 keeps in `predict`, unlike Keras 3",
                (*node.path, "inputs" if unit.graph is None else "call"),
                "leave it out: `fit` sets it",
            )
        if unit.graph is not None:
            first = node.form
            if first is None:
                first = map_leaves(unit.graph.input_nest, lambda value: node.args.get(value.name))
            rest = {
                key: value
                for key, value in node.args.items()
                if key not in unit.graph.inputs and value is not None
            }
            return _tensors(self._leaves(first, self._keywords(rest)))
        self.layers.check_inputs(node.layer, node)
        # Arguments that are null are left out: Keras 2 does not have all of Keras 3's.
        is_known = not isinstance(unit.layer, Custom)
        rest = {k: v for k, v in node.args.items() if not (v is None and is_known)}
        for key in LACKING_ARGUMENTS if isinstance(unit.layer, MultiHeadAttention) else ():
            if key in rest:
                self.refusals.add(
                    f"arguments of {node.name} ({unit.type_name}) that Keras 2 has",
                    key,
                    (*node.path, "inputs"),
                    "combine the masks into one attention_mask",
                )
        names = [argument.name for argument in node.layer.call_arguments]
        name = names[0] if names[0] in rest else next(iter(rest))
        first = rest.pop(name)
        states = rest.get(STATES)
        if STATES in names and states is not None:
            del rest[STATES]
            if any(isinstance(item, list) for item in node.layer.input_nest(STATES) or ()):
                self.refusals.add(
                    f"the initial states of {node.name} in one list, as in Keras 2",
                    "a list for each of its cells",
                    (*node.path, "inputs"),
                    "export to keras3, or leave the initial states at zero",
                )
            first = [first, *(states if isinstance(states, (list, tuple)) else [states])]
        for key in [key for key in rest if key.startswith("*")]:
            self.refusals.add(
                f"all arguments of {unit.name} except the first by name",
                f"argument {key[1:]} by position",
                (*node.path, "inputs"),
                "Keras 2 records all arguments but the first by name: write them as a mapping",
            )
            del rest[key]
        leaves = self._leaves(first, self._keywords(rest))
        is_operation = getattr(unit.spec, "class_", None) in TF_OPERATIONS
        return leaves if is_operation else _tensors(leaves)

    def _keywords(self, arguments: dict[str, Any]) -> Json:
        return {key: self._keyword(value) for key, value in arguments.items()}

    def _keyword(self, item: Any) -> Any:
        if isinstance(item, Value):
            return self._history(item)
        if isinstance(item, Array):
            return _listed(item.value)
        if isinstance(item, dict):
            if set(item) == {"slice"}:
                bounds = (*(self._keyword(bound) for bound in item["slice"]), None, None)[:3]
                return dict(zip(("start", "stop", "step"), bounds, strict=True))
            if set(item) == {"ellipsis"}:
                return {"class_name": "__ellipsis__"}
            if set(item) == {"const"}:
                return item["const"]
            return {key: self._keyword(inner) for key, inner in item.items()}
        if isinstance(item, (list, tuple)):
            return [self._keyword(inner) for inner in item]
        return item

    def _leaves(self, first: Any, keywords: Json) -> Any:
        """The first argument of a call, with the keywords added to each tensor and constant."""
        if isinstance(first, Value):
            return [*self._history(first), keywords]
        if isinstance(first, Array):
            return [CONSTANT, -1, _listed(first.value), keywords]
        if isinstance(first, dict) and set(first) != {"const"}:
            return {key: self._leaves(item, keywords) for key, item in first.items()}
        if isinstance(first, (list, tuple)):
            return [self._leaves(item, keywords) for item in first]
        return [CONSTANT, -1, self._keyword(first), keywords]

    def _history(self, value: Value) -> list[Any]:
        node = value.node
        if node is None:
            return [self.input_names[value], 0, 0]
        inner, index = node.unit.graph, value.index
        if inner is not None and len(node.outputs) > 1:
            index = flat_order(inner.output_nest).index(index)
        born = inner is not None and bool(inner.input_specs)
        return [node.unit.name, node.unit.calls.index(node) + born, index]


def _tensors(nest: Any) -> Any:
    """Tensors as Keras 2 writes them: a single one in a list."""
    single = isinstance(nest, list) and bool(nest) and isinstance(nest[0], str)
    return [nest] if single else nest


def _listed(value: Any) -> Any:
    """Nested tuples as lists."""
    return [_listed(item) for item in value] if isinstance(value, (list, tuple)) else value
