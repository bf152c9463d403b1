"""Writing models as Keras 3 does: layers in its order, and the calls between them."""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.formats.config.reading import Json
from specfmt.formats.keras3.build_configs import shapes
from specfmt.formats.keras3.layers import LayerWriter, policy_config
from specfmt.formats.keras3.words import float32, plain, serialized
from specfmt.formats.read.operations import FLOAT_DTYPE
from specfmt.graph.held import HeldModel
from specfmt.graph.keras_order import traced_layers
from specfmt.graph.model import Array, Graph, Node, Unit, Value, flat_order, map_leaves
from specfmt.graph.operands import keras_operands
from specfmt.graph.tracing import traced
from specfmt.layers.naming import is_automatic
from specfmt.layers.op import Op

WRITES_DTYPE: Final = frozenset(
    (
        "prod cumsum cumprod nancumsum nancumprod saturate_cast one_hot multi_hot cast "
        "convert_to_tensor "
        "zeros_like ones_like full_like empty_like array full linspace logspace geomspace view"
    ).split()
)
"""Operations whose config has a ``dtype``."""

ALWAYS_GIVEN: Final = frozenset({"constant_values"})
"""Arguments of an operation's call that `keras.ops` passes on even if they are None."""

FUNCTIONAL: Final = ("keras.src.models.functional", "Functional")
SEQUENTIAL: Final = ("keras", "Sequential")


