"""Keras 3 JSON out: key for key what real Keras writes, and back again.

The six applications of `ZOO` run with the slow tests; all forty with ``SPECFMT_ZOO=1``.
"""

from __future__ import annotations

import inspect
import json
import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import pytest

import specfmt
from specfmt.formats.export import export_data
from specfmt.formats.keras_json import document_from_keras_json
from specfmt.graph.build import build
from specfmt.layers.index import INDEX, OPERATIONS
from specfmt.layers.registry import layer_class
from specfmt.spec.document import parse_document
from tests.layers.test_cases import table
from tests.tools.harness import Case, build_graph, execute
from tests.tools.keras_models import models
from tests.tools.keras_models_masks import mask_models
from tests.tools.zoo_tools import MODELS

ZOO = (
    "ConvNeXtTiny",
    "DenseNet121",
    "EfficientNetV2B0",
    "MobileNetV3Small",
    "ResNet50V2",
    "VGG16",
)

EXPLICIT = (
    "explicit_mask",
    "explicit_mask_goes_on",
    "explicit_beside_computed",
    "nested_after_mask",
    "masked_through_a_custom_layer",
)
"""Models whose spec names masks: their authors do, a nested model was built between calls, or only
a custom layer knows that masks go through it."""


NOT_KEPT_BY_KERAS = ("frozen_whole",)
"""Models that Keras, too, loads from its own JSON as another: here nothing is frozen any more."""


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


