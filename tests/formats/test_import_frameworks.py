"""Models built in real Keras 3 and real Keras 2: what comes in is what was written in Python.

Both frameworks run in one process each time; keras.applications are in the slow part.
"""

from __future__ import annotations

import inspect
import json
import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from specfmt.formats.config.defaults import known_layer
from specfmt.formats.keras_json import document_from_keras_json, document_from_located
from specfmt.formats.source.sources import read_source
from specfmt.graph.build import build
from specfmt.spec.document import parse_document
from specfmt.targets.keras import generate_model
from tests.formats.test_import_corpus import CUSTOM, FILES, check_references, needs_corpus
from tests.tools.harness import execute

pytestmark = pytest.mark.slow

REQUIRED = {
    "units": 3,
    "filters": 4,
    "kernel_size": 3,
    "pool_size": 3,
    "rate": 0.5,
    "output_dim": 4,
    "input_dim": 5,
    "num_heads": 2,
    "key_dim": 3,
    "height": 4,
    "width": 5,
    "factor": 0.25,
    "n": 3,
    "dims": [2, 1],
    "target_shape": [4],
    "axes": 1,
    "equation": "ab,bc->ac",
    "num_bins": 3,
    "stddev": 0.5,
    "scale": 2.0,
    "activation": "relu",
    "head_dim": 4,
    "num_query_heads": 2,
    "num_key_value_heads": 1,
    "height_factor": 0.2,
    "width_factor": 0.2,
    "max_number": 3,
    "output_size": 3,
    "num_tokens": 4,
    "output_shape": 7,
}
NOT_LAYERS = {
    "Layer",
    "Wrapper",
    "InputSpec",
    "InputLayer",
    "Lambda",
    "Pipeline",
    "TFSMLayer",
    "JaxLayer",
    "FlaxLayer",
    "TorchModuleWrapper",
}
DRAWN = {"RandomCrop": {"seed"}}
"""Arguments that Keras draws when they are not given."""


def sequential_of(keras, layer):
    return json.loads(keras.Sequential([layer]).to_json())


def test_a_layer_comes_in_with_the_arguments_it_was_given():
    """For every layer class: nothing but the required arguments, although the JSON has all."""
    import keras

    seen = 0
    for name in sorted(dir(keras.layers)):
        cls = getattr(keras.layers, name)
        if (
            not inspect.isclass(cls)
            or name in NOT_LAYERS
            or cls.__name__ != name
            or known_layer(name) is None
        ):
            continue
        given = {
            p.name: REQUIRED[p.name]
            for p in inspect.signature(cls).parameters.values()
            if p.default is p.empty and p.name in REQUIRED
        }
        python = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
        if name in ("CategoryEncoding", "Discretization", "RandomPosterization"):
            given = python = {
                "CategoryEncoding": {"num_tokens": 4},
                "Discretization": {"num_bins": 3},
                "RandomPosterization": {"factor": 3},
            }[name]
        if name in ("TimeDistributed", "SpectralNormalization"):
            given, python = (
                {"layer": {"type": "Dense", "units": 3}},
                {"layer": keras.layers.Dense(3, name="dense")},
            )
        if name == "Bidirectional":
            given, python = (
                {"layer": {"type": "LSTM", "units": 3}},
                {"layer": keras.layers.LSTM(3, name="lstm")},
            )
        if name == "RNN":
            given, python = (
                {"cell": {"type": "GRUCell", "units": 3}},
                {"cell": keras.layers.GRUCell(3, name="gru_cell")},
            )
        if name == "StackedRNNCells":
            continue  # a cell, not a layer of a model
        model = sequential_of(keras, cls(**python, name="x"))
        (entry,) = document_from_keras_json(model)[0]["layers"]
        left = {key: value for key, value in entry.items() if key not in DRAWN.get(name, ())}
        assert left == {"type": name, "name": "x", **given}, name
        seen += 1
    assert seen >= 40


