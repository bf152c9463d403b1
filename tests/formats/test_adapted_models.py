"""Whole models with adapted layers, of Keras 2 and 3: counts and outputs; configs of old releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specfmt
from tests.tools.harness import channels_first, execute

RNG = np.random.default_rng(0)
STRINGS = np.array([["cat"], ["dog"], ["cat"], ["é"], ["mouse"]] * 4)
NUMBERS = RNG.normal(size=(20, 3)).astype("float32")
INTEGERS = RNG.integers(0, 9, (20, 1))
IMAGES = RNG.normal(size=(5, 4, 5, 3)).astype("float32")
TEXTS = np.array([["the cat sat"], ["a dog"], ["Dog, cat; the mat"], ["É"]] * 5)
PAD = {"max_tokens": 9, "pad_to_max_tokens": True}
TABLE: dict[str, tuple[str, dict[str, Any], np.ndarray, bool]] = {
    "norm": ("Normalization", {}, NUMBERS, True),
    "norm_scalar": ("Normalization", {"axis": None}, NUMBERS, True),
    "norm_image": ("Normalization", {"axis": (1, -1)}, IMAGES, True),
    "norm_inverse": ("Normalization", {"invert": True}, NUMBERS, True),
    "norm_given": ("Normalization", {"mean": [1.0, 2, 3], "variance": [1.0, 1, 2]}, NUMBERS, False),
    "norm_fresh": ("Normalization", {}, NUMBERS, False),
    "bins": ("Discretization", {"num_bins": 4, "output_mode": "multi_hot"}, NUMBERS, True),
    "bins_given": ("Discretization", {"bin_boundaries": [0.0, 1.0]}, NUMBERS, False),
    "look": ("StringLookup", {"output_mode": "one_hot"}, STRINGS, True),
    "look_most": ("StringLookup", {"output_mode": "multi_hot", "max_tokens": 3}, STRINGS, True),
    "look_padded": ("StringLookup", {"output_mode": "count", **PAD}, STRINGS, True),
    "look_many": ("StringLookup", {"output_mode": "one_hot", "num_oov_indices": 3}, STRINGS, True),
    "look_given": ("StringLookup", {"output_mode": "one_hot", "vocabulary": ["cat", "b"]}, STRINGS, False),
    "integer": ("IntegerLookup", {"output_mode": "one_hot"}, INTEGERS, True),
    "text": ("TextVectorization", {"output_sequence_length": 4}, TEXTS, True),
    "text_many": ("TextVectorization", {"output_mode": "multi_hot", "ngrams": 2}, TEXTS, True),
    "hash": ("Hashing", {"num_bins": 5, "output_mode": "one_hot"}, STRINGS, False),
    "encode": ("CategoryEncoding", {"num_tokens": 9}, INTEGERS, False),
}  # fmt: skip
TF_IDF = {
    "look_tf_idf": ("StringLookup", {"output_mode": "tf_idf"}, STRINGS, True),
    "integer_tf_idf": ("IntegerLookup", {"output_mode": "tf_idf"}, INTEGERS, True),
    "text_tf_idf": ("TextVectorization", {"output_mode": "tf_idf"}, TEXTS, True),
    "text_tf_idf_most": ("TextVectorization", {"output_mode": "tf_idf", "max_tokens": 4}, TEXTS, True),
    "text_tf_idf_padded": ("TextVectorization", {"output_mode": "tf_idf", **PAD}, TEXTS, True),
}  # fmt: skip
"""Keras 2 counts the number of documents, too, as a weight."""


def built(keras: Any, case: tuple[str, dict[str, Any], np.ndarray, bool]) -> Any:
    """A model of the layer, adapted, and of a Dense or Embedding that follows."""
    name, config, samples, adapts = case
    dtype = "string" if samples.dtype.kind == "U" else str(samples.dtype)
    x = keras.Input(samples.shape[1:], dtype=dtype, name="x")
    layer = getattr(keras.layers, name)(name="first", **config)
    if adapts:
        layer.adapt(samples)
    y = layer(x)
    if "output_sequence_length" in config:
        y = keras.layers.Flatten(name="flat")(keras.layers.Embedding(12, 2, name="vectors")(y))
    elif y.dtype == "float32" or getattr(y.dtype, "name", "") == "float32":
        y = keras.layers.Dense(2, name="last")(y)
    return keras.Model(x, y)


def saved(model: Any, folder: Path, name: str) -> list[Path]:
    """The model's files in the formats in which its Keras can save it."""
    paths = [folder / f"{name}.keras"]
    model.save(paths[0])
    try:
        model.save(folder / f"{name}.h5")
    except NotImplementedError:  # Keras 2, of tables
        return paths
    return [*paths, folder / f"{name}.h5"]


