"""SavedModels, the folders that `model.save(folder)` of Keras 2 writes, as sources of a spec."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from specfmt.api import loads
from specfmt.cli import main
from specfmt.diagnostics import SpecError
from specfmt.formats.source.sources import holds_weights, read_source
from specfmt.migration import import_spec
from tests.tools import checkpoint_tools as tools


def config(items: Any) -> dict[str, Any]:
    """A model as Keras 2 describes it in a SavedModel."""
    return {
        "name": "net",
        "class_name": "Sequential",
        "config": {
            "name": "net",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "config": {"batch_input_shape": items, "dtype": "float32", "name": "x"},
                },
                {"class_name": "Dense", "config": {"name": "dense", "units": 2}},
            ],
        },
        "keras_version": "2.7.0",
        "backend": "tensorflow",
        "training_config": {
            "loss": "mse",
            "optimizer_config": {"class_name": "Adam", "config": {}},
        },
    }


SHAPE = {"class_name": "__tuple__", "items": [None, {"class_name": "TensorShape", "items": []}]}
SHAPE["items"][1] = 3  # type: ignore[index]
TEXT = json.dumps(config(SHAPE))


def saved(folder: Path, *, old: bool = False, text: str = TEXT, kind: str = "") -> Path:
    folder = folder / "saved"
    folder.mkdir(exist_ok=True)
    kind = kind or "_tf_keras_sequential"
    graph = tools.old_saved_model(text if old else "", kind)
    (folder / "saved_model.pb").write_bytes(graph)
    if not old:
        other = tools.metadata(
            json.dumps({"class_name": "Dense"}), "_tf_keras_layer", "root.layer-0"
        )
        (folder / "keras_metadata.pb").write_bytes(other + tools.metadata(text, kind))
    return folder


@pytest.mark.parametrize("old", [False, True], ids=["metadata", "saved_model"])
def test_spec(tmp_path: Path, old: bool) -> None:
    folder = saved(tmp_path, old=old)
    spec, warnings = import_spec(folder)
    assert spec.inputs["x"].shape == (3,)
    assert [layer.type_name for layer in spec.layers] == ["Dense"]
    assert spec.train is not None
    assert not warnings
    assert not holds_weights(folder)
    assert import_spec(folder / "saved_model.pb")[0].to_data() == spec.to_data()


def test_command_with_weights(tmp_path: Path) -> None:
    """`import`, `weights` and `convert` take the folder."""
    folder = saved(tmp_path)
    (folder / "variables").mkdir()
    nodes = [
        ({"layer_with_weights-0": 1, "layer-0": 1}, "", ""),
        ({"kernel": 2, "bias": 3}, "", ""),
        ({}, "k", "dense/kernel"),
        ({}, "b", "dense/bias"),
    ]
    tensors = {"k": np.ones((3, 2), "f4"), "b": np.zeros(2, "f4")}
    tools.write(folder / "variables/variables", tensors, tools.objects(nodes))
    out, spec = tmp_path / "out", tmp_path / "net.yaml"
    run = CliRunner().invoke
    done = run(main, ["import", str(folder), "-o", str(spec)])
    assert done.exit_code == 0, done.output
    done = run(main, ["weights", str(spec), str(folder), "-o", str(tmp_path / "w.safetensors")])
    assert done.exit_code == 0, done.output
    done = run(main, ["convert", str(folder), "-o", str(out), "--no-verify"])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == [
        "load_net.py",
        "net.py",
        "net.safetensors",
        "net.yaml",
    ]


@pytest.mark.parametrize(
    ("text", "kind", "code", "word"),
    [
        (TEXT, "_tf_keras_layer", "SF402", "model.save('model.keras')"),
        (json.dumps({"class_name": "Net", "config": {}}), "_tf_keras_model", "SF402", "subclass"),
        ("[" * 5000, "", "SF401", "nested"),
        ("{", "", "SF400", "JSON"),
        ("\x00", "", "SF400", "JSON"),
    ],
    ids=["no model", "subclass", "deep", "no JSON", "noise"],
)
@pytest.mark.parametrize("old", [False, True], ids=["metadata", "saved_model"])
def test_refused(tmp_path: Path, text: str, kind: str, code: str, word: str, old: bool) -> None:
    folder = saved(tmp_path, old=old, text=text, kind=kind)
    with pytest.raises(SpecError) as caught:
        read_source(folder)
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert word in found.message + found.hint


def test_weights_only(tmp_path: Path) -> None:
    """A checkpoint and an ``.npz`` file have no architecture."""
    tools.write(tmp_path / "ckpt", {"k": np.ones(3, "f4")})
    np.savez(tmp_path / "w.npz", np.ones(3))
    for name in ("ckpt", "ckpt.index", "ckpt.data-00000-of-00001", "", "w.npz"):
        with pytest.raises(SpecError) as caught:
            read_source(tmp_path / name)
        assert "weights only" in caught.value.diagnostics[0].message


@pytest.mark.parametrize("old", [False, True], ids=["metadata", "saved_model"])
def test_damaged_anywhere(tmp_path: Path, old: bool) -> None:
    """Truncated and changed files are refused or read, quickly and without another exception."""
    folder = saved(tmp_path, old=old)
    file = folder / ("saved_model.pb" if old else "keras_metadata.pb")
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    changes = [whole[:length] for length in range(0, len(whole), 31)]
    for place in rng.integers(0, len(whole), 150):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        changes.append(bytes(changed))
    start = time.monotonic()
    for data in changes:
        file.write_bytes(data)
        with suppress(SpecError):
            import_spec(folder)
    assert time.monotonic() - start < 30


def test_deep_and_many_messages(tmp_path: Path) -> None:
    """Messages are skipped, not unfolded: a nested or long file takes time for its bytes only."""
    folder = saved(tmp_path)
    deep = b""
    for _ in range(2000):
        deep = tools.field(1, deep)
    start = time.monotonic()
    for data in (deep, b"\x0a\x00" * 500_000, b"\x08\x01" * 500_000):
        (folder / "keras_metadata.pb").write_bytes(data)
        with pytest.raises(SpecError):
            read_source(folder)
    assert time.monotonic() - start < 10


# -- real files ----------------------------------------------------------------------------


def sequential(k: Any) -> Any:
    return k.Sequential(
        [
            k.layers.Input((8, 8, 3)),
            k.layers.Conv2D(4, 3),
            k.layers.BatchNormalization(),
            k.layers.Dropout(0.5),
            k.layers.Flatten(),
            k.layers.Dense(5, activation="relu"),
        ],
        name="net",
    )


def recurrent(k: Any) -> Any:
    x = first = k.layers.Input((4, 5))
    x = k.layers.Bidirectional(k.layers.SimpleRNN(3, return_sequences=True))(x)
    x = k.layers.TimeDistributed(k.layers.Dense(3))(x)
    x = k.layers.RNN([k.layers.SimpleRNNCell(3), k.layers.GRUCell(2)], unroll=True)(x)
    x = k.layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 4.0])(x)
    return k.Model(first, x, name="net")


def nested(k: Any) -> Any:
    """A shared nested model, wrapped layers and cells whose names Keras 2 leaves out."""
    inner = k.Sequential([k.Input((6,)), k.layers.Dense(4), k.layers.BatchNormalization()])
    a, b = k.Input((6,)), k.Input((5, 4, 4, 2))
    both = k.layers.Concatenate()([inner(a), inner(k.layers.Dense(6)(a))])
    film = k.layers.Bidirectional(k.layers.ConvLSTM1D(2, 2))(k.layers.Reshape((5, 4, 8))(b))
    heads = k.layers.Reshape((2, 4))(both)
    heads = k.layers.MultiHeadAttention(2, 3)(heads, heads)
    ends = [k.layers.Flatten()(heads), k.layers.Flatten()(film)]
    return k.Model([a, b], k.layers.Dense(2)(k.layers.Concatenate()(ends)), name="net")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", ["sequential", "recurrent", "nested"])
def test_real_files_of_keras_2(case: str, tmp_path: Path) -> None:
    """Checkpoints, SavedModels and arrays give the same weights as ``.h5``; the spec is the same."""
    import tensorflow as tf
    import tf_keras as k

    from specfmt.graph.analyze import analyze
    from specfmt.weights.convert import convert

    makers = {"sequential": sequential, "recurrent": recurrent, "nested": nested}
    model = makers[case](k)
    model.compile("adam", "mse")
    rng = np.random.default_rng(0)
    inputs = [rng.integers(0, 5, (2, *t.shape[1:])).astype(t.dtype.name) for t in model.inputs]
    first = inputs if len(inputs) > 1 else inputs[0]
    model.fit(first, np.zeros(model(first).shape), verbose=0)  # the optimizer has slots
    model.save(tmp_path / "net.h5")
    model.save(tmp_path / "saved", save_format="tf")
    model.save_weights(tmp_path / "only" / "ckpt")
    tf.train.Checkpoint(net=model, step=tf.Variable(1)).save(tmp_path / "tracked" / "ckpt")
    np.savez(tmp_path / "order.npz", *model.get_weights())
    np.savez(tmp_path / "names.npz", **{w.name: w.numpy() for w in model.weights})
    expected, _ = import_spec(tmp_path / "net.h5")
    spec, _ = import_spec(tmp_path / "saved")
    assert spec.to_data() == expected.to_data()
    graph = analyze(spec)
    convert(graph, tmp_path / "net.h5", tmp_path / "reference.safetensors")
    reference = (tmp_path / "reference.safetensors").read_bytes()
    for source in ("saved", "only/ckpt", "only", "tracked", "order.npz", "names.npz"):
        convert(graph, tmp_path / source, tmp_path / "out.safetensors")
        assert (tmp_path / "out.safetensors").read_bytes() == reference, source


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_frozen_and_renamed(tmp_path: Path) -> None:
    """Layers frozen since, and a spec with other names."""
    import tf_keras as k

    from specfmt.graph.analyze import analyze
    from specfmt.weights.convert import convert

    model = sequential(k)
    model.layers[1].trainable = False
    model.save(tmp_path / "saved", save_format="tf")
    spec, _ = import_spec(tmp_path / "saved")
    convert(analyze(spec), tmp_path / "saved", tmp_path / "a.safetensors")
    document = spec.to_data()
    for number, layer in enumerate(document["layers"]):
        layer["name"] = f"renamed_{number}"
    convert(analyze(loads(json.dumps(document))), tmp_path / "saved", tmp_path / "b.safetensors")
    import safetensors.numpy

    one = safetensors.numpy.load_file(tmp_path / "a.safetensors")
    other = safetensors.numpy.load_file(tmp_path / "b.safetensors")
    assert [v.tolist() for v in one.values()] == [v.tolist() for v in other.values()]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_verified_against_the_original(tmp_path: Path) -> None:
    """`convert` loads the SavedModel with Keras 2, without its graphs of operations."""
    import tf_keras as k

    model = sequential(k)
    model.layers[1].set_weights([np.full(4, v, "f4") for v in (2.0, 0.5, 0.1, 3.0)])
    model.save(tmp_path / "saved", save_format="tf")
    done = CliRunner().invoke(main, ["convert", str(tmp_path / "saved"), "-o", str(tmp_path / "o")])
    assert done.exit_code == 0, done.output
    assert "tf_keras" in done.output


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_real_files_of_keras_3(tmp_path: Path) -> None:
    """`model.export` has no configuration, but its weights and those of checkpoints have names."""
    import keras as k
    import tensorflow as tf

    from specfmt.graph.analyze import analyze
    from specfmt.weights.convert import convert

    inner = k.Sequential([k.Input((4,)), k.layers.Dense(3), k.layers.BatchNormalization()])
    first = k.Input((6,))
    x = k.layers.Dropout(0.5)(inner(k.layers.Dense(4)(first)))
    model = k.Model(first, k.layers.Dense(2)(x))
    model.compile("adam", "mse")
    model.fit(np.random.rand(4, 6), np.zeros((4, 2)), verbose=0)
    model.export(tmp_path / "exported", verbose=False)
    model.save(tmp_path / "net.keras")
    tf.train.Checkpoint(model=model).save(tmp_path / "tracked" / "ckpt")
    np.savez(tmp_path / "order.npz", *model.get_weights())
    np.savez(tmp_path / "names.npz", **{w.path: w.numpy() for w in model.weights})
    with pytest.raises(SpecError, match="SF402"):
        import_spec(tmp_path / "exported")
    graph = analyze(import_spec(tmp_path / "net.keras")[0])
    convert(graph, tmp_path / "net.keras", tmp_path / "reference.safetensors")
    reference = (tmp_path / "reference.safetensors").read_bytes()
    for source in ("exported", "tracked", "order.npz", "names.npz"):
        convert(graph, tmp_path / source, tmp_path / "out.safetensors")
        assert (tmp_path / "out.safetensors").read_bytes() == reference, source


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_subclassed_models_and_tensorflow_1(tmp_path: Path) -> None:
    """A subclassed model has weights for a spec of the same layers; TensorFlow 1 has names only."""
    import tensorflow as tf
    import tf_keras as k

    from specfmt.weights.convert import convert
    from tests.tools.harness import build_graph

    class Net(k.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = k.layers.Dense(3, name="one"), k.layers.Dense(2, name="two")

        def call(self, x: Any) -> Any:
            return self.two(self.one(x))

    model = Net()
    model.compile("adam", "mse")
    model.fit(np.ones((2, 4), "f4"), np.zeros((2, 2)), verbose=0)
    model.save_weights(tmp_path / "ckpt")
    model.save(tmp_path / "saved", save_format="tf")
    with pytest.raises(SpecError, match="subclass"):
        import_spec(tmp_path / "saved")
    dense = [{"type": "Dense", "name": n, "units": u} for n, u in (("one", 3), ("two", 2))]
    graph = build_graph({"specfmt": 1, "inputs": {"x": {"shape": [4]}}, "layers": dense})
    v1 = tf.compat.v1
    values = model.get_weights()
    with tf.Graph().as_default():
        names = ("one/kernel", "one/bias", "two/kernel", "two/bias")
        for name, value in zip(names, values, strict=True):
            v1.get_variable(name, initializer=value)
        trained = v1.trainable_variables()
        loss = tf.add_n([tf.reduce_sum(v) for v in trained])
        step = v1.train.get_or_create_global_step()
        v1.train.AdamOptimizer().minimize(loss, global_step=step)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, str(tmp_path / "tf1" / "model.ckpt"))
    import safetensors.numpy

    for source in ("ckpt", "saved", "tf1/model.ckpt", "tf1"):
        convert(graph, tmp_path / source, tmp_path / "out.safetensors")
        found = safetensors.numpy.load_file(tmp_path / "out.safetensors")
        for value in values:
            assert any(np.array_equal(value.T, other) for other in found.values()), source


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_partitioned_variables_of_tensorflow_1(tmp_path: Path) -> None:
    """Variables in parts along either axis, with sizes of one to three bytes in the keys of slices."""
    import safetensors.numpy
    import tensorflow as tf

    from specfmt.weights.convert import convert
    from tests.tools.harness import build_graph

    v1 = tf.compat.v1
    shapes = {"one/kernel": (3, 9000), "one/bias": (9000,), "two/kernel": (9000, 5)}
    with tf.Graph().as_default():
        for axis, (name, shape) in zip((1, 0, 0), shapes.items(), strict=True):
            cut = v1.fixed_size_partitioner(3, axis=axis)
            v1.get_variable(name, shape, partitioner=cut)
        v1.get_variable("two/bias", (5,))
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            parts = {v.name: session.run(v) for v in v1.global_variables()}
            v1.train.Saver().save(session, str(tmp_path / "two" / "model.ckpt"))
            older = v1.train.Saver(write_version=v1.train.SaverDef.V1)
            older.save(session, str(tmp_path / "one"))
    assert sum("part_" in name for name in parts) == 9
    dense = [{"type": "Dense", "name": n, "units": u} for n, u in (("one", 9000), ("two", 5))]
    graph = build_graph({"specfmt": 1, "inputs": {"x": {"shape": [3]}}, "layers": dense})
    convert(graph, tmp_path / "two", tmp_path / "out.safetensors")
    found = safetensors.numpy.load_file(tmp_path / "out.safetensors")
    for key, name, axis in (
        ("one.weight", "one/kernel", 1),
        ("one.bias", "one/bias", 0),
        ("two.weight", "two/kernel", 0),
        ("two.bias", "two/bias", 0),
    ):
        pieces = [value for path, value in parts.items() if path.startswith(name)]
        assert np.array_equal(found[key].T, np.concatenate(pieces, axis)), name
    with pytest.raises(SpecError, match="version 1 of the format"):
        convert(graph, tmp_path / "one", tmp_path / "out.safetensors")
