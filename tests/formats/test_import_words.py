"""Words of real files: every former name is understood, every unknown one costs only itself."""

import ast
import inspect
import json

import pytest

import specfmt
from specfmt.diagnostics import SpecError
from specfmt.formats.keras_json import document_from_keras_json
from specfmt.vocab.former_names import (
    FORMER,
    KEPT_AS_CUSTOM,
    KERAS_ONLY,
    OTHER_EXPORTS,
    current_name,
)
from specfmt.vocab.index import INDEX
from tests.tools.imports import import_source

KINDS = {
    "activation": "activations",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
    "loss": "losses",
    "optimizer": "optimizers",
    "schedule": "optimizers.schedules",
    "metric": "metrics",
    "callback": "callbacks",
}


def dense(**config):
    """A Sequential of one Dense of Keras 3 as JSON data."""
    start = {"batch_shape": [None, 4], "dtype": "float32", "name": "x"}
    layers = [
        {"module": "keras.layers", "class_name": "InputLayer", "config": start},
        {
            "module": "keras.layers",
            "class_name": "Dense",
            "config": {"name": "d", "units": 4, **config},
        },
    ]
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "m", "layers": layers},
        "registered_name": None,
    }


def word(kind, class_name, config=None, module=None, **more):
    """What an import makes of a word of a Dense, and its warnings."""
    value = {"module": module, "class_name": class_name, "config": config or {}, **more}
    key = "activation" if kind == "activation" else f"kernel_{kind}"
    document, warnings = document_from_keras_json(dense(**{key: value}))
    return document["layers"][0].get(key), [w.code for w in warnings]


def compiled(legacy=False, **config):
    """The ``train:`` section of a Dense that was compiled so, and the import's warnings."""
    source = dense()
    if legacy:
        layer = {"class_name": "Dense", "config": {"name": "d", "units": 4}}
        layer["config"]["batch_input_shape"] = [None, 4]
        source = {
            "class_name": "Sequential",
            "config": [layer],
            "keras_version": "2.4.0",
            "training_config": config,
        }
    else:
        source["compile_config"] = config
    document, warnings = document_from_keras_json(source)
    specfmt.check(json.dumps(document))
    return document.get("train", {}), [w.code for w in warnings]


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("initializer", ("IdentityInitializer", {"gain": 2.0}), {"type": "Identity", "gain": 2.0}),
        ("initializer", ("OrthogonalInitializer", {"seed": None}), "orthogonal"),
        ("initializer", ("GlorotUniformV2", {}), None),
        ("initializer", ("random_uniform_initializer", {}), "random_uniform"),
        (
            "initializer",
            ("Constant", {"value": {"class_name": "__numpy__", "config": {"value": [1.0, 2.0]}}}),
            {"type": "Constant", "value": [1.0, 2.0]},
        ),
        (
            "initializer",
            ("RandomNormal", {"stddev": "0.5"}),
            {"type": "RandomNormal", "stddev": 0.5},
        ),
        ("regularizer", ("L1L2", {"l1": 0.5, "l2": 0.0}), {"type": "L1L2", "l1": 0.5}),
        ("constraint", ("maxnorm", {"max_value": 3}), {"type": "MaxNorm", "max_value": 3}),
        ("constraint", ("NonNeg", {}), "non_neg"),
    ],
)
def test_former_words_of_layers(kind, given, expected):
    assert word(kind, *given) == (expected, [])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tf.nn.relu6", "relu6"),
        ("tf.nn.swish", "silu"),
        ("hard_swish", "hard_silu"),
        ("log_softmax_v2", "log_softmax"),
        ("LeakyReLU", {"type": "leaky_relu", "negative_slope": 0.3}),
        ("softplus", "softplus"),
    ],
)
def test_former_activations(name, expected):
    document, warnings = document_from_keras_json(dense(activation=name))
    assert (document["layers"][0]["activation"], warnings) == (expected, [])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"loss": "cosine_proximity"}, {"loss": "cosine_similarity"}),
        ({"loss": "kullback_leibler_divergence"}, {"loss": "kl_divergence"}),
        ({"loss": "logcosh"}, {"loss": "log_cosh"}),
        ({"loss": "mse", "metrics": [["acc"]]}, {"loss": "mse", "metrics": ["acc"]}),
        (
            {"optimizer_config": {"class_name": "Custom>Adam", "config": {"lr": 0.5}}},
            {"optimizer": {"type": "Adam", "learning_rate": 0.5}},
        ),
        (
            {
                "optimizer_config": {
                    "class_name": "LossScaleOptimizer",
                    "config": {
                        "inner_optimizer": {"class_name": "SGD", "config": {}},
                        "dynamic": True,
                        "initial_scale": 32768.0,
                        "dynamic_growth_steps": 100,
                    },
                }
            },
            {
                "optimizer": {
                    "type": "LossScaleOptimizer",
                    "inner_optimizer": "sgd",
                    "dynamic_growth_steps": 100,
                }
            },
        ),
        (
            {
                "optimizer_config": {
                    "class_name": "LossScaleOptimizerV1",
                    "config": {
                        "optimizer": {"class_name": "SGD", "config": {}},
                        "loss_scale": {
                            "class_name": "FixedLossScale",
                            "config": {"loss_scale_value": 128.0},
                        },
                    },
                }
            },
            {"optimizer": {"type": "sgd", "loss_scale_factor": 128.0}},
        ),
    ],
)
def test_former_words_of_training(config, expected):
    assert compiled(legacy=True, **config) == (expected, [])


