"""Spellings and defaults of Keras 0, 1 and 2 get their Keras 3 meaning, or an error."""

import json

import pytest
import yaml

from specfmt.diagnostics import SpecError
from specfmt.formats.keras_json import document_from_keras_json
from tests.tools.imports import import_source


def sequential(*layers, version="1.2.2"):
    """A Sequential of Keras 1 or 2, whose config is the list of its layers."""
    config = [{"class_name": name, "config": dict(config)} for name, config in layers]
    model = {"class_name": "Sequential", "config": config}
    if version:
        model["keras_version"] = version
    return model


def entries(*layers, version="1.2.2"):
    document, _ = document_from_keras_json(sequential(*layers, version=version))
    return document["layers"]


def only(name, config, version="1.2.2", shape=(None, 8, 8, 3)):
    """The entry of one layer, without type and name."""
    config = {"name": "x", "batch_input_shape": list(shape), **config}
    (entry,) = entries((name, config), version=version)
    assert entry.pop("name") == "x"
    return entry


SLOPE = {"type": "hard_sigmoid", "slope": 0.2}

CASES_1 = [
    (
        "Convolution2D",
        {
            "nb_filter": 4,
            "nb_row": 3,
            "nb_col": 5,
            "border_mode": "same",
            "subsample": [2, 2],
            "dim_ordering": "th",
            "init": "he_uniform",
            "bias": False,
            "activation": "relu",
            "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.10000000149011612},
            "b_regularizer": None,
            "activity_regularizer": None,
            "W_constraint": None,
            "b_constraint": None,
        },
        {
            "type": "Conv2D",
            "filters": 4,
            "kernel_size": [3, 5],
            "strides": 2,
            "padding": "same",
            "data_format": "channels_first",
            "activation": "relu",
            "use_bias": False,
            "kernel_initializer": "he_uniform",
            "kernel_regularizer": {"type": "L2", "l2": 0.1},
        },
    ),
    (
        "AtrousConvolution2D",
        {"nb_filter": 4, "nb_row": 3, "nb_col": 3, "atrous_rate": [2, 2], "dim_ordering": "tf"},
        {"type": "Conv2D", "filters": 4, "kernel_size": 3, "dilation_rate": 2},
    ),
    (
        "Convolution1D",
        {"nb_filter": 4, "filter_length": 3, "subsample_length": 2, "border_mode": "valid"},
        {"type": "Conv1D", "filters": 4, "kernel_size": 3, "strides": 2},
    ),
    (
        "SeparableConvolution2D",
        {"nb_filter": 4, "nb_row": 3, "nb_col": 3, "init": "he_uniform", "depth_multiplier": 2},
        {
            "type": "SeparableConv2D",
            "filters": 4,
            "kernel_size": 3,
            "depth_multiplier": 2,
            "depthwise_initializer": "he_uniform",
            "pointwise_initializer": "he_uniform",
        },
    ),
    ("MaxPooling1D", {"pool_length": 3, "stride": 3}, {"type": "MaxPooling1D", "pool_size": 3}),
    (
        "MaxPooling2D",
        {"pool_size": [2, 2], "strides": [1, 1], "border_mode": "same"},
        {"type": "MaxPooling2D", "strides": 1, "padding": "same"},
    ),
    ("UpSampling1D", {"length": 3}, {"type": "UpSampling1D", "size": 3}),
    ("Dropout", {"p": 0.25}, {"type": "Dropout", "rate": 0.25}),
    ("GaussianNoise", {"sigma": 0.5}, {"type": "GaussianNoise", "stddev": 0.5}),
    (
        "TimeDistributedDense",
        {"output_dim": 3, "init": "uniform"},
        {"type": "Dense", "units": 3, "kernel_initializer": "random_uniform"},
    ),
    (
        "Dense",
        {"output_dim": 3, "W_constraint": {"name": "MaxNorm", "m": 3, "axis": 0}},
        {"type": "Dense", "units": 3, "kernel_constraint": {"type": "MaxNorm", "max_value": 3}},
    ),
    (
        "Dense",
        {"output_dim": 3, "init": "he_normal"},
        {
            "type": "Dense",
            "units": 3,
            "kernel_initializer": {
                "type": "VarianceScaling",
                "scale": 2.0,
                "distribution": "untruncated_normal",
            },
        },
    ),
    (
        "LSTM",
        {
            "output_dim": 3,
            "forget_bias_init": "zero",
            "dropout_W": 0.5,
            "dropout_U": 0.25,
            "inner_activation": "hard_sigmoid",
            "inner_init": "orthogonal",
            "consume_less": "cpu",
        },
        {
            "type": "LSTM",
            "units": 3,
            "recurrent_activation": SLOPE,
            "recurrent_initializer": {"type": "Orthogonal", "gain": 1.1},
            "unit_forget_bias": False,
            "dropout": 0.5,
            "recurrent_dropout": 0.25,
        },
    ),
    (
        "ConvLSTM2D",
        {
            "nb_filter": 3,
            "nb_row": 2,
            "nb_col": 3,
            "border_mode": "same",
            "subsample": [2, 2],
            "dim_ordering": "th",
            "inner_activation": "sigmoid",
            "inner_init": "glorot_uniform",
            "forget_bias_init": "zero",
            "return_sequences": True,
            "go_backwards": False,
            "dropout_W": 0.5,
        },
        {
            "type": "ConvLSTM2D",
            "filters": 3,
            "kernel_size": [2, 3],
            "strides": 2,
            "padding": "same",
            "data_format": "channels_first",
            "recurrent_initializer": "glorot_uniform",
            "unit_forget_bias": False,
            "dropout": 0.5,
            "return_sequences": True,
        },
    ),
    (
        "GRU",
        {"output_dim": 3, "inner_activation": "sigmoid", "inner_init": "glorot_uniform"},
        {
            "type": "GRU",
            "units": 3,
            "recurrent_initializer": "glorot_uniform",
            "reset_after": False,
        },
    ),
    (
        "Embedding",
        {
            "input_dim": 10,
            "output_dim": 4,
            "init": "uniform",
            "mask_zero": True,
            "dropout": 0.0,
            "W_regularizer": None,
        },
        {"type": "Embedding", "input_dim": 10, "output_dim": 4, "mask_zero": True},
    ),
    (
        "BatchNormalization",
        {"mode": 0, "axis": 1, "epsilon": 1e-06, "momentum": 0.9},
        {"type": "BatchNormalization", "axis": 1, "momentum": 0.9, "epsilon": 1e-06},
    ),
    ("LeakyReLU", {"alpha": 0.30000001192092896}, {"type": "LeakyReLU"}),
    ("Activation", {"activation": "hard_sigmoid"}, {"type": "Activation", "activation": SLOPE}),
]

