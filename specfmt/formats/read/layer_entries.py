"""Reading a layer of any Keras version as an entry of a spec, without its connections."""

from __future__ import annotations

import marshal
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from specfmt.diagnostics import Diagnostic, Path, SpecError
from specfmt.fields.spellings import REMOVED, former_arguments
from specfmt.fields.types import NAME_PATTERN
from specfmt.fields.validation import findings, required_keys, rules_of
from specfmt.formats.config.context import Context
from specfmt.formats.config.defaults import (
    activation_defaults,
    drop_defaults,
    is_without_casts,
    known_layer,
    layer_defaults,
    same,
    word_type,
)
from specfmt.formats.config.floats import clean_numbers
from specfmt.formats.config.lenient import fit_arguments, unboxed
from specfmt.formats.config.reading import Json, as_list, as_text, fail, show
from specfmt.formats.read import keras2
from specfmt.formats.read.bidirectional import holds_known, undo_bidirectional, without_forced_zeros
from specfmt.formats.read.cell_sizes import add_sizes_between
from specfmt.formats.read.keras3 import (
    HIDDEN_DEFAULTS,
    LAYER_FIELDS,
    LAYER_LIST_FIELDS,
    query_rank,
    simplify,
)
from specfmt.formats.read.policies import is_default_quantization, read_policy
from specfmt.formats.read.serialized_layers import MODELS, layer_parts
from specfmt.formats.read.unknown_layers import (
    CELL_TO_BE_WRITTEN,
    TO_BE_WRITTEN,
    custom_entry,
    lambda_entry,
    unsupported_entry,
)
from specfmt.formats.read.words import field_kind, plain_word, read_word
from specfmt.layers.base import KERAS_LAYERS, Layer
from specfmt.layers.core import Identity
from specfmt.layers.former_arguments import INPUT_KEYS
from specfmt.layers.former_types import EXPORTED_AS, FORMER_TYPES
from specfmt.layers.kept import LAMBDA
from specfmt.layers.keras_names import KERAS_LAYERS as KERAS_NAMES
from specfmt.layers.merging import Concatenate
from specfmt.layers.recurrent_cells import CELLS
from specfmt.layers.registry import layer_class
from specfmt.layers.wrappers import Bidirectional
from specfmt.vocab.naming import to_snake_case

OF_FEATURE_SPACES: Final = {
    "TFDIdentity": Identity.type_name,
    "TFDConcat": Concatenate.type_name,
}
"""Private classes of `keras.utils.FeatureSpace` -> the layers that compute the same."""

RELU6_LIMIT: Final = 6.0
"""The ``max_value`` for which a `ReLU` is the function `relu6`."""

LAYER_KEYS: Final = frozenset((*LAYER_FIELDS, *LAYER_LIST_FIELDS))
"""Fields that contain layers."""

FEEDING: Final = frozenset((*INPUT_KEYS, "weights", "sparse", "ragged", "rng_type"))
"""Arguments of earlier versions about a layer's input or computation, ignored by classes without them."""

WRONG: Final = "SF403"
"""The code for a wrong value of a field."""

BEYOND_KERAS_3: Final = frozenset({"SF420", "SF421", "SF422"})
"""Codes of valid layers that Keras 3 cannot express; they are kept as custom layers."""

KERAS_MODULES: Final = ("keras.", "tf_keras.", "tensorflow.keras.", "tensorflow.python.keras.")

ReadModel = Callable[[str, Any, Path, Any, bool], Json]
"""Reads a nested model: class name, config, path, dtype policy, frozen -> the entry's fields."""