def compare(keras: Any, cases: dict[str, Any], folder: Path) -> None:
    """Counts of all files as Keras counts, and outputs of the archives in PyTorch."""
    import tensorflow as tf
    import torch

    for name, case in cases.items():
        model = built(keras, case)
        total = model.count_params()
        frozen = total - sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        for path in saved(model, folder, name):
            spec, warnings = specfmt.import_spec(path)
            params = specfmt.summarize(spec).to_data()["params"]
            assert (params["total"], params["non_trainable"]) == (total, frozen), path.name
            table = "Lookup" in case[0] or "Text" in case[0]
            if table and path.suffix != ".keras":  # which alone has the vocabulary
                continue
            assert warnings == [], (path.name, warnings)
            weights = folder / f"{name}.pt"
            specfmt.convert_weights(spec, path, weights)
            module = execute(specfmt.generate(spec, "torch"))
            module.load_state_dict(torch.load(weights))
            samples = case[2]
            theirs = np.asarray(model(tf.constant(samples)))
            strings = samples.dtype.kind == "U"
            given = samples if strings else torch.tensor(channels_first(samples, False).copy())
            ours = module(given).detach().numpy()
            theirs = channels_first(theirs, False)
            assert np.abs(ours - theirs).max() <= 1e-5 * max(np.abs(theirs).max(), 1), name
            if keras.__name__ == "keras":
                back = folder / f"{name}.weights.h5"
                specfmt.convert_weights(spec, weights, back)
                other = execute(specfmt.generate(spec, "keras", flavor="keras"))
                other.load_weights(back)
                again = channels_first(np.asarray(other(tf.constant(samples))), False)
                assert np.abs(again - theirs).max() <= 1e-6 * max(np.abs(theirs).max(), 1), name


@pytest.mark.slow
def test_models_of_keras_3(tmp_path: Path) -> None:
    import keras

    compare(keras, TABLE | TF_IDF, tmp_path)


@pytest.mark.slow
def test_models_of_keras_2(tmp_path: Path) -> None:
    compare(pytest.importorskip("tf_keras"), TABLE, tmp_path)


