"""Keras 3 JSON out: key for key what real Keras writes, and back again."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import json
from typing import Any

import pytest

import specfmt
from specfmt.formats.export import export_data
from specfmt.formats.keras_json import document_from_keras_json
from specfmt.graph.build import build
from specfmt.spec.document import parse_document
from tests.harness import build_graph, execute
from tests.keras_models import models
from tests.test_cases import table

ZOO = [
    "ConvNeXtTiny",
    "DenseNet121",
    "EfficientNetV2B0",
    "MobileNetV3Small",
    "ResNet50V2",
    "VGG16",
]


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


def names() -> list[str]:
    class Anything:
        def __getattr__(self, name: str) -> Any:
            return self

    return list(models(Anything()))


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_own_models_round_trip(keras: Any, name: str) -> None:
    keras.backend.clear_session(free_memory=False)
    source = written(models(keras)[name]())
    assert round_trip(source) == source
    assert generated(keras, source) == {**source, "compile_config": {}}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nested_two_inputs", "masked", "slicing", "words", "siamese"])
def test_exported_json_loads_and_computes_the_same(keras: Any, name: str) -> None:
    import numpy as np

    keras.backend.clear_session(free_memory=False)
    first = models(keras)[name]()
    second = keras.models.model_from_json(json.dumps(round_trip(written(first))))
    assert written(second) == written(first)
    assert [(w.name, w.shape) for w in second.weights] == [(w.name, w.shape) for w in first.weights]
    second.set_weights(first.get_weights())
    rng = np.random.default_rng(0)
    data = [rng.integers(1, 5, (2, *x.shape[1:])).astype(x.dtype) for x in first.inputs]
    given = data if len(data) > 1 else data[0]
    for a, b in zip(
        keras.tree.flatten(first(given)), keras.tree.flatten(second(given)), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_applications_round_trip(keras: Any, name: str) -> None:
    keras.backend.clear_session(free_memory=False)
    source = written(getattr(keras.applications, name)(weights=None))
    assert round_trip(source) == source
    assert generated(keras, source) == source


@pytest.mark.slow
def test_case_models_round_trip(keras: Any) -> None:
    """Every third case of the table as a model: what Keras writes of it comes back."""
    from specfmt.targets.keras import generate_model

    for case in table()[::3]:
        keras.backend.clear_session(free_memory=False)
        source = written(execute(generate_model(build_graph(case.document()), flavor="keras")))
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


def test_a_tensor_of_unknown_shape_is_named() -> None:
    spec = specfmt.loads(
        "specfmt: 1\nstyle: functional\ninputs: {x: {shape: [4]}}\nlayers:\n"
        "  - {type: Custom, class: a.B, name: mine}\n  - {type: Dense, units: 3}\n"
    )
    with pytest.raises(specfmt.SpecError) as caught:
        specfmt.to_keras_json(spec)
    assert caught.value.diagnostics[0].code == "SF305"


def test_an_unknown_format_is_refused() -> None:
    spec = specfmt.loads("specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers: [{type: Flatten}]\n")
    with pytest.raises(ValueError, match="keras3"):
        specfmt.to_keras_json(spec, "keras9")