def test_arguments_that_differ_are_kept():
    import keras

    layers = keras.layers
    cases = [
        (
            layers.Conv2D(
                4,
                (3, 2),
                strides=2,
                padding="same",
                dilation_rate=1,
                groups=2,
                activation="leaky_relu",
                data_format="channels_first",
                kernel_initializer=keras.initializers.RandomNormal(stddev=0.02, seed=3),
                kernel_regularizer=keras.regularizers.L1L2(0.5, 0.25),
                bias_constraint="non_neg",
                trainable=False,
                dtype="float64",
            ),
            {
                "filters": 4,
                "kernel_size": [3, 2],
                "strides": 2,
                "padding": "same",
                "groups": 2,
                "activation": "leaky_relu",
                "data_format": "channels_first",
                "kernel_initializer": {"type": "RandomNormal", "stddev": 0.02, "seed": 3},
                "kernel_regularizer": {"type": "L1L2", "l1": 0.5, "l2": 0.25},
                "bias_constraint": "non_neg",
                "trainable": False,
                "dtype": "float64",
            },
        ),
        (layers.MaxPooling2D((2, 3), strides=(2, 3)), {"pool_size": [2, 3]}),
        (layers.MaxPooling2D(3, strides=1), {"pool_size": 3, "strides": 1}),
        (layers.ZeroPadding2D(((1, 2), (3, 4))), {"padding": [[1, 2], [3, 4]]}),
        (layers.ZeroPadding2D(2), {"padding": 2}),
        (
            layers.LSTM(3, recurrent_activation="hard_sigmoid", unit_forget_bias=False),
            {"units": 3, "recurrent_activation": "hard_sigmoid", "unit_forget_bias": False},
        ),
        (
            layers.Dense(
                2, activation=None, kernel_initializer="he_normal", kernel_regularizer="l2"
            ),
            {"units": 2, "kernel_initializer": "he_normal", "kernel_regularizer": "l2"},
        ),
        (layers.BatchNormalization(axis=1, momentum=0.9), {"axis": 1, "momentum": 0.9}),
    ]
    for layer, expected in cases:
        (entry,) = document_from_keras_json(sequential_of(keras, layer))[0]["layers"]
        entry.pop("name", None)
        type_name = entry.pop("type")
        assert entry == expected, type_name


def test_applications():
    import keras

    for name in ("MobileNetV2", "InceptionV3", "EfficientNetB0", "NASNetMobile", "ConvNeXtTiny"):
        model = getattr(keras.applications, name)(weights=None)
        document, warnings = document_from_keras_json(model.to_json())
        assert [w.code for w in warnings if w.code != "SF431"] == []
        assert sum("reuse" not in e for e in document["layers"]) == len(model.operations) - 1
        check_references(document)
        keras.backend.clear_session()


def test_graph_forms_of_keras_3():
    import keras
    from keras import layers, ops

    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = layers.Dense(3, name="shared")
    inner_in = keras.Input((3,), name="inner_in")
    inner = keras.Model(inner_in, layers.Dense(2, name="inside")(inner_in), name="inner")
    left, right = inner(shared(a)), inner(shared(b))
    joined = ops.multiply(left, 2.0) + right[:, :1]
    model = keras.Model({"a": a, "b": b}, {"joined": joined, "left": left})
    document, _ = document_from_keras_json(model.to_json())
    assert document["input_structure"] == {"a": "a", "b": "b"}
    assert list(document["outputs"]) == ["joined", "left"]
    assert document["outputs"]["left"] == "inner"
    kinds = [e.get("type") or e.get("reuse") or e.get("op") for e in document["layers"]]
    assert sorted(kinds) == sorted(
        ["Dense", "shared", "Model", "inner", "multiply", "getitem", "add"]
    )
    check_references(document)


def test_graph_forms_of_keras_2():
    import tensorflow as tf
    import tf_keras as keras

    layers = keras.layers
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = layers.Dense(3, name="shared")
    inner_in = keras.Input((3,), name="inner_in")
    inner = keras.Model(inner_in, layers.Dense(2, name="inside")(inner_in), name="inner")
    chain = keras.Sequential([layers.Dense(2, name="first")], name="chain")
    left, right = inner(shared(a)), inner(shared(b))
    joined = tf.nn.relu(left * 2.0) + right
    model = keras.Model([a, b], [joined, left, right, chain(a)])
    document, warnings = document_from_keras_json(model.to_json())
    assert not warnings
    assert document["outputs"][1:] == ["inner", "inner_call_1", "chain"]
    nested = {e["name"]: e for e in document["layers"] if e.get("type") == "Model"}
    assert nested["inner"]["style"] == "functional"
    assert nested["chain"]["inputs"] == {"first_input": {"shape": [4]}}
    check_references(document)


