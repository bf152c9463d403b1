"""Layers that training scripts adapt: the same tables and statistics as Keras's, in both targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specfmt
from specfmt.diagnostics import SpecError
from tests.tools.harness import execute, keras
from tests.tools.training_tools import arguments, load, script

RNG = np.random.default_rng(4)
WORDS = ["cat", "dog", "Dog!", "É", "日本", "", "[UNK]", "b c", "mouse", "zebra"]
STRINGS = RNG.choice(WORDS, 90, p=RNG.dirichlet(np.ones(len(WORDS))))
TEXTS = np.array([" ".join(RNG.choice(WORDS, RNG.integers(0, 7))) for _ in range(90)])
INTEGERS = RNG.integers(-3, 9, 90).astype("int32")
NUMBERS = RNG.gamma(1.5, size=(90, 3)).astype("float32")
MORE = RNG.gamma(1.5, size=(701, 3)).astype("float32")

LOOK = {"type": "StringLookup"}
NUMBER = {"type": "IntegerLookup"}
TEXT = {"type": "TextVectorization"}
BINS = {"type": "Discretization", "num_bins": 4}
IDF = {"output_mode": "tf_idf"}
PADDED = {"max_tokens": 6, "pad_to_max_tokens": True}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "samples"),
    [
        (LOOK, STRINGS),
        (LOOK, STRINGS.reshape(-1, 1)),
        (LOOK, STRINGS.reshape(-1, 3)),
        (LOOK | {"max_tokens": 4}, STRINGS),
        (LOOK | {"max_tokens": 4, "mask_token": "cat"}, STRINGS),
        (LOOK | {"oov_token": "dog", "mask_token": ""}, STRINGS),
        (LOOK | {"oov_token": None}, STRINGS),
        (LOOK | PADDED | {"output_mode": "one_hot"}, STRINGS),
        (LOOK | PADDED | {"output_mode": "multi_hot", "mask_token": ""}, STRINGS.reshape(-1, 3)),
        (LOOK | PADDED | {"output_mode": "count"}, STRINGS.reshape(-1, 3)),
        (NUMBER, INTEGERS),
        (NUMBER | {"num_oov_indices": 3, "mask_token": 0}, INTEGERS),
        (NUMBER | {"max_tokens": 5, "oov_token": 2}, INTEGERS.reshape(-1, 3)),
        (NUMBER | PADDED | {"output_mode": "one_hot"}, INTEGERS.reshape(-1, 1)),
        (TEXT, TEXTS),
        (TEXT | {"max_tokens": 5, "output_sequence_length": 4}, TEXTS.reshape(-1, 1)),
        (TEXT | {"standardize": None, "ngrams": 2}, TEXTS),
        (TEXT | {"split": "character", "standardize": "lower"}, TEXTS),
        (TEXT | PADDED | {"output_mode": "multi_hot"}, TEXTS),
        (TEXT | PADDED | {"output_mode": "count", "ngrams": [1, 3]}, TEXTS),
        (LOOK | {"num_oov_indices": 3, "max_tokens": 5}, STRINGS),
        (LOOK | {"num_oov_indices": 2, "max_tokens": 4, "mask_token": "", "salt": [3, 5]}, STRINGS),
        (NUMBER | {"num_oov_indices": 3, "max_tokens": 6, "oov_method": "farmhash"}, INTEGERS),
        (
            NUMBER
            | {
                "num_oov_indices": 2,
                "max_tokens": 5,
                "oov_method": "farmhash",
                "salt": 7,
                "mask_token": 0,
            },
            INTEGERS.reshape(-1, 3),
        ),
        (LOOK | PADDED | IDF, STRINGS.reshape(-1, 3)),
        (LOOK | PADDED | IDF | {"max_tokens": 40, "mask_token": "cat"}, STRINGS.reshape(-1, 3)),
        (LOOK | PADDED | IDF | {"num_oov_indices": 3}, STRINGS.reshape(-1, 1)),
        (NUMBER | PADDED | IDF, INTEGERS.reshape(-1, 3)),
        (
            NUMBER | PADDED | IDF | {"num_oov_indices": 2, "oov_method": "farmhash"},
            INTEGERS.reshape(-1, 3),
        ),
        (TEXT | PADDED | IDF, TEXTS),
        (TEXT | PADDED | IDF | {"ngrams": 2, "max_tokens": 50}, TEXTS.reshape(-1, 1)),
        (BINS, NUMBERS),
        (BINS, MORE),
        (BINS | {"num_bins": 7, "epsilon": 0.03}, MORE),
        (BINS | {"num_bins": 300}, MORE),
        (BINS | {"output_mode": "one_hot"}, NUMBERS[:, :1]),
        (BINS | {"output_mode": "multi_hot"}, MORE),
        (BINS | {"output_mode": "count"}, MORE),
    ],
    ids=lambda item: item["type"] if isinstance(item, dict) else str(item.shape),
)
def test_adapt_finds_the_tables_of_keras(layer: dict[str, Any], samples: np.ndarray) -> None:
    """After `adapt`, and again in a module that loads the state, outputs equal Keras's."""
    import tensorflow as tf
    import torch

    strings = samples.dtype.kind == "U"
    given = {"shape": list(samples.shape[1:]), "dtype": "string" if strings else str(samples.dtype)}
    document = {
        "specfmt": 1,
        "name": "case",
        "inputs": {"x": given},
        "layers": [{**layer, "name": "table"}],
    }
    spec = specfmt.loads(json.dumps(document))
    model = execute(specfmt.generate(spec, "keras"))
    model.get_layer("table").adapt(samples)
    theirs = np.asarray(model(tf.constant(samples)))
    code = specfmt.generate(spec, "torch", style="subclass")
    module = execute(code)
    module.table.adapt(samples)
    again = execute(code)
    again.load_state_dict(module.state_dict())
    for one in (module, again):
        ours = one(samples if strings else torch.from_numpy(samples)).numpy()
        assert ours.shape == theirs.shape
        if layer.get("output_mode") == "tf_idf":
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)
        else:
            assert np.array_equal(ours, theirs)


