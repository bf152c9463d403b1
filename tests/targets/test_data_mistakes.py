"""What is wrong with data, options and packages is said in one sentence before training starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import specfmt
from specfmt.cli import main
from specfmt.diagnostics import SpecError
from specfmt.extras import install
from specfmt.targets.needs import script_needs
from specfmt.targets.running import environment
from tests.targets.test_data import SPARSE, document, loaded, pair
from tests.tools.training_tools import chain, dense, script

LOADERS = ("keras", "torchvision")
RNG = np.random.default_rng(2)
X, Y = RNG.normal(size=(12, 4)).astype("float32"), np.arange(12) % 3


def said(spec: dict[str, Any], loader: str, path: Path | None = None) -> str:
    """The sentence with which ``load_data`` ends."""
    with pytest.raises(SystemExit) as ended:
        loaded(spec, loader, path)
    assert isinstance(ended.value.code, str)
    assert "\n" not in ended.value.code
    return ended.value.code


NPZ: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"x_train": X, "labels": Y}, "expected an array y_train, received x_train, labels"),
    "high": ({"x_train": X, "y_train": Y + 1}, "expected classes from 0 to 2, received 1 to 3"),
    "low": ({"x_train": X, "y_train": Y - 1}, "expected classes from 0 to 2, received -1 to 1"),
    "fraction": ({"x_train": X, "y_train": Y + 0.5}, "expected whole class numbers, received 0.5"),
    "nan": ({"x_train": X, "y_train": Y * np.nan}, "expected whole class numbers, received nan"),
    "counts": (
        {"x_train": X, "y_train": Y[:-1]},
        "the same number of samples in each array, received 12 in x_train, 11 in y_train",
    ),
    "none": ({"x_train": X[:0], "y_train": Y[:0]}, "received 0 in x_train, 0 in y_train"),
    "shape": ({"x_train": X[:, :3], "y_train": Y}, "samples of shape (4,), received (3,)"),
    "one_hot": ({"x_train": X, "y_train": np.eye(3)[Y]}, "samples of shape (), received (3,)"),
    "words": (
        {"x_train": X, "y_train": np.array(["a", "b"] * 6)},
        "y_train: expected an array of numbers, received <U1 of shape (12,)",
    ),
    "scalar": ({"x_train": 3.0, "y_train": Y}, "received float64 of shape ()"),
    "objects": ({"x_train": np.array([[1], [1, 2]], dtype=object), "y_train": Y}, "numbers"),
    "few": ({"x_train": X[:1], "y_train": Y[:1]}, "1 samples are too few to split into training"),
}


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("name", NPZ)
def test_arrays(name: str, loader: str, tmp_path: Path) -> None:
    arrays, sentence = NPZ[name]
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    data = {"source": "npz", "path": str(path), "test_split": 0.25}
    assert sentence in said(document(data, [4]), loader)


@pytest.mark.parametrize("loader", LOADERS)
def test_files_that_are_none(loader: str, tmp_path: Path) -> None:
    for source, rest in (("npz", {}), ("csv", {"features": ["a"], "target": "b"})):
        data = {"source": source, "path": str(tmp_path / f"no.{source}"), **rest}
        spec = document(data, [1])
        sentence = f"there is no file {tmp_path / f'no.{source}'}; --data FILE reads another"
        assert said(spec, loader) == sentence
    text = tmp_path / "text.npz"
    text.write_text("a,b\n")
    assert "expected an .npz file" in said(
        document({"source": "npz", "path": "x"}, [1]), loader, text
    )
    pictures = document({"source": "keras", "name": "mnist"}, [28, 28], 10)
    assert "expected an .npz file" in said(pictures, loader, text)


@pytest.mark.parametrize("loader", LOADERS)
def test_named_sets_from_a_file(loader: str, tmp_path: Path) -> None:
    path, spec = tmp_path / "d.npz", document({"source": "keras", "name": "mnist"}, [28, 28], 10)
    x, y = np.zeros((4, 28, 28)), np.arange(4)
    np.savez(path, x_train=x, y_train=y, x_test=x)
    assert "expected an array y_test, received x_train, y_train, x_test" in said(spec, loader, path)
    np.savez(path, x_train=x, y_train=y, x_test=x[:, :27], y_test=y)
    assert "expected samples of shape (28, 28), received (27, 28)" in said(spec, loader, path)
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y + 7)
    assert "dense: expected classes from 0 to 9, received 7 to 10" in said(spec, loader, path)


def test_several_arrays_name_the_one_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    good = {"a": np.ones((6, 2)), "b": np.ones((6, 3)), "p": np.ones(6), "q": np.arange(6) % 4}
    names = {"x": {"a": "a", "b": "b"}, "y": {"p": "p", "q": "q"}}
    spec = pair({"source": "npz", "path": str(path), **names}, {"p": "mse", "q": SPARSE})
    np.savez(path, **good)
    x, y = loaded(spec)
    assert (x["b"].shape, y["p"].shape, y["q"].tolist()) == ((6, 3), (6, 1), [0, 1, 2, 3, 0, 1])
    np.savez(path, **{**good, "b": np.ones((6, 4))})
    assert said(spec, "keras") == "b: expected samples of shape (3,), received (4,)"
    np.savez(path, **{**good, "q": np.arange(6)})
    assert said(spec, "keras") == "q: expected classes from 0 to 3, received 0 to 5"


def test_sequences_of_any_length(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    layers = [{"type": "LSTM", "units": 2}, dense(1, "sigmoid", name="good")]
    data = {"source": "npz", "path": str(path)}
    spec = {**chain([None, 3], *layers), "train": {"data": data, "loss": "binary_crossentropy"}}
    np.savez(path, x_train=np.ones((2, 5, 3)), y_train=[True, False])
    x, y = loaded(spec)
    assert (x.shape, y.tolist()) == ((2, 5, 3), [[1.0], [0.0]])
    np.savez(path, x_train=np.ones((2, 5, 2)), y_train=[1, 0])
    assert said(spec, "keras") == "x: expected samples of shape (None, 3), received (5, 2)"
    np.savez(path, x_train=np.ones((2, 5, 3)), y_train=[1, 2])
    assert said(spec, "keras") == "good: expected labels from 0 to 1, received 1 to 2"


TABLES = {
    "a,kind\n1,0\n": "expected a column b, received a, kind",
    "a;b;kind\n1;2;0\n": "expected a column a, received a;b;kind",
    "": "expected a column a, received ",
    "a,b,kind\n": "expected rows below the header, received none",
    "a,b,kind\n1,2,0\n1,,0\n": "t.csv, line 3, column b: expected a number, received ''",
    "a,b,kind\n1,2,0\n1,x,0\n": "t.csv, line 3, column b: expected a number, received 'x'",
    "a,b,kind\n1,2,0\n1\n": "t.csv, line 3, column b: expected a number, received ''",
    "a,b,kind\n1,nan,0\n": "t.csv, line 2, column b: expected a number, received 'nan'",
    "a,b,kind\n1,2,cat\n1,2,a dog\n1,2,\n": "received the names a dog, cat; list them in the spec",
    "a,b,kind\n1,2,0\n1,2,cat\n": "t.csv, line 3, column kind: expected a number, received 'cat'",
    "a,b,kind\n1,2,0\n1,2,7\n": "expected classes from 0 to 2, received 0 to 7",
    "a,b,kind\n1,2,0.5\n": "expected whole class numbers, received 0.5",
}


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("text", TABLES)
def test_tables(text: str, loader: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    data = {"source": "csv", "path": str(path), "features": ["a", "b"], "target": "kind"}
    assert TABLES[text] in said(document(data, [2]), loader)


def test_a_table_with_a_byte_order_mark_and_long_cells(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b,kind,note\n1,2,0,"x\ny"\n3,?,1,z\n', encoding="utf-8-sig")
    data = {"source": "csv", "path": str(path), "features": ["a", "b"], "target": "kind"}
    assert said(document(data, [2]), "keras").endswith(
        "t.csv, line 4, column b: expected a number, received '?'"
    )


def test_names_of_classes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,kind\n1,cat\n2,cow\n")
    data = {"source": "csv", "path": str(path), "features": "a", "target": "kind"}
    spec = document({**data, "classes": ["cat", "dog", "eel"]}, [1])
    assert said(spec, "keras").endswith(
        "line 3, column kind: expected one of cat, dog, eel, received 'cow'"
    )


def test_nothing_left_by_a_split(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x_train=X[:3], y_train=Y[:3])
    data = {"source": "npz", "path": str(path)}
    sentence = "3 samples are too few to split into training and {}"
    for split, part in (({"test_split": 0.1}, "test"), ({"validation_first": 3}, "validation")):
        assert said(document({**data, **split}, [4]), "keras") == sentence.format(part)
    few = document(data, [4], validation_split=0.9)
    assert said(few, "torchvision") == sentence.format("validation")


STATIC = {
    "columns": (
        document({"source": "csv", "path": "p", "features": ["a", "b"], "target": "t"}, [3]),
        "expected 3 columns for x, received 2",
    ),
    "labels": (
        document({"source": "inline", "x": [[1], [2]], "y": [0, 3]}, [1]),
        "expected classes from 0 to 2 for dense, received 0 to 3",
    ),
    "whole": (
        document({"source": "inline", "x": [[1], [2]], "y": [0, 1.5]}, [1]),
        "expected whole class numbers for dense, received 1.5",
    ),
    "set": (
        document({"source": "sklearn", "name": "digits"}, [64], 8),
        "expected classes from 0 to 7 for dense, received 0 to 9",
    ),
    "binary": (
        {
            **chain([4], dense(1, "sigmoid")),
            "train": {"data": {"source": "sklearn", "name": "iris"}, "loss": "binary_crossentropy"},
        },
        "expected classes from 0 to 1 for dense, received 0 to 2",
    ),
    "first": (
        document({"source": "sklearn", "name": "iris", "validation_first": 150}, [4]),
        "expected samples for training and for validation_first, received 150",
    ),
    "split": (
        document({"source": "inline", "x": [[1], [2]], "y": [0, 1], "test_split": 0.2}, [1]),
        "expected samples for training and for test_split, received 2, of which test_split takes 0",
    ),
}


@pytest.mark.parametrize("name", STATIC)
def test_what_is_known_is_found_before_there_is_a_script(name: str) -> None:
    spec, message = STATIC[name]
    with pytest.raises(SpecError) as refused:
        script(spec, "torch")
    assert message in str(refused.value)


def run(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(path), *options],
        capture_output=True,
        text=True,
        cwd=path.parent,
        env=environment(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1"),
        check=False,
    )


OPTIONS = {
    ("--epochs", "0"): "argument --epochs: expected a whole number above 0, received 0",
    ("--batch-size", "-2"): "argument --batch-size: expected a whole number above 0, received -2",
    ("--learning-rate", "-1"): "argument --learning-rate: expected a number of at least 0",
    ("--learning-rate", "nan"): "argument --learning-rate: expected a number of at least 0",
    ("--seed", "-1"): "argument --seed: expected a whole number of at least 0",
    ("--data", "no.npz"): "argument --data: there is no file no.npz",
    ("--init", "no.pt"): "argument --init: there is no file no.pt",
    ("--predict", "no.npy"): "argument --predict: there is no file no.npy",
    ("--resume",): "train first, without --resume and --predict",
    ("--resume", "--init", "d.npz"): "not allowed with argument",
    ("--predict", "d.npz"): "train first, without --resume and --predict",
}


@pytest.mark.slow
@pytest.mark.parametrize("target", ["keras", "torch"])
def test_options(
    target: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.tools.training_tools import arguments, load

    np.savez(tmp_path / "d.npz", x_train=X, y_train=Y)
    module = load(script(document({"source": "npz", "path": "d.npz"}, [4]), target))
    for options, sentence in OPTIONS.items():
        given = [str(tmp_path / o) if o == "d.npz" else o for o in options]
        with pytest.raises(SystemExit) as ended:
            arguments(module, tmp_path / "out", *given)
        assert ended.value.code == 2
        assert sentence in capsys.readouterr().err
    parsers: list[Any] = []
    monkeypatch.setattr("argparse.ArgumentParser.parse_args", lambda self: parsers.append(self))
    with pytest.raises(AttributeError):  # there are no arguments to look at
        module.parse_arguments()
    actions = parsers[0]._actions
    assert len(actions) > 9
    assert [action.dest for action in actions if not action.help] == []


@pytest.mark.slow
def test_a_script_ends_with_one_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x_train=X, y_train=Y + 2)
    np.save(tmp_path / "sample.npy", np.ones(5))
    (tmp_path / "out").mkdir()
    path = tmp_path / "script.py"
    path.write_text(script(document({"source": "npz", "path": "d.npz"}, [4]), "torch"))
    done = run(path, "--out", "out")
    assert done.returncode == 1
    assert done.stderr == "dense: expected classes from 0 to 2, received 2 to 4\n"
    good = tmp_path / "good.npz"
    np.savez(good, x_train=X, y_train=Y)
    done = run(path, "--out", "out", "--data", "good.npz", "--export", "--save-whole-model")
    assert done.returncode == 0, done.stderr
    assert {"weights.pt", "model.pt", "model.pt2"} <= {p.name for p in (tmp_path / "out").iterdir()}
    done = run(path, "--out", "out", "--predict", "sample.npy")
    assert done.stderr == "sample.npy: expected a sample of shape (4,), received (5,)\n"
    done = run(path, "--out", "out", "--predict", "good.npz")
    assert done.stderr == "good.npz: expected a .npy file\n"

    import torch

    program = torch.export.load(tmp_path / "out" / "model.pt2").module()
    assert program(torch.ones(7, 4)).shape == (7, 3)
    assert program(torch.ones(1, 4)).shape == (1, 3)
    state = torch.load(tmp_path / "out" / "weights.pt", weights_only=True)
    assert {tuple(value.shape) for value in state.values()} == {(3, 4), (3,)}


def test_what_a_script_needs() -> None:
    spec = document({"source": "keras", "name": "mnist"}, [28, 28], callbacks=["TensorBoard"])
    code = script({**spec, "layers": [{"type": "Flatten"}, dense(10, "softmax")]}, "torch")
    plain = ["PIL", "matplotlib", "tensorboard", "torch", "tqdm"]
    assert script_needs(code, []) == sorted([*plain, "torchvision"])
    for options in (["--data", "d.npz"], ["--dat=d.npz"], ["--pre", "s.npy"], ["-h"]):
        assert script_needs(code, options) == plain
    assert "torchvision" in script_needs(code, ["--device", "cpu"])
    code = script({**spec, "layers": [{"type": "Flatten"}, dense(10, "softmax")]}, "keras")
    assert script_needs(code, []) == ["PIL", "h5py", "keras", "matplotlib", "tensorboard"]


@pytest.mark.parametrize("target", ["keras", "torch"])
def test_missing_packages_are_named_with_their_extra(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = ("matplotlib", "sklearn", "tensorflow", "torch")
    monkeypatch.setattr("specfmt.extras.is_installed", lambda module: module not in gone)
    path = tmp_path / "m.yaml"
    spec = document({"source": "sklearn", "name": "iris"}, [4])
    path.write_text(specfmt.dump(specfmt.loads(str(spec).replace("'", '"'))))
    done = CliRunner().invoke(main, ["train", str(path), "-t", target, "--build", str(tmp_path)])
    assert done.exit_code == 1
    framework = "tensorflow" if target == "keras" else "torch"
    assert f"expected matplotlib, scikit-learn, {framework} to run" in done.output
    assert f'pip install "specfmt[{target}]"' in done.output
    done = CliRunner().invoke(main, ["verify", str(path)])
    assert done.exit_code == 1
    assert "expected tensorflow, torch to run both programs" in done.output


def test_extras_bring_what_is_said() -> None:
    assert install(["h5py"]) == 'pip install "specfmt[weights]"'
    assert (
        install(["torch", "torchvision", "PIL"], "torch") == 'pip install "specfmt[datasets,torch]"'
    )
    import tomllib

    from specfmt.extras import EXTRAS, OF_BOTH, PACKAGES

    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for module, extra in [*EXTRAS.items(), *((m, e) for m in OF_BOTH for e in ("keras", "torch"))]:
        names = [requirement.partition(">")[0] for requirement in extras[extra]]
        assert PACKAGES.get(module, module) in names
