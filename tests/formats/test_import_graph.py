"""Graphs of every form: shared layers, nested models, call arguments, operations."""

import pytest

from specfmt.formats.keras_json import document_from_keras_json

POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32"},
    "registered_name": None,
}


def tensor(name, node=0, index=0):
    """A tensor as Keras 3 writes it."""
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 4], "dtype": "float32", "keras_history": [name, node, index]},
    }


def input_3(name, shape=(4,), **config):
    config = {
        "batch_shape": [None, *shape],
        "dtype": "float32",
        "sparse": False,
        "name": name,
        **config,
    }
    return {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": config,
        "registered_name": None,
        "name": name,
        "inbound_nodes": [],
    }


def call(*args, **kwargs):
    return {"args": list(args), "kwargs": kwargs}


def layer_3(name, class_name, config, *calls):
    config = {"name": name, "trainable": True, "dtype": POLICY, **config}
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": config,
        "registered_name": None,
        "name": name,
        "inbound_nodes": list(calls),
    }


def op_3(name, class_name, config, *calls, module="numpy"):
    return {
        "module": f"keras.src.ops.{module}",
        "class_name": class_name,
        "config": {"name": name, **config},
        "registered_name": class_name,
        "name": name,
        "inbound_nodes": list(calls),
    }


def functional(layers, inputs, outputs, name="functional"):
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": name,
            "trainable": True,
            "layers": layers,
            "input_layers": inputs,
            "output_layers": outputs,
        },
        "registered_name": "Functional",
        "build_config": {"input_shape": None},
    }


def read(model):
    document, warnings = document_from_keras_json(model)
    assert not warnings
    return document


def body(document):
    """The document without what every document has."""
    return {k: v for k, v in document.items() if k not in ("specfmt", "name")}


DENSE = {"units": 3, "activation": "linear", "use_bias": True}


def test_chain_of_a_functional_model_says_its_style():
    model = functional(
        [
            input_3("a"),
            layer_3("dense", "Dense", DENSE, call(tensor("a"))),
            layer_3("dense_1", "Dense", DENSE, call(tensor("dense"))),
        ],
        ["a", 0, 0],
        ["dense_1", 0, 0],
    )
    assert body(read(model)) == {
        "style": "functional",
        "inputs": {"a": {"shape": [4]}},
        "layers": [{"type": "Dense", "units": 3}, {"type": "Dense", "units": 3}],
    }


def test_shared_layer_is_reused_in_the_order_of_its_calls():
    model = functional(
        [
            input_3("a"),
            input_3("b"),
            layer_3(
                "enc", "Dense", DENSE, call(tensor("a")), call(tensor("b")), call(tensor("enc", 1))
            ),
            layer_3(
                "concatenate", "Concatenate", {"axis": -1}, call([tensor("enc"), tensor("enc", 2)])
            ),
        ],
        [["a", 0, 0], ["b", 0, 0]],
        ["concatenate", 0, 0],
    )
    assert read(model)["layers"] == [
        {"type": "Dense", "name": "enc", "units": 3, "inputs": "a"},
        {"reuse": "enc", "inputs": "b"},
        {"reuse": "enc"},
        {"type": "Concatenate", "inputs": ["enc", "enc_call_2"]},
    ]


@pytest.mark.parametrize(
    ("inputs", "outputs", "structure", "said"),
    [
        (["a", 0, 0], ["d", 0, 0], None, None),
        ([["a", 0, 0]], [["d", 0, 0]], ["a"], ["d"]),
        ({"a": ["a", 0, 0]}, {"out": ["d", 0, 0]}, {"a": "a"}, {"out": "d"}),
        ([[["a", 0, 0]]], [["d", 0, 0], [["a", 0, 0]]], [["a"]], ["d", ["a"]]),
    ],
)
def test_written_forms_of_inputs_and_outputs(inputs, outputs, structure, said):
    model = functional(
        [input_3("a"), layer_3("d", "Dense", DENSE, call(tensor("a")))], inputs, outputs
    )
    document = read(model)
    assert document.get("input_structure") == structure
    assert document.get("outputs") == said


def inner_model(name, class_name="Functional"):
    if class_name == "Sequential":
        return {
            "module": "keras",
            "class_name": "Sequential",
            "registered_name": None,
            "name": name,
            "config": {
                "name": name,
                "dtype": POLICY,
                "layers": [
                    {k: v for k, v in input_3("i").items() if k not in ("name", "inbound_nodes")},
                    {
                        k: v
                        for k, v in layer_3("dense", "Dense", DENSE).items()
                        if k not in ("name", "inbound_nodes")
                    },
                ],
            },
        }
    model = functional(
        [input_3("i"), layer_3("dense", "Dense", DENSE, call(tensor("i")))],
        ["i", 0, 0],
        ["dense", 0, 0],
        name=name,
    )
    return {**model, "name": name}


