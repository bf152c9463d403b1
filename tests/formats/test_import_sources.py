"""Files are told apart by their content: JSON, archives, HDF5, tf.js, wrappers."""

import json
import zipfile

import h5py
import pytest

from specfmt.diagnostics import SpecError
from specfmt.formats.keras_json import document_from_located
from specfmt.formats.source.sources import read_source
from tests.formats.test_import_graph import DENSE, call, functional, input_3, layer_3, tensor
from tests.formats.test_import_legacy import sequential

MODEL_3 = functional(
    [input_3("a"), layer_3("d", "Dense", DENSE, call(tensor("a")))], ["a", 0, 0], ["d", 0, 0]
)
MODEL_2 = sequential(
    (
        "Dense",
        {"name": "d", "units": 3, "batch_input_shape": [None, 4], "activation": "hard_sigmoid"},
    ),
    version="2.4.0",
)
TRAINING = {
    "loss": "mse",
    "metrics": ["acc"],
    "optimizer_config": {
        "class_name": "SGD",
        "config": {"learning_rate": 0.009999999776482582, "momentum": 0.5},
    },
}


def layers_of(path):
    document, _ = document_from_located(read_source(path))
    return document["layers"]


EXPECTED_3 = [{"type": "Dense", "name": "d", "units": 3}]
EXPECTED_2 = [
    {"type": "Dense", "name": "d", "units": 3, "activation": {"type": "hard_sigmoid", "slope": 0.2}}
]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        json.dumps,
        lambda model: {"model": model, "owner": "me"},
        lambda model: {"data": {"architecture": json.dumps(model)}},
        lambda model: [1, {"deep": [model]}],
    ],
)
@pytest.mark.parametrize(("model", "expected"), [(MODEL_3, EXPECTED_3), (MODEL_2, EXPECTED_2)])
def test_json_plain_quoted_and_wrapped(tmp_path, wrap, model, expected):
    path = tmp_path / "file.txt"
    path.write_text(json.dumps(wrap(model)))
    assert layers_of(path) == expected


def test_findings_in_a_wrapper_point_into_it(tmp_path):
    broken = json.loads(json.dumps(MODEL_3))
    broken["config"]["layers"][1]["config"]["dtype"] = 3
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"model": broken}))
    with pytest.raises(SpecError) as caught:
        layers_of(path)
    assert caught.value.diagnostics[0].pointer == "/model/config/layers/1/config/dtype"


@pytest.mark.parametrize(
    "topology",
    [
        {"model_config": MODEL_2, "training_config": TRAINING, "keras_version": "2.4.0"},
        {**MODEL_2, "training_config": TRAINING, "keras_version": "tfjs-layers 1.2.0"},
    ],
)
def test_tfjs(tmp_path, topology):
    path = tmp_path / "model.json"
    manifest = [{"paths": ["a.bin"], "weights": [{"name": "d/kernel", "shape": [4, 3]}]}]
    path.write_text(json.dumps({"modelTopology": topology, "weightsManifest": manifest}))
    document, _ = document_from_located(read_source(path))
    assert document["layers"] == EXPECTED_2
    assert document["train"] == {
        "loss": "mse",
        "optimizer": {"type": "SGD", "momentum": 0.5},
        "metrics": ["acc"],
    }


def test_tfjs_in_camel_case(tmp_path):
    config = {
        "name": "c",
        "filters": 2,
        "kernelSize": [3, 3],
        "dataFormat": "channelsFirst",
        "batchInputShape": [None, 1, 8, 8],
        "useBias": False,
        "activation": "hardSigmoid",
    }
    topology = {
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [{"class_name": "Conv2D", "config": config}]},
        "keras_version": "tfjs-layers 0.8",
    }
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"modelTopology": topology}))
    document, _ = document_from_located(read_source(path))
    assert document["inputs"] == {"c_input": {"shape": [1, 8, 8]}}
    assert document["layers"] == [
        {
            "type": "Conv2D",
            "name": "c",
            "filters": 2,
            "kernel_size": 3,
            "use_bias": False,
            "data_format": "channels_first",
            "activation": {"type": "hard_sigmoid", "slope": 0.2},
        }
    ]


@pytest.mark.parametrize("name", ["model.keras", "model.bin"])
def test_keras_archive(tmp_path, name):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(MODEL_3))
        archive.writestr("model.weights.h5", b"\x89HDF")
    assert layers_of(path) == EXPECTED_3


@pytest.mark.parametrize("encode", [str.encode, str])
def test_hdf5(tmp_path, encode):
    path = tmp_path / "model.dat"
    model = {key: value for key, value in MODEL_2.items() if key != "keras_version"}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = encode(json.dumps(model))
        file.attrs["training_config"] = encode(json.dumps(TRAINING))
        file.attrs["keras_version"] = encode("2.4.0")
    document, _ = document_from_located(read_source(path))
    assert document["layers"] == EXPECTED_2
    assert document["train"]["optimizer"] == {"type": "SGD", "momentum": 0.5}


def broken_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "no_config.keras", "w") as archive:
        archive.writestr("other.json", "{}")
    with zipfile.ZipFile(tmp_path / "full.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(MODEL_3))
    whole = (tmp_path / "full.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 40)
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.attrs["layer_names"] = [b"d"]
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (65 * 2**20))
    (tmp_path / "empty.json").write_bytes(b"")
    return {
        "no_config.keras": "SF402",
        "cut.keras": "SF400",
        "cut.h5": "SF400",
        "weights.h5": "SF402",
        "bomb.keras": "SF401",
        "empty.json": "SF400",
    }


def test_broken_files(tmp_path):
    for name, code in broken_files(tmp_path).items():
        with pytest.raises(SpecError) as caught:
            read_source(tmp_path / name)
        assert [d.code for d in caught.value.diagnostics] == [code], name


def test_missing_file_is_the_callers_to_report(tmp_path):
    with pytest.raises(OSError, match="nothing"):
        read_source(tmp_path / "nothing.json")