class ModelWriter:
    """Writes a model and its nested models.

    Args:
        graph: A graph without errors, as Keras traces it (`specfmt.graph.tracing`).
        policy: The dtype policy of the model that contains it.
        trainable: Whether the model that contains it is trainable.
    """

    def __init__(self, graph: Graph, policy: Any = None, *, trainable: bool = True) -> None:
        self.graph = graph
        self.policy = graph.spec.dtype or policy or "float32"
        self.trainable = trainable and graph.spec.trainable
        self.layers = LayerWriter(self.policy, self._held)
        self.input_names = {value: name for name, value in graph.inputs.items()}

    def model(self) -> Json:
        """The serialized model, without its training configuration."""
        if self.graph.is_sequential:
            return self._sequential()
        layers = [
            self._input(item, inbound=True) if isinstance(item, str) else self._layer(item)
            for item in traced_layers(self.graph)
        ]
        config = {
            "name": self.graph.name,
            "trainable": self.trainable,
            "layers": layers,
            "input_layers": map_leaves(self.graph.input_nest, lambda v: [v.name, 0, 0]),
            "output_layers": map_leaves(self.graph.output_nest, self._output),
        }
        module, name = FUNCTIONAL
        item = serialized(module, name, config, name)
        item["build_config"] = {"input_shape": None}
        item["compile_config"] = {}
        return item

    def _sequential(self) -> Json:
        layers = [self._input(name, inbound=False) for name in self.graph.input_specs]
        layers += [self._unit(unit) for unit in self.graph.units]
        config: Json = {
            "name": self.graph.name,
            "trainable": self.trainable,
            "dtype": policy_config(self.policy),
            "layers": layers,
        }
        module, name = SEQUENTIAL
        item = serialized(module, name, config)
        if self.graph.input_specs:
            (value,) = self.graph.inputs.values()
            config["build_input_shape"] = shapes(value)
            item["build_config"] = {"input_shape": shapes(value)}
        item["compile_config"] = {}
        return item

    def _input(self, name: str, *, inbound: bool) -> Json:
        spec, value = self.graph.input_specs[name], self.graph.inputs[name]
        config = {
            "batch_shape": shapes(value),
            "dtype": spec.dtype,
            "sparse": spec.sparse,
            "ragged": spec.ragged,
            "name": name,
            "optional": spec.optional,
        }
        item = serialized("keras.layers", "InputLayer", config)
        return {**item, "name": name, "inbound_nodes": []} if inbound else item

    def _layer(self, unit: Unit) -> Json:
        item = self._unit(unit)
        item["name"] = unit.name
        item["inbound_nodes"] = [self._call(node) for node in unit.calls]
        return item

    def _unit(self, unit: Unit) -> Json:
        if unit.graph is not None:
            writer = ModelWriter(unit.graph, self.policy, trainable=self.trainable)
            return writer.model()
        if isinstance(unit.spec, Op):
            return self._operation(unit, unit.spec)
        called = unit.calls and self.graph.input_specs
        args = unit.calls[0].nested(unit.calls[0].args) if called else None
        return self.layers.write(unit.layer, unit.name, self._trained(unit), args)

    def _held(self, layer: HeldModel, trainable: bool) -> Json:
        """A model in a field of a layer."""
        graph = traced(layer.graph).graph
        return ModelWriter(graph, self.policy, trainable=trainable).model()

    def _trained(self, unit: Unit) -> bool:
        return self.trainable and unit.layer.trainable

    def _operation(self, unit: Unit, op: Op) -> Json:
        fields = type(op).model_fields
        config: Json = {"name": unit.name}
        for name in op.own_fields():
            attribute = (
                name if name in fields else next(n for n in fields if fields[n].alias == name)
            )
            if name not in op.call_fields:
                config[name] = plain(getattr(op, attribute))
        if op.function in WRITES_DTYPE:
            config["dtype"] = op.dtype
            if op.function in FLOAT_DTYPE and is_automatic(unit.name, op.type_name):
                config["dtype"] = op.dtype or "float32"
        config |= {name: plain(value) for name, value in op.keras_arguments().items()}
        if op.keras_forgets_name and is_automatic(unit.name, op.type_name):
            del config["name"]
        return serialized(op.keras_module, op.type_name, config, op.type_name)

    def _call(self, node: Node) -> Json:
        unit = node.unit
        recorded = node.recorded or {}
        if unit.graph is not None:
            keywords = {k: self.argument(item) for k, item in recorded.items()}
            return {"args": [self.argument(node.form)], "kwargs": keywords}
        keywords = {k: self.argument(item) for k, item in node.nested(recorded).items()}
        values = list(node.nested(node.args).values())
        if not isinstance(unit.spec, Op):
            args = [self.argument(value) for value in values[: node.positional]]
            return {"args": args, "kwargs": keywords}
        items = [self.argument(value) for value in keras_operands(unit.spec, values)]
        called = {k: self.argument(getattr(unit.spec, k)) for k in unit.spec.call_fields}
        automatic = is_automatic(unit.name, unit.type_name)
        more_items = []
        for name in unit.spec.positional_fields:
            field = type(unit.spec).model_fields[name]
            if automatic or field.is_required():
                more_items.append(called.pop(name))
            elif getattr(unit.spec, name) == field.default:
                del called[name]  # a call of the class, which code writes without defaults
        passed = ALWAYS_GIVEN if automatic else frozenset()
        given = {k: v for k, v in called.items() if v is not None or k in passed}
        optional = unit.spec.optional_operands
        if unit.spec.optional_by_position and automatic:
            items += [None] * (len(unit.spec.operands) + len(optional) - len(items))
        elif optional:  # Keras passes them by keyword, given or not
            first = len(unit.spec.operands)
            more = [*items[first:], *(None,) * (first + len(optional) - len(items))]
            named = dict(zip(optional, more, strict=True))
            if not automatic and not unit.spec.optional_given:  # code leaves defaults out
                named = {k: v for k, v in named.items() if v is not None}
            items, given = items[:first], {**named, **given}
        return {"args": items + more_items, "kwargs": given}

    def argument(self, item: Any) -> Any:
        """An argument of a call: tensors and constants as Keras writes them."""
        if isinstance(item, Value):
            return self._tensor(item)
        if isinstance(item, Array):
            kind = "__tensor__" if item.is_tensor else "__numpy__"
            value = plain(item.value)
            if item.dtype == "float32":
                value = map_leaves(value, float32)
            return {"class_name": kind, "config": {"value": value, "dtype": item.dtype}}
        if isinstance(item, dict):
            if set(item) == {"slice"}:
                bounds = (*(self.argument(bound) for bound in item["slice"]), None, None)[:3]
                config = dict(zip(("start", "stop", "step"), bounds, strict=True))
                return {"class_name": "__slice__", "config": config}
            if set(item) == {"ellipsis"}:
                return {"class_name": "__ellipsis__", "config": {}}
            if set(item) == {"const"}:
                return item["const"]
            return {key: self.argument(inner) for key, inner in item.items()}
        if isinstance(item, (list, tuple)):
            return [self.argument(inner) for inner in item]
        return item

    def _tensor(self, value: Value) -> Json:
        if value.shape is None:
            raise SpecError([unknown_shape(value)])
        return {
            "class_name": "__keras_tensor__",
            "config": {
                "shape": shapes(value),
                "dtype": value.dtype,
                "keras_history": self._history(value),
            },
        }

    def _history(self, value: Value) -> list[Any]:
        node = value.node
        if node is None:
            return [self.input_names[value], 0, 0]
        index = value.index
        if node.unit.graph is not None and len(node.outputs) > 1:
            index = flat_order(node.unit.graph.output_nest).index(index)
        return [node.unit.name, node.unit.calls.index(node), index]

    def _output(self, value: Value) -> list[Any]:
        """A model's output; building a functional model counts as its first call."""
        name, index, tensor = self._history(value)
        inner = None if value.node is None else value.node.unit.graph
        born = inner is not None and not inner.is_sequential
        return [name, index + born, tensor]


def unknown_shape(value: Value) -> Diagnostic:
    """The error for a tensor whose shape is unknown because of a custom layer."""
    path = value.node.path if value.node is not None else ()
    return Diagnostic(
        "SF305",
        f"expected the shape of {value.name} to be known, since Keras JSON contains it",
        path,
        "give the custom layer before it `shape:`, its output shape",
    )