LAYERS = [
    {**LOOK, "name": "color_index", "max_tokens": 5, "inputs": "color"},
    {"type": "Embedding", "name": "color_vector", "input_dim": 5, "output_dim": 3},
    {**NUMBER, **PADDED, "name": "year_vector", "output_mode": "one_hot", "inputs": "year"},
    {"type": "Rescaling", "name": "meters", "scale": 0.01, "inputs": "size"},
    {"type": "Concatenate", "name": "numbers", "inputs": ["meters", "weight"]},
    {"type": "Normalization", "name": "scaled"},
    {**BINS, "name": "bins", "output_mode": "multi_hot", "inputs": "size"},
    {**TEXT, "name": "words", "max_tokens": 9, "output_sequence_length": 5, "inputs": "note"},
    {"type": "Embedding", "name": "vectors", "input_dim": 9, "output_dim": 3},
    {"type": "GlobalAveragePooling1D", "name": "mean"},
    {
        "type": "Concatenate",
        "name": "all",
        "inputs": ["color_vector", "year_vector", "scaled", "bins", "mean"],
    },
    {"type": "Dense", "name": "price", "units": 1},
]


def document(path: Path) -> dict[str, Any]:
    """A model of many kinds of columns, and a table for it."""
    colors = RNG.choice(["red", "green", "blue, dark", "é"], 60)
    rows = ["color,year,size,weight,note,price"]
    for color in colors:
        size, weight = RNG.normal(170, 9), RNG.normal(70, 20)
        note = " ".join(RNG.choice(["good", "bad", "Ugly", "new."], 4))
        rows.append(
            f'"{color}",{RNG.integers(1, 5)},{size:.2f},{weight:.2f},{note},{size / 90:.3f}'
        )
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return {
        "specfmt": 1,
        "name": "case",
        "inputs": {
            "color": {"shape": [], "dtype": "string"},
            "year": {"shape": [1], "dtype": "int32"},
            "size": {"shape": [1]},
            "weight": {"shape": [1]},
            "note": {"shape": [1], "dtype": "string"},
        },
        "layers": LAYERS,
        "train": {
            "data": {
                "source": "csv",
                "path": str(path),
                "features": {name: name for name in ("color", "year", "size", "weight", "note")},
                "target": "price",
                "test_split": 0.2,
            },
            "loss": "mse",
            "optimizer": {"type": "SGD", "learning_rate": 0.05},
            "epochs": 3,
            "batch_size": 7,
            "shuffle": False,
            "validation_split": 0.25,
        },
    }