@pytest.mark.parametrize(("class_name", "born"), [("Functional", 1), ("Sequential", 0)])
def test_calls_of_a_nested_model_in_keras_3(class_name, born):
    """Calls count from 0 where the model is read, outputs from 1 for a Functional."""
    inner = {
        **inner_model("inner", class_name),
        "inbound_nodes": [call(tensor("a"), mask=None), call(tensor("b"), mask=None)],
    }
    model = functional(
        [
            input_3("a"),
            input_3("b"),
            inner,
            layer_3("top", "Dense", DENSE, call(tensor("inner", 1))),
        ],
        [["a", 0, 0], ["b", 0, 0]],
        [["top", 0, 0], ["inner", born, 0]],
    )
    document = read(model)
    assert document["layers"][0]["call"] == "a"
    assert document["layers"][1:] == [
        {"reuse": "inner", "inputs": "b"},
        {"type": "Dense", "name": "top", "units": 3},
    ]
    assert document["outputs"] == ["top", "inner"]


def legacy(layers, inputs, outputs, version="2.4.0", class_name="Functional"):
    return {
        "class_name": class_name,
        "keras_version": version,
        "config": {"name": "m", "layers": layers, "input_layers": inputs, "output_layers": outputs},
    }


def input_2(name, shape=(4,)):
    return {
        "class_name": "InputLayer",
        "name": name,
        "inbound_nodes": [],
        "config": {"batch_input_shape": [None, *shape], "dtype": "float32", "name": name},
    }


def layer_2(name, class_name, config, *nodes):
    return {
        "class_name": class_name,
        "name": name,
        "config": {"name": name, **config},
        "inbound_nodes": list(nodes),
    }


@pytest.mark.parametrize("start", [0, 1])
def test_calls_of_a_nested_model_in_keras_2(start):
    """Both conventions are told apart by the indices in use."""
    inner = legacy(
        [input_2("i"), layer_2("dense", "Dense", {"units": 3}, [["i", 0, 0, {}]])],
        [["i", 0, 0]],
        [["dense", 0, 0]],
    )
    inner = {**inner, "name": "inner", "inbound_nodes": [[["a", 0, 0, {}]], [["b", 0, 0, {}]]]}
    inner["config"]["name"] = "inner"
    model = legacy(
        [input_2("a"), input_2("b"), inner],
        [["a", 0, 0], ["b", 0, 0]],
        [["inner", start, 0], ["inner", start + 1, 0]],
    )
    assert read(model)["outputs"] == ["inner", "inner_call_1"]


def test_call_arguments_of_keras_3():
    model = functional(
        [
            input_3("x", (5, 4)),
            input_3("m", (5,), dtype="bool"),
            layer_3(
                "lstm",
                "LSTM",
                {"units": 4, "return_state": True, "return_sequences": True},
                call(tensor("x"), mask=tensor("m"), training=False),
            ),
            layer_3(
                "lstm_1",
                "LSTM",
                {"units": 4},
                call(tensor("lstm"), initial_state=[tensor("lstm", 0, 1), tensor("lstm", 0, 2)]),
            ),
            layer_3(
                "att",
                "MultiHeadAttention",
                {"num_heads": 2, "key_dim": 3},
                call(tensor("lstm"), tensor("lstm"), use_causal_mask=True),
            ),
            layer_3(
                "att_2",
                "MultiHeadAttention",
                {"num_heads": 2, "key_dim": 3},
                call(tensor("lstm"), tensor("x")),
            ),
        ],
        [["x", 0, 0], ["m", 0, 0]],
        [["lstm_1", 0, 0], ["att", 0, 0], ["att_2", 0, 0]],
    )
    edges = {e.get("name", "lstm"): e["inputs"] for e in read(model)["layers"]}
    lstm_1 = next(
        e for e in read(model)["layers"] if e["type"] == "LSTM" and "return_state" not in e
    )
    assert lstm_1["inputs"] == {"sequences": "lstm", "initial_state": ["lstm:1", "lstm:2"]}
    assert edges["att"] == {"args": ["lstm", "lstm"], "use_causal_mask": True}
    assert edges["att_2"] == ["lstm", "x"]