CASES_2 = [
    ("LeakyReLU", {"alpha": 0.10000000149011612}, {"type": "LeakyReLU", "negative_slope": 0.1}),
    (
        "LeakyReLU",
        {"alpha": {"type": "ndarray", "value": 0.5}},
        {"type": "LeakyReLU", "negative_slope": 0.5},
    ),
    ("ThresholdedReLU", {"theta": 0.75}, {"type": "ReLU", "threshold": 0.75}),
    (
        "BatchNormalizationV1",
        {"axis": [3], "momentum": 0.9},
        {"type": "BatchNormalization", "momentum": 0.9},
    ),
    ("BatchNormalization", {"axis": [1]}, {"type": "BatchNormalization", "axis": 1}),
    (
        "DepthwiseConv2D",
        {
            "kernel_size": [3, 3],
            "groups": 1,
            "depth_multiplier": 1,
            "depthwise_initializer": {
                "class_name": "VarianceScaling",
                "config": {
                    "scale": 1.0,
                    "mode": "fan_avg",
                    "distribution": "uniform",
                    "seed": None,
                },
            },
            "kernel_initializer": {"class_name": "HeNormal", "config": {}},
        },
        {"type": "DepthwiseConv2D", "kernel_size": 3},
    ),
    (
        "Conv2D",
        {
            "filters": 2,
            "kernel_size": [1, 1],
            "activation": "swish",
            "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.0}},
        },
        {"type": "Conv2D", "filters": 2, "kernel_size": 1, "activation": "silu"},
    ),
    (
        "Conv2D",
        {
            "filters": 2,
            "kernel_size": [3, 3],
            "kernel_initializer": {
                "class_name": "VarianceScaling",
                "config": {"scale": 2.0, "mode": "fan_in", "distribution": "normal", "seed": 7},
            },
        },
        {
            "type": "Conv2D",
            "filters": 2,
            "kernel_size": 3,
            "kernel_initializer": {"type": "HeNormal", "seed": 7},
        },
    ),
    (
        "LSTM",
        {"units": 3, "time_major": False, "implementation": 2},
        {"type": "LSTM", "units": 3, "recurrent_activation": SLOPE},
    ),
    (
        "GRU",
        {"units": 3, "recurrent_activation": "sigmoid"},
        {"type": "GRU", "units": 3, "reset_after": False},
    ),
    ("CuDNNGRU", {"units": 3}, {"type": "GRU", "units": 3}),
    (
        "ConvLSTM2D",
        {"filters": 2, "kernel_size": [3, 3]},
        {"type": "ConvLSTM2D", "filters": 2, "kernel_size": 3, "recurrent_activation": SLOPE},
    ),
    (
        "SpatialDropout2D",
        {"rate": 0.5, "noise_shape": None, "data_format": "channels_last"},
        {"type": "SpatialDropout2D", "rate": 0.5},
    ),
    (
        "SpatialDropout3D",
        {"rate": 0.5, "noise_shape": None, "trainable": True},
        {"type": "SpatialDropout3D", "rate": 0.5},
    ),
    ("AlphaDropout", {"rate": 0.25}, {"type": "AlphaDropout", "rate": 0.25}),
    (
        "ActivityRegularization",
        {"l1": 0.009999999776482582, "l2": 0.0, "activity_regularizer": None},
        {"type": "ActivityRegularization", "l1": 0.01},
    ),
    (
        "ZeroPadding2D",
        {"padding": [[1, 1], [2, 2]], "data_format": "channels_last"},
        {"type": "ZeroPadding2D", "padding": [1, 2]},
    ),
    (
        "ZeroPadding2D",
        {"padding": [[0, 1], [0, 1]]},
        {"type": "ZeroPadding2D", "padding": [[0, 1], [0, 1]]},
    ),
    (
        "MultiHeadAttention",
        {
            "num_heads": 2,
            "key_dim": 3,
            "value_dim": 3,
            "attention_axes": [1, 2],
            "query_shape": [None, 8, 8, 3],
            "softmax_robust_masking": False,
        },
        {"type": "MultiHeadAttention", "num_heads": 2, "key_dim": 3},
    ),
]


