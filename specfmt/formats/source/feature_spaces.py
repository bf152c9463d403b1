"""Reading a `keras.utils.FeatureSpace` as the functional model of its encoded features.

The object holds a preprocessor for each feature, crosses of features, and (after `adapt()`) their
state; the layers that encode and join them follow from these.  The model is that of
`keras.Model(space.get_inputs(), space.get_encoded_features())`.  Source: `_merge_features` of
`keras/src/layers/preprocessing/feature_space.py`.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.config.reading import Json, as_list, as_map, as_text, fail, need, show
from specfmt.layers.merging import Concatenate
from specfmt.layers.preprocessing_categories import (
    CategoryEncoding,
    Discretization,
    HashedCrossing,
    Hashing,
    IntegerLookup,
    StringLookup,
)
from specfmt.vocab.naming import to_snake_case

CLASS: Final = "FeatureSpace"
ONE_HOT: Final = "one_hot"

SIZES: Final = {
    StringLookup.type_name: "vocabulary_size",
    IntegerLookup.type_name: "vocabulary_size",
    CategoryEncoding.type_name: "num_tokens",
    Discretization.type_name: "num_bins",
    HashedCrossing.type_name: "num_bins",
    Hashing.type_name: "num_bins",
}
"""Class of a preprocessor -> the field with the number of its categories."""

INSTEAD: Final = (
    "build `keras.Model(space.get_inputs(), space.get_encoded_features())`, save that and import it"
)


def is_feature_space(document: Any) -> bool:
    """Whether parsed JSON is a serialized FeatureSpace."""
    return (
        isinstance(document, dict)
        and document.get("class_name") == CLASS
        and isinstance(document.get("config"), dict)
        and isinstance(document["config"].get("features"), dict)
    )


def as_functional(document: Json) -> Json:
    """The functional model of a serialized FeatureSpace.

    Raises:
        SpecError: SF402 if a feature is not one whose encoding is known.
    """
    config = document["config"]
    inputs: list[Json] = []
    layers: list[Json] = []
    encoded: dict[str, Json] = {}
    for name, item in config["features"].items():
        where = ("config", "features", name)
        feature = as_map(need(as_map(item, where, "a feature"), "config", where, "it"), where, "it")
        dtype = as_text(feature.get("dtype"), (*where, "dtype"), "a dtype")
        batch = {"batch_shape": [None, 1], "dtype": dtype, "name": name}
        inputs.append(_layer("InputLayer", batch))
        layers.append(_called(_preprocessor(feature, where), [_tensor(name)]))
        encoded[name] = {**feature, "layer": layers[-1]}
    crosses: dict[str, Json] = {}
    listed = as_list(config.get("crosses") or [], ("config", "crosses"), "the crosses")
    for index, item in enumerate(listed):
        path = ("config", "crosses", index)
        cross = as_map(as_map(item, path, "a cross").get("config"), path, "a cross")
        names = as_list(cross.get("feature_names"), path, "the names of features")
        if not all(isinstance(name, str) and name in encoded for name in names):
            fail("SF402", f"expected names of features, received {show(names)}", path, INSTEAD)
        own = "_X_".join(names)
        crossing = {"num_bins": cross.get("crossing_dim"), "name": own}
        reads = [_tensor(encoded[name]["layer"]["name"]) for name in names]
        layers.append(_called(_layer(HashedCrossing.type_name, crossing), [reads]))
        crosses[own] = {**cross, "layer": layers[-1]}
    ends: dict[str, Any] = {}
    ordered = [(name, group[name]) for group in (encoded, crosses) for name in sorted(group)]
    number = 0
    for name, feature in ordered:
        end = feature["layer"]
        if feature.get("output_mode") == ONE_HOT:
            own = to_snake_case(CategoryEncoding.type_name) + (f"_{number}" if number else "")
            encoder = {"num_tokens": _categories(name, end), "name": own}
            number += 1
            layers.append(
                _called(_layer(CategoryEncoding.type_name, encoder), [_tensor(end["name"])])
            )
            end = layers[-1]
        ends[name] = _tensor(end["name"])
    outputs: Any = {
        name: [tensor["config"]["keras_history"][0], 0, 0] for name, tensor in ends.items()
    }
    if config.get("output_mode") != "dict":
        join = _layer(
            Concatenate.type_name, {"name": to_snake_case(Concatenate.type_name), "axis": -1}
        )
        layers.append(_called(join, [list(ends.values())]))
        outputs = [layers[-1]["name"], 0, 0]
    model = {
        "name": to_snake_case(CLASS),
        "layers": [*inputs, *layers],
        "input_layers": {item["name"]: [item["name"], 0, 0] for item in inputs},
        "output_layers": outputs,
    }
    return {"module": "keras", "class_name": "Functional", "config": model}


def _preprocessor(feature: Json, where: Any) -> Json:
    """The serialized layer of a feature, with its name."""
    item = as_map(feature.get("preprocessor"), (*where, "preprocessor"), "a preprocessor")
    config = as_map(item.get("config"), (*where, "preprocessor", "config"), "a config")
    as_text(item.get("class_name"), (*where, "preprocessor", "class_name"), "a class")
    name = as_text(config.get("name"), (*where, "preprocessor", "config", "name"), "a name")
    return {**item, "name": name}


def _categories(name: str, layer: Json) -> int:
    """The number of categories that a preprocessor gives."""
    config = layer["config"]
    size = config.get(SIZES.get(layer["class_name"], ""))
    boundaries = config.get("bin_boundaries")
    if layer["class_name"] == Discretization.type_name and isinstance(boundaries, list):
        size = len(boundaries) + 1
    if not isinstance(size, int):
        fail(
            "SF402",
            f"expected a preprocessor with a known number of categories, received {show(name)} with "
            f"{show(layer['class_name'])}",
            ("config", "features", name),
            INSTEAD,
        )
    return size


def _layer(class_name: str, config: Json) -> Json:
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": config,
        "name": config["name"],
        "inbound_nodes": [],
    }


def _tensor(name: str) -> Json:
    """The output of a layer, as Keras 3 writes it."""
    history = [name, 0, 0]
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, None], "keras_history": history},
    }


def _called(layer: Json, args: list[Any]) -> Json:
    return {**layer, "inbound_nodes": [{"args": args, "kwargs": {}}]}