def test_layers_of_keras_2_and_3_mean_the_same():
    """The same Python, written by both, gives the same entries."""
    import keras
    import tf_keras

    calls = [
        (
            "Conv2D",
            {"filters": 4, "kernel_size": 3, "activation": "relu", "padding": "same"},
            (8, 8, 3),
        ),
        ("DepthwiseConv2D", {"kernel_size": 3, "strides": 2}, (8, 8, 3)),
        ("SeparableConv2D", {"filters": 4, "kernel_size": 3}, (8, 8, 3)),
        ("Conv2DTranspose", {"filters": 4, "kernel_size": 3}, (8, 8, 3)),
        ("BatchNormalization", {"momentum": 0.9}, (8, 8, 3)),
        ("LayerNormalization", {"epsilon": 1e-5}, (8, 3)),
        ("LSTM", {"units": 3, "return_sequences": True}, (8, 3)),
        ("GRU", {"units": 3, "recurrent_dropout": 0.5}, (8, 3)),
        ("SimpleRNN", {"units": 3}, (8, 3)),
        # The one default that has changed is given.
        (
            "ConvLSTM1D",
            {"filters": 3, "kernel_size": 2, "recurrent_activation": "sigmoid"},
            (4, 8, 3),
        ),
        (
            "ConvLSTM2D",
            {
                "filters": 3,
                "kernel_size": (2, 3),
                "padding": "same",
                "recurrent_activation": "tanh",
                "recurrent_dropout": 0.5,
                "unit_forget_bias": False,
            },
            (4, 8, 8, 3),
        ),
        (
            "ConvLSTM3D",
            {
                "filters": 3,
                "kernel_size": 3,
                "recurrent_activation": "sigmoid",
                "data_format": "channels_first",
                "go_backwards": True,
            },
            (4, 3, 8, 8, 8),
        ),
        ("AlphaDropout", {"rate": 0.25}, (3,)),
        ("SpatialDropout3D", {"rate": 0.25}, (8, 8, 8, 3)),
        ("ActivityRegularization", {"l2": 0.1}, (3,)),
        (
            "Dense",
            {"units": 3, "kernel_regularizer": "l2", "kernel_initializer": "he_uniform"},
            (3,),
        ),
        ("Embedding", {"input_dim": 5, "output_dim": 2}, (3,)),
        ("LeakyReLU", {}, (3,)),
        ("PReLU", {"shared_axes": [1, 2]}, (8, 8, 3)),
        ("MaxPooling2D", {"pool_size": 3, "strides": 2}, (8, 8, 3)),
        ("ZeroPadding2D", {"padding": 2}, (8, 8, 3)),
        ("UpSampling2D", {"size": 3, "interpolation": "bilinear"}, (8, 8, 3)),
        ("SpatialDropout2D", {"rate": 0.25}, (8, 8, 3)),
        ("GroupNormalization", {"groups": 3}, (8, 8, 3)),
        ("Rescaling", {"scale": 0.5, "offset": 1.0}, (8, 8, 3)),
        ("Reshape", {"target_shape": (3, 8)}, (8, 3)),
        ("Permute", {"dims": (2, 1)}, (8, 3)),
    ]
    for name, arguments, shape in calls:
        found = []
        for library in (keras, tf_keras):
            layer = getattr(library.layers, name)(**arguments, name="x")
            model = library.Sequential([library.Input(shape, name="i"), layer])
            document, _ = document_from_keras_json(model.to_json())
            found.append(document["layers"])
            assert document["inputs"] == {"i": {"shape": list(shape)}}
        assert found[0] == found[1], name


def test_thresholded_relu_of_keras_2_is_relu_with_a_threshold():
    import keras
    import numpy as np
    import tf_keras

    x = np.array([-1.0, 0.0, 0.4999, 0.5, 0.5001, 2.0], "float32")
    old = tf_keras.layers.ThresholdedReLU(theta=0.5)
    model = tf_keras.Sequential([tf_keras.Input((6,)), old])
    (entry,) = document_from_keras_json(model.to_json())[0]["layers"]
    new = getattr(keras.layers, entry["type"])(threshold=entry["threshold"])
    np.testing.assert_array_equal(np.asarray(old(x)), np.asarray(new(x)))