class LayerReader:
    """Reads layers, including those inside wrappers and models inside layers.

    Args:
        context: The import.
        read_model: Reads a nested model.
    """

    def __init__(self, context: Context, read_model: ReadModel) -> None:
        self.context = context
        self.read_model = read_model
        self.known: dict[bytes, Json] = {}  # serialized layer -> its entry, both without the name

    def read(
        self,
        item: Any,
        path: Path,
        policy: Any,
        rank: int | None = None,
        *,
        frozen: bool = False,
    ) -> Json:
        """A serialized layer as an entry without connections, with its name if it has one.

        Args:
            item: The serialized layer.
            path: Its path in the source.
            policy: The model's dtype policy, which a layer does not repeat.
            rank: The rank of its input, if known.
            frozen: The model that contains it is frozen, so `trainable` is written if it is true.

        Raises:
            SpecError: The layer is damaged, or Keras 3 has no equivalent.
        """
        class_name, config, config_path = layer_parts(item, path)
        if class_name in OF_FEATURE_SPACES and self._is_keras(item):
            class_name = OF_FEATURE_SPACES[class_name]
            item = {**item, "class_name": class_name, "module": KERAS_LAYERS}
        if self._is_keras(item) and _takes(EXPORTED_AS.get(class_name), config):
            class_name = EXPORTED_AS[class_name]
        if class_name in MODELS:
            return {
                "type": "Model",
                **self.read_model(class_name, config, config_path, policy, frozen),
            }
        if class_name == LAMBDA:
            return lambda_entry(self.context, item, class_name, config, path)
        if not self._is_keras(item):
            return custom_entry(self.context, item, class_name, config, path)
        if known_layer(class_name) is not None and reads_mapping(item):
            reason = "it is called on a mapping of tensors"
            return custom_entry(self.context, item, class_name, config, path, reason)
        fields = dict(config)
        name = fields.pop("name", None)
        build_config = item.get("build_config")
        if self.context.legacy and "query_shape" in config:
            build_config = {"shapes_dict": {"query_shape": config["query_shape"]}}
        if class_name == "CuDNNLSTM":
            self.context.warn(
                "SF432",
                "CuDNNLSTM has two biases; LSTM has one, their sum",
                path,
            )
        query = query_rank(build_config)
        if not self.context.legacy:
            rank = None  # Keras 3 counts axes from the end
        source = (class_name, item.get("module"), fields, policy, rank, query, frozen)
        # Most layers of a model equal an earlier one; marshal distinguishes 1, 1.0 and True.
        key = marshal.dumps(source, 2) if LAYER_KEYS.isdisjoint(fields) else b""
        entry = self.known.get(key)
        if entry is None:
            warned = len(self.context.warnings)
            try:
                entry = self._layer(*source, config_path)
            except SpecError as error:
                if {found.code for found in error.diagnostics} <= BEYOND_KERAS_3:
                    return unsupported_entry(self.context, item, class_name, config, path, error)
                raise of_layer(error, name, class_name) from None
            if entry is not None and not holds_known(entry):
                item = {**item, "module": KERAS_LAYERS}
                return custom_entry(self.context, item, class_name, config, path)
            if entry is None:
                return custom_entry(self.context, item, class_name, config, path)
            if key and len(self.context.warnings) == warned:
                self.known[key] = entry
        head: Json = {"type": entry["type"]}
        if name is not None:
            head["name"] = as_text(name, (*config_path, "name"), "a layer's name")
        return {**head, **entry}

    def _layer(
        self,
        class_name: str,
        module: Any,
        config: Json,
        policy: Any,
        rank: int | None,
        query: int | None,
        frozen: bool,
        path: Path,
    ) -> Json | None:
        """A built-in layer of Keras, without its name; None if specfmt does not know it.

        Args:
            class_name: Its class.
            module: The module of its class, if the source has it.
            config: Its config without the name.
            policy, rank, frozen: As for `read`.
            query: The rank of an attention layer's query, if the source has it.
            path: The path of the config in the source.
        """
        type_name, fields = self._to_keras_3(class_name, config, path)
        cls = known_layer(type_name)
        if (
            cls is None
            or not _stands_in(cls.keras_module, module)
            or cls.unsupported_config(fields)
            or is_without_casts(config)
        ):
            return None
        trainable, dtype = fields.pop("trainable", None), fields.pop("dtype", None)
        if cls is Bidirectional:
            fields = {key: without_forced_zeros(value) for key, value in fields.items()}
        policy_name = read_policy(dtype, (*path, "dtype"))
        around = policy_name or policy
        values: Json = {}
        for key, value in fields.items():
            where = (*path, _source_key(config, key, value))
            own = around if field_kind(key) == "activation" else policy
            values[key] = self._value(key, value, where, own, frozen=frozen)
        if _holds_unknown(values):
            return None
        if cls is Bidirectional:
            undo_bidirectional(values)
        if is_default_quantization(values.get("quantization_config")):
            del values["quantization_config"]
        values = simplify(cls, values, query)
        if rank is not None and cls.keras_2_resolves_axis:
            values["axis"] = -1 if values.get("axis") == rank - 1 else values.get("axis", -1)
        values = drop_defaults(type_name, self._fitted(type_name, values, config, path))
        self._refuse_unknown(cls, values, config, path)
        entry: Json = {"type": type_name}
        known = layer_defaults(type_name)
        entry.update(
            (key, value)
            for key, value in values.items()
            if key in known or key not in HIDDEN_DEFAULTS
        )
        if isinstance(trainable, bool) and trainable is frozen:
            entry["trainable"] = trainable
        if cls.reads_indices and str(policy_name).startswith("int"):
            policy_name = None  # Keras 2.0 wrote the dtype of an embedding's input here
        if policy_name is not None and policy_name != (cls.own_dtype(values) or policy):
            entry["dtype"] = policy_name
        return entry

    def _is_keras(self, item: Any) -> bool:
        """Whether the class is one of Keras's own, as far as the source tells."""
        module = item.get("module") if isinstance(item, dict) else None
        if module is None:
            # Before 2.13 a layer has no module.
            return not (isinstance(item, dict) and item.get("registered_name"))
        return isinstance(module, str) and module.startswith(KERAS_MODULES)

    def _to_keras_3(self, class_name: str, config: Json, path: Path) -> tuple[str, Json]:
        fields = dict(config)
        if self.context.tfjs:
            fields = {snake_key(key): value for key, value in fields.items()}
        if self.context.legacy:
            return keras2.to_keras_3(class_name, fields, self.context, path)
        if class_name in KERAS_NAMES:  # an alias, such as MaxPool2D
            class_name = FORMER_TYPES.get(class_name, class_name)
        return class_name, fields

    def _value(self, key: str, value: Any, path: Path, policy: Any, *, frozen: bool) -> Any:
        kind = field_kind(key)
        if kind is not None:
            if kind == "activation" and self._is_layer(value):
                return self._layer_activation(value, path, policy)
            return read_word(value, kind, path, self.context)
        if key in LAYER_FIELDS and isinstance(value, dict):
            warned = len(self.context.warnings)
            entry = self._nested(value, path, policy, frozen=frozen)
            if key == "cell":
                self._advise_for_cells(warned)
            return entry
        if key in LAYER_LIST_FIELDS or (key == "cell" and isinstance(value, list)):
            cells = as_list(value, path, key)
            warned = len(self.context.warnings)
            entries = [self.read(c, (*path, i), policy, frozen=frozen) for i, c in enumerate(cells)]
            if key != "layers":
                add_sizes_between(entries, cells)
                self._advise_for_cells(warned)
            return _without_automatic_names(entries)
        if isinstance(value, (dict, list)):
            value = unboxed(value, path)
        if self.context.tfjs and isinstance(value, str) and key in _TFJS_WORDS:
            value = snake_key(value)
        return clean_numbers(value) if self.context.legacy else value

    def _advise_for_cells(self, since: int) -> None:
        """Correct the advice of the warnings about cells, which cannot have `define`."""
        warnings = self.context.warnings
        for index in range(since, len(warnings)):
            if warnings[index].hint == TO_BE_WRITTEN:
                warnings[index] = replace(warnings[index], hint=CELL_TO_BE_WRITTEN)

    def _is_layer(self, value: Any) -> bool:
        return (
            isinstance(value, dict)
            and isinstance(value.get("class_name"), str)
            and value["class_name"] != "function"
            and isinstance(value.get("config"), dict)
            and "name" in value["config"]
            and self._is_keras(value)
        )

    def _layer_activation(self, value: Json, path: Path, policy: Any) -> Any:
        """An activation given as a layer: the function that the layer applies."""
        cls = layer_class(value["class_name"])
        if cls is None or not cls.activation_function:
            return read_word(value, "activation", path, self.context)
        entry = self.read(value, path, policy if self.context.legacy else "float32")
        name = entry.pop("name", None)
        if {"dtype", "trainable"} & set(entry) or (
            name is not None and not re.fullmatch(NAME_PATTERN, name)
        ):
            return read_word(value, "activation", path, self.context)
        arguments = {**activation_defaults(cls), **entry}
        del arguments["type"]
        if not self.context.legacy and name is not None:
            arguments["layer"] = name
        elif cls.activation_function == "relu" and arguments == {"max_value": RELU6_LIMIT}:
            return "relu6"
        function = word_type("activation", cls.activation_function)
        return plain_word("activation", function, arguments)

    def _nested(self, value: Any, path: Path, policy: Any, *, frozen: bool) -> Json:
        """A layer in a field, without its name if that is the automatic one."""
        entry = self.read(value, path, policy, frozen=frozen)
        if entry.get("name") == to_snake_case(entry["type"]):
            del entry["name"]
        return entry

    def _fitted(self, type_name: str, values: Json, config: Json, path: Path) -> Json:
        """The fields, converted to what their rules accept; wrong values are errors with their place
        in the source."""
        known = layer_defaults(type_name)
        cls = layer_class(type_name)
        given = {
            key: value
            for key, value in values.items()
            if key in known and key not in LAYER_KEYS and not same(value, known[key])
        }
        if cls is None:
            return values
        kept, wrong = fit_arguments(cls, given)
        problems: list[Diagnostic] = []
        for key in wrong:
            where = (*path, _source_key(config, key, config.get(key)))
            problems += map(_as_import, findings(rules_of(cls)[key], given[key], where))
        for key in required_keys(cls):
            if key not in values and key not in LAYER_KEYS:
                message = f"{type_name} is missing the required field `{key}`"
                problems.append(Diagnostic("SF404", message, path))
        if problems:
            raise SpecError(problems)
        return {
            key: kept.get(key, value)
            for key, value in values.items()
            if key not in given or key in kept
        }

    def _refuse_unknown(self, cls: type[Layer], values: Json, config: Json, path: Path) -> None:
        type_name, formers = cls.type_name, former_arguments(cls)
        known = layer_defaults(type_name)
        unheeded = [key for key in values if key in FEEDING or formers.get(key) is REMOVED]
        for key in unheeded:
            if key in known:
                continue
            if key == "weights" and values[key] is not None:
                self.context.warn(
                    "SF432",
                    f"left out the weights in the config of a {type_name}",
                    (*path, key),
                    "`specfmt weights` converts the weights of the file",
                )
            del values[key]
        for key, value in values.items():
            if key not in known and HIDDEN_DEFAULTS.get(key) != value and value not in ("", [], {}):
                fail(
                    "SF421",
                    f"expected an option of Keras 3's {type_name}, received {key}: {show(value)}",
                    (*path, _source_key(config, key, config.get(key))),
                    "remove it if the model does not depend on it",
                )