def test_call_arguments_of_keras_2():
    model = legacy(
        [
            input_2("x", (5, 4)),
            input_2("s", (4,)),
            layer_2(
                "gru",
                "GRU",
                {"units": 4, "recurrent_activation": "sigmoid", "reset_after": True},
                [["x", 0, 0, {"training": True}], ["s", 0, 0, {"training": True}]],
            ),
            layer_2(
                "att",
                "MultiHeadAttention",
                {"num_heads": 1, "key_dim": 2},
                [["x", 0, 0, {"value": ["x", 0, 0], "attention_mask": None}]],
            ),
            layer_2(
                "cat",
                "Concatenate",
                {"axis": -1},
                [["x", 0, 0, {"mask": [None, None]}], ["att", 0, 0, {"mask": [None, None]}]],
            ),
        ],
        [["x", 0, 0], ["s", 0, 0]],
        [["gru", 0, 0], ["cat", 0, 0]],
    )
    layers = read(model)["layers"]
    assert layers == [
        {
            "type": "GRU",
            "units": 4,
            "inputs": {"sequences": "x", "initial_state": ["s"], "training": True},
        },
        {
            "type": "MultiHeadAttention",
            "name": "att",
            "num_heads": 1,
            "key_dim": 2,
            "inputs": ["x", "x"],
        },
        {"type": "Concatenate", "name": "cat", "inputs": ["x", "att"]},
    ]


def test_operations_of_keras_3():
    colon = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": None}}
    from_1 = {"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": 2}}
    array = {"class_name": "__numpy__", "config": {"value": [1.0, 2.0], "dtype": "float32"}}
    model = functional(
        [
            input_3("x", (4, 2)),
            op_3("multiply", "Multiply", {}, call(tensor("x"), 2.0)),
            op_3("subtract", "Subtract", {}, call(1.0, tensor("multiply"))),
            op_3(
                "get_item",
                "GetItem",
                {},
                call(
                    tensor("subtract"),
                    [colon, from_1, {"class_name": "__ellipsis__", "config": {}}, None],
                ),
            ),
            op_3("stack", "Stack", {"axis": 1}, call([tensor("x"), tensor("x")])),
            op_3("add", "Add", {}, call(tensor("x"), array)),
            op_3("out", "Relu", {}, call(tensor("add")), module="nn"),
        ],
        ["x", 0, 0],
        [["get_item", 0, 0], ["stack", 0, 0], ["out", 0, 0]],
    )
    assert read(model)["layers"] == [
        {"op": "multiply", "inputs": ["x", 2.0]},
        {"op": "subtract", "inputs": [1.0, "multiply"]},
        {
            "op": "getitem",
            "key": [
                {"slice": [None, None, None]},
                {"slice": [1, None, 2]},
                {"ellipsis": True},
                None,
            ],
        },
        {"op": "stack", "axis": 1, "inputs": [["x", "x"]]},
        {"op": "add", "inputs": ["x", {"const": {"value": [1.0, 2.0], "dtype": "float32"}}]},
        {"op": "relu", "name": "out"},
    ]


def lambda_op(name, function, node):
    return layer_2(
        name, "TFOpLambda", {"trainable": True, "dtype": "float32", "function": function}, node
    )


def test_operations_of_keras_2():
    model = legacy(
        [
            input_2("x", (4, 2)),
            lambda_op("tf.math.multiply", "math.multiply", ["x", 0, 0, {"y": 2.0, "name": None}]),
            lambda_op(
                "tf.math.subtract",
                "math.subtract",
                ["_CONSTANT_VALUE", -1, 1.0, {"y": ["tf.math.multiply", 0, 0], "name": None}],
            ),
            lambda_op("tf.nn.gelu", "nn.gelu", ["tf.math.subtract", 0, 0, {}]),
            lambda_op(
                "tf.concat", "concat", [["tf.nn.gelu", 0, 0, {"axis": 1}], ["x", 0, 0, {"axis": 1}]]
            ),
            lambda_op(
                "tf.split",
                "split",
                ["tf.concat", 0, 0, {"num_or_size_splits": [2, 5, 1], "axis": 1}],
            ),
            lambda_op(
                "tf.linalg.matmul",
                "linalg.matmul",
                ["x", 0, 0, {"b": ["x", 0, 0], "transpose_b": True}],
            ),
            {
                **lambda_op(
                    "s",
                    "__operators__.getitem",
                    [
                        "tf.split",
                        0,
                        1,
                        {
                            "slice_spec": [
                                {"start": 1, "stop": None, "step": None},
                                {"class_name": "__ellipsis__"},
                                0,
                            ]
                        },
                    ],
                ),
                "class_name": "SlicingOpLambda",
            },
        ],
        [["x", 0, 0]],
        [["s", 0, 0], ["tf.linalg.matmul", 0, 0]],
    )
    assert read(model)["layers"] == [
        {"op": "multiply", "inputs": ["x", 2.0]},
        {"op": "subtract", "inputs": [1.0, "multiply"]},
        {"op": "gelu", "approximate": False},
        {"op": "concatenate", "inputs": [["gelu", "x"]], "axis": 1},
        {"op": "split", "indices_or_sections": [2, 7], "axis": 1},
        {
            "op": "getitem",
            "name": "s",
            "inputs": "split:1",
            "key": [{"slice": [1, None, None]}, {"ellipsis": True}, 0],
        },
        {"op": "swapaxes", "inputs": "x", "axis1": -2, "axis2": -1},
        {"op": "matmul", "name": "tf.linalg.matmul", "inputs": ["x", "swapaxes"]},
    ]