UNKNOWN = [
    ("loss", "binary_crossentropy + jaccard_loss"),
    ("loss", "dice_loss"),
    ("metrics", ["iou", "iou"]),
    ("metrics", {"class_name": "MeanMetricWrapper", "config": {"name": "acc", "fn": "dice"}}),
    ("loss", {"module": "builtins", "class_name": "function", "config": "lossy"}),
    ("loss", {"module": "my.losses", "class_name": "Focal", "config": {"gamma": 2}}),
    ("optimizer", {"module": "my", "class_name": "Yogi", "config": {"learning_rate": 0.1}}),
    ("optimizer", {"class_name": "Yogi", "config": {"learning_rate": 0.1}}),
    ("optimizer", {"class_name": "Addons>AdamW", "config": {"weight_decay": 0.1}}),
    ("optimizer", {"class_name": "Adam", "config": {"learning_rate": -3}}),
]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(("key", "value"), UNKNOWN)
def test_unknown_words_are_kept_under_their_names_with_one_warning(key, value, legacy):
    if legacy and key == "optimizer":
        key = "optimizer_config"
    config = {"loss": "mse", key: value}
    train, codes = compiled(legacy=legacy, **config)
    assert codes == ["SF431"]
    kept = train["optimizer" if "optimizer" in key else key]
    kept = kept[0] if isinstance(kept, list) else kept
    assert kept["type"] == "Custom"
    assert "builtins" not in kept["class"]


SCHEDULE = {"module": None, "class_name": "Warm", "config": {"steps": 4}, "registered_name": "Warm"}
ADAM = {"module": "keras.optimizers", "class_name": "Adam", "config": {"learning_rate": SCHEDULE}}


def all_unknown():
    """A model of which hardly a word is Keras's own."""
    own = {"module": None, "config": {"v": 2}, "registered_name": "My>Own"}
    source = dense(
        kernel_initializer={**own, "class_name": "Init"},
        bias_initializer={"module": "builtins", "class_name": "function", "config": "start"},
        kernel_regularizer={**own, "class_name": "Reg"},
        kernel_constraint={**own, "class_name": "Limit"},
        activity_regularizer={**own, "class_name": "Act"},
        activation="odd + even",
    )
    source["compile_config"] = {
        "optimizer": ADAM,
        "loss": "a loss",
        "metrics": ["train", {"class_name": "Own", "config": {"name": "own", "k": 3}}],
    }
    return source