def _without_automatic_names(entries: list[Json]) -> list[Json]:
    """Layers of a list, without names that equal their automatic ones."""
    counts: dict[str, int] = {}
    for entry in entries:
        base = to_snake_case(entry["type"])
        number = counts.get(base, 0)
        if entry.get("name") == (f"{base}_{number}" if number else base):
            del entry["name"]
        counts[base] = number + ("name" not in entry)
    return entries


def reads_mapping(item: Any) -> bool:
    """Whether a call of a serialized layer of Keras 3 gives it several tensors by name.

    Image layers take bounding boxes, labels and masks of segments beside the images that way.
    """
    nodes = item.get("inbound_nodes") if isinstance(item, dict) else None
    for node in nodes if isinstance(nodes, list) else []:
        args = node.get("args") if isinstance(node, dict) else None
        first = args[0] if isinstance(args, list) and args else None
        if isinstance(first, dict) and first and "class_name" not in first:
            return True
    return False


def _holds_unknown(values: Json) -> bool:
    """Whether a recurrent layer has a cell that is no layer of the spec, such as a model."""
    cell = values.get("cell")
    cells = cell if isinstance(cell, list) else [cell] if cell else values.get("cells") or []
    return any(item.get("type") not in CELLS for item in cells if isinstance(item, dict))