def written(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(model.to_json())
    return found


def round_trip(source: dict[str, Any]) -> dict[str, Any]:
    spec = specfmt.from_keras_json(json.dumps(source))
    found: dict[str, Any] = json.loads(specfmt.to_keras_json(spec))
    return found


def generated(keras: Any, source: dict[str, Any]) -> dict[str, Any]:
    """What the generated Keras code writes of itself, uncompiled as a model file is."""
    keras.backend.clear_session(free_memory=False)
    document, _ = document_from_keras_json(source)
    spec, problems = parse_document(document)
    assert spec is not None
    assert not problems
    graph, _ = build(spec)
    from specfmt.targets.keras import generate_model

    return {**written(execute(generate_model(graph, flavor="keras"))), "compile_config": {}}


class Anything:
    def __getattr__(self, name: str) -> Any:
        return self


NAMES = list(models(Anything()))


def fresh(keras: Any, name: str) -> Any:
    """A model as a program of its own would build it."""
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    return models(keras)[name]()


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def some_data(model: Any, free: int) -> Any:
    """Inputs for two samples: token numbers that tables hold, and zeros among them.

    A size that the model leaves free is ``free``.
    """
    import numpy as np

    rng = np.random.default_rng(0)

    def draw(tensor: Any) -> Any:
        shape = [2, *(size or free for size in tensor.shape[1:])]
        if tensor.shape[0] is not None:
            shape[0] = tensor.shape[0]
        if "float" in tensor.dtype:
            return rng.uniform(-1, 1, shape).astype(tensor.dtype)
        if tensor.dtype == "string":
            return rng.choice(["a", "b", "c d", ""], shape)
        return rng.integers(0, 2 if tensor.dtype == "bool" else 5, shape).astype(tensor.dtype)

    import keras

    nest = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    return keras.tree.map_structure(draw, nest)


def compare(keras: Any, first: Any, second: Any, free: int = 5) -> None:
    """Two models that should be one: config, weights, and what they compute."""
    import numpy as np

    # JSON has no tuples: Keras's own files give lists in their place.
    assert as_json(second.get_config()) == as_json(first.get_config())
    assert second.count_params() == first.count_params()
    assert [(w.name, w.shape) for w in second.weights] == [(w.name, w.shape) for w in first.weights]
    second.set_weights(first.get_weights())
    data = some_data(first, free)
    outputs = []
    for model in (first, second):
        keras.utils.set_random_seed(2)
        outputs.append(keras.tree.flatten(model(data)))
    for a, b in zip(*outputs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_there_are_enough_models() -> None:
    assert len(NAMES) >= 60


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_own_models(keras: Any, name: str) -> None:
    model = fresh(keras, name)
    source = written(model)
    exported = round_trip(source)
    assert exported == source
    assert generated(keras, source) == {**source, "compile_config": {}}
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    loaded = keras.models.model_from_json(json.dumps(exported))
    if name in NOT_KEPT_BY_KERAS:
        model = keras.models.model_from_json(json.dumps(source))
    assert written(loaded) == written(model)
    if model.built:
        compare(keras, model, loaded)


@pytest.mark.slow
def test_the_models_hold_every_layer_and_operation(keras: Any) -> None:
    found: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            found.add(str(value.get("class_name")))
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                collect(item)

    for name in NAMES:
        collect(written(fresh(keras, name)))
    found |= {entry.get("type", "") for case in case_models() for entry in case.entries}
    assert set(INDEX) - found <= {"Custom"}
    # Keras reads no file with these back: it takes the list of their sizes for a shape.
    assert set(OPERATIONS.values()) - found == {"AdaptiveAveragePool", "AdaptiveMaxPool"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name in mask_models(Anything())])
def test_specs_of_masked_models_do_without_masks(keras: Any, name: str) -> None:
    spec = specfmt.from_keras_json(fresh(keras, name).to_json())
    text = specfmt.dump(spec)
    assert ("mask:" in text) == (name in EXPLICIT), text


@pytest.mark.slow
def test_calls_are_noted_as_keras_notes_them(keras: Any) -> None:
    """What decides which keywords are noted, held against Keras's signatures."""
    for type_name in INDEX:
        cls = layer_class(type_name)
        assert cls is not None
        theirs = getattr(keras.layers, type_name, None)
        if theirs is None:
            continue
        arguments = inspect.signature(theirs.call).parameters
        default = arguments["training"].default if "training" in arguments else None
        assert cls.training_default == default, type_name
        takes_mask = any(argument.name == "mask" for argument in cls.call_arguments)
        assert takes_mask == ("mask" in arguments), type_name


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_applications(keras: Any, name: str) -> None:
    if name not in ZOO and not os.environ.get("SPECFMT_ZOO"):
        pytest.skip("set SPECFMT_ZOO=1: all forty models")
    keras.backend.clear_session()
    model = getattr(keras.applications, name)(weights=None)
    source = written(model)
    exported = round_trip(source)
    assert exported == source
    keras.backend.clear_session(free_memory=False)
    # MobileNetV3 leaves its image's size free, and TensorFlow reads beyond an image that a
    # window of 3 does not fit into: 64 is large enough for every stage.
    compare(keras, model, keras.models.model_from_json(json.dumps(exported)), free=64)
    assert generated(keras, source) == source


def is_written_otherwise(case: Case) -> bool:
    """Whether a case comes back in another form with the same meaning, or JSON cannot hold it.

    JSON has no infinity, Keras makes a list of the one part into which an axis of size 1 is cut,
    it draws the seed of a RandomCrop that has none, and it refuses what it writes of a RandomShear.
    """
    if any(entry.get("type") == "RandomCrop" and "seed" not in entry for entry in case.entries):
        return True
    return (
        case.entries[-1].get("type") == "RandomShear"
        or "ord=inf" in str(case)
        or str(case).startswith("unstack(inputs=['in0'],axis=1)")
    )


@pytest.mark.slow
def test_keras_refuses_its_own_shears(keras: Any) -> None:
    """The reason why a range that starts at the negative factor is written as one number."""
    layer = keras.layers.RandomShear(0.3, 0.2)
    assert layer.get_config()["x_factor"] == (-0.3, 0.3)
    with pytest.raises((TypeError, ValueError), match="in the range"):
        type(layer).from_config(layer.get_config())
    spec = specfmt.from_keras_json(keras.Sequential([keras.Input((8, 8, 3)), layer]).to_json())
    exported = json.loads(specfmt.to_keras_json(spec))
    (config,) = [each["config"] for each in exported["config"]["layers"][1:]]
    assert (config["x_factor"], config["y_factor"]) == (0.3, 0.2)
    assert keras.models.model_from_json(json.dumps(exported)).layers[0].x_factor == (-0.3, 0.3)


def case_models() -> list[Case]:
    """Every third case of the table, and the first that ends in a layer of each type."""
    cases = [case for case in table() if not is_written_otherwise(case)]
    first: dict[str, Case] = {}
    for case in cases:
        first.setdefault(case.entries[-1].get("type", ""), case)
    chosen = {id(case) for case in (*cases[::3], *first.values())}
    return [case for case in cases if id(case) in chosen]


@pytest.mark.slow
def test_case_models_round_trip(keras: Any) -> None:
    """Cases of the table as models: what Keras writes of each comes back."""
    from specfmt.targets.keras import generate_model

    for case in case_models():
        keras.backend.clear_session(free_memory=False)
        graph = build_graph(case.document())
        source = written(execute(generate_model(graph, flavor="keras")))
        if "Custom" not in str(case):  # its config is kept, not completed
            assert {**export_data(graph), "compile_config": {}} == source, str(case)
        assert round_trip(source) == source, str(case)


def test_a_spec_as_keras_json() -> None:
    spec = specfmt.loads(
        "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers:\n  - {type: Dense, units: 3}\n"
        "train: {loss: mse, optimizer: adam}\n"
    )
    data = export_data(specfmt.analyze(spec))
    assert data["config"]["build_input_shape"] == [None, 4]
    dense = data["config"]["layers"][1]
    assert dense["config"]["units"] == 3
    assert dense["build_config"] == {"input_shape": [None, 4]}
    assert data["compile_config"]["loss"] == "mse"
    assert data["compile_config"]["optimizer"]["class_name"] == "Adam"


def test_masks_are_operations_of_the_model() -> None:
    spec = specfmt.loads(
        "specfmt: 1\ninputs: {a: {shape: [7], dtype: int32}, b: {shape: [7, 4]}}\nlayers:\n"
        "  - {type: Embedding, input_dim: 9, output_dim: 4, mask_zero: true, inputs: a}\n"
        "  - {type: Concatenate, inputs: [embedding, b]}\n"
        "  - {type: LSTM, units: 2}\n"
    )
    text = specfmt.to_keras_json(spec)
    layers = json.loads(text)["config"]["layers"]
    assert [layer["name"] for layer in layers] == [
        "a",
        "embedding",
        "not_equal",
        "b",
        "expand_dims",
        "zeros_like",
        "logical_or",
        "ones_like",
        "concatenate_1",
        "concatenate",
        "any",
        "lstm",
    ]
    keywords = layers[-1]["inbound_nodes"][0]["kwargs"]
    assert keywords["training"] is False
    assert keywords["mask"]["config"]["keras_history"] == ["any", 0, 0]
    assert specfmt.from_keras_json(text).to_data() == spec.to_data()
    assert "layers.Concatenate()([x, b])" in specfmt.generate(spec)


def test_names_that_keras_takes_for_masks_are_refused() -> None:
    spec = specfmt.loads(
        "specfmt: 1\nstyle: functional\ninputs: {a: {shape: [7], dtype: int32}}\nlayers:\n"
        "  - {type: Embedding, input_dim: 9, output_dim: 4, mask_zero: true}\n"
        "  - {type: LSTM, name: not_equal, units: 2}\n"
    )
    for write in (specfmt.to_keras_json, specfmt.generate):
        with pytest.raises(specfmt.SpecError) as caught:
            write(spec)
        assert [d.code for d in caught.value.diagnostics] == ["SF203"]
        assert caught.value.diagnostics[0].path == ("layers", 1, "name")


def test_a_tensor_of_unknown_shape_is_named() -> None:
    spec = specfmt.loads(
        "specfmt: 1\nstyle: functional\ninputs: {x: {shape: [4]}}\nlayers:\n"
        "  - {type: Custom, class: a.B, name: mine}\n  - {type: Dense, units: 3}\n"
    )
    with pytest.raises(specfmt.SpecError) as caught:
        specfmt.to_keras_json(spec)
    assert caught.value.diagnostics[0].code == "SF305"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "RNN", "stack"])
