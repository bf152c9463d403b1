"""Writing layers as Keras 3 does: every constructor argument, normalized as Keras normalizes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specfmt.formats.config.reading import Json
from specfmt.formats.keras3.build_configs import build_config, shapes
from specfmt.formats.keras3.words import plain, serialized
from specfmt.formats.read.keras3 import WRITTEN_WHERE_SET, complete
from specfmt.graph.held import HeldModel
from specfmt.layers.activations import activation_layer
from specfmt.layers.base import KERAS_LAYERS, Layer
from specfmt.layers.custom import Custom
from specfmt.layers.naming import inner_name, inner_names
from specfmt.layers.recurrent_cells import RNN
from specfmt.layers.wrappers import Bidirectional, TimeDistributed
from specfmt.vocab.base import Term


def policy_config(policy: Any) -> Any:
    """A dtype policy as Keras 3 writes it."""
    if isinstance(policy, dict):
        return policy
    return serialized("keras", "DTypePolicy", {"name": policy})


class LayerWriter:
    """Writes the layers of one model.

    Args:
        policy: The model's dtype policy.
        write_model: Writes a model inside a layer, given whether it is trainable.
    """

    def __init__(
        self, policy: Any, write_model: Callable[[HeldModel, bool], Json] | None = None
    ) -> None:
        self.policy = policy or "float32"
        self.write_model = write_model

    def write(
        self,
        layer: Layer,
        name: str,
        trainable: bool = True,
        args: dict[str, Any] | None = None,
    ) -> Json:
        """A serialized layer.

        Args:
            layer: The layer.
            name: Its name.
            trainable: Whether it and the model that contains it are trainable.
            args: The arguments of its first call (values, or shapes); None if it is not built.
        """
        if isinstance(layer, HeldModel) and self.write_model is not None:
            return self.write_model(layer, trainable)
        if isinstance(layer, Custom):
            return self._custom(layer, name)
        config = self.config(layer, name, trainable, args)
        registered = None if layer.keras_module == KERAS_LAYERS else layer.type_name
        item = serialized(layer.keras_module, layer.type_name, config, registered)
        if args is not None:
            built = build_config(layer, args)
            if built is not None:
                item["build_config"] = built
        return item

    def config(self, layer: Layer, name: str, trainable: bool, args: dict[str, Any] | None) -> Json:
        """A layer's config with every argument."""
        own = {field: getattr(layer, attribute_of(layer, field)) for field in layer.own_fields()}
        config: Json = {
            "name": name,
            "trainable": trainable,
            "dtype": policy_config(layer.dtype or layer.own_dtype(vars(layer)) or self.policy),
        }
        if isinstance(layer, Bidirectional):
            own["layer"], own["backward_layer"] = layer.directions()
        inner = inner_arguments(layer, args)
        values = {
            key: self._value(layer, value, trainable or not layer.trainable_reaches_parts, inner)
            for key, value in own.items()
            if key not in layer.omitted_fields and not (key in WRITTEN_WHERE_SET and value is None)
        }
        if layer.activity_regularizer is not None or layer.writes_activity_regularizer:
            values["activity_regularizer"] = plain(layer.activity_regularizer)
        config.update(values)
        config.update(layer.extra_config())
        complete(type(layer), config, args)
        if not layer.takes_trainable:  # it writes the dtype of its variables instead of its policy
            del config["trainable"]
            if config["dtype"].get("class_name") == "DTypePolicy":
                policy = config["dtype"]["config"]["name"]
                config["dtype"] = "float32" if policy.startswith("mixed_") else policy
        if not layer.takes_base_arguments:
            del config["trainable"], config["dtype"]
        return config

    def _value(
        self, owner: Layer, value: Any, trainable: bool, inner: dict[str, Any] | None
    ) -> Any:
        if isinstance(value, Layer):
            return self.write(value, inner_name(value), trainable and value.trainable, inner)
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], Layer):
            return self._list(owner, value, trainable, inner)
        if (
            isinstance(value, Term) and value.layer
        ):  # an activation that was given to Keras as a layer
            return LayerWriter(None).write(activation_layer(value), value.layer)
        return plain(value)

    def _list(
        self, owner: Any, parts: Any, trainable: bool, inner: dict[str, Any] | None
    ) -> list[Json]:
        """Consecutive layers, such as stacked cells, each built for the output of the one before."""
        items = []
        for part, name in zip(parts, inner_names(parts), strict=True):
            items.append(self.write(part, name, trainable and part.trainable, inner))
            if inner is not None:
                shape = tuple(shapes(inner["sequences"]))
                inner = {"sequences": list(owner.after(part, shape))}
        return items

    def _custom(self, layer: Custom, name: str) -> Json:
        module, _, class_name = layer.class_.rpartition(".")
        registered = layer.registered_name
        if registered is None and module != KERAS_LAYERS:
            registered = class_name
        config = {**layer.config, "name": name}
        policy = layer.policy_in(self.policy)
        if policy != "float32":
            config.setdefault("dtype", policy_config(policy))
        item = serialized(module or None, class_name, config, registered)
        if layer.build_config is not None:
            item["build_config"] = layer.build_config
        return item


def attribute_of(layer: Layer, field: str) -> str:
    """The attribute that holds a field, whose key may be an alias."""
    if field in type(layer).model_fields:
        return field
    return next(n for n, info in type(layer).model_fields.items() if info.alias == field)


def inner_arguments(layer: Layer, args: dict[str, Any] | None) -> dict[str, Any] | None:
    """The input shapes with which a wrapper builds its inner layer."""
    if args is None:
        return None
    shape = shapes(next(iter(args.values())))
    if isinstance(layer, TimeDistributed | RNN) and isinstance(shape, list):
        shape = [shape[0], *shape[2:]]
    return {"sequences": shape}
