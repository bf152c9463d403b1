"""What `adapt()` found, in SavedModels: vocabularies in tables and assets, IDF weights, boundaries."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specfmt.diagnostics import SpecError
from specfmt.formats.source import bin_boundaries
from specfmt.migration import import_spec
from tests.tools import checkpoint_tools as tools


def saved(folder: Path, graph: bytes, **config: Any) -> Path:
    """A SavedModel with a StringLookup without a vocabulary."""
    lookup = {"name": "words", "output_mode": "one_hot", "vocabulary": None, **config}
    layers = [
        {
            "class_name": "InputLayer",
            "config": {"batch_input_shape": [None, 1], "dtype": "string", "name": "x"},
        },
        {"class_name": "StringLookup", "config": lookup},
    ]
    whole = {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}
    folder = folder / "saved"
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_bytes(graph)
    described = tools.metadata(json.dumps({"name": "words"}), "_tf_keras_layer", "root.layer-1", 1)
    model = tools.metadata(json.dumps(whole), "_tf_keras_sequential")
    (folder / "keras_metadata.pb").write_bytes(model + described)
    return folder


def vocabulary(folder: Path) -> Any:
    spec, warnings = import_spec(folder)
    assert not warnings
    return spec.to_data()["layers"][0]["vocabulary"]


def test_table_in_the_graph(tmp_path: Path) -> None:
    """The order is that of the indices, not of the table."""
    graph = tools.lookup_model(["c", "a", "b\u00df"], [3, 1, 2])
    assert vocabulary(saved(tmp_path, graph)) == ["a", "b\u00df", "c"]


@pytest.mark.parametrize("given", [None, "/home/somebody/vocabulary.txt"])
def test_table_in_an_asset(tmp_path: Path, given: Any) -> None:
    """A path in the configuration is that of another machine; the file is in the SavedModel."""
    folder = saved(tmp_path, tools.lookup_model(None, []), vocabulary=given)
    (folder / "assets" / "vocabulary.txt").write_bytes(b"one\r\ntwo\nthree\n")
    assert vocabulary(folder) == ["one", "two", "three"]


def test_table_in_the_checkpoint(tmp_path: Path) -> None:
    """Before Keras 2.9, tables of layers could be changed, and were saved like variables."""
    folder = saved(tmp_path, tools.lookup_model([], []))
    nodes = [({"layer-1": 1}, "", ""), ({"lookup_table": 2}, "", ""), ({}, "t", "")]
    (folder / "variables").mkdir()
    tensors = {"t-keys": [b"b", b"a"], "t-values": np.array([2, 1])}
    tools.write(folder / "variables" / "variables", tensors, tools.objects(nodes))
    assert vocabulary(folder) == ["a", "b"]


@pytest.mark.parametrize(
    ("keys", "values"), [([], []), (["a", "b"], [1, 3]), (["a", "a"], [1, 2])], ids=str
)
def test_other_tables(tmp_path: Path, keys: list[str], values: list[int]) -> None:
    """Without a vocabulary, only the layer itself is unknown."""
    spec, warnings = import_spec(saved(tmp_path, tools.lookup_model(keys, values)))
    assert [w.code for w in warnings] == ["SF431"]
    assert spec.to_data()["layers"][0]["type"] == "Custom"


@pytest.mark.parametrize(
    "name", ["../secret.txt", "/etc/hostname", "a/../../secret.txt", "C:x", ".."]
)
def test_assets_elsewhere(tmp_path: Path, name: str) -> None:
    """Only files directly in the folder of assets are read."""
    folder = saved(tmp_path, tools.lookup_model(None, [], name))
    (folder / "secret.txt").write_text("secret\n")
    with pytest.raises(SpecError) as caught:
        import_spec(folder)
    (found,) = caught.value.diagnostics
    assert found.code == "SF400"
    assert "outside the folder of assets" in found.message


def test_damaged_anywhere(tmp_path: Path) -> None:
    """Any changed byte gives a spec or a finding, quickly."""
    graph = tools.lookup_model(["c", "a", "b"], [3, 1, 2])
    folder = saved(tmp_path, graph)
    file = folder / "saved_model.pb"
    rng = np.random.default_rng(0)
    start = time.process_time()
    for length in range(0, len(graph), 7):
        file.write_bytes(graph[:length])
        with suppress(SpecError):
            import_spec(folder)
    for place in rng.integers(0, len(graph), 300):
        changed = bytearray(graph)
        changed[place] ^= int(rng.integers(1, 256))
        file.write_bytes(changed)
        with suppress(SpecError):
            import_spec(folder)
    assert time.process_time() - start < 60


@pytest.mark.parametrize(
    "weights", [[np.inf, -np.inf, 1], [np.nan, 1, 1], [0, 0, 0], [1, -1, 1]], ids=str
)
def test_damaged_summaries(weights: list[float]) -> None:
    """Boundaries are numbers, or left out."""
    config = {"num_bins": 2, bin_boundaries.KEY: None}
    bin_boundaries.fill(config, np.array([[1.0, 2.0, 3.0], weights]))
    assert config[bin_boundaries.KEY] is None
    bin_boundaries.fill(config, np.array([[1.0, 2.0, 3.0], [1, 1, 1]]))
    assert config[bin_boundaries.KEY]
    assert not bin_boundaries.is_open({"num_bins": 10**400, bin_boundaries.KEY: None})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_real_files_of_keras_2(tmp_path: Path) -> None:
    """Every lookup layer has the vocabulary that it had in Keras, and every weight is found."""
    import tf_keras as k

    from specfmt.graph.analyze import analyze
    from specfmt.weights.convert import convert

    layers = k.layers
    words = np.array([["x"], ["y"], ["y"], ["z\u00df"]])
    numbers = np.array([[5], [7], [7], [-2]])
    listed = tmp_path / "words.txt"
    listed.write_text("one\ntwo\nthree\n")
    a, b = k.Input((1,), dtype="string", name="a"), k.Input((1,), dtype="int64", name="b")
    c = k.Input((1,), name="c")
    one = layers.StringLookup(output_mode="one_hot", name="one")
    many = layers.IntegerLookup(output_mode="multi_hot", num_oov_indices=2, name="many")
    idf = layers.StringLookup(output_mode="tf_idf", name="idf")
    text = layers.TextVectorization(max_tokens=20, output_sequence_length=4, name="text")
    bins = layers.Discretization(num_bins=4, name="bins")
    norm = layers.Normalization()
    for layer, data in ((one, words), (many, numbers), (idf, words), (text, words[:, 0])):
        layer.adapt(data)
    samples = np.random.default_rng(0).standard_normal((100, 1)).astype("f4")
    bins.adapt(samples)
    norm.adapt(samples)
    inner_lookup = layers.StringLookup(mask_token="", name="inner_lookup")
    inner_lookup.adapt(words)
    inner = k.Sequential(
        [k.Input((1,), dtype="string"), inner_lookup, layers.Embedding(9, 2)], name="inner"
    )
    of_file = layers.StringLookup(vocabulary=str(listed), output_mode="count", name="of_file")
    ends = [
        one(a),
        many(b),
        idf(a),
        of_file(a),
        layers.Flatten()(inner(a)),
        layers.Flatten()(layers.Embedding(20, 3)(text(a))),
        layers.CategoryEncoding(4)(bins(c)),
        norm(c),
    ]
    model = k.Model([a, b, c], layers.Dense(2)(layers.Concatenate()(ends)), name="net")
    model.save(tmp_path / "saved", save_format="tf")
    found, warnings = import_spec(tmp_path / "saved")
    assert not warnings
    listed_layers = found.to_data()["layers"]
    (nested,) = [layer for layer in listed_layers if layer.get("name") == "inner"]
    specs = {layer.get("name"): layer for layer in (*listed_layers, *nested["layers"])}
    assert specs["of_file"]["vocabulary"] == ["one", "two", "three"]
    for layer in (one, many, idf, inner_lookup, text):
        own = specs[layer.name]["vocabulary"]
        assert len(own) >= 3
        assert own == layer.get_vocabulary()[layer.vocabulary_size() - len(own) :]
    weights = idf.idf_weights.numpy()
    assert np.allclose(specs["idf"]["idf_weights"], weights, rtol=1e-7, atol=0)
    bounds = specs["bins"]["bin_boundaries"]
    assert np.allclose(bounds, bins.bin_boundaries, rtol=1e-6, atol=0)
    graph = analyze(found)
    convert(graph, tmp_path / "saved", tmp_path / "out.weights.h5")
    import h5py

    with h5py.File(tmp_path / "out.weights.h5") as file:
        assert np.array_equal(file["layers/dense/vars/0"], model.layers[-1].kernel.numpy())
        assert np.array_equal(file["layers/normalization/vars/0"], norm.mean.numpy().ravel())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_verified_against_the_original(tmp_path: Path) -> None:
    """A vocabulary that joins the config does not shift the weights of the layers behind it."""
    import tf_keras as k
    from click.testing import CliRunner

    from specfmt.cli import main

    layers = k.layers
    text = layers.TextVectorization(max_tokens=20, output_sequence_length=4)
    text.adapt(["the cat sat", "the dog ran off"])
    given = k.Input((1,), dtype="string")
    embedded = layers.Flatten()(layers.Embedding(20, 3)(text(given)))
    k.Model(given, layers.Dense(2)(embedded)).save(tmp_path / "saved", save_format="tf")
    done = CliRunner().invoke(main, ["convert", str(tmp_path / "saved"), "-o", str(tmp_path / "o")])
    assert done.exit_code == 0, done.output
    assert "equal to the original" in " ".join(done.output.split()), done.output
