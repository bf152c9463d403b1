"""`keras.utils.FeatureSpace`: files of the object, and of models of its encoded features."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from specfmt.diagnostics import SpecError
from specfmt.formats.keras_json import document_from_keras_json
from specfmt.graph.analyze import analyze
from specfmt.migration import import_spec

Json = dict[str, Any]


def feature(class_name: str, dtype: str, output_mode: str, **config: Any) -> Json:
    layer = {"module": "keras.layers", "class_name": class_name, "config": config}
    own = {"dtype": dtype, "preprocessor": layer, "output_mode": output_mode}
    return {"class_name": "Feature", "config": own}


def space(output_mode: str = "concat", crosses: Any = (), **more: Json) -> Json:
    """A serialized FeatureSpace."""
    features = {
        "size": feature("Rescaling", "float32", "float", name="sized", scale=0.5),
        "kind": feature("Hashing", "string", "one_hot", name="kinds", num_bins=4),
        "age": feature(
            "Discretization", "float32", "one_hot", name="aged", bin_boundaries=[1.0, 2.0]
        ),
        **more,
    }
    config = {"features": features, "output_mode": output_mode, "crosses": list(crosses)}
    return {"module": "keras.utils", "class_name": "FeatureSpace", "config": config}


CROSS = {
    "class_name": "Cross",
    "config": {"feature_names": ["kind", "age"], "crossing_dim": 6, "output_mode": "one_hot"},
}


def test_layers_and_order() -> None:
    """Encoded features are joined in the order of their names, then the crosses."""
    document, warnings = document_from_keras_json(space(crosses=[CROSS]))
    assert not warnings
    types = {entry["type"] for entry in document["layers"]}
    assert types == {
        "Rescaling", "Hashing", "Discretization", "HashedCrossing", "CategoryEncoding", "Concatenate",
    }  # fmt: skip
    assert list(document["inputs"]) == ["size", "kind", "age"]
    (join,) = [entry for entry in document["layers"] if entry["type"] == "Concatenate"]
    assert join["inputs"] == [
        "category_encoding", "category_encoding_1", "sized", "category_encoding_2",
    ]  # fmt: skip
    encoders = {
        entry.get("name", "category_encoding"): entry["num_tokens"]
        for entry in document["layers"]
        if entry["type"] == "CategoryEncoding"
    }
    assert encoders == {"category_encoding": 3, "category_encoding_1": 4, "category_encoding_2": 6}


def test_output_mode_dict() -> None:
    document, _ = document_from_keras_json(space("dict"))
    assert set(document["outputs"]) == {"size", "kind", "age"}


def test_what_cannot_be_encoded() -> None:
    """An error says how to build the model instead."""
    odd = feature("Custom>Mine", "string", "one_hot", name="mine")
    other = {"class_name": "Cross", "config": {"feature_names": ["kind", "none"]}}
    for document in (space(odd=odd), space(crosses=[other]), space(crosses=[{"config": 3}])):
        with pytest.raises(SpecError) as caught:
            document_from_keras_json(document)
        (found,) = caught.value.diagnostics
        assert found.code in ("SF402", "SF403")
        assert found.code == "SF403" or "get_encoded_features" in found.hint


def test_damaged() -> None:
    """Any value of another kind is an error, never an exception of another class."""
    text = json.dumps(space(crosses=[CROSS]))
    data = json.loads(text)

    def places(value: Any, path: tuple[Any, ...] = ()) -> Any:
        yield path
        for key, item in (
            value.items()
            if isinstance(value, dict)
            else enumerate(value if isinstance(value, list) else [])
        ):
            yield from places(item, (*path, key))

    for path in [p for p in places(data) if p]:
        for odd in (None, 3, "x", [], {}, [[]]):
            changed = json.loads(text)
            holder = changed
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = odd
            try:
                document_from_keras_json(changed)
            except SpecError as error:
                assert error.diagnostics  # noqa: PT017 - both results are right


@pytest.mark.slow
def test_real_files(tmp_path: Path) -> None:
    """The object's file, and that of a model of its features, compute what Keras computes."""
    import keras
    import numpy as np
    import tensorflow as tf

    from specfmt.targets.keras import generate_model
    from specfmt.targets.torch import generate_model as torch_model
    from specfmt.weights.convert import convert
    from tests.tools.harness import execute

    kind = keras.utils.FeatureSpace
    rng = np.random.default_rng(0)
    data: dict[str, Any] = {name: rng.random(20).astype("f4") for name in ("a", "b", "c", "d", "i")}
    data |= {"e": rng.choice(["m", "f", "x"], 20), "f": rng.choice(["u", "v"], 20)}
    data |= {"g": rng.integers(0, 5, 20), "h": rng.integers(0, 50, 20)}
    features = {
        "h": kind.integer_hashed(num_bins=6),
        "a": kind.float_discretized(num_bins=4),
        "b": kind.float_normalized(),
        "i": "float_normalized",
        "c": kind.float(),
        "d": kind.float_rescaled(scale=0.1),
        "e": kind.string_categorical(),
        "f": kind.string_hashed(num_bins=5),
        "g": kind.integer_categorical(),
    }
    for mode, crosses in (
        ("concat", [kind.cross(("e", "g"), 8)]),
        ("dict", None),
        ("concat", None),
    ):
        keras.backend.clear_session()
        own = kind(features=dict(features), crosses=crosses, output_mode=mode)
        own.adapt(tf.data.Dataset.from_tensor_slices(data))
        expected = own(data)
        own.save(tmp_path / "space.keras")
        model = keras.Model(own.get_inputs(), own.get_encoded_features())
        model.save(tmp_path / "model.keras")
        inputs = {name: tf.constant(value)[:, None] for name, value in data.items()}
        for file in ("space.keras", "model.keras"):
            spec, warnings = import_spec(tmp_path / file)
            assert not warnings
            graph = analyze(spec)
            convert(graph, tmp_path / file, tmp_path / "w.weights.h5")
            rebuilt = execute(generate_model(graph, flavor="keras"))
            rebuilt.load_weights(tmp_path / "w.weights.h5")
            found = rebuilt(inputs)
            pairs = (
                [(expected[name], found[name]) for name in expected]
                if mode == "dict"
                else [(expected, found)]
            )
            for one, other in pairs:
                assert np.allclose(np.asarray(one), np.asarray(other), atol=1e-6), (mode, file)
            if mode == "concat" and crosses is None:
                import safetensors.torch
                import torch

                convert(graph, tmp_path / file, tmp_path / "w.safetensors")
                module = execute(torch_model(graph))
                module.load_state_dict(safetensors.torch.load_file(tmp_path / "w.safetensors"))
                values = [
                    [[str(text)] for text in data[name]]
                    if data[name].dtype.kind == "U"
                    else torch.tensor(data[name])[:, None]
                    for name in graph.inputs
                ]
                with torch.no_grad():
                    result = module.eval()(*values).numpy()
                assert np.allclose(np.asarray(expected), result, atol=1e-5)
