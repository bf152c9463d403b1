"""Image layers that are called on mappings of tensors, against real Keras."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from specfmt import analyze, from_keras_json, generate, loads, to_keras_json

LABELS = {"labels"}
BOXES = {"labels", "bounding_boxes"}
BOX_FORMAT = {"bounding_box_format": "xyxy"}

LAYERS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("RandomFlip", BOX_FORMAT, BOXES),
    ("RandomFlip", {}, set()),
    ("RandomRotation", {"factor": 0.1, **BOX_FORMAT}, {"bounding_boxes"}),
    ("RandomZoom", {"height_factor": 0.1, **BOX_FORMAT}, BOXES),
    ("RandomContrast", {"factor": 0.1, **BOX_FORMAT}, BOXES),
    ("RandomErasing", BOX_FORMAT, BOXES),
    ("AutoContrast", BOX_FORMAT, BOXES),
    ("CutMix", {}, LABELS),
    ("MixUp", BOX_FORMAT, BOXES),
    ("AugMix", BOX_FORMAT, BOXES),
    ("RandAugment", BOX_FORMAT, BOXES),
    ("MaxNumBoundingBoxes", {"max_number": 3, **BOX_FORMAT}, BOXES),
    ("MaxNumBoundingBoxes", {"max_number": 6, **BOX_FORMAT}, BOXES),
]


def inputs_of(keras: Any, keys: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The inputs of a model as Keras tensors, and arrays for them."""
    rng = np.random.default_rng(0)
    tensors: dict[str, Any] = {"images": keras.Input((8, 8, 3), name="images_in")}
    arrays: dict[str, Any] = {"images_in": rng.uniform(0, 255, (2, 8, 8, 3)).astype("float32")}
    if "labels" in keys:
        tensors["labels"] = keras.Input((5,), name="labels_in")
        arrays["labels_in"] = np.eye(5, dtype="float32")[[1, 2]]
    if "bounding_boxes" in keys:
        tensors["bounding_boxes"] = {
            "boxes": keras.Input((4, 4), name="boxes_in"),
            "labels": keras.Input((4,), name="kinds_in"),
        }
        box = [[0, 0, 4, 4], [1, 2, 7, 8], [2, 2, 3, 3], [0, 0, 0, 0]]
        arrays["boxes_in"] = np.array([box, box], "float32")
        arrays["kinds_in"] = np.array([[1, 2, 3, -1]] * 2, "float32")
    return tensors, arrays


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "keys"), LAYERS, ids=lambda v: v if isinstance(v, str) else None
)
def test_shapes_json_and_code(name: str, options: dict[str, Any], keys: set[str]) -> None:
    import keras

    keras.backend.clear_session()
    tensors, arrays = inputs_of(keras, keys)
    returned = getattr(keras.layers, name)(name="first", **options)(tensors)
    images = keras.layers.Flatten()(returned["images"])
    outputs = [keras.layers.Dense(2)(images), *keras.tree.flatten(returned)]
    model = keras.Model(keras.tree.flatten(tensors), outputs)
    text = model.to_json()
    spec = from_keras_json(text)
    assert json.loads(to_keras_json(spec)) == json.loads(text)

    graph = analyze(spec)
    assert [value.shape for value in graph.outputs.values()] == [o.shape for o in model.outputs]
    assert graph.count() == model.count_params()

    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(generate(spec, "keras"), "generated", "exec"), namespace)
    built = namespace["build_model"]()
    built.set_weights(model.get_weights())
    values = [arrays[value.name] for value in model.inputs]
    for one, other in zip(
        model(values, training=False), built(values, training=False), strict=True
    ):
        assert np.array_equal(one, other)

    code = generate(spec, "torch")
    assert f"write what {name} computes" in " ".join(code.split())
    compile(code, "generated", "exec")


def test_what_is_not_read_is_known_too() -> None:
    spec = loads(
        """
specfmt: 1
inputs: {images: {shape: [8, 8, 3]}, labels: {shape: [5]}, boxes: {shape: [9, 4]}}
layers:
- type: Custom
  class: keras.layers.MaxNumBoundingBoxes
  name: cut
  config: {max_number: 3}
  inputs: {inputs: {labels: labels, images: images, bounding_boxes: {boxes: boxes}}}
- {type: Flatten, inputs: "cut:1"}
outputs: [flatten, "cut:0", "cut:2"]
"""
    )
    graph = analyze(spec)
    assert [v.shape for v in graph.outputs.values()] == [(None, 192), (None, 3, 4), (None, 5)]
    code = generate(spec, "keras")
    assert 'cut = cut_outputs["bounding_boxes"]["boxes"]' in code
    assert 'cut_2 = cut_outputs["labels"]' in code
    assert '"bounding_boxes": {"boxes": boxes}' in generate(spec, "torch")


def test_a_user_defined_class_of_that_name_may_return_anything() -> None:
    spec = loads(
        "specfmt: 1\ninputs: {images: {shape: [8, 8, 3]}}\nlayers:\n- {type: Custom, class: "
        "my.RandomFlip, shape: [4], inputs: {inputs: {images: images}}}\n"
    )
    assert [value.shape for value in analyze(spec).outputs.values()] == [(None, 4)]
    assert "_outputs[" not in generate(spec, "keras")