def test_operation_without_counterpart_stays_whole():
    model = legacy(
        [input_2("x"), lambda_op("tf.shape", "shape", ["x", 0, 0, {"out_type": "int32"}])],
        [["x", 0, 0]],
        [["tf.shape", 0, 0]],
    )
    document, (warning,) = document_from_keras_json(model)
    assert warning.code == "SF433"
    (entry,) = document["layers"]
    assert entry["type"] == "Custom"
    assert entry["class"] == "TFOpLambda"
    assert entry["config"]["function"] == "shape"


def test_graph_operations_of_tf_1():
    def node(op, names, **attr):
        return {"name": op, "op": op, "input": names, "attr": attr}

    model = legacy(
        [
            input_2("x", (4, 2)),
            layer_2(
                "tf_op_layer_Mul",
                "TensorFlowOpLayer",
                {"node_def": node("Mul", ["x", "y"]), "constants": {"1": 3.0}},
                [["x", 0, 0, {}]],
            ),
            layer_2(
                "tf_op_layer_slice",
                "TensorFlowOpLayer",
                {
                    "node_def": node(
                        "StridedSlice",
                        ["m", "b", "e", "s"],
                        begin_mask={"i": "1"},
                        end_mask={"i": "1"},
                        shrink_axis_mask={"i": "2"},
                    ),
                    "constants": {"1": [0, 1], "2": [0, 2], "3": [1, 1]},
                },
                [["tf_op_layer_Mul", 0, 0, {}]],
            ),
            layer_2("d", "Dense", {"units": 1}, [["tf_op_layer_slice", 0, 0, {}]]),
        ],
        [["x", 0, 0]],
        [["d", 0, 0]],
        class_name="Model",
    )
    assert read(model)["layers"] == [
        {"op": "multiply", "inputs": ["x", 3.0]},
        {"op": "getitem", "key": [{"slice": [None, None, None]}, 1]},
        {"type": "Dense", "name": "d", "units": 1},
    ]


def test_bidirectional_takes_back_what_keras_3_does_to_its_layers():
    def side(name, **more):
        return {
            "module": "keras.layers",
            "class_name": "LSTM",
            "registered_name": None,
            "config": {
                "name": name,
                "trainable": True,
                "dtype": POLICY,
                "units": 3,
                "return_sequences": True,
                "go_backwards": False,
                "zero_output_for_mask": True,
                **more,
            },
        }

    def entry(backward):
        config = {"merge_mode": "concat", "layer": side("forward_lstm"), "backward_layer": backward}
        model = functional(
            [input_3("x", (5, 4)), layer_3("b", "Bidirectional", config, call(tensor("x")))],
            ["x", 0, 0],
            ["b", 0, 0],
        )
        return read(model)["layers"][0]

    own = {"type": "LSTM", "units": 3, "return_sequences": True}
    assert entry(side("backward_lstm", go_backwards=True)) == {
        "type": "Bidirectional",
        "name": "b",
        "layer": own,
    }
    assert entry(side("other", go_backwards=True, units=5)) == {
        "type": "Bidirectional",
        "name": "b",
        "layer": own,
        "backward_layer": {**own, "name": "other", "units": 5, "go_backwards": True},
    }


def test_custom_layer_is_kept_whole():
    item = {
        "module": "my.layers",
        "class_name": "Scale",
        "registered_name": "my>Scale",
        "build_config": {"input_shape": [None, 4]},
        "name": "scale",
        "config": {"name": "scale", "trainable": True, "dtype": POLICY, "by": 0.30000001192092896},
        "inbound_nodes": [call(tensor("a"))],
    }
    document, (warning,) = document_from_keras_json(
        functional([input_3("a"), item], ["a", 0, 0], ["scale", 0, 0])
    )
    assert warning.code == "SF431"
    assert document["layers"] == [
        {
            "type": "Custom",
            "name": "scale",
            "class": "my.layers.Scale",
            "config": item["config"],
            "registered_name": "my>Scale",
            "build_config": {"input_shape": [None, 4]},
        }
    ]