@pytest.mark.slow
def test_both_scripts_adapt_and_train_alike(tmp_path: Path) -> None:
    """The same initial weights, the same losses; what is saved starts and predicts again."""
    import torch

    from specfmt.targets.torch.graph_lowering import lower_graph
    from specfmt.targets.torch.program import Options
    from tests.tools.harness import build_graph, keras_weights, state_dict
    from tests.tools.training_tools import assert_same_history, history

    spec = document(tmp_path / "table.csv")
    graph = build_graph(spec)
    keras_module, torch_module = load(script(spec, "keras")), load(script(spec, "torch"))
    start = keras_module.build_model()
    args = arguments(keras_module, tmp_path / "keras")
    (x, _), _ = keras_module.load_data(args.data, args.seed)
    keras_module.adapt(start, {name: array[:36] for name, array in x.items()})
    start.save_weights(tmp_path / "init.weights.h5")
    module = torch_module.build_model()
    torch_module.adapt(module, {name: array[:36] for name, array in x.items()})
    program = lower_graph(graph, Options(adapts=True))
    values = state_dict(program, keras_weights(graph, start))
    adapted = module.state_dict()
    for name in ("scaled_mean", "scaled_variance"):
        torch.testing.assert_close(adapted[name], values[name], rtol=1e-5, atol=0)
    torch.save(adapted | values, tmp_path / "init.pt")
    keras_module.train(
        arguments(keras_module, tmp_path / "keras", "--init", str(tmp_path / "init.weights.h5"))
    )
    torch_module.train(
        arguments(
            torch_module, tmp_path / "torch", "--init", str(tmp_path / "init.pt"), "--device", "cpu"
        )
    )
    ours, theirs = history(tmp_path / "torch"), history(tmp_path / "keras")
    assert set(ours) == set(theirs) == {"epoch", "loss", "val_loss", "learning_rate"}
    assert_same_history(ours, theirs)
    sample = {name: array[0] for name, array in x.items()}
    np.savez(tmp_path / "sample.npz", **sample)
    for folder, made in (("keras", keras_module), ("torch", torch_module)):
        device = ["--device", "cpu"] if folder == "torch" else []
        predict = made.predict_file if folder == "torch" else made.predict
        predict(
            arguments(made, tmp_path / folder, "--predict", str(tmp_path / "sample.npz"), *device)
        )
        made.train(arguments(made, tmp_path / folder, "--resume", "--epochs", "1", *device))
        assert history(tmp_path / folder)["loss"][0] < theirs["loss"][0]
    archive = keras().models.load_model(tmp_path / "keras" / "model.keras", compile=False)
    found = archive.get_layer("color_index").get_vocabulary()
    assert found[1:] == torch.load(tmp_path / "torch" / "weights.pt")["color_index._extra_state"]


def test_held_out_samples_are_not_adapted_to(tmp_path: Path) -> None:
    """Neither target lets a vocabulary see the samples that are for validation."""
    spec = document(tmp_path / "table.csv")
    lines = {target: " ".join(script(spec, target).split()) for target in ("keras", "torch")}
    cut = "array[: int(len(y_train) * (1 - 0.25))] for name, array in x_train.items()"
    assert f"adapt( model, {{ name: {cut} }}, )" in lines["keras"]
    assert lines["torch"].index("boundary = int(") < lines["torch"].index("adapt(model, x_train)")
    joined = 'np.concatenate([(x["size"] * 0.01), x["weight"]], axis=-1)'
    for code in lines.values():
        assert joined in code.replace("( ", "(").replace(" )", ")")


@pytest.mark.parametrize("target", ["keras", "torch"])
def test_a_table_of_computed_values_is_refused(target: str, tmp_path: Path) -> None:
    spec = document(tmp_path / "table.csv")
    spec["layers"] = [
        {"type": "Dense", "name": "score", "units": 1, "inputs": "size"},
        {**BINS, "name": "bins", "output_mode": "multi_hot"},
        {"type": "Dense", "name": "price", "units": 1},
    ]
    spec["inputs"] = {"size": {"shape": [1]}}
    spec["train"]["data"]["features"] = "size"
    with pytest.raises(SpecError) as caught:
        script(spec, target)
    (problem,) = caught.value.diagnostics
    assert problem.code == "SF213"
    assert "bins" in problem.message
    assert problem.pointer == "/layers/1"


@pytest.mark.parametrize("target", ["keras", "torch"])
def test_a_normalization_of_computed_values_is_named(target: str, tmp_path: Path) -> None:
    spec = document(tmp_path / "table.csv")
    spec["layers"] = [
        {"type": "Dense", "name": "score", "units": 1, "inputs": "size"},
        {"type": "Normalization", "name": "scaled"},
        {"type": "Dense", "name": "price", "units": 1},
    ]
    spec["inputs"] = {"size": {"shape": [1]}}
    spec["train"]["data"]["features"] = "size"
    code = script(spec, target)
    assert "# scaled reads computed values: its mean stays 0" in code
    assert "def adapt(" not in code


@pytest.mark.parametrize("target", ["keras", "torch"])
def test_strings_come_from_tables(target: str) -> None:
    spec = {
        "specfmt": 1,
        "name": "case",
        "inputs": {"x": {"shape": [], "dtype": "string"}},
        "layers": [{**TEXT, "output_sequence_length": 2}],
        "train": {"data": {"source": "npz", "path": "x.npz"}, "loss": "mse"},
    }
    with pytest.raises(SpecError) as caught:
        script(spec, target)
    assert "source: csv" in caught.value.diagnostics[0].hint


def test_vectors_without_a_size_are_refused() -> None:
    spec = specfmt.loads(
        "specfmt: 1\ninputs: {x: {shape: [], dtype: string}}\n"
        "layers: [{type: StringLookup, output_mode: multi_hot}]\n"
    )
    with pytest.raises(SpecError, match="pad_to_max_tokens"):
        specfmt.generate(spec, "torch")