@pytest.mark.parametrize(
    ("name", "config", "expected"), CASES_1, ids=lambda v: v if isinstance(v, str) else ""
)
def test_keras_1(name, config, expected):
    assert only(name, config) == expected


@pytest.mark.parametrize(
    ("name", "config", "expected"), CASES_2, ids=lambda v: v if isinstance(v, str) else ""
)
def test_keras_2(name, config, expected):
    assert only(name, config, "2.4.0") == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("sum", {"type": "Add"}),
        ("mul", {"type": "Multiply"}),
        ("ave", {"type": "Average"}),
        ("max", {"type": "Maximum"}),
        ("concat", {"type": "Concatenate", "axis": 1}),
        ("dot", {"type": "Dot", "axes": [2, 1]}),
    ],
)
def test_merge_of_keras_1(mode, expected):
    branch = {
        "class_name": "Sequential",
        "config": [
            {
                "class_name": "Dense",
                "config": {"name": "left", "output_dim": 2, "batch_input_shape": [None, 4]},
            }
        ],
    }
    other = json.loads(json.dumps(branch).replace("left", "right"))
    merge = {
        "name": "m",
        "mode": mode,
        "concat_axis": 1,
        "dot_axes": [[2], [1]],
        "layers": [branch, other],
    }
    document, _ = document_from_keras_json(
        sequential(("Merge", merge), ("Dense", {"output_dim": 1, "name": "out"}))
    )
    assert list(document["inputs"]) == ["left_input", "right_input"]
    assert [e.get("name") for e in document["layers"]] == ["left", "right", "m", "out"]
    assert document["layers"][2] == {**expected, "name": "m", "inputs": ["left", "right"]}
    assert "inputs" not in document["layers"][3]


