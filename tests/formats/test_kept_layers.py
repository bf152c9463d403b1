"""Lambdas of named functions, and layers of Keras that are kept whole."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from specfmt.api import from_keras_json, lint_spec, loads, to_keras_json
from specfmt.cli import main
from specfmt.formats.config.defaults import MISSING, op_defaults
from specfmt.formats.keras_json import document_from_keras_json
from specfmt.formats.read.named_functions import OTHER_DEFAULTS
from specfmt.layers.index import OPERATIONS
from specfmt.layers.kept import KEPT

Json = dict[str, Any]


def named(name: str, **more: Any) -> Json:
    """A function as Keras 3 writes it."""
    return {"module": "builtins", "class_name": "function", "config": name, **more}


def model(function: Any, *, sequential: bool = True, **config: Any) -> Json:
    """A model of a Lambda between two Dense layers."""
    dense = {"units": 4, "name": "first", "dtype": "float32"}
    own = {"name": "lambda", "function": function, "arguments": {}, **config}
    layers = [
        ("InputLayer", {"batch_shape": [None, 4], "dtype": "float32", "name": "x"}),
        ("Dense", dense),
        ("Lambda", own),
        ("Dense", {"units": 2, "name": "last", "dtype": "float32"}),
    ]
    items: list[Json] = [
        {"module": "keras.layers", "class_name": c, "config": own, "registered_name": None}
        for c, own in layers
    ]
    if sequential:
        return {"module": "keras", "class_name": "Sequential", "config": {"layers": items}}
    before = None
    for item in items:
        name = item["name"] = item["config"]["name"]
        item["inbound_nodes"] = []
        if before is not None:
            tensor = {"shape": [None, 4], "dtype": "float32", "keras_history": [before, 0, 0]}
            argument = {"class_name": "__keras_tensor__", "config": tensor}
            kwargs = {"mask": None} if name == "lambda" else {}
            item["inbound_nodes"] = [{"args": [argument], "kwargs": kwargs}]
        before = name
    ends = {"input_layers": ["x", 0, 0], "output_layers": ["last", 0, 0]}
    return {"module": "keras", "class_name": "Functional", "config": {"layers": items, **ends}}


@pytest.mark.parametrize("sequential", [True, False])
@pytest.mark.parametrize(
    ("name", "arguments", "entry", "codes"),
    [
        ("relu", {}, {"op": "relu"}, []),
        ("gelu", {}, {"op": "gelu", "approximate": False}, []),
        ("mish", {}, {"type": "Activation", "activation": "mish"}, []),
        ("square", {}, {"op": "square"}, ["SF440"]),
        (
            "mean",
            {"axis": -1, "keepdims": True},
            {"op": "mean", "axis": -1, "keepdims": True},
            ["SF440"],
        ),
    ],
)
def test_named_functions(
    name: str, arguments: Json, entry: Json, codes: list[str], sequential: bool
) -> None:
    data = model(
        named(name, registered_name="function"), arguments=arguments, sequential=sequential
    )
    document, warnings = document_from_keras_json(data)
    found = document["layers"][1]
    assert {key: found[key] for key in found if key not in ("name", "inputs")} == entry
    assert found.get("name", "lambda") == "lambda"
    assert [warning.code for warning in warnings] == codes
    loads(json.dumps(document))


@pytest.mark.parametrize(
    ("function", "more"),
    [
        (named("mine>relu", registered_name="mine>relu"), {}),
        (named("relu", registered_name="mine>relu"), {}),
        ({**named("relu"), "module": "my_code"}, {}),
        (named("no_such_function"), {}),
        (named("mean"), {"arguments": {"other": 1}}),
        (named("relu"), {"arguments": {"max_value": 6}}),
        (named("add"), {}),
        (named("concatenate"), {}),
        (named("reshape"), {}),
        (named("relu"), {"dtype": "float16"}),
        (named("relu"), {"mask": named("relu")}),
        ({"class_name": "__lambda__", "config": {"code": "zqrun"}}, {}),
        (named({"a": 1}), {}),  # type: ignore[arg-type]
    ],
)
def test_other_lambdas_are_kept(function: Any, more: Json) -> None:
    document, warnings = document_from_keras_json(model(function, **more))
    found = document["layers"][1]
    assert found["type"] == "Custom"
    assert found["config"]["function"] == function
    assert [warning.code for warning in warnings] == ["SF430"]


def test_keras_2() -> None:
    """Keras 1 and 2 write a name only for callables that are no Python functions, with the module."""
    for module, kept in (("tensorflow.python.ops.nn", False), ("my_code", True), (None, False)):
        config = {"name": "l", "function": "tanh", "function_type": "function", "module": module}
        first = {"units": 3, "name": "d", "batch_input_shape": [None, 4]}
        layers = [
            {"class_name": "Dense", "config": first},
            {"class_name": "Lambda", "config": config},
        ]
        text = {"class_name": "Sequential", "config": layers, "keras_version": "2.4.0"}
        document, _ = document_from_keras_json(text)
        assert (document["layers"][1].get("type") == "Custom") is kept, module


def whole(class_name: str) -> Json:
    data = model(named("relu"))
    data["config"]["layers"][2].update(
        class_name=class_name, config={"name": "kept", "module": "UEs"}
    )
    return data


@pytest.mark.parametrize("class_name", [name for name in KEPT if name != "Lambda"])
def test_kept_whole(class_name: str, tmp_path: Path) -> None:
    """Import, validate and generate say what to do; export writes the layer as it was."""
    data = whole(class_name)
    document, warnings = document_from_keras_json(data)
    assert [warning.code for warning in warnings] == ["SF314"]
    assert warnings[0].hint == KEPT[class_name].advice
    spec = from_keras_json(json.dumps(data))
    (item,) = [
        item
        for item in json.loads(to_keras_json(spec))["config"]["layers"]
        if item["class_name"] == class_name
    ]
    assert item["config"]["module"] == "UEs"
    (finding,) = lint_spec(spec)
    assert (finding.code, finding.severity) == ("SF314", "warning")
    file = tmp_path / "net.json"
    file.write_text(json.dumps(document))
    done = CliRunner().invoke(main, ["generate", str(file), "-t", "torch"])
    assert done.exit_code == 0
    assert "NotImplementedError" in done.stdout
    assert f"help: {KEPT[class_name].advice}" in done.stderr
    document["layers"][1]["torch"] = "my_modules.Net"
    assert lint_spec(loads(json.dumps(document))) == []


def test_hint_for_the_type() -> None:
    text = json.dumps(
        {"specfmt": 1, "inputs": {"x": {"shape": [4]}}, "layers": [{"type": "TFSMLayer"}]}
    )
    done = CliRunner().invoke(main, ["validate", "-"], input=text)
    assert "class: keras.layers.TFSMLayer" in done.stdout
    assert KEPT["TFSMLayer"].advice in done.stdout


@pytest.mark.slow
def test_functions_of_activations_have_these_defaults() -> None:
    """A name means the function of `keras.activations`, whose defaults can differ from `keras.ops`."""
    import keras

    for name in OPERATIONS:
        function = getattr(keras.activations, name, None)
        if function is None:
            continue
        defaults = {**(op_defaults(name) or {}), **OTHER_DEFAULTS.get(name, {})}
        parameters = list(inspect.signature(function).parameters.values())[1:]
        for parameter in parameters:
            if parameter.name in defaults and defaults[parameter.name] is not MISSING:
                assert defaults[parameter.name] == parameter.default, (name, parameter.name)


@pytest.mark.slow
def test_same_numbers_as_keras(tmp_path: Path) -> None:
    """Real files of Lambdas of named functions: the spec computes the same as the original."""
    import keras
    import numpy as np
    import tensorflow as tf

    from specfmt.graph.analyze import analyze
    from specfmt.migration import import_spec
    from specfmt.targets.keras import generate_model
    from tests.tools.harness import execute

    functions = {
        "gelu": (keras.activations.gelu, {}),
        "softmax": (keras.activations.softmax, {"axis": 1}),
        "mean": (keras.ops.mean, {"axis": -1, "keepdims": True}),
        "square": (keras.ops.square, {}),
        "l2_normalize": (tf.math.l2_normalize, {"axis": -1}),
    }
    for name, (function, arguments) in functions.items():
        first = keras.Input((4,))
        x = keras.layers.Lambda(function, arguments=arguments)(keras.layers.Dense(4)(first))
        original = keras.Model(first, keras.layers.Dense(2)(x))
        original.save(tmp_path / "net.keras")
        spec, _ = import_spec(tmp_path / "net.keras")
        assert any("op" in entry for entry in spec.to_data()["layers"]), name
        rebuilt = execute(generate_model(analyze(spec), flavor="keras"))
        rebuilt.set_weights(original.get_weights())
        data = np.random.default_rng(0).standard_normal((3, 4)).astype("f4")
        assert np.allclose(original(data), rebuilt(data), atol=1e-6), name


def test_a_layer_that_does_not_cast_its_inputs_is_kept_whole() -> None:
    """Keras writes `autocast` in no config, but takes it from one."""
    import json

    import specfmt

    spec = specfmt.loads(
        "{specfmt: 1, inputs: {x: {shape: [3]}}, layers: [{type: Dense, units: 2}]}"
    )
    model = json.loads(specfmt.to_keras_json(spec))
    config = model["config"]["layers"][-1]["config"]
    config["autocast"] = True
    (dense,) = specfmt.from_keras_json(json.dumps(model)).layers
    assert dense.type_name == "Dense"
    config["autocast"] = False
    found = specfmt.from_keras_json(json.dumps(model))
    assert found.layers[0].type_name == "Custom"
    assert '"autocast": False' in specfmt.generate(found, "keras")
    written = json.loads(specfmt.to_keras_json(found))["config"]["layers"][-1]["config"]
    assert written["autocast"] is False