@pytest.mark.parametrize("target", ["keras", "torch"])
@pytest.mark.parametrize("part", ["model", "train"])
def test_unknown_words_cost_only_themselves(target, part):
    document, _ = document_from_keras_json(all_unknown())
    document["train"]["data"] = {"source": "synthetic"}
    document["train"]["callbacks"] = [{"type": "Custom", "class": "Watch", "config": {"k": 3}}]
    spec = specfmt.loads(json.dumps(document))
    code = specfmt.generate(spec, target, part=part)
    names = {
        node.name: ast.unparse(node)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    assert "odd_even" in names
    assert ("a_loss" in names) == (part == "train")
    assert ("train_metric" in names) == (part == "train")
    assert ("Warm" in names) == (part == "train")
    assert ("Watch" in names) == (part == "train")
    assert ("Init" in names) == (target == "keras")
    assert "builtins" not in code
    for name in ("odd_even", "a_loss", "train_metric", "Warm", "Watch"):
        if name in names:
            assert f'NotImplementedError("write {name}: the ' in names[name]


def test_export_gives_unknown_words_back():
    document, _ = document_from_keras_json(all_unknown())
    spec = specfmt.loads(json.dumps(document))
    again, _ = document_from_keras_json(specfmt.to_keras_json(spec))
    assert again == document


SUBMODEL = {
    "module": "my.models",
    "class_name": "Siamese",
    "registered_name": "my>Siamese",
    "config": dense()["config"],
}


def test_a_subclass_with_a_config_of_layers_is_that_model():
    document, warnings = document_from_keras_json(SUBMODEL)
    assert document["layers"] == [{"type": "Dense", "name": "d", "units": 4}]
    assert [w.code for w in warnings] == ["SF437"]
    nested = dense()
    nested["config"]["layers"].append(SUBMODEL)
    document, warnings = document_from_keras_json(nested)
    assert [entry["type"] for entry in document["layers"]] == ["Dense", "Model"]
    assert [w.code for w in warnings] == ["SF437"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"use_bias": 0}, {"use_bias": False}),
        ({"use_bias": 0.0}, {"use_bias": False}),
        ({"use_bias": "false"}, {"use_bias": False}),
        ({"use_bias": "True"}, {}),
        ({"use_bias": 1}, {}),
        ({"use_bias": None}, {}),
        ({"units": "7"}, {"units": 7}),
        ({"units": 7.0}, {"units": 7}),
        ({"units": {"class_name": "__numpy__", "config": {"value": 7}}}, {"units": 7}),
        ({"batch_input_shape": [None, 4], "input_dim": 4, "weights": None, "autocast": True}, {}),
    ],
)
def test_values_as_keras_took_them(given, expected):
    document, _ = document_from_keras_json(dense(**given))
    assert document["layers"][0] == {"type": "Dense", "name": "d", "units": 4, **expected}


def test_an_import_is_checked_and_findings_say_where(tmp_path):
    path = tmp_path / "model.json"
    source = dense(units="many", use_bias=[3])
    path.write_text(json.dumps(source))
    with pytest.raises(SpecError) as caught:
        import_source(path)
    found = [(d.file, d.pointer) for d in caught.value.diagnostics]
    assert found == [
        (str(path), "/config/layers/1/config/units"),
        (str(path), "/config/layers/1/config/use_bias"),
    ]
    assert all("(layer d, a Dense)" in d.message for d in caught.value.diagnostics)
    assert str(caught.value).startswith(f"{path}#/config/layers/1/config/units: error[SF403]")


def test_a_sequential_without_input_asks_for_it(tmp_path):
    path = tmp_path / "model.json"
    source = dense()
    del source["config"]["layers"][0]
    path.write_text(json.dumps(source))
    with pytest.raises(SpecError, match="--input-shape"):
        import_source(path)
    text, _ = import_source(path, input_shape=(None, 5))
    assert specfmt.check(text) == []
    assert "shape: [null, 5]" in text
    source["config"]["layers"][0]["build_config"] = {"input_shape": [None, 6]}
    path.write_text(json.dumps(source))
    assert "shape: [6]" in import_source(path)[0]


def test_a_subclassed_model_says_what_can_be_done():
    with pytest.raises(SpecError, match="functional API"):
        document_from_keras_json({"class_name": "Net", "config": {"units": 4}})