def test_keras_0_writes_layers_flat():
    model = {
        "name": "Sequential",
        "layers": [
            {
                "name": "Dense",
                "output_dim": 4,
                "input_dim": 3,
                "init": "uniform",
                "activation": "linear",
            },
            {"name": "Activation", "activation": "tanh", "beta": 0.1, "target": 0},
            {"name": "Dense", "output_dim": 2, "init": "glorot_uniform", "activation": "softmax"},
        ],
    }
    document, _ = document_from_keras_json(model)
    assert document["inputs"] == {"dense_input": {"shape": [3]}}
    assert document["layers"] == [
        {"type": "Dense", "units": 4, "kernel_initializer": "random_uniform"},
        {"type": "Activation", "activation": "tanh"},
        {"type": "Dense", "units": 2, "activation": "softmax"},
    ]


def test_keras_0_graph():
    model = {
        "name": "Graph",
        "input_config": [
            {"name": "a", "input_shape": [3], "dtype": "float"},
            {"name": "b", "input_shape": [3], "dtype": "float"},
        ],
        "nodes": {"h": {"name": "Dense", "output_dim": 4}, "o": {"name": "Dense", "output_dim": 1}},
        "node_config": [
            {"name": "h", "input": "a"},
            {"name": "o", "inputs": ["h", "b"], "merge_mode": "concat"},
        ],
        "output_config": [{"name": "out", "input": "o"}],
    }
    document, _ = document_from_keras_json(model)
    assert document["inputs"] == {"a": {"shape": [3]}, "b": {"shape": [3]}}
    assert document["outputs"] == {"out": "o"}
    assert document["layers"] == [
        {"type": "Dense", "name": "h", "units": 4, "inputs": "a"},
        {"type": "Concatenate", "name": "merge_inputs_for_o", "inputs": ["h", "b"]},
        {"type": "Dense", "name": "o", "units": 1},
    ]


BEYOND = [
    ("BatchNormalization", {"mode": 1}, "SF420", "mode", "1.2.2"),
    ("BatchNormalization", {"mode": 2}, "SF420", "mode", "1.2.2"),
    (
        "Convolution2D",
        {"nb_filter": 1, "nb_row": 1, "nb_col": 1, "border_mode": "full"},
        "SF420",
        "border_mode",
        "1.2.2",
    ),
    (
        "Deconvolution2D",
        {
            "nb_filter": 1,
            "nb_row": 3,
            "nb_col": 3,
            "subsample": [2, 2],
            "output_shape": [None, 9, 9, 1],
        },
        "SF420",
        "subsample",
        "1.2.2",
    ),
    ("Highway", {}, "SF422", None, "1.2.2"),
    ("LSTM", {"units": 3, "time_major": True}, "SF420", "time_major", "2.4.0"),
    ("DepthwiseConv2D", {"kernel_size": 3, "groups": 2}, "SF420", "groups", "2.4.0"),
    ("Dense", {"units": 3, "mystery": 3}, "SF421", "mystery", "2.4.0"),
]