def test_lambda_is_kept_and_never_run():
    payload = {
        "class_name": "__lambda__",
        "config": {"code": "not bytecode", "defaults": None, "closure": None},
    }
    item = layer_3("lambda", "Lambda", {"function": payload, "arguments": {}}, call(tensor("a")))
    document, (warning,) = document_from_keras_json(
        functional([input_3("a"), item], ["a", 0, 0], ["lambda", 0, 0])
    )
    assert warning.code == "SF430"
    assert document["layers"][0]["config"]["function"] == payload


def test_dtype_policies():
    mixed = {**POLICY, "config": {"name": "mixed_float16"}}
    model = {
        "module": "keras",
        "class_name": "Sequential",
        "registered_name": None,
        "config": {
            "name": "s",
            "trainable": True,
            "dtype": mixed,
            "layers": [
                {k: v for k, v in input_3("i").items() if k not in ("name", "inbound_nodes")},
                {**layer_3("dense", "Dense", {**DENSE, "dtype": mixed})},
                {**layer_3("out", "Dense", DENSE)},
            ],
        },
    }
    document = read(model)
    assert document["dtype"] == "mixed_float16"
    assert document["layers"] == [
        {"type": "Dense", "units": 3},
        {"type": "Dense", "name": "out", "units": 3, "dtype": "float32"},
    ]


def test_frozen_model_says_it_once():
    model = functional(
        [
            input_3("a"),
            layer_3("dense", "Dense", {**DENSE, "trainable": False}, call(tensor("a"))),
            layer_3("free", "Dense", DENSE, call(tensor("dense"))),
        ],
        ["a", 0, 0],
        ["free", 0, 0],
    )
    model["config"]["trainable"] = False
    document = read(model)
    assert document["trainable"] is False
    assert document["layers"] == [
        {"type": "Dense", "units": 3},
        {"type": "Dense", "name": "free", "units": 3, "trainable": True},
    ]


def test_model_of_unknown_input_has_no_inputs():
    model = {
        "module": "keras",
        "class_name": "Sequential",
        "registered_name": None,
        "config": {
            "name": "s",
            "trainable": True,
            "dtype": POLICY,
            "layers": [
                {
                    k: v
                    for k, v in layer_3("dense", "Dense", DENSE).items()
                    if k not in ("name", "inbound_nodes")
                }
            ],
        },
    }
    assert body(read(model)) == {"layers": [{"type": "Dense", "units": 3}]}


@pytest.mark.parametrize(
    ("class_name", "args", "entry"),
    [
        ("Multiply", [tensor("a"), 2.0], {"op": "multiply"}),
        ("Subtract", [1.0, tensor("a")], {"op": "subtract"}),
        ("Add", [tensor("a"), tensor("a")], {"op": "add"}),
        ("Add", [[tensor("a"), tensor("a")]], {"type": "Add"}),
        ("Concatenate", [[tensor("a"), tensor("a")]], {"type": "Concatenate"}),
        ("Concatenate", [[tensor("a"), tensor("a")]], {"op": "concatenate"}),
        ("Maximum", [tensor("a"), 0.5], {"op": "maximum"}),
        ("TrueDivide", [tensor("a"), 2.0], {"op": "true_divide"}),
        ("Softmax", [tensor("a")], {"type": "Softmax"}),
        ("Softmax", [tensor("a")], {"op": "softmax"}),
        ("Relu", [tensor("a")], {"op": "relu"}),
        ("Absolute", [tensor("a")], {"op": "absolute"}),
        ("Relu", [tensor("a")], {"type": "Custom", "class": "Relu"}),
    ],
)
def test_operations_without_modules(class_name, args, entry):
    """An ``.h5`` of Keras 3 names no modules: only layers write whether they are trainable."""
    node = {"args": args, "kwargs": {}}
    config = {"name": "o"} | ({"trainable": True} if "type" in entry else {})
    item = {"class_name": class_name, "config": config, "name": "o", "inbound_nodes": [node]}
    model = functional([input_3("a", (4,)), item], [["a", 0, 0]], [["o", 0, 0]])
    document, _ = document_from_keras_json(model)
    (found,) = document["layers"]
    assert entry.items() <= found.items()
