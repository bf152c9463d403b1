"""Data loading of training scripts: every source, as both targets write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import specfmt
from specfmt.diagnostics import SpecError
from specfmt.spec.document import parse_document
from specfmt.spec.train import train_section
from specfmt.targets.templates import fill
from specfmt.targets.training.data import DataCode
from specfmt.targets.training.outputs import log_names
from tests.tools.harness import build_graph
from tests.tools.training_tools import chain, dense, script

SPARSE = "sparse_categorical_crossentropy"


def document(data: dict[str, Any], shape: list[int | None], units: int = 3, **train: Any) -> dict:
    """A one-layer classifier over some data."""
    layers = [dense(units, "softmax")]
    if len(shape) != 1:
        layers.insert(0, {"type": "Flatten"})
    loss = train.pop("loss", SPARSE)
    return {**chain(shape, *layers), "train": {"data": data, "loss": loss, **train}}


def pair(data: dict[str, Any], loss: Any = "mse", **train: Any) -> dict[str, Any]:
    """Two inputs and two outputs."""
    return {
        "specfmt": 1,
        "name": "case",
        "inputs": {"a": {"shape": [2]}, "b": {"shape": [3], "dtype": "int32"}},
        "layers": [
            dense(1, name="p", inputs="a"),
            {"type": "Embedding", "input_dim": 9, "output_dim": 2, "name": "e", "inputs": "b"},
            {"type": "Flatten"},
            dense(4, "softmax", name="q"),
        ],
        "outputs": ["p", "q"],
        "train": {"data": data, "loss": loss, **train},
    }


def loaded(spec: dict[str, Any], loader: str = "keras", path: Any = None, seed: int = 5) -> Any:
    """What the script's ``load_data`` gives."""
    graph = build_graph(spec)
    code = DataCode(graph, train_section(graph.spec), loader)
    source = [*code.imports, "from pathlib import Path", f"CLASSES = {code.class_names}"]
    space: dict[str, Any] = {}
    exec("\n".join([*source, *code.helpers, fill("common/load_data.j2", data=code)]), space)
    given = {"path": path} if code.has_path else {}
    return space["load_data"](**given, **({"seed": seed} if code.uses_seed else {}))


@pytest.mark.parametrize(
    ("name", "size", "rows", "loss", "units"),
    [
        ("iris", 4, 150, SPARSE, 3),
        ("digits", 64, 1797, SPARSE, 10),
        ("wine", 13, 178, SPARSE, 3),
        ("breast_cancer", 30, 569, SPARSE, 2),
        ("diabetes", 10, 442, "mse", 1),
        ("linnerud", 3, 20, "mse", 3),
    ],
)
def test_sklearn(name: str, size: int, rows: int, loss: str, units: int) -> None:
    spec = document(
        {"source": "sklearn", "name": name, "test_split": 0.3}, [size], units, loss=loss
    )
    (x_train, y_train), (x_test, y_test) = loaded(spec)
    assert x_train.shape == (rows - round(0.3 * rows), size)
    assert len(x_test) == len(y_test) == round(0.3 * rows)
    assert x_train.dtype == "float32"
    assert y_train.dtype == ("int64" if loss == SPARSE else "float32")
    assert y_train.shape[1:] == (() if loss == SPARSE else (units,))
    again = loaded(spec)[0][0]
    other = loaded(spec, seed=6)[0][0]
    assert np.array_equal(again, x_train)
    assert not np.array_equal(other, x_train)