@pytest.mark.parametrize(("name", "config", "code", "key", "version"), BEYOND)
def test_a_layer_that_says_what_keras_3_cannot_costs_only_itself(name, config, code, key, version):
    layers = [
        (name, {"name": "x", "batch_input_shape": [None, 8, 8, 3][: 4 if "2D" in name else 3]}),
        ("Dense", {"name": "d", "units": 2} if version > "2" else {"name": "d", "output_dim": 2}),
    ]
    layers[0][1].update(config)
    document, (found,) = document_from_keras_json(sequential(*layers, version=version))
    assert (found.code, found.severity) == (code, "warning")
    assert found.pointer == "/config/0/config" + (f"/{key}" if key else "")
    assert found.message.startswith(f"kept {name} as a custom layer: expected ")
    kept, dense = document["layers"]
    assert (kept["type"], kept["class"]) == ("Custom", name)
    assert {key: kept["config"][key] for key in config} == config
    assert (dense["type"], dense["units"]) == ("Dense", 2)


@pytest.mark.parametrize(("sequences", "axis"), [(True, 4), (False, 3)])
def test_last_axis_after_a_film_layer(sequences, axis):
    film = {
        "name": "film",
        "batch_input_shape": [None, 4, 8, 8, 3],
        "filters": 2,
        "kernel_size": [3, 3],
        "return_sequences": sequences,
    }
    norm = {"name": "norm", "axis": [axis]}
    *_, entry = entries(("ConvLSTM2D", film), ("BatchNormalization", norm), version="2.4.0")
    assert entry == {"type": "BatchNormalization", "name": "norm"}


def test_findings_of_all_layers_are_collected():
    with pytest.raises(SpecError) as caught:
        document_from_keras_json(
            sequential(
                ("Dense", {"name": "a", "output_dim": "many", "input_dim": 2}),
                ("BatchNormalization", {"name": "b", "axis": "last"}),
            )
        )
    assert [d.code for d in caught.value.diagnostics] == ["SF403", "SF403"]


def test_input_of_a_first_layer():
    cases = [
        ("Dense", {"output_dim": 1, "input_dim": 5}, {"shape": [5]}),
        ("LSTM", {"output_dim": 1, "input_dim": 5, "input_length": 7}, {"shape": [7, 5]}),
        (
            "Embedding",
            {"input_dim": 9, "output_dim": 2, "input_length": 7, "input_dtype": "int32"},
            {"shape": [7], "dtype": "int32"},
        ),
        ("Dense", {"output_dim": 1, "batch_input_shape": [4, 5]}, {"shape": [5], "batch_size": 4}),
    ]
    for name, config, expected in cases:
        document, _ = document_from_keras_json(sequential((name, {"name": "x", **config})))
        assert document["inputs"] == {"x_input": expected}


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("SpatialDropout2D", {"p": 0.5}),
        ("Deconvolution3D", {"nb_filter": 2, "kernel_dim1": 1, "kernel_dim2": 1, "kernel_dim3": 1}),
    ],
)
def test_the_global_order_of_axes_holds_where_a_layer_does_not_say_it(name, config):
    first = {
        "name": "c",
        "padding": [1, 1],
        "dim_ordering": "th",
        "batch_input_shape": [None, 3, 8, 8],
    }
    *_, entry = entries(("ZeroPadding2D", first), (name, {"name": "x", **config}))
    assert entry["data_format"] == "channels_first"


def test_no_version_is_told_by_the_spelling():
    assert only("Dense", {"output_dim": 3, "b_constraint": None}, version=None) == {
        "type": "Dense",
        "units": 3,
    }
    assert only("Dense", {"units": 3, "bias_constraint": None}, version=None) == {
        "type": "Dense",
        "units": 3,
    }


