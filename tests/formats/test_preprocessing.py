"""Preprocessing layers in files of Keras: what `adapt()` found comes in and goes out again."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import specfmt
from specfmt.formats.source import stored_arrays
from specfmt.formats.source.hdf5 import check_file
from specfmt.formats.source.sources import read_source
from specfmt.formats.source.stored_arrays import StoredArrays
from specfmt.formats.source.vocabularies import fill_vocabularies, read_tokens
from tests.tools.imports import import_source

STORY = ["The cat sat.", "the dog É sat; 日本 sat", "a\u2028b c"]


def lookup(class_name: str, name: str, **config: Any) -> dict[str, Any]:
    """A serialized layer."""
    return {"class_name": class_name, "config": {"name": name, "vocabulary": None, **config}}


def model(*layers: dict[str, Any], class_name: str = "Functional") -> dict[str, Any]:
    """A serialized model."""
    return {"class_name": class_name, "config": {"name": "m", "layers": list(layers)}}


def filled(topology: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
    """Layer name -> vocabulary, after the assets of an archive were put in."""
    with ExitStack() as stack:
        arrays = StoredArrays(lambda: None, stack)
        fill_vocabularies(topology, list(files), files.get, arrays)

    def walk(item: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for inner in item["config"]["layers"]:
            config = inner["config"]
            wrapped = config.get("layer")
            if wrapped:
                found[wrapped["config"]["name"]] = wrapped["config"]["vocabulary"]
            elif "layers" in config:
                found |= walk(inner)
            elif "vocabulary" in config:
                found[config["name"]] = config["vocabulary"]
        return found

    return walk(topology)


def test_each_layer_gets_its_own_vocabulary() -> None:
    """Folders are named after classes and counted in each model by itself."""
    inner = model(lookup("StringLookup", "c", num_oov_indices=1, oov_token="[UNK]"))
    wrapped = {"class_name": "TimeDistributed", "config": {"layer": lookup("StringLookup", "d")}}
    topology = model(
        lookup("TextVectorization", "a"),
        lookup("TextVectorization", "b", output_mode="multi_hot"),
        lookup("IntegerLookup", "e", num_oov_indices=2, oov_token=-1, mask_token=0),
        inner,
        wrapped,
    )
    files = {
        "assets/layers/text_vectorization/vocabulary.txt": b"\n[UNK]\nthe\ncat",
        "assets/layers/text_vectorization_1/_lookup_layer/vocabulary.txt": b"[UNK]\ndog\r\nsat",
        "assets\\layers\\integer_lookup\\vocabulary.txt": b"0\n-1\n-1\n12\n-7",
        "assets/layers/functional/layers/string_lookup/vocabulary.txt": b"[UNK]\nx\ny",
        "assets/layers/time_distributed/layer/vocabulary.txt": "z\nÉ".encode(),
    }
    assert filled(topology, files) == {
        "a": ["the", "cat"],
        "b": ["dog", "sat"],
        "c": ["x", "y"],
        "d": ["z", "É"],
        "e": [12, -7],
    }


@pytest.mark.parametrize(
    ("data", "size", "tokens"),
    [
        (b"\n[UNK]\na", None, ["", "[UNK]", "a"]),
        (b"a\r\nb\r\n", None, ["a", "b"]),
        ("a\u2028b\nc".encode(), 2, ["a\u2028b", "c"]),
        ("a\u2028b\nc".encode(), 3, ["a", "b", "c"]),
        ("é\nü".encode("cp1252"), 2, ["é", "ü"]),
        (b"a\n\n", None, ["a"]),
    ],
)
def test_tokens_of_a_file(data: bytes, size: int | None, tokens: list[str]) -> None:
    assert read_tokens(data, size) == tokens


def test_what_keras_could_not_load_is_left_out() -> None:
    """A word twice, a word among numbers, nothing at all."""
    for class_name, data in (
        ("StringLookup", b"a\na"),
        ("IntegerLookup", b"1\nx"),
        ("StringLookup", b""),
    ):
        topology = model(lookup(class_name, "a"))
        assert filled(topology, {"assets/layers/x/vocabulary.txt": data}) == {"a": None}


def test_a_lookup_without_its_vocabulary_stays_as_it_is() -> None:
    """An .h5 file has no assets: the length of the vectors is not known."""
    layer = lookup("StringLookup", "look", output_mode="multi_hot")
    source = {
        "class_name": "Sequential",
        "config": {
            "name": "s",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "config": {"batch_input_shape": [None, 2], "dtype": "string", "name": "i"},
                },
                layer,
            ],
        },
        "keras_version": "2.15.0",
    }
    from specfmt.formats.keras_json import document_from_keras_json

    document, warnings = document_from_keras_json(json.dumps(source))
    assert document["layers"][0]["type"] == "Custom"
    assert "does not hold its vocabulary" in warnings[0].message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("vocabulary: [a, a]", "every token once"),
        ('vocabulary: [a, ""], mask_token: ""', "the mask token '' as the first token"),
        ("vocabulary: [a, b], max_tokens: 2", "at most 2 tokens"),
        ("output_mode: multi_hot", "a vocabulary, which determines"),
        ("pad_to_max_tokens: true", "`max_tokens` for"),
        ("vocabulary: [a], output_mode: tf_idf", "`idf_weights` if and only if"),
        ("vocabulary: [a], idf_weights: [1]", "`idf_weights` if and only if"),
        ("vocabulary: [a], output_mode: tf_idf, idf_weights: [1, 2]", "one weight for each token"),
        ("vocabulary: [a], sparse: true", "an output_mode that returns vectors"),
    ],
)
def test_vocabularies_that_keras_refuses(fields: str, expected: str) -> None:
    text = f"""