def test_digits_as_pictures_scaled() -> None:
    spec = document({"source": "sklearn", "name": "digits", "scale": 16}, [8, 8, 1], 10)
    x, y = loaded(spec)
    assert x.shape == (1797, 8, 8, 1)
    assert x.max() == 1.0
    assert y.shape == (1797,)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A small file in the form of `keras.datasets`."""
    rng = np.random.default_rng(0)
    path = tmp_path / "pictures.npz"
    np.savez(
        path,
        x_train=rng.integers(0, 256, (30, 28, 28), "uint8"),
        y_train=rng.integers(0, 10, 30, "uint8"),
        x_test=rng.integers(0, 256, (7, 28, 28), "uint8"),
        y_test=rng.integers(0, 10, 7, "uint8"),
    )
    return path


@pytest.mark.parametrize("loader", ["keras", "torchvision"])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_keras_set_from_a_file(pictures: Path, name: str, loader: str) -> None:
    data = {"source": "keras", "name": name, "scale": 255, "flatten": True, "one_hot": True}
    spec = document({**data, "validation_first": 8}, [784], 10, loss="categorical_crossentropy")
    (x, y), (x_val, y_val), (x_test, y_test) = loaded(spec, loader, pictures)
    raw = np.load(pictures)
    assert x.shape == (22, 784)
    assert x_val.shape == (8, 784)
    assert x_test.shape == (7, 784)
    assert np.allclose(x_val, raw["x_train"][:8].reshape(8, 784) / np.float32(255))
    assert y.shape == (22, 10)
    assert np.array_equal(y.argmax(axis=1), raw["y_train"][8:])
    assert y_val.sum() == 8
    assert y_test.dtype == "float32"


@pytest.mark.parametrize("loader", ["keras", "torchvision"])
def test_keras_columns_of_labels(tmp_path: Path, loader: str) -> None:
    path = tmp_path / "c.npz"
    x = np.zeros((4, 32, 32, 3), "uint8")
    np.savez(path, x_train=x, y_train=[[1], [2], [3], [0]], x_test=x[:2], y_test=[[1], [9]])
    spec = document({"source": "keras", "name": "cifar10"}, [32, 32, 3], 10)
    (_, y), (_, y_test) = loaded(spec, loader, path)
    assert y.tolist() == [1, 2, 3, 0]
    assert y_test.tolist() == [1, 9]


@pytest.mark.parametrize("loader", ["keras", "torchvision"])
@pytest.mark.parametrize(("maxlen", "length"), [(3, 3), (None, 5)])
def test_keras_texts_are_padded(
    tmp_path: Path, loader: str, maxlen: int | None, length: int
) -> None:
    texts = np.array([[1, 2], [3, 4, 5, 6, 900]], dtype=object)
    np.savez(tmp_path / "t.npz", x_train=texts, y_train=[0, 1], x_test=texts, y_test=[1, 0])
    data = {"source": "keras", "name": "imdb", "num_words": 800}
    if maxlen:
        data["maxlen"] = maxlen
    spec = {
        **chain(
            [None],
            {"type": "Embedding", "input_dim": 800, "output_dim": 2},
            {"type": "GlobalAveragePooling1D"},
            dense(1, "sigmoid"),
            dtype="int32",
        ),
        "train": {"data": data, "loss": "binary_crossentropy"},
    }
    if loader == "keras":
        import keras

        code = DataCode(build_graph(spec), train_section(build_graph(spec).spec), loader)
        cut = f", maxlen={maxlen}" if maxlen else ""
        source = fill("common/load_data.j2", data=code)
        assert f"    x_train = keras.utils.pad_sequences(x_train{cut})\n" in source
        padded = keras.utils.pad_sequences(texts, **({"maxlen": maxlen} if maxlen else {}))
    else:
        (padded, y), _ = loaded(spec, loader, tmp_path / "t.npz")
        assert padded.dtype == "int32"
        assert y.shape == (2, 1)
    tail = [[0, 1, 2], [5, 6, 900 if loader == "keras" else 2]]
    assert padded[:, -3:].tolist() == tail
    assert padded.shape == (2, length)


def test_npz_by_default_names_and_weights(tmp_path: Path) -> None:
    path = tmp_path / 'a "quoted" {name}.npz'
    np.savez(path, x_train=np.ones((6, 2)), y_train=[[0], [1], [2], [0], [1], [2]], w=np.arange(6))
    data = {"source": "npz", "path": str(path), "sample_weight": "w", "test_split": 1 / 3}
    spec = document(data, [2])
    (x, y, weight), (x_test, y_test) = loaded(spec)
    assert x.shape == (4, 2)
    assert y.shape == (4,)
    assert weight.dtype == "float32"
    assert np.array_equal(weight % 3, y)
    assert len(x_test) == len(y_test) == 2
    held = loaded(
        {
            **spec,
            "train": {**spec["train"], "data": {**data, "test_split": 0.0, "validation_first": 2}},
        }
    )
    assert [len(part) for part in held[0]] == [4, 4, 4]
    assert held[1][2].tolist() == [0.0, 1.0]


def test_npz_with_several_arrays_and_a_test_part(tmp_path: Path) -> None:
    path = tmp_path / "several.npz"
    np.savez(path, one=np.ones((5, 2)), two=np.zeros((5, 3)), t=np.arange(5), u=np.arange(5) % 4)
    data = {
        "source": "npz",
        "path": str(path),
        "x": {"a": "one", "b": "two"},
        "y": ["t", "u"],
        "x_test": ["one", "two"],
        "y_test": {"q": "u", "p": "t"},
    }
    (x, y), (x_test, y_test) = loaded(pair(data, {"p": "mse", "q": SPARSE}))
    assert x["a"].dtype == "float32"
    assert x_test["b"].dtype == "int32"
    assert y["p"].shape == (5, 1)
    assert y["q"].dtype == "int64"
    assert np.array_equal(y_test["q"], np.arange(5) % 4)


def test_csv_columns_and_classes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    header = 'seed;"odd; \\"name";kind;w\n'.replace('\\"', '""')
    path.write_text(header + "1;2.5;cat;1\n3;4;dog;2\n5;6;eel;3\n", encoding="utf-8")
    data = {
        "source": "csv",
        "path": str(path),
        "features": ["seed", 'odd; "name'],
        "target": "kind",
        "delimiter": ";",
        "classes": ["cat", "dog", "eel"],
        "sample_weight": "w",
    }
    spec = document(data, [2])
    x, y, weight = loaded(spec)
    assert x.tolist() == [[1, 2.5], [3, 4], [5, 6]]
    assert y.tolist() == [0, 1, 2]
    assert weight.tolist() == [1, 2, 3]
    code = DataCode(build_graph(spec), train_section(build_graph(spec).spec))
    assert not code.uses_seed


def test_csv_with_mappings(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("i,j,k,l,m,t,u\n1,2,3,4,5,6.5,no\n1,2,3,4,5,7,yes\n")
    data = {
        "source": "csv",
        "path": str(path),
        "features": {"a": ["i", "j"], "b": ["k", "l", "m"]},
        "target": {"p": "t", "q": "u"},
        "classes": ["no", "yes", "maybe", "never"],
        "one_hot": True,
    }
    x, y = loaded(pair(data, {"p": "mse", "q": "categorical_crossentropy"}))
    assert x["b"].tolist() == [[3, 4, 5]] * 2
    assert y["p"].tolist() == [[6.5], [7]]
    assert y["q"].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]


def test_one_column_and_another_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("f,t\n1,2\n")
    (tmp_path / "b.csv").write_text("f,t\n9,8\n7,6\n")
    data = {"source": "csv", "path": str(tmp_path / "a.csv"), "features": "f", "target": ["t"]}
    spec = document(data, [1], 1, loss="mse")
    assert loaded(spec)[0].tolist() == [[1]]
    x, y = loaded(spec, path=tmp_path / "b.csv")
    assert (x.tolist(), y.tolist()) == ([[9], [7]], [[8], [6]])


def test_inline_forms() -> None:
    data = {
        "source": "inline",
        "x": [[0, 0], [1, 1]],
        "y": [0, 2],
        "x_test": [[1, 2]],
        "y_test": [1],
    }
    (x, y), (x_test, y_test) = loaded(document(data, [2]))
    assert x.dtype == "float32"
    assert y.tolist() == [0, 2]
    assert x_test.tolist() == [[1, 2]]
    assert y_test.dtype == "int64"
    column = {"source": "inline", "x": [[0], [1]], "y": [[0], [2]]}
    x, y = loaded(document(column, [1, 1]))
    assert x.shape == (2, 1, 1)
    assert y.tolist() == [0, 2]


def test_inline_with_several() -> None:
    data = {
        "source": "inline",
        "x": {"a": [[0, 1]] * 3, "b": [[1, 2, 3]] * 3},
        "y": {"p": [1, 2, 3], "q": [3, 0, 1]},
        "sample_weight": [1, 2, 3],
    }
    x, y, weight = loaded(pair(data, ["mse", SPARSE]))
    assert x["b"].dtype == "int32"
    assert y["p"].shape == (3, 1)
    assert y["q"].tolist() == [3, 0, 1]
    assert weight.dtype == "float32"


@pytest.mark.parametrize("task", ["sign", "sum", "first", "same"])
def test_synthetic_tasks(task: str) -> None:
    spec = {
        **chain([4], dense(4 if task == "same" else 1)),
        "train": {"data": {"source": "synthetic", "task": task, "samples": 50}, "loss": "mse"},
    }
    x, y = loaded(spec)
    expected = {
        "sign": (x.sum(axis=1) > 0)[:, None],
        "sum": x.sum(axis=1)[:, None],
        "first": x[:, :1],
        "same": x,
    }[task]
    assert np.allclose(y, expected, atol=1e-5)
    assert len(x) == 50


def test_synthetic_sequences_and_tokens() -> None:
    spec = {
        **chain([None, 3], {"type": "LSTM", "units": 4}, dense(2, "softmax")),
        "train": {"data": {"source": "synthetic", "task": "sign"}, "loss": SPARSE},
    }
    x, y = loaded(spec)
    assert x.shape == (1000, 16, 3)
    assert set(y.tolist()) == {0, 1}
    data = {
        "source": "synthetic",
        "task": {"p": "sum", "q": "first"},
        "samples": 8,
        "test_split": 0.5,
    }
    (x, y), _ = loaded(pair(data, {"p": "mse", "q": SPARSE}))
    assert 0 <= x["b"].min() <= x["b"].max() < 9
    assert y["p"].shape == (4, 1)


def test_targets_of_rank_three() -> None:
    layers = [{"type": "Dense", "units": 5, "activation": "softmax"}]
    data = {"source": "inline", "x": [[[1, 2], [3, 4]]], "y": [[4, 0]]}
    spec = {**chain([2, 2], *layers), "train": {"data": data, "loss": SPARSE}}
    assert loaded(spec)[1].tolist() == [[4, 0]]
    hot = {**data, "one_hot": True}
    _, y = loaded({**spec, "train": {"data": hot, "loss": "categorical_crossentropy"}})
    assert y.shape == (1, 2, 5)
    values = {**chain([2, 2], dense(1)), "train": {"data": data, "loss": "mse"}}
    assert loaded(values)[1].shape == (1, 2, 1)


IRIS = {"source": "sklearn", "name": "iris"}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "size": (document(IRIS, [5]), "received (4,)"),
    "flatten": (document({"source": "keras", "name": "mnist"}, [784], 10), "received (28, 28)"),
    "one_hot": (document({**IRIS, "one_hot": True}, [4]), "received one-hot labels"),
    "numbers": (document(IRIS, [4], loss="categorical_crossentropy"), "received class numbers"),
    "units": (document({**IRIS, "name": "diabetes"}, [10], 3, loss="mse"), "expected 1 unit"),
    "classes": (document({**IRIS, "classes": ["a", "b"]}, [4]), "3 class names"),
    "loss": (document(IRIS, [4], loss={"wrong": "mse"}), "received wrong"),
    "losses": (document(IRIS, [4], loss=["mse", "mse"]), "one item for each of 1"),
    "split": (
        document({"source": "keras", "name": "mnist", "test_split": 0.1}, [28, 28], 10),
        "its own test part",
    ),
    "y_test": (
        document({"source": "npz", "path": "a.npz", "x_test": "x"}, [4]),
        "received x_test alone",
    ),
    "inputs": (pair(IRIS), "one input for sklearn data"),
    "mapping": (
        pair({"source": "npz", "path": "a.npz", "x": "x", "y": ["p", "q"]}),
        "mapping from a, b",
    ),
    "missing": (
        pair({"source": "npz", "path": "a", "x": {"a": "a"}, "y": ["p", "q"]}),
        "data for input b",
    ),
    "unknown": (
        pair({"source": "npz", "path": "a", "x": {"a": "a", "b": "b", "c": "c"}, "y": ["p", "q"]}),
        "received c",
    ),
    "task": (pair({"source": "synthetic", "task": {"r": "sum"}}), "received r"),
    "scale": (pair({"source": "synthetic", "scale": 2}), "received int32 in b"),
    "standardize": (
        pair({"source": "synthetic", "standardize": True}),
        "one input for standardize",
    ),
    "class_weight": (
        pair({"source": "synthetic"}, class_weight={"0": 2}),
        "one output for class_weight",
    ),
    "both": (
        document({"source": "npz", "path": "a", "sample_weight": "w"}, [4], class_weight={"1": 2}),
        "received both",
    ),
    "weights_of_steps": (
        {
            **chain([2, 2], dense(1)),
            "train": {
                "data": {"source": "npz", "path": "a", "sample_weight": "w"},
                "loss": "mse",
            },
        },
        "(N, units) for sample_weight",
    ),
    "monitor": (
        document(IRIS, [4], callbacks=[{"type": "EarlyStopping"}]),
        "received val_loss",
    ),
    "no_data": (chain([4], dense(3)) | {"train": {"loss": "mse"}}, "train.data"),
}


@pytest.mark.parametrize("target", ["keras", "torch"])
@pytest.mark.parametrize("name", WRONG)
def test_misfits_are_found_before_anything_runs(name: str, target: str) -> None:
    spec, text = WRONG[name]
    with pytest.raises(SpecError) as caught:
        script(spec, target)
    (finding,) = [d for d in caught.value.diagnostics if text in d.message]
    assert finding.code == "SF213"
    assert finding.pointer.startswith("/train")
    assert finding.hint


# ------------------------------------------------------------ what a script refuses, validate finds


TWO_OUTPUTS = (
    "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers:\n"
    "  - {type: Dense, name: a, units: 3, activation: softmax}\n"
    "  - {type: Dense, name: b, units: 3, activation: softmax, inputs: x}\n"
    "outputs: [a, b]\ntrain:\n  loss: sparse_categorical_crossentropy\n"
)
SYNTHETIC = "  data: {source: synthetic, samples: 20}\n"


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        (TWO_OUTPUTS + SYNTHETIC + "  class_weight: {'0': 1.0}\n", "/train/class_weight"),
        (TWO_OUTPUTS + "  class_weight: {'0': 1.0}\n", "/train/class_weight"),
        (TWO_OUTPUTS + "  metrics: [accuracy]\n", "/train/metrics"),
        (
            TWO_OUTPUTS + SYNTHETIC + "  callbacks: [{type: ModelCheckpoint, filepath: best.keras,"
            " monitor: val_accuracy, save_best_only: true}]\n",
            "/train/callbacks/0/monitor",
        ),
        (
            TWO_OUTPUTS + SYNTHETIC + "  optimizer: {type: SGD, learning_rate: {type: CosineDecay,"
            " initial_learning_rate: 0.1, decay_steps: 5}}\n"
            "  callbacks: [{type: ReduceLROnPlateau, monitor: loss}]\n",
            "/train/callbacks/0",
        ),
    ],
)
def test_validate_finds_what_a_training_script_refuses(text: str, pointer: str) -> None:
    (finding,) = specfmt.check(text)
    assert (finding.code, finding.pointer) == ("SF213", pointer)
    spec, _ = parse_document(yaml.safe_load(text))
    if "data:" in text:
        for target in ("keras", "torch"):
            with pytest.raises(SpecError, match="SF213"):
                specfmt.generate(spec, target, part="train")


@pytest.mark.parametrize(("target", "codes"), [("keras", []), ("torch", ["SF301"])])
def test_validate_finds_what_a_target_refuses(target: str, codes: list[str]) -> None:
    text = (
        "specfmt: 1\ninputs: {x: {shape: [8, 8, 3]}}\n"
        "layers: [{type: RandomElasticTransform, fill_mode: mirror}]\n"
    )
    assert specfmt.check(text) == []
    found = specfmt.check(text, targets=[target])
    assert [finding.code for finding in found] == codes
    assert all(finding.span for finding in found)


@pytest.mark.parametrize(
    ("metric", "key"),
    [
        ("{type: MeanIoU, num_classes: 3, sparse_y_pred: false}", "mean_io_u"),
        ("{type: AUC, num_thresholds: 9}", "auc"),
        ("{type: PrecisionAtRecall, recall: 0.5}", "precision_at_recall"),
        ("{type: AUC, num_thresholds: 9, name: area}", "area"),
        ("accuracy", "accuracy"),
    ],
)
def test_a_metric_without_a_name_has_keras_s(metric: str, key: str) -> None:
    text = TWO_OUTPUTS + f"  metrics: {{a: [{metric}]}}\n" + SYNTHETIC
    spec = specfmt.loads(text)
    graph = specfmt.analyze(spec)
    assert f"a_{key}" in log_names(graph, train_section(graph.spec))


@pytest.mark.parametrize("norm", [{}, {"trainable": False}, None])
@pytest.mark.parametrize("wrapped", [False, True])
def test_batch_normalization_has_no_batch_of_one(norm: Any, wrapped: bool) -> None:
    """It cannot train on one; that holds inside other layers too, and not where it is frozen."""
    layer = (
        {"type": "LayerNormalization"} if norm is None else {"type": "BatchNormalization"} | norm
    )
    if wrapped:
        layer = {"type": "TimeDistributed", "layer": layer}
    code = script(
        chain([4, 3], layer, dense(1))
        | {
            "train": {
                "loss": "mse",
                "optimizer": "sgd",
                "epochs": 1,
                "data": {"source": "npz", "path": "d.npz"},
            }
        },
        "torch",
    )
    assert ("drop_last=" in code) == (norm == {})