def test_names_with_a_slash_are_rewritten():
    def dense(name, *reads):
        config = {"name": name, "units": 4}
        nodes = [[[*read, {}] for read in reads]]
        return {"class_name": "Dense", "name": name, "config": config, "inbound_nodes": nodes}

    shape = {"name": "a/in", "batch_input_shape": [None, 4]}
    add = {
        "class_name": "Add",
        "name": "sum",
        "config": {"name": "sum"},
        "inbound_nodes": [[["b/1", 0, 0, {}], ["b_1", 0, 0, {}]]],
    }
    config = {
        "name": "net",
        "layers": [
            {"class_name": "InputLayer", "name": "a/in", "config": shape, "inbound_nodes": []},
            dense("b/1", ["a/in", 0, 0]),
            dense("b_1", ["b/1", 0, 0]),
            add,
        ],
        "input_layers": [["a/in", 0, 0]],
        "output_layers": [["sum", 0, 0]],
    }
    model = {"class_name": "Functional", "config": config, "keras_version": "2.4.0"}
    document, warnings = document_from_keras_json(model)
    assert list(document["inputs"]) == ["a_in"]
    assert [entry["name"] for entry in document["layers"]] == ["b_1_", "b_1", "sum"]
    assert document["layers"][2]["inputs"] == ["b_1_", "b_1"]
    (warning,) = warnings
    assert (warning.code, warning.severity) == ("SF434", "warning")
    assert '"b/1" to "b_1_"' in warning.message


def test_a_mask_that_keras_2_dropped_is_dropped():
    layers = [
        ("Masking", {"name": "m", "mask_value": 0.0, "batch_input_shape": [None, 5, 3]}),
        ("Rescaling", {"name": "r", "scale": 2.0}),
        ("GRU", {"name": "g", "units": 4}),
    ]
    for kept, operations in ((layers, ["multiply"]), ([layers[0], layers[2]], [])):
        text = json.dumps(sequential(*kept, version="2.4.0")).encode()
        spec, warnings = import_source("-", text)
        assert not warnings
        entries = yaml.safe_load(spec)["layers"]
        assert [entry["op"] for entry in entries if "op" in entry] == operations


def test_a_mask_that_no_argument_can_keep_is_told():
    layers = [
        ("Masking", {"name": "m", "mask_value": 0.0, "batch_input_shape": [None, 5, 3]}),
        ("Softmax", {"name": "s", "axis": 1}),
    ]
    text = json.dumps(sequential(*layers, version="2.4.0")).encode()
    _, (warning,) = import_source("-", text)
    assert warning.code == "SF435"
    assert "s (Softmax)" in warning.message


BATCH_NORM = {"name": "n", "axis": -1, "trainable": True}


@pytest.mark.parametrize(
    ("layer", "training", "told"),
    [
        (("Dropout", {"name": "d", "rate": 0.5}), True, "`predict` overrides the `training: true`"),
        (("Dropout", {"name": "d", "rate": 0.5}), False, "`fit` overrides the `training: false`"),
        (("Dropout", {"name": "d", "rate": 0.0}), True, ""),
        (("Dropout", {"name": "d", "rate": 0.5}), None, ""),
        (("BatchNormalization", BATCH_NORM), False, "`fit` overrides the `training: false` of n"),
        (("BatchNormalization", {**BATCH_NORM, "trainable": False}), False, ""),
    ],
)
def test_a_fixed_training_mode_that_keras_3_overrides_is_reported(layer, training, told):
    class_name, config = layer
    shape = {"batch_input_shape": [None, 4], "name": "x", "dtype": "float32"}
    call = [[["x", 0, 0, {} if training is None else {"training": training}]]]
    layers = [
        {"class_name": "InputLayer", "name": "x", "config": shape, "inbound_nodes": []},
        {
            "class_name": class_name,
            "name": config["name"],
            "config": config,
            "inbound_nodes": call,
        },
    ]
    model = {
        "class_name": "Functional",
        "config": {
            "name": "net",
            "layers": layers,
            "input_layers": [["x", 0, 0]],
            "output_layers": [[config["name"], 0, 0]],
        },
    }
    for version, expected in (("2.4.0", told), ("3.1.0", "")):
        text = json.dumps({**model, "keras_version": version}).encode()
        _, warnings = import_source("-", text)
        assert [w.code for w in warnings] == ["SF436"] * bool(expected)
        assert all(expected in w.message for w in warnings)
