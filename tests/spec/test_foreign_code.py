"""Code that a document names: what is refused, what is asked for, and what of a folder is run."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import specfmt
from specfmt import SpecError
from specfmt.cli import main
from specfmt.fields.foreign import ClassRule, allowing, is_allowed, refusal
from specfmt.layers.custom import Custom
from specfmt.spec.foreign import foreign_classes
from specfmt.targets.running import environment, require_allowed
from specfmt.vocab.index import INDEX

ROOT = Path(__file__).resolve().parents[2]

REFUSED = [
    "subprocess.Popen",
    "os.system",
    "\uff4f\uff53.system",  # full-width letters, which Python reads as `os`
    "Custom>os.system",
    "posix.system",
    "_posixsubprocess.fork_exec",
    "importlib.import_module",
    "builtins.eval",
    "builtins.__import__",
    "numpy.load",
    "numpy.lib.npyio.load",
    "pip._internal.main",
    "tensorflow.io.write_file",
    "tensorflow.keras.utils.get_file",
    "keras.utils.get_file",
    "keras.src.utils.file_utils.get_file",
    "keras.models.load_model",
    "keras._tf_keras.keras.models.load_model",
    "keras.saving.load_model",
    "keras.layers.deserialize",
    "keras.config.enable_unsafe_deserialization",
    "specfmt.api.train",
]
TAKEN = [
    "mypkg.losses.Focal",
    "my.os.Layer",
    "Focal",
    "builtins.function",
    "__main__.Focal",
    "keras.layers.Unheard",
    "keras.src.layers.core.unheard.Unheard",
    "keras.engine.training.Unheard",
    "tensorflow.python.keras.layers.core.Unheard",
    "tf_keras.losses.Unheard",
    "keras_cv.layers.Unheard",
    "tensorflow_addons.layers.Unheard",
]


@pytest.mark.parametrize("dotted", REFUSED)
def test_what_a_document_may_not_name(dotted: str) -> None:
    assert refusal(dotted)


@pytest.mark.parametrize("dotted", TAKEN)
def test_what_it_may_name(dotted: str) -> None:
    assert not refusal(dotted)


@pytest.mark.parametrize(
    ("dotted", "taken"),
    [
        ("mine.Mixing", True),
        ("torch.nn.PixelShuffle", True),
        ("torch.load", False),
        ("torch.hub.load", False),
        ("torch.nn.functional.relu", False),
        ("torch.package.PackageImporter", False),
        ("os.system", False),
        ("numpy.load", False),
    ],
)
def test_what_may_stand_for_a_layer_in_pytorch(dotted: str, taken: bool) -> None:
    layer = {"type": "Custom", "class": "mine.Layer", "torch": dotted}
    text = json.dumps(document(layers=[layer]))
    if taken:
        assert foreign_classes(specfmt.loads(text)) == ["mine.Layer", dotted]
        return
    with pytest.raises(SpecError, match="SF129"):
        specfmt.loads(text)


def test_no_module_of_python_can_be_named() -> None:
    assert all(refusal(f"{module}.Class") for module in sys.stdlib_module_names)


def test_an_installed_package_is_refused_until_it_is_allowed() -> None:
    assert "numpy" in refusal("numpy.load")
    with allowing(["numpy.load"]):
        assert not refusal("numpy.load")
        assert refusal("numpy.save")
        assert refusal("numpy.loadtxt")
    with allowing(["subprocess", "keras.utils", "builtins"]):
        assert refusal("subprocess.Popen")
        assert refusal("keras.utils.get_file")
        assert refusal("builtins.eval")
    assert refusal("numpy.load")


@pytest.mark.parametrize(
    ("allowed", "dotted", "expected"),
    [
        ("a.b.C", "a.b.C", True),
        ("a.b", "a.b.C", True),
        ("a.*", "a.b.C", True),
        ("a", "ab.C", False),
        ("a.b.C", "a.b.Class", False),
        ("", "a.b.C", False),
        ("*", "a.b.C", False),
    ],
)
def test_prefixes_end_at_a_dot(allowed: str, dotted: str, expected: bool) -> None:
    with allowing([allowed]):
        assert is_allowed(dotted) is expected


def document(**changes: Any) -> dict[str, Any]:
    return {
        "specfmt": 1,
        "name": "m",
        "inputs": {"x": {"shape": [4]}},
        "layers": [{"type": "Dense", "units": 3}],
        **changes,
    }


def custom(dotted: str) -> dict[str, Any]:
    return {"type": "Custom", "class": dotted, "config": {"args": ["touch", "./PWNED"]}}


def everywhere(dotted: str) -> list[dict[str, Any]]:
    """Documents that name a class at each place that takes one."""
    word = custom(dotted)
    dense = {"type": "Dense", "units": 3}
    train = {"loss": "mse", "optimizer": "adam"}
    inner = {"inputs": {"y": {"shape": [4]}}, "layers": [dense | {"kernel_initializer": word}]}
    fields = ("activation", "kernel_initializer", "kernel_regularizer", "kernel_constraint")
    return [
        *(document(layers=[dense | {field: word}]) for field in fields),
        document(layers=[word]),
        document(layers=[{"type": "Model", "name": "inner", **inner}]),
        document(layers=[{"type": "TimeDistributed", "layer": dense | {"activation": word}}])
        | {"inputs": {"x": {"shape": [3, 4]}}},
        document(train=train | {"loss": word}),
        document(train=train | {"metrics": [word]}),
        document(train=train | {"optimizer": word}),
        document(train=train | {"optimizer": {"type": "Adam", "learning_rate": word}}),
        document(train=train | {"callbacks": [word]}),
    ]


@pytest.mark.parametrize("index", range(len(everywhere("a.B"))))
def test_every_place_refuses_and_lists(index: int) -> None:
    with pytest.raises(SpecError) as caught:
        specfmt.loads(json.dumps(everywhere("subprocess.Popen")[index]))
    (found,) = caught.value.diagnostics
    assert found.code == "SF129"
    assert "subprocess.Popen" in found.message
    assert found.pointer.endswith("/class")
    spec = specfmt.loads(json.dumps(everywhere("mypkg.own.Thing")[index]))
    assert foreign_classes(spec) == ["mypkg.own.Thing"]


def test_all_kinds_of_words_are_among_them() -> None:
    tried = {"activation", "initializer", "regularizer", "constraint", "loss", "metric",
             "optimizer", "schedule", "callback"}  # fmt: skip
    assert tried == set(INDEX)
    assert any(isinstance(rule, ClassRule) for rule in Custom.model_fields["class_"].metadata)


def popen_archive() -> dict[str, Any]:
    """Keras 3 JSON whose initializer is a class of the standard library."""
    text = specfmt.to_keras_json(specfmt.loads(json.dumps(document())))
    saved: dict[str, Any] = json.loads(text)
    (dense,) = [x for x in saved["config"]["layers"] if x["class_name"] == "Dense"]
    dense["config"]["kernel_initializer"] = {
        "module": "subprocess",
        "class_name": "Popen",
        "config": {"args": ["touch", "./PWNED"]},
        "registered_name": "Popen",
    }
    return saved


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def test_import_refuses_a_class_of_python(folder: Path) -> None:
    Path("m.json").write_text(json.dumps(popen_archive()))
    result = run("import", "m.json", "-o", "m.yaml")
    assert result.exit_code == 1
    assert "SF129" in result.output
    assert "subprocess.Popen" in result.output
    assert not Path("m.yaml").exists()


def test_import_lists_what_would_be_imported(folder: Path) -> None:
    saved = popen_archive()
    (dense,) = [x for x in saved["config"]["layers"] if x["class_name"] == "Dense"]
    dense["config"]["kernel_initializer"] |= {"module": "mypkg.starts", "class_name": "Even"}
    Path("m.json").write_text(json.dumps(saved))
    result = run("import", "m.json", "-o", "m.yaml")
    assert result.exit_code == 0
    assert "SF439" in result.output
    assert "--allow mypkg.starts.Even" in result.output


OWN_LOSS = """\
specfmt: 1
name: m
inputs: {x: {shape: [4]}}
layers: [{type: Dense, units: 1}]
train:
  data: {source: npz, path: d.npz, x: kx, y: ky}
  loss: {type: Custom, class: mypkg.losses.Own, config: {gamma: 2.0}}
  epochs: 1