specfmt: 1
inputs: {{words: {{shape: [2], dtype: string}}}}
layers: [{{type: StringLookup, {fields}}}]
"""
    messages = [problem.message for problem in specfmt.check(text)]
    assert len(messages) == 1
    assert expected in messages[0]


def test_a_long_vocabulary_is_a_constant_of_the_file() -> None:
    """Both programs hold it once, its lines filled; words with spaces stand in a list."""
    words = [f"word{i}" for i in range(300)]
    layer = {"type": "StringLookup", "name": "look", "vocabulary": words}
    inputs = {"words": {"shape": [2], "dtype": "string"}}
    for vocabulary, end in ((words, ").split()"), ([*words, "a b"], "]  # fmt: skip")):
        document = {"specfmt": 1, "inputs": inputs, "layers": [layer | {"vocabulary": vocabulary}]}
        spec = specfmt.loads(json.dumps(document))
        for target in ("keras", "torch"):
            code = specfmt.generate(spec, target)
            assert code.count("LOOK_VOCABULARY") == 2
            assert max(map(len, code.splitlines())) <= 88
            space: dict[str, Any] = {}
            start = code.index("LOOK_VOCABULARY = ")
            exec(code[start : code.index(end, start) + len(end)], space)
            assert space["LOOK_VOCABULARY"] == vocabulary


@pytest.mark.slow
def test_files_saved_after_adapt(tmp_path: Path) -> None:
    """Keras's own archive: the spec computes what the layers computed, in both targets."""
    import keras
    import torch

    from tests.tools.harness import execute

    layers = keras.layers
    texts = np.array(STORY)[:, None]
    numbers = np.array([[3, 5, 3], [5, 9, 1], [3, 3, 3]])
    text = keras.Input((1,), dtype="string")
    number = keras.Input((3,), dtype="int64")
    made = [
        layers.TextVectorization(output_sequence_length=5),
        layers.TextVectorization(output_mode="tf_idf", max_tokens=6),
        layers.StringLookup(mask_token=""),
        layers.IntegerLookup(output_mode="multi_hot", num_oov_indices=2),
        layers.Discretization(num_bins=3),
    ]
    made[0].adapt(STORY)
    made[1].adapt(texts)
    made[2].adapt(texts)
    made[3].adapt(numbers)
    made[4].adapt(numbers.astype("float32"))
    outputs = [layer(text) for layer in made[:3]] + [layer(number) for layer in made[3:]]
    model = keras.Model([text, number], outputs)
    path = tmp_path / "model.keras"
    model.save(path)
    asked = [np.array([["the SAT!"], ["zebra"], ["日本 a\u2028b"]]), numbers + 2]
    expected = [np.asarray(y) for y in model(asked)]

    written, warnings = import_source(path)
    assert warnings == []
    spec = specfmt.loads(written)
    copy = execute(specfmt.generate(spec, "keras"))
    module = execute(specfmt.generate(spec, "torch"))
    for results in (copy(asked), module(asked[0].tolist(), torch.tensor(asked[1]))):
        for y, result in zip(expected, results, strict=True):
            np.testing.assert_allclose(np.asarray(result).reshape(y.shape), y, rtol=1e-5)
    assert any("vocabulary.txt" in name for name in zipfile.ZipFile(path).namelist())


