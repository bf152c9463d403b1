"""A layer as Keras 2 reads it: the inverse of `specfmt.formats.read.keras2`.

An option that early releases of Keras 2 do not have is written only if it is set, so that a model
without it loads in all of them.  An option that no release of Keras 2 has is an error if it is set;
the layer classes declare these (`Layer.keras_2_lacks` and similar class variables).

Sources: the constructors and `get_config` of tf_keras 2.21 (`tf_keras.src.layers`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.formats.config.former_arguments import keras_2_names
from specfmt.formats.config.reading import Json, show
from specfmt.formats.keras2.words import Refusals, WordWriter, dtype_policy, plain
from specfmt.formats.keras3.build_configs import shapes
from specfmt.formats.keras3.layers import attribute_of
from specfmt.formats.read.keras3 import resolve
from specfmt.graph.held import HeldModel
from specfmt.graph.model import Node, values_in
from specfmt.layers.attention import MultiHeadAttention
from specfmt.layers.base import KERAS_LAYERS, Layer, is_floating
from specfmt.layers.custom import Custom
from specfmt.layers.merging import Merge
from specfmt.layers.naming import inner_name, inner_names
from specfmt.layers.normalization import LayerNormalization
from specfmt.layers.preprocessing import Normalization
from specfmt.layers.wrappers import TimeDistributed
from specfmt.vocab.base import Term

APPLICATIONS: Final = "keras.src.applications."
"""The package of layers that `keras.applications` defines; `tf_keras` has the same modules."""

IDLE: Final[dict[str, tuple[str, ...]]] = {
    "lora_alpha": ("lora_rank",),
    "seed": ("dropout", "recurrent_dropout"),
}
"""Option that Keras 2 lacks -> options without which it has no effect."""

IDLE_EVERYWHERE: Final = ("lora_alpha",)

LACKING_DEFAULTS: Final = {"data_format": "channels_last"}
"""Values, besides the default, at which an option that Keras 2 lacks has no effect."""

_FREEZE_AROUND: Final = "put it into a nested model with `trainable: false`"

KERAS_3_POLICY: Final = "DTypePolicy"


class Keras2LayerWriter:
    """Writes the layers of a model.

    Args:
        policy: The model's dtype policy.
        refusals: Collects errors about what Keras 2 does not have.
        write_model: Writes a model inside a layer, given whether it is trainable.
    """

    def __init__(
        self, policy: Any, refusals: Refusals, write_model: Callable[[HeldModel, bool], Json]
    ) -> None:
        self.write_model = write_model
        self.policy = policy or "float32"
        self.refusals = refusals
        self.words = WordWriter(refusals)

    def write(
        self,
        layer: Layer,
        name: str,
        args: dict[str, Any] | None,
        path: Path,
        *,
        around_is_trained: bool,
    ) -> Json:
        """A layer as ``{"class_name", "config"}``.

        Args:
            layer: Its definition.
            name: Its name.
            args: The arguments of its first call (values, or shapes); None if it is not built.
            path: Its path in the document.
            around_is_trained: Whether the model that contains it is trainable.
        """
        if isinstance(layer, HeldModel):
            return self.write_model(layer, around_is_trained)
        if isinstance(layer, Custom):
            return self._custom(layer, name, path)
        in_application = layer.keras_module.startswith(APPLICATIONS)
        if not in_application and not (layer.in_keras_2 and layer.keras_module == KERAS_LAYERS):
            self.refusals.add("a layer that Keras 2 has", f"{name} ({layer.type_name})", path)
            return {"class_name": layer.type_name, "config": {"name": name}}
        config = self._config(layer, name, args, path, around_is_trained)
        item: Json = {"class_name": layer.type_name, "config": config}
        if in_application:
            module = f"tf_{layer.keras_module}"
            return {"module": module, **item, "registered_name": layer.type_name}
        return item

    def _config(
        self,
        layer: Layer,
        name: str,
        args: dict[str, Any] | None,
        path: Path,
        around_is_trained: bool,
    ) -> Json:
        """A layer's config: the arguments that all releases have, and later ones if they are set."""
        type_name = layer.type_name
        owner = f"{name} ({type_name})"
        dtype = self._dtype(layer.dtype or layer.keras_2_dtype() or self.policy, name, path)
        values: Json = {}
        for key in (*layer.own_fields(), "activity_regularizer"):
            value = getattr(layer, attribute_of(layer, key))
            default = type(layer).model_fields[attribute_of(layer, key)].default
            if key in layer.omitted_fields or self._is_idle(layer, key):
                continue
            if key in layer.keras_2_lacks:
                if value not in (default, LACKING_DEFAULTS.get(key, default)):
                    self._refuse_option(key, value, default, owner, path)
                continue
            if key in layer.keras_2_later and value == default:
                continue
            values[key] = self._value(key, value, name, around_is_trained, dtype, path)
        resolve(type(layer), values)
        if isinstance(values.get("factor"), list):
            low, high = values["factor"]  # Keras 2 turns one number into the same pair
            mirrored = low if layer.factor_from == "zero" else -low
            values["factor"] = high if mirrored == high else [low, high]
        if isinstance(layer, MultiHeadAttention):
            values["value_dim"] = values["value_dim"] or values["key_dim"]
            values["attention_axes"] = _from_the_front(values["attention_axes"], args)
            values.update(built_shapes(args))
        self._check_values(layer, owner, path)
        self._check_trainable(layer, owner, path)
        names = keras_2_names(type(layer))
        return {
            "name": name,
            "trainable": around_is_trained and layer.trainable,
            "dtype": dtype,
            **{names.get(key, key): value for key, value in values.items()},
        }

    def _dtype(self, policy: Any, name: str, path: Path) -> Any:
        if isinstance(policy, str) and "_from_" not in policy:
            return dtype_policy(policy)
        received = policy if isinstance(policy, str) else "a policy with a config"
        self.refusals.add(f"a dtype of {name} that Keras 2 has", received, (*path, "dtype"))
        return None

    def _check_trainable(self, layer: Layer, owner: str, path: Path) -> None:
        """Refuse a frozen layer with inner layers that are not frozen: Keras 2 would freeze them too."""
        parts = [part for part in vars(layer).values() if isinstance(part, Layer)]
        frozen = bool(parts) and not any(part.trainable for part in parts)
        if layer.trainable or layer.trainable_reaches_parts or frozen:
            return
        self.refusals.add(
            f"trainable of {owner} to be true",
            "false, which in Keras 3 does not freeze its inner layers",
            (*path, "trainable"),
            "freeze the inner layer, or a model that contains it" if parts else _FREEZE_AROUND,
        )

    def _is_idle(self, layer: Layer, key: str) -> bool:
        """Whether an option that Keras 2 lacks has no effect here."""
        if key in IDLE_EVERYWHERE or (key.startswith("renorm") and not layer.renorm):  # type: ignore[attr-defined]
            return True
        if key not in layer.keras_2_lacks or key not in IDLE:
            return False
        return not any(getattr(layer, other, None) for other in IDLE[key])

    def _value(
        self, key: str, value: Any, name: str, around_is_trained: bool, dtype: Any, path: Path
    ) -> Any:
        if isinstance(value, Term):
            return self.words.write(value, name, (*path, key), dtype)
        if isinstance(value, Layer):
            return self.write(
                value, inner_name(value), None, (*path, key), around_is_trained=around_is_trained
            )
        if isinstance(value, tuple) and value and isinstance(value[0], Layer):
            named = zip(value, inner_names(value), strict=True)
            return [
                self.write(item, own, None, (*path, key), around_is_trained=around_is_trained)
                for item, own in named
            ]
        return plain(value)

    def _custom(self, layer: Custom, name: str, path: Path) -> Json:
        """A user-defined layer, unchanged except for its dtype policy, which has Keras 2's form."""
        module, _, class_name = layer.class_.rpartition(".")
        config = {**layer.config, "name": name}
        policy = config.get("dtype")
        own = layer.policy_in(self.policy)
        if policy is None and own != "float32":
            config["dtype"] = self._dtype(own, name, path)
        if isinstance(policy, dict) and policy.get("class_name") == KERAS_3_POLICY:
            if f"{module}.".startswith("keras."):
                self.refusals.add(
                    "a layer that specfmt knows, or one of Keras 2",
                    f"{name} ({layer.class_}) as Keras 3 wrote it",
                    path,
                )
            received = policy.get("config")
            policy_name = received.get("name") if isinstance(received, dict) else None
            config["dtype"] = self._dtype(policy_name, name, path)
        item: Json = {"class_name": class_name, "config": config}
        if module:
            registered = layer.registered_name
            if registered is None and not f"{module}.".startswith(("keras.", "tf_keras.layers.")):
                registered = class_name
            item = {"module": module, **item, "registered_name": registered}
        elif layer.registered_name is not None:
            item["registered_name"] = layer.registered_name
        if layer.build_config is not None:
            item["build_config"] = layer.build_config
        return item

    def _refuse_option(self, key: str, value: Any, default: Any, owner: str, path: Path) -> None:
        received = value.to_data() if isinstance(value, Term) else value
        hint = "Keras 2 has no such option; export to keras3, or leave it out"
        self.refusals.add(
            f"{key} of {owner} to be {show(plain(default))}",
            show(plain(received)),
            (*path, key),
            hint,
        )

    def _check_values(self, layer: Any, owner: str, path: Path) -> None:
        """Refuse values that Keras 2 does not accept or interprets differently."""

        def refuse(field: str, expected: str) -> None:
            received = show(plain(getattr(layer, field)))
            self.refusals.add(f"{field} of {owner} to be {expected}", received, (*path, field))

        if isinstance(layer, Normalization) and layer.axis is None and layer.mean is None:
            refuse("axis", "given if there is no mean")
        if isinstance(layer, LayerNormalization) and not _rising(layer.axis):
            refuse("axis", "all non-negative or all negative, in ascending order")
        strides, dilation = getattr(layer, "strides", 1), getattr(layer, "dilation_rate", 1)
        if _largest(strides) > 1 and _largest(dilation) > 1:
            refuse("dilation_rate", "1 if strides are larger")

    def check_inputs(self, layer: Layer, node: Node) -> None:
        """Refuse inputs that a layer of Keras 2 does not accept or handles differently."""
        if isinstance(layer, Custom):
            return
        tensors = [
            value
            for name, item in node.args.items()
            if not name.endswith("mask")
            for value in values_in(item)
        ]
        if isinstance(layer, Merge) and len(tensors) < 2:
            self.refusals.add(
                f"at least two inputs of {node.name} ({layer.type_name})",
                str(len(tensors)),
                (*node.path, "inputs"),
            )
        mode = getattr(layer, "output_mode", "int")
        wide = [value.shape for value in tensors if len(value.shape or ()) > 1]
        if mode == "one_hot" and any(shape[-1] != 1 for shape in wide if shape):
            self.refusals.add(
                f"one category per sample of {node.name} ({layer.type_name})",
                "several, which Keras 2 does not one-hot encode",
                (*node.path, "output_mode"),
            )
        dtypes = sorted({value.dtype for value in tensors})
        casts = all(map(is_floating, dtypes))  # Keras 2 casts only floating-point inputs
        if isinstance(layer, Merge) and len(dtypes) > 1 and not casts:
            self.refusals.add(
                f"inputs of one dtype for {node.name} ({layer.type_name})",
                " and ".join(dtypes),
                (*node.path, "inputs"),
                "insert an operation before it: {op: cast, dtype: float32}",
            )
            return
        inner: Any = layer
        while isinstance(inner, TimeDistributed):
            inner = inner.layer
        if isinstance(inner, HeldModel):
            return  # the dtypes of its own inputs are explicit
        for dtype in dict.fromkeys(v.dtype for v in tensors if "float" not in v.dtype):
            if ("bool" if dtype == "bool" else "int") not in inner.keras_2_inputs:
                self.refusals.add(
                    f"floating-point inputs of {node.name} ({layer.type_name})",
                    dtype,
                    (*node.path, "inputs"),
                    "insert an operation before it: {op: cast, dtype: float32}",
                )


def _rising(axes: int | tuple[int, ...]) -> bool:
    """Whether axes are in ascending order for any rank of the tensor."""
    if isinstance(axes, int):
        return True
    return list(axes) == sorted(axes) and not min(axes) < 0 <= max(axes)


def _largest(sizes: int | tuple[int, ...] | None) -> int:
    return max(sizes) if isinstance(sizes, tuple) else sizes or 1


def _from_the_front(axes: Any, args: dict[str, Any] | None) -> Any:
    """Attention axes as non-negative numbers; Keras 2 interprets negative ones incorrectly."""
    query = (args or {}).get("query")
    shape = shapes(query) if query is not None else None
    if axes is None or shape is None:
        return axes
    return [axis % len(shape) for axis in (axes if isinstance(axes, list) else [axes])]


def built_shapes(args: dict[str, Any] | None) -> Json:
    """The input shapes that MultiHeadAttention of Keras 2 writes into its config."""
    found = {key: shapes(value) for key, value in (args or {}).items()}
    value = found.get("value")
    return {
        "query_shape": found.get("query"),
        "key_shape": found.get("key") or value,
        "value_shape": value,
    }