def test_tables_lead_to_words():
    for kind, table in FORMER.items():
        for name, today in table.items():
            assert today in INDEX[kind], (kind, name)
            assert name not in INDEX[kind], (kind, name)
    assert not {name for _, name in KEPT_AS_CUSTOM} & OTHER_EXPORTS


@pytest.mark.slow
def test_every_exported_name_is_known_or_has_a_reason():
    import keras
    import tf_keras

    spaces = {kind: [] for kind in KINDS}
    for kind, dotted in KINDS.items():
        for root in (keras, tf_keras, _v1()):
            for end in ("", ".legacy", ".experimental"):
                space = root
                for part in f"{dotted}{end}".split("."):
                    space = getattr(space, part, None)
                if space is not None:
                    spaces[kind].append(space)
    seen = 0
    for kind, found in spaces.items():
        for space in found:
            for name in dir(space):
                value = getattr(space, name)
                if name.startswith("_") or inspect.ismodule(value) or name in OTHER_EXPORTS:
                    continue
                seen += 1
                known = current_name(kind, name, INDEX[kind]) is not None
                kept = (kind, name) in KEPT_AS_CUSTOM or (kind, name) in KERAS_ONLY
                assert known != kept, (kind, name)
    assert seen > 650  # the loops have met something


def _v1():
    """tf_keras's namespace of TensorFlow 1."""
    import importlib

    return importlib.import_module("tf_keras.api._v1.keras")


@pytest.mark.parametrize("form", ["keras3", "keras2"])
@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
def test_an_export_is_json(form, value):
    text = f"""
specfmt: 1
inputs: {{x: {{shape: [4]}}}}
layers:
  - type: Dense
    units: 4
    kernel_initializer: {{type: Custom, class: my.Start, config: {{v: [{value}]}}}}
"""
    with pytest.raises(SpecError, match=r"SF310.*kernel_initializer/config/v/0"):
        specfmt.to_keras_json(specfmt.loads(text), form)


MHA = {"type": "MultiHeadAttention", "num_heads": 2, "key_dim": 3, "name": "mha"}


def test_keras2_gets_no_null_arguments():
    inputs = {"query": "x", "value": "x", "query_mask": None, "attention_mask": None}
    document = {
        "specfmt": 1,
        "inputs": {"x": {"shape": [6, 4]}},
        "layers": [{**MHA, "inputs": inputs}],
    }
    spec = specfmt.loads(json.dumps(document))
    (layer,) = json.loads(specfmt.to_keras_json(spec, "keras2"))["config"]["layers"][1:]
    assert layer["inbound_nodes"] == [[["x", 0, 0, {"value": ["x", 0, 0]}]]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize(
    "layer",
    [
        {"type": "LSTM", "units": 3},
        {"type": "GRU", "units": 3},
        {"type": "Bidirectional", "layer": {"type": "SimpleRNN", "units": 2}},
        {"type": "Conv1D", "filters": 5, "kernel_size": 2, "kernel_initializer": "orthogonal"},
        {"type": "Dense", "units": 4, "kernel_initializer": {"type": "Orthogonal", "gain": 2.0}},
        {"type": "Dense", "units": 4, "kernel_initializer": "truncated_normal"},
        {"type": "Dense", "units": 4, "kernel_initializer": "identity"},
    ],
)
def test_programs_of_half_precision_start(layer, dtype):
    torch = pytest.importorskip("torch")
    document = {
        "specfmt": 1,
        "dtype": dtype,
        "inputs": {"x": {"shape": [5, 4], "dtype": dtype}},
        "layers": [layer],
    }
    namespace = {"__name__": "generated"}
    exec(specfmt.generate(specfmt.loads(json.dumps(document)), "torch"), namespace)
    model = namespace["build_model"]()
    state = model.state_dict()
    assert {value.dtype for value in state.values()} == {getattr(torch, dtype)}
    assert all(torch.isfinite(value.float()).all() for value in state.values())
    assert model(torch.zeros(2, 5, 4, dtype=getattr(torch, dtype))).dtype == getattr(torch, dtype)
