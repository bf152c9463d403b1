"""A layer as Keras 3 serializes it: every constructor argument, resolved as Keras resolves it."""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.build_configs import build_config
from specfmt.formats.keras3 import complete
from specfmt.formats.reading import Json
from specfmt.formats.write_words import plain, serialized
from specfmt.layers.wrappers import inner_name
from specfmt.spec.layer import KERAS_LAYERS, Layer, Shape
from specfmt.vocab.base import Term

WRITES_ACTIVITY: Final = frozenset()
"""Layers that write ``activity_regularizer`` even where there is none."""


def policy_config(policy: Any) -> Any:
    """A dtype policy as Keras 3 writes it."""
    if isinstance(policy, dict):
        return policy
    return serialized("keras", "DTypePolicy", {"name": policy})


class LayerWriter:
    """Writes the layers of one model.

    Args:
        policy: The model's dtype policy.
    """

    def __init__(self, policy: Any) -> None:
        self.policy = policy or "float32"

    def write(
        self, layer: Layer, name: str, trainable: bool, args: dict[str, Any] | None
    ) -> Json:
        """A serialized layer.

        Args:
            layer: Its definition.
            name: Its name.
            trainable: Whether it is trained, the model around it included.
            args: The arguments of its first call (values, or shapes); None if it is not built.
        """
        if layer.type_name == "Custom":
            return self._custom(layer, name)
        config = self.config(layer, name, trainable, args)
        registered = None if layer.keras_module == KERAS_LAYERS else layer.type_name
        item = serialized(layer.keras_module, layer.type_name, config, registered)
        if args is not None:
            built = build_config(layer.type_name, args)
            if built is not None:
                item["build_config"] = built
        return item

    def config(
        self, layer: Layer, name: str, trainable: bool, args: dict[str, Any] | None
    ) -> Json:
        """A layer's config with every argument."""
        own = {field: getattr(layer, _attribute(layer, field)) for field in layer.own_fields()}
        config: Json = {
            "name": name,
            "trainable": trainable,
            "dtype": policy_config(layer.dtype or self.policy),
        }
        values = {key: self._value(key, value, trainable) for key, value in own.items()}
        if layer.activity_regularizer is not None or layer.type_name in WRITES_ACTIVITY:
            values["activity_regularizer"] = plain(layer.activity_regularizer)
        config.update(values)
        complete(layer.type_name, config, args)
        return config

    def _value(self, key: str, value: Any, trainable: bool) -> Any:
        if isinstance(value, Layer):
            return self.write(value, inner_name(value), trainable and value.trainable, None)
        if isinstance(value, Term):
            return plain(value)
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], Layer):
            return [self._value(key, item, trainable) for item in value]
        return plain(value)

    def _custom(self, layer: Any, name: str) -> Json:
        module, _, class_name = layer.class_.rpartition(".")
        registered = layer.registered_name
        if registered is None and module != KERAS_LAYERS:
            registered = class_name
        item = serialized(module or None, class_name, {**layer.config, "name": name}, registered)
        if layer.build_config is not None:
            item["build_config"] = layer.build_config
        return item


def _attribute(layer: Layer, field: str) -> str:
    """The attribute that holds a field, whose key may be an alias."""
    if field in type(layer).model_fields:
        return field
    return next(n for n, info in type(layer).model_fields.items() if info.alias == field)


def inner_shape(shape: Shape) -> list[int | None]:
    """The shape of one time step."""
    return [shape[0], *shape[2:]]