def test_every_file_that_keras_saves_holds_the_same_model(tmp_path):
    import keras
    import tf_keras

    for library in (keras, tf_keras):
        layers = library.layers
        x = library.Input((5, 4), name="x")
        y = layers.Bidirectional(layers.LSTM(3, name="lstm"), name="b")(x)
        model = library.Model(x, layers.Dense(1, activation="hard_sigmoid", name="d")(y))
        model.compile("sgd", "mse")
        expected = document_from_keras_json(model.to_json())[0]
        for name in ("m.keras", "m.h5"):
            model.save(tmp_path / name)
            document, warnings = document_from_located(read_source(tmp_path / name))
            assert not warnings
            assert document.pop("train")["loss"] == "mse"
            assert document == {k: v for k, v in expected.items() if k != "train"}


def start_of(path):
    return path.name.split("__")[0]


CONVOLUTIONS = 9 * 32 + 32 + 9 * 32 * 32 + 32 + 9 * 32 * 64 + 64 + 9 * 64 * 64 + 64
DOWN = 9 * 64 * 128 + 128 + 9 * 128 * 128 + 128
UP = 9 * 192 * 64 + 64 + 9 * 64 * 64 + 64 + 9 * 96 * 32 + 32 + 9 * 32 * 32 + 32
MNIST_MLP = 785 * 512 + 513 * 512 + 513 * 10
ROWS = (2985, 2852, 2796, 2778, 2746, 2722, 2679, 2662, 2602, 2597)
BY_HAND = {
    "001": 4 * 813 * 512 + (512 + 4096 + 1) * 1024 + 2 * 1025 * 1024 + 1025 * 1000,
    "016": (3 * 2 * 3 * 2 + 2) + (2 * 3 * 2 + 1) + (1 * 2 + 2) + (2 * 3 + 3),
    "017": 4 * (2 + 3 + 1) * 3 + 4 * (3 + 2 + 1) * 2 + (2 * 3 + 3),
    "021": 10_000 * 100 + (3 * 100 + 1) + (3 * 1 + 1) + (10 + 1),
    "022": 9 * 32 + 9 * 32 * 32 + 4608 * 128 + 128 * 10,
    "025": MNIST_MLP,
    "026": MNIST_MLP,
    "029": CONVOLUTIONS + DOWN + UP + (32 * 2 + 2),
    "030": (4 * 3 + 3) + 4 * 3 + (3 * 2 + 2) + (2 * 3 + 3),
    "031": 20_000 * 50 + 51,
    "033": 71 * 256 + 257 * 2,
    "037": CONVOLUTIONS + (5 * 5 * 64 + 1) * 512 + 513 * 94,
    "040": 25_636_712,  # ResNet50, as published
    "125": 10 * sum(ROWS) + (10 + 110 + 1) * 256 + 257 * 128 + 129 * 11,
    "278": (25 * 6 + 6) + (25 * 6 * 16 + 16) + 401 * 120 + 121 * 84 + 85 * 10,
    "E004": (1 + 6 + 1) * 6,
    "E012": 2 * 4 * (10 + 10 + 1) * 10,
}
"""Parameters of the files that neither Keras 2 nor Keras 3 loads."""

KERAS_3 = frozenset(("249", "250", "257", "258"))
"""The corpus's files of Keras 3."""

OTHER_IN_KERAS_2 = {"060": 3 * 2 * 128}
"""A GRU that is older than ``reset_after``, which Keras 2 reads as true: a second bias."""


@needs_corpus
@pytest.mark.parametrize("path", [p for p in FILES if start_of(p) not in CUSTOM], ids=start_of)
def test_a_real_file_builds_in_keras_3(path):
    """The generated code has the parameters that were counted, and that the file implies."""
    import keras
    import tf_keras

    keras.backend.clear_session()
    start = start_of(path)
    source = read_source(path)
    document, _ = document_from_located(source)
    spec, _ = parse_document(document)
    graph, problems = build(spec)
    assert not problems
    assert execute(generate_model(graph)).count_params() == graph.count()
    if start in BY_HAND:
        assert graph.count() == BY_HAND[start]
        return
    models = (keras if start in KERAS_3 else tf_keras).models
    theirs = models.model_from_json(json.dumps(source.topology)).count_params()
    assert graph.count() == theirs - OTHER_IN_KERAS_2.get(start, 0)