IMAGES = np.random.default_rng(0).random((3, 7, 6, 2)).astype("float32")
FILLS = ("reflect", "wrap", "constant", "nearest")
CHANGES = [
    ("RandomFlip", {}),
    ("RandomFlip", {"mode": "vertical"}),
    ("RandomFlip", {"mode": "horizontal"}),
    ("RandomRotation", {"factor": 0.4}),
    ("RandomRotation", {"factor": [-0.1, 0.3], "interpolation": "nearest"}),
    *(("RandomRotation", {"factor": 0.5, "fill_mode": fill, "fill_value": 0.3}) for fill in FILLS),
    *(("RandomZoom", {"height_factor": [0.5, 1.0], "fill_mode": fill}) for fill in FILLS),
    ("RandomZoom", {"height_factor": 0.3, "width_factor": [-0.5, 0.2]}),
    *(
        (
            "RandomTranslation",
            {"height_factor": 0.9, "width_factor": [-0.6, 1.0], "fill_mode": fill},
        )
        for fill in FILLS
    ),
    ("RandomContrast", {"factor": 0.5}),
    ("RandomContrast", {"factor": [0.2, 0.9], "value_range": [0.1, 0.8]}),
    ("RandomContrast", {"factor": [0.5, 3.0]}),
    ("RandomBrightness", {"factor": 0.4, "value_range": [0, 1]}),
    ("RandomBrightness", {"factor": [-2.0, -0.5], "value_range": [0, 1]}),
    ("RandomRotation", {"factor": [-3.0, 2.0]}),
    ("RandomBrightness", {"factor": [0.1, 0.5], "value_range": [0.2, 0.9]}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fields"), CHANGES, ids=str)
def test_random_changes_are_those_of_keras(
    name: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same random numbers give the same pixels: limits, maps and edges are Keras's."""
    import keras
    import torch

    from tests.tools.harness import execute

    drawn: list[np.ndarray] = []
    rng = np.random.default_rng(len(str(fields)))

    def keras_uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, **_: Any) -> Any:
        drawn.append(rng.random(tuple(int(n) for n in shape)).astype("float32"))
        return minval + (maxval - minval) * keras.ops.convert_to_tensor(drawn[-1])

    def torch_rand(*shape: int, **_: Any) -> torch.Tensor:
        return torch.from_numpy(drawn.pop(0).reshape(shape))

    python = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    layer = getattr(keras.layers, name)(**python)
    with monkeypatch.context() as patch:
        patch.setattr(keras.src.backend.tensorflow.random, "uniform", keras_uniform)
        expected = np.asarray(layer(IMAGES, training=True))
    assert drawn

    entry = {"type": name, **fields}
    document = {"specfmt": 1, "inputs": {"image": {"shape": [7, 6, 2]}}, "layers": [entry]}
    spec = specfmt.loads(json.dumps(document))
    module = execute(specfmt.generate(spec, "torch"))
    x = torch.from_numpy(np.moveaxis(IMAGES, -1, 1).copy())
    assert torch.equal(module.eval()(x), x)
    monkeypatch.setattr(torch, "rand", torch_rand)
    result = np.moveaxis(module.train()(x).numpy(), 1, -1)
    assert drawn == []
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert not np.allclose(result, IMAGES)


@pytest.mark.slow
def test_contrast_of_keras_2_keeps_its_limits() -> None:
    """One number stands for both limits in Keras 2, for the upper one in Keras 3."""
    from specfmt.formats.keras_json import document_from_keras_json

    layer = {"class_name": "RandomContrast", "config": {"name": "c", "factor": 0.25, "seed": 1}}
    layer["config"]["batch_input_shape"] = [None, 4, 4, 3]
    source = {
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [layer]},
        "keras_version": "2.15.0",
    }
    document, _ = document_from_keras_json(json.dumps(source))
    assert document["layers"] == [
        {"type": "RandomContrast", "name": "c", "factor": [0.25, 0.25], "seed": 1}
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MixUp", "CutMix", "RandomFlip", "MaxNumBoundingBoxes"])
def test_image_layers_called_on_a_mapping_are_kept(name: str, tmp_path: Path) -> None:
    """Labels or bounding boxes beside the images cost this layer alone its meaning."""
    import keras

    fields = {"max_number": 3} if name == "MaxNumBoundingBoxes" else {}
    image, label = keras.Input((4, 5, 3), name="image"), keras.Input((2,), name="label")
    layer = getattr(keras.layers, name)(**fields)
    outputs = layer({"images": image, "labels": label})
    model = keras.Model([image, label], outputs)
    path = tmp_path / "model.json"
    path.write_text(model.to_json(), encoding="utf-8")
    text, warnings = import_source(path)
    assert [found.code for found in warnings] == ["SF431"]
    assert "called on a mapping of tensors" in warnings[0].message
    written = specfmt.to_keras_json(specfmt.loads(text))
    copy = keras.models.model_from_json(
        written if isinstance(written, str) else json.dumps(written)
    )
    data = [IMAGES[:2, :4, :5, :1].repeat(3, axis=-1), np.ones((2, 2), "float32")]
    for ours, theirs in zip(
        *(m(data, training=False).values() for m in (copy, model)), strict=True
    ):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_random_crop_of_keras_2_is_kept() -> None:
    """It crops at inference, where that of Keras 3 returns images as they are."""
    from specfmt.formats.keras_json import document_from_keras_json

    layer = {"class_name": "RandomCrop", "config": {"name": "c", "height": 3, "width": 2}}
    layer["config"]["batch_input_shape"] = [None, 4, 4, 3]
    source = {
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [layer]},
        "keras_version": "2.15.0",
    }
    document, warnings = document_from_keras_json(json.dumps(source))
    assert document["layers"][0]["type"] == "Custom"
    assert [found.code for found in warnings] == ["SF422"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("type: Equalization", "Equalization inside a Pipeline"),
        ("type: Pipeline, layers: []", "at least 1 item"),
        ("type: Pipeline, layers: [{type: RandomFlip}], trainable: false", "no `trainable`"),
        ("type: Pipeline, layers: [{type: RandomFlip}], dtype: float64", "no `dtype`"),
        ("type: RandomColorDegeneration, factor: 0.5", "images with 3 channels"),
        ("type: RandomGaussianBlur, kernel_size: 4", "a kernel of odd size"),
        ("type: RandomShear, x_factor: -0.1", "a number from 0 to 1"),
        ("type: RandomPosterization, factor: 9", "an integer from 1 to 8"),
        ("type: RandomGaussianBlur, sigma: 2", "a number from 0 to 1"),
        ("type: RandomGaussianBlur, sigma: [1.5, 2]", "at most 1"),
        ("type: RandomZoom, height_factor: -1", "a number above -1"),
        ("type: RandomTranslation, height_factor: [0, 2], width_factor: 0", "from -1 to 1"),
        (
            "type: ContrastLimitedAdaptiveHistogramEqualization, tile_grid_size: [2, 30]",
            "tiles that cover at most twice the image",
        ),
    ],
)
def test_image_layers_that_keras_refuses(fields: str, expected: str) -> None:
    text = f"""
specfmt: 1
inputs: {{image: {{shape: [8, 9, 2]}}}}
layers: [{{{fields}}}]
"""
    messages = [problem.message for problem in specfmt.check(text)]
    assert len(messages) == 1
    assert expected in messages[0]