@pytest.mark.parametrize("single", [True, False])
def test_a_state_is_a_tensor_or_a_list(kind: str, single: bool) -> None:
    """Keras 3 records `initial_state` as it was given; both forms compute the same."""
    import keras

    layers = keras.layers
    x, state = keras.Input((5, 3), name="x"), keras.Input((2,), name="s")
    cell = layers.GRUCell(2, name="c")
    if kind == "stack":
        layer = layers.RNN([cell], name="r")
    elif kind == "RNN":
        layer = layers.RNN(cell, name="r")
    else:
        layer = getattr(layers, kind)(2, name="r")
    model = keras.Model([x, state], layer(x, initial_state=state if single else [state]), name="m")
    spec = specfmt.from_keras_json(model.to_json())
    config = json.loads(model.to_json())["config"]
    assert json.loads(specfmt.to_keras_json(spec))["config"] == config
    again = execute(specfmt.generate(spec, "keras", flavor="keras", style="functional"))
    assert json.loads(again.to_json())["config"] == config
    given = json.loads(specfmt.to_keras_json(spec, "keras2"))["config"]["layers"]
    assert given[-1]["inbound_nodes"] == [[["x", 0, 0, {}], ["s", 0, 0, {}]]]


def test_what_is_too_large_to_import_is_not_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = specfmt.loads(
        "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers: [{type: Dense, units: 4, name: größe}]\n"
    )
    text = specfmt.to_keras_json(spec)
    size = len(text.encode())
    assert size > len(text)
    monkeypatch.setattr("specfmt.formats.config.reading.MAX_BYTES", size)
    assert specfmt.to_keras_json(spec) == text
    monkeypatch.setattr("specfmt.formats.config.reading.MAX_BYTES", size - 1)
    with pytest.raises(specfmt.SpecError, match=r"SF401\]: expected at most .* MiB"):
        specfmt.to_keras_json(spec)


def test_an_unknown_format_is_refused() -> None:
    spec = specfmt.loads("specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers: [{type: Flatten}]\n")
    with pytest.raises(ValueError, match="keras3"):
        specfmt.to_keras_json(spec, "keras9")