"""


def test_train_asks_first(folder: Path) -> None:
    Path("m.yaml").write_text(OWN_LOSS)
    result = run("train", "m.yaml", "-t", "keras")
    assert result.exit_code == 1
    assert "SF309" in result.output
    assert "add: --allow mypkg.losses.Own" in result.output
    assert not Path("build").exists()
    result = run("train", "m.yaml", "-t", "keras", "--allow", "mypkg.losses.Other")
    assert result.exit_code == 1


def test_verify_asks_first(folder: Path) -> None:
    Path("m.yaml").write_text(
        "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers:\n"
        "  - {type: Dense, units: 3, kernel_initializer: {type: Custom, class: mypkg.Start}}\n"
    )
    spec = specfmt.loads(Path("m.yaml").read_text())
    code = specfmt.generate(spec, "keras")
    with pytest.raises(SpecError, match="--allow"):
        require_allowed(spec, code, "keras")
    with allowing(["mypkg"]):
        assert require_allowed(spec, code, "keras") == str(Path.cwd())
    plain = specfmt.loads(json.dumps(document()))
    assert require_allowed(plain, specfmt.generate(plain, "keras"), "keras") == ""


def test_classes_of_keras_that_run_code_are_asked_for() -> None:
    """Keras's own `safe_mode` refuses to load them."""
    for name in ("TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"):
        layer = {"type": "Custom", "class": f"keras.layers.{name}", "config": {"filepath": "m"}}
        spec = specfmt.loads(json.dumps(document(layers=[layer])))
        with pytest.raises(SpecError, match=f"--allow keras.layers.{name}"):
            require_allowed(spec, specfmt.generate(spec, "keras"), "keras")