TEXT_22 = {
    "max_tokens": 50,
    "standardize": "lower_and_strip_punctuation",
    "split": "whitespace",
    "ngrams": None,
    "output_mode": "int",
    "output_sequence_length": 7,
    "pad_to_max_tokens": True,
}
VECTORS_22 = TEXT_22 | {"output_sequence_length": None, "output_mode": "binary"}
MOVED = {"fill_mode": "reflect", "interpolation": "bilinear", "seed": None}
LOOK_23 = {"num_oov_indices": 1, "vocabulary": [3, 4], "invert": False}
STRING_23 = {"max_tokens": None, "mask_token": "", "oov_token": "[UNK]", "encoding": "utf-8"}
OLD: list[tuple[str, str, dict[str, Any], list[int], str, dict[str, Any]]] = [
    ("2.2.0", "Resizing", {"height": 6, "width": 5, "interpolation": "bilinear"}, [8, 9, 3], "float32", {"height": 6}),
    ("2.2.0", "CenterCrop", {"height": 6, "width": 5}, [8, 9, 3], "float32", {"width": 5}),
    ("2.2.0", "Rescaling", {"scale": 0.5}, [8, 9, 3], "float32", {"offset": 0.0}),
    ("2.2.0", "RandomFlip", {"mode": "vertical", "seed": 1}, [8, 9, 3], "float32", {"mode": "vertical"}),
    ("2.2.0", "RandomTranslation", {"height_factor": 0.1, "width_factor": [-0.1, 0.2], **MOVED}, [8, 9, 3], "float32", {}),
    ("2.2.0", "RandomRotation", {"factor": 0.2, **MOVED}, [8, 9, 3], "float32", {"factor": 0.2}),
    ("2.2.0", "RandomZoom", {"height_factor": 0.2, "width_factor": None, **MOVED}, [8, 9, 3], "float32", {}),
    ("2.2.0", "RandomContrast", {"factor": 0.2, "seed": None}, [8, 9, 3], "float32", {}),
    ("2.2.0", "Normalization", {"axis": [-1]}, [3], "float32", {"axis": -1}),
    ("2.4.0", "Normalization", {"axis": None}, [3], "float32", {"axis": None}),
    ("2.2.0", "TextVectorization", TEXT_22, [1], "string", {"max_tokens": 50}),
    ("2.2.0", "TextVectorization", VECTORS_22, [1], "string", {"output_mode": "multi_hot"}),
    ("2.3.0", "TextVectorization", VECTORS_22 | {"output_mode": "tf-idf", "vocabulary_size": 3}, [1], "string", {"output_mode": "tf_idf"}),
    ("2.3.0", "CategoryEncoding", {"max_tokens": 6, "output_mode": "binary", "sparse": False}, [2], "int64", {"num_tokens": 6, "output_mode": "multi_hot"}),
    ("2.3.0", "Discretization", {"bins": [0.0, 1.0]}, [2], "float32", {"bin_boundaries": (0.0, 1.0)}),
    ("2.5.0", "Discretization", {"bin_boundaries": None, "num_bins": 3, "epsilon": 0.02}, [2], "float32", {"num_bins": 3}),
    ("2.3.0", "Hashing", {"num_bins": 5, "salt": [3, 4]}, [2], "string", {"salt": (3, 4)}),
    ("2.3.0", "IntegerLookup", LOOK_23 | {"max_values": 10, "mask_value": 0, "oov_value": -5}, [2], "int64", {"max_tokens": 10, "mask_token": 0, "oov_token": -5}),
    ("2.5.0", "IntegerLookup", LOOK_23 | {"max_values": None, "mask_value": 0, "oov_value": -1, "output_mode": "binary", "pad_to_max_tokens": False, "sparse": False}, [2], "int64", {"output_mode": "multi_hot"}),
    ("2.3.0", "StringLookup", STRING_23 | LOOK_23 | {"vocabulary": ["a", "b"]}, [2], "string", {"vocabulary": ("a", "b"), "mask_token": ""}),
    ("2.9.0", "StringLookup", STRING_23 | LOOK_23 | {"vocabulary": ["a"], "has_input_vocabulary": True, "vocabulary_size": 3, "idf_weights": None}, [2], "string", {"vocabulary": ("a",)}),
    ("2.4.0", "EinsumDense", {"equation": "abc,cd->abd", "output_shape": [None, 5], "activation": "linear", "bias_axes": "d"}, [4, 3], "float32", {}),
]  # fmt: skip
"""Release, class and config of `tf.keras.layers.experimental`, input, and fields of the layer."""


def old_model(
    release: str, name: str, config: dict[str, Any], shape: list[int], dtype: str
) -> dict[str, Any]:
    """A Sequential model as the release wrote it."""
    first = {"batch_input_shape": [None, *shape], "dtype": dtype, "name": "x", "sparse": False}
    layers = [
        {"class_name": "InputLayer", "config": {**first, "ragged": False}},
        {"class_name": name, "config": {"name": "first", "trainable": True, "dtype": dtype, **config}},
    ]  # fmt: skip
    return {
        "class_name": "Sequential",
        "config": {"name": "m", "layers": layers},
        "keras_version": f"{release}-tf",
        "backend": "tensorflow",
    }


@pytest.mark.parametrize(("release", "name", "config", "shape", "dtype", "fields"), OLD)
def test_experimental_layers_of_old_releases(
    release: str,
    name: str,
    config: dict[str, Any],
    shape: list[int],
    dtype: str,
    fields: dict[str, Any],
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(old_model(release, name, config, shape, dtype)))
    spec, warnings = specfmt.import_spec(path)
    assert warnings == []
    (node,) = specfmt.analyze(spec).nodes
    assert node.layer.type_name == name
    assert {key: getattr(node.layer, key) for key in fields} == fields
    assert f"layers.{name}(" in specfmt.generate(spec, "keras")


@pytest.mark.parametrize(
    ("name", "config", "why"),
    [
        (
            "CategoryEncoding",
            {"max_tokens": 6, "output_mode": "tf-idf"},
            "only in Keras 2.3 to 2.5",
        ),
        (
            "CategoryEncoding",
            {"max_tokens": None, "output_mode": "binary"},
            "which `adapt()` found",
        ),
        ("CategoryCrossing", {"depth": None, "separator": None}, "does not know this layer"),
    ],
)
def test_what_keras_3_does_not_have_is_kept(
    name: str, config: dict[str, Any], why: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(old_model("2.4.0", name, config, [2], "int64")))
    spec, (warning,) = specfmt.import_spec(path)
    assert warning.code == "SF431"
    assert why in warning.message
    assert specfmt.analyze(spec).nodes[0].layer.type_name == "Custom"