def test_random_crop_before_a_layer_of_fixed_size_is_refused() -> None:
    """At inference Keras does not crop, and fails; with CenterCrop there is one size."""
    crop = {"type": "RandomCrop", "height": 4, "width": 3}
    dense = [{"type": "Flatten"}, {"type": "Dense", "units": 2}]
    document = {"specfmt": 1, "inputs": {"image": {"shape": [7, 6, 3]}}}
    spec = specfmt.loads(json.dumps(document | {"layers": [crop, *dense]}))
    with pytest.raises(specfmt.SpecError) as caught:
        specfmt.generate(spec, "torch")
    (found,) = caught.value.diagnostics
    assert (found.code, found.hint) == ("SF301", "put a CenterCrop after the RandomCrop")
    middle = crop | {"type": "CenterCrop"}
    specfmt.generate(
        specfmt.loads(json.dumps(document | {"layers": [crop, middle, *dense]})), "torch"
    )


@pytest.mark.slow
def test_random_shear_can_be_read_by_keras() -> None:
    """Keras writes the range from -f to f for one number f, and refuses to read it."""
    import keras

    layer = keras.layers.RandomShear(0.25, (0.1, 0.2))
    source = json.loads(keras.Sequential([keras.Input((4, 4, 3)), layer]).to_json())
    spec = specfmt.from_keras_json(json.dumps(source))
    assert (spec.layers[0].x_factor, spec.layers[0].y_factor) == (0.25, (0.1, 0.2))
    written = json.loads(specfmt.to_keras_json(spec))
    again = keras.models.model_from_json(json.dumps(written)).layers[-1]
    assert (again.x_factor, again.y_factor) == (layer.x_factor, layer.y_factor)