def test_the_import_is_at_the_top() -> None:
    spec = specfmt.loads(OWN_LOSS)
    tree = ast.parse(specfmt.generate(spec, "keras", part="train"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert "mypkg.losses" in {node.module for node in imports}


def test_an_empty_entry_of_the_path_is_not_the_current_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{os.pathsep}/one{os.pathsep}{os.pathsep}/two")
    assert environment()["PYTHONPATH"] == f"/one{os.pathsep}/two"
    assert environment(PYTHONPATH="/zero")["PYTHONPATH"].startswith(f"/zero{os.pathsep}/one")
    monkeypatch.setenv("PYTHONPATH", os.pathsep)
    assert "PYTHONPATH" not in environment()


SHADOW = "open('./PWNED_' + __name__, 'w').close()\nraise ImportError('shadowed')\n"
SHADOWED = ("numpy", "keras", "tensorflow", "torch", "click", "yaml", "pydantic", "rich", "jinja2")


@pytest.fixture
def shadowed(folder: Path) -> Path:
    """A folder with files that are named as what specfmt and its programs import."""
    for name in SHADOWED:
        Path(f"{name}.py").write_text(SHADOW)
    Path("m.yaml").write_text(json.dumps(document()))
    return folder


COMMANDS = {
    "module": [sys.executable, "-m", "specfmt"],
    "script": [str(Path(sysconfig.get_path("scripts")) / "specfmt")],
}


@pytest.mark.parametrize("start", COMMANDS)
@pytest.mark.parametrize("command", [["validate"], ["summary"], ["generate", "-t", "torch"]])
def test_the_current_folder_is_not_run(shadowed: Path, start: str, command: list[str]) -> None:
    if not Path(COMMANDS[start][0]).is_file():
        pytest.skip("specfmt is not installed here")
    done = subprocess.run(
        [*COMMANDS[start], *command, "m.yaml"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert not list(shadowed.glob("PWNED*"))


TRAINED = """\
specfmt: 1
name: m
inputs: {x: {shape: [4]}}
layers: [{type: Dense, units: 3, activation: softmax}]
train: {data: {source: sklearn, name: iris}, loss: sparse_categorical_crossentropy, epochs: 1}
"""


@pytest.mark.slow
def test_programs_do_not_run_the_current_folder(shadowed: Path) -> None:
    found = specfmt.verify(specfmt.loads(TRAINED), gradients=False, batches=(2,))
    assert found.ok
    Path("m.yaml").write_text(TRAINED)
    Path("build").mkdir()
    for name in ("argparse", "csv", *SHADOWED):
        Path(f"build/{name}.py").write_text(SHADOW)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "specfmt", "train", "m.yaml", "-t", "torch"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert not list(shadowed.rglob("PWNED*"))


@pytest.mark.slow
def test_a_class_that_was_allowed_is_found_behind_all_that_is_installed(folder: Path) -> None:
    Path("m.yaml").write_text(OWN_LOSS)
    Path("numpy.py").write_text(SHADOW)
    Path("mypkg").mkdir()
    Path("mypkg/losses.py").write_text(
        "import keras\n\n\nclass Own(keras.losses.Loss):\n"
        "    def __init__(self, gamma=1.0, **kwargs):\n"
        "        super().__init__(**kwargs)\n        self.gamma = gamma\n\n"
        "    def call(self, y_true, y_pred):\n"
        "        return self.gamma * keras.ops.mean((y_true - y_pred) ** 2)\n"
    )
    subprocess.run(
        [sys.executable, "-P", "-c", "import numpy as np; np.savez('d.npz', kx=np.ones((8, 4)), "
         "ky=np.ones((8, 1)))"],
        check=True,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "specfmt", "train", "m.yaml", "-t", "keras", "--allow", "mypkg"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert Path("runs/m/model.keras").is_file()
    assert not list(folder.glob("PWNED*"))