def _takes(type_name: str | None, config: Json) -> bool:
    """Whether a config has all arguments that a layer requires; a user's class may have its name."""
    cls = known_layer(type_name) if type_name is not None else None
    if cls is None:
        return False
    return all(key in config for key, info in cls.model_fields.items() if info.is_required())


def of_layer(error: SpecError, name: Any, class_name: str) -> SpecError:
    """The same diagnostics, each with the name of its layer."""
    label = f"layer {name}, a {class_name}" if isinstance(name, str) else f"a {class_name}"
    return SpecError(
        [
            item
            if "(layer " in item.message
            else replace(item, message=f"{item.message} ({label[:80]})")
            for item in error.diagnostics
        ]
    )


def _stands_in(module: str, given: Any) -> bool:
    """Whether a class may be defined in ``module``; classes of applications must have their module."""
    return module == KERAS_LAYERS or (
        isinstance(given, str) and given.rpartition(".")[2] == module.rpartition(".")[2]
    )


_TFJS_WORDS: Final = frozenset(["data_format", "padding", "merge_mode", "interpolation"])


def snake_key(key: str) -> str:
    """``dataFormat`` -> ``data_format``, for keys that tf.js before 1.0 wrote."""
    return re.sub("([a-z0-9])([A-Z])", r"\1_\2", key).lower()


def _source_key(config: Json, key: str, value: Any) -> str:
    """The key of the source from which the current ``key`` comes."""
    if key in config:
        return key
    return next((old for old, item in config.items() if item is value), key)


def _as_import(found: Diagnostic) -> Diagnostic:
    """A diagnostic about a field with the code for imports; refused classes (SF129) keep their code."""
    return found if found.code == "SF129" else replace(found, code=WRONG)