def test_weights_in_an_archive_are_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checking them takes a process of its own: once, not for every layer that needs them."""
    counts = {"num_bins": 2, "bin_boundaries": None}
    bins = [
        {"class_name": "Discretization", "config": {"name": f"d{i}", **counts}} for i in range(9)
    ]
    table = lookup("TextVectorization", "t", output_mode="tf_idf")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for i in range(9):
            place = f"layers/discretization{f'_{i}' if i else ''}/vars/0"
            file[place] = np.array([[i, i + 1, i + 2], [1, 1, 1]], "f4")
        file["layers/text_vectorization/_lookup_layer/vars/idf_weights"] = [0.5, 1.0, 2.0]
    path = tmp_path / "old.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(model(*bins, table)))
        archive.writestr("model.weights.h5", buffer.getvalue())
        archive.writestr("assets/layers/text_vectorization/vocabulary.txt", "[UNK]\na\nb")
    checked = []

    def check(*arguments: Any) -> dict[str, str]:
        checked.append(arguments)
        return check_file(*arguments)

    monkeypatch.setattr(stored_arrays, "check_file", check)
    layers = read_source(path).topology["config"]["layers"]
    found = [layer["config"]["bin_boundaries"] for layer in layers[:-1]]
    assert [boundaries[0] for boundaries in found] == pytest.approx([i + 0.5 for i in range(9)])
    assert layers[-1]["config"]["idf_weights"] == [0.5, 1.0, 2.0]
    assert len(checked) == 1


@pytest.mark.parametrize("class_name", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_the_path_of_a_vocabulary_is_explained(class_name: str) -> None:
    """Keras 2 saves the path instead of the tokens; a file that a model names is not opened."""
    inputs = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 1]}}
    table = {"class_name": class_name, "config": {"name": "t", "vocabulary": "/tmp/words.txt"}}
    text = json.dumps({"class_name": "Sequential", "config": {"layers": [inputs, table]}})
    with pytest.raises(specfmt.SpecError) as caught:
        specfmt.from_keras_json(text)
    (found,) = caught.value.diagnostics
    assert found.message.startswith('expected a list of tokens, received "/tmp/words.txt"')
    assert "path of a file" in found.hint


def test_weights_that_are_too_large_to_look_into(tmp_path: Path) -> None:
    """Boundaries stay open; a vocabulary without its IDF weights would be another one."""
    bins = {"name": "d", "num_bins": 2, "bin_boundaries": None}
    layers = [{"class_name": "Discretization", "config": bins}]
    path = tmp_path / "old.keras"
    for more in ([], [lookup("TextVectorization", "t", output_mode="tf_idf")]):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", json.dumps(model(*layers, *more)))
            archive.writestr("model.weights.h5", bytes(2**22))
            archive.writestr("assets/layers/text_vectorization/vocabulary.txt", "[UNK]\na\nb")
        if more:
            with pytest.raises(specfmt.SpecError, match="SF401"):
                read_source(path)
        else:
            found = read_source(path).topology["config"]["layers"]
            assert found[0]["config"]["bin_boundaries"] is None
