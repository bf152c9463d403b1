"""`verify --original` and `convert`: equal means equal to the file, and nothing is equal by mistake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import specfmt
from specfmt.cli import main
from specfmt.parity import pair as verify_pair
from specfmt.parity.workers import Workers
from tests.tools.imports import import_source

pytestmark = pytest.mark.slow

MAKE = """
import sys
import numpy as np
import keras
import tf_keras
folder = sys.argv[1]

def net(k, name):
    L = k.layers
    x = i = k.Input((9, 9, 3), name="image")
    x = L.Conv2D(4, 3, strides=2, padding="same", name="conv")(x)
    x = L.BatchNormalization(name="norm")(x)
    x = L.ReLU(name="relu")(x)
    x = L.GlobalAveragePooling2D(name="pool")(x)
    return k.Model(i, L.Dense(3, activation="softmax", name="out")(x), name=name)

def trained(model):
    rng = np.random.default_rng(1)
    model.set_weights([
        rng.uniform(0.5, 1.5, w.shape) if w.min() == w.max() == 1 else 0.5 * rng.standard_normal(w.shape)
        for w in model.get_weights()
    ])
    return model

three = trained(net(keras, "three"))
three.save(folder + "/three.keras")
open(folder + "/three.json", "w").write(three.to_json())
x = np.random.default_rng(5).standard_normal((2, 9, 9, 3)).astype("float32")
np.savez(folder + "/three.npz", x0=x, y0=three(x))
two = trained(net(tf_keras, "two"))
two.save(folder + "/two.h5")
open(folder + "/two.json", "w").write(two.to_json())

# A channel that is always zero leaves moving statistics at the size of rounding.
dead = net(keras, "dead")
dead.get_layer("conv").set_weights([w * 1e-18 for w in dead.get_layer("conv").get_weights()])
dead.save(folder + "/dead.keras")

keras.config.set_dtype_policy("float16")
trained(net(keras, "half")).save(folder + "/half.keras")
keras.config.set_dtype_policy("float32")

Q, V = keras.Input((None, 6), name="q"), keras.Input((None, 6), name="v")
M = keras.Input((None, None), dtype="bool", name="m")
keras.Model([Q, V, M], keras.layers.MultiHeadAttention(2, 4, name="cross")(Q, V, attention_mask=M)).save(
    folder + "/cross.keras")

keras.utils.set_random_seed(1)
# TensorFlow resizes in float32, whatever the rest computes in.
L = keras.layers
x = i = keras.Input((32, 32, 2))
skips = []
for f in (4, 8):
    x = L.Conv2D(f, 3, padding="same")(x)
    x = L.ReLU()(L.BatchNormalization()(x))
    skips.append(x)
    x = L.MaxPooling2D()(x)
for s in skips[::-1]:
    x = L.UpSampling2D(interpolation="bilinear")(x)
    x = L.Concatenate()([x, s])
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(s.shape[-1], 3, padding="same")(x)))
keras.Model(i, L.Conv2D(1, 1, name="out")(x), name="unet").save(folder + "/unet.keras")

# Differences of large numbers: float32 keeps few of their digits.
x = i = keras.Input((8,))
for _ in range(4):
    x = L.Dense(16)(x)
    x = L.Subtract()([L.Add()([x, L.Rescaling(300.0)(x)]), L.Rescaling(300.0)(x)])
keras.Model(i, L.Dense(2, name="out")(x), name="cancels").save(folder + "/cancels.keras")

def half_loss(y, p):
    return keras.ops.mean(abs(y - p)) / 2
seg = keras.Sequential([keras.Input((4,)), L.Dense(2)], name="seg")
seg.compile("adam", half_loss)
seg.save(folder + "/seg.keras")
# Words that no output depends on, and inputs of several types.
for k in (keras, tf_keras):
    @k.utils.register_keras_serializable("own")
    class Start(k.initializers.Initializer):
        def __call__(self, shape, dtype=None, **kwargs):
            return np.random.default_rng(3).standard_normal(shape).astype("float32")
        def get_config(self):
            return {}

    @k.utils.register_keras_serializable("own")
    def penalty(w):
        return 0.0

    L = k.layers
    i = k.Input((4, 5))
    x = L.Bidirectional(L.LSTM(3, kernel_initializer=Start(), return_sequences=True))(i)
    x = L.TimeDistributed(L.Dense(3, kernel_regularizer=penalty, bias_constraint=penalty))(x)
    words = k.Model(i, L.BatchNormalization(gamma_initializer=Start())(x), name="words")
    words.compile("adam", penalty)
    for ending in (".keras", ".h5"):
        words.save(f"{folder}/words_{k.__name__}{ending}")
    open(f"{folder}/words_{k.__name__}.json", "w").write(words.to_json())
    i, j = k.Input((3,), dtype="float16"), k.Input((3,), dtype="uint8", name="whole")
    y = L.GlobalAveragePooling1D()(L.Embedding(200, 3)(j))
    k.Model([i, j], L.Concatenate()([L.Dense(3)(i), y]), name="types").save(
        f"{folder}/types_{k.__name__}.h5")

    k.backend.set_floatx("float16")
    i = k.Input((5, 4))
    half = k.Model(i, L.Dense(2)(L.LSTM(3)(i)), name="floatx")
    half.save(f"{folder}/floatx_{k.__name__}.h5")
    k.backend.set_floatx("float32")

L = keras.layers
keras.Sequential([keras.Input((4,)), L.Lambda(lambda x: x * 2), L.Dense(2)], name="lam").save(
    folder + "/lam.keras")
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Saved models of both generations."""
    folder = tmp_path_factory.mktemp("originals")
    subprocess.run([sys.executable, "-c", MAKE, str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """One process a framework for all tests."""
    with Workers() as running:
        yield running


def verified(file: Path, workers: Workers, **options: Any) -> Any:
    spec = specfmt.loads(import_source(file)[0])
    return specfmt.verify(spec, original=file, workers=workers, **options)


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("three.keras", "Keras 3"),
        ("three.json", "Keras 3"),
        ("two.h5", "tf_keras 2"),
        ("two.json", "tf_keras 2"),
        ("half.keras", "Keras 3"),
        ("cross.keras", "Keras 3"),
        ("seg.keras", "Keras 3"),
    ],
)
def test_equal_to_the_original(name: str, by: str, files: Path, workers: Workers) -> None:
    """Trained weights, drawn ones where the file has none, few digits, open sizes, own losses."""
    report = verified(files / name, workers, gradients=False)
    assert report.ok, report.to_data()
    (original,) = report.against
    assert original.by.startswith(by)
    for rows in original.outputs.values():
        assert rows[0].max_rel < 1e-6
    assert bool(report.own_outputs) == (name == "half.keras")


@pytest.mark.parametrize("ending", [".keras", ".h5", ".json"])
@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_words_that_no_output_depends_on(
    framework: str, ending: str, files: Path, workers: Workers
) -> None:
    """Initializers, regularizers, constraints and losses of one's own do not stop the loading."""
    report = verified(files / f"words_{framework}{ending}", workers, gradients=False)
    assert report.ok, report.to_data()
    assert not report.against[0].why
    assert set(report.against[0].outputs) == {"keras", "torch"}


@pytest.mark.parametrize("name", ["types", "floatx"])
@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_inputs_of_other_types(name: str, framework: str, files: Path, workers: Workers) -> None:
    """Every program gets its inputs in the types that it declares."""
    report = verified(files / f"{name}_{framework}.h5", workers)
    assert report.ok, report.to_data()
    assert not report.against[0].why


def test_reference(files: Path, workers: Workers) -> None:
    """Outputs that a user gives are compared as well, and a wrong one is told."""
    with np.load(files / "three.npz") as stored:
        x, y = stored["x0"], stored["y0"]
    np.savez(files / "wrong.npz", image=x, out=y + np.array([0, 1e-4, 0], "float32"))
    for name, ok in (("three.npz", True), ("wrong.npz", False)):
        report = verified(files / "three.keras", workers, reference=files / name, gradients=False)
        assert [item.what for item in report.against] == ["original", "reference"]
        assert [item.ok for item in report.against] == [True, ok]
        assert report.ok == ok


PLANTED = {
    "epsilon": (
        "norm",
        {
            "keras": ("name='norm'", "epsilon=2e-3, name='norm'"),
            "torch": ("eps=0.001", "eps=0.002"),
        },
    ),
    "padding": ("conv", {"keras": ("padding='same'", "padding='valid'"), "torch": None}),
    "activation": ("relu", {"keras": ("ReLU(", "ReLU(max_value=0.9, "), "torch": None}),
}


def plant(monkeypatch: Any, changes: dict[str, tuple[str, str] | None]) -> None:
    """Change generated code."""
    original = verify_pair.generate

    def wrong(spec: Any, target: str, *options: Any) -> str:
        code: str = original(spec, target, *options)
        change = changes.get(target)
        if change is None:
            return code
        old, new = (text.replace("'", '"') for text in change)
        assert old in code, code
        return code.replace(old, new)

    monkeypatch.setattr(verify_pair, "generate", wrong)


def test_a_wrong_epsilon_in_both_programs(files: Path, workers: Workers, monkeypatch: Any) -> None:
    """They agree with each other, and not with the file."""
    layer, changes = PLANTED["epsilon"]
    plant(monkeypatch, changes)
    report = verified(files / "three.keras", workers, gradients=False)
    assert report.outputs_agree
    assert not report.ok
    (original,) = report.against
    assert original.exact
    assert {original.first(target) for target in ("keras", "torch")} == {layer}


@pytest.mark.parametrize("what", ["activation"])
def test_a_wrong_layer_in_one_program(
    what: str, files: Path, workers: Workers, monkeypatch: Any
) -> None:
    layer, changes = PLANTED[what]
    plant(monkeypatch, changes)
    report = verified(files / "three.keras", workers, gradients=False)
    assert report.first == layer
    (original,) = report.against
    assert (original.first("keras"), original.first("torch")) == (layer, "")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("three.keras", "eps=0.001", "eps=0.0012"),
        ("unet.keras", "self.out(", "1.0001 * self.out("),
        ("cancels.keras", "self.out(", "1.0001 * self.out("),
    ],
)
def test_an_error_of_one_in_ten_thousand(
    name: str, old: str, new: str, files: Path, workers: Workers, monkeypatch: Any
) -> None:
    """Is found in one layer, also where float32 or a resizing in it rounds as much."""
    plant(monkeypatch, {"torch": (old, new)})
    report = verified(files / name, workers, gradients=False)
    assert not report.ok
    assert not report.outputs_agree
    assert [item.ok for item in report.against] == [False]
    assert all(d.ok for d in report.against[0].outputs["keras"])


@pytest.mark.parametrize("name", ["dead.keras", "unet.keras", "cancels.keras"])
def test_no_false_alarm(name: str, files: Path, workers: Workers) -> None:
    """Numbers at the size of rounding, resizing in float32, ill-conditioned sums."""
    report = verified(files / name, workers)
    assert report.ok, report.to_data()


def test_what_is_not_loaded(files: Path, workers: Workers, tmp_path: Path) -> None:
    """Code in the file is not run; a class that nobody has is told; the programs are compared."""
    report = verified(files / "lam.keras", workers, gradients=False)
    assert report.ok
    assert "Lambda" in report.against[0].why
    assert report.missing
    spec = specfmt.load(Path(__file__).parents[2] / "examples" / "xor.yaml")
    architecture = json.loads(specfmt.to_keras_json(spec))
    mark = tmp_path / "ran"
    architecture["config"]["layers"][-1]["config"]["activation"] = {
        "module": "os",
        "class_name": "system",
        "config": {"command": f"touch {mark}"},
        "registered_name": None,
    }
    hostile = tmp_path / "hostile.json"
    hostile.write_text(json.dumps(architecture))
    report = specfmt.verify(spec, original=hostile, workers=workers, gradients=False)
    assert report.against[0].why == "it names os.system, which is not Keras's own"
    assert not mark.exists()
    assert report.ok


def test_convert_says_what_it_compared(files: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """On the command line: the original by name; a difference is exit 1 unless accepted."""
    command = ["convert", str(files / "two.h5"), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert "equal to the original" in said
    assert "loaded by tf_keras 2" in said
    plant(monkeypatch, PLANTED["epsilon"][1])
    command.append("--force")
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    said = " ".join(result.stdout.split())
    assert "NOT equal to the original" in said
    assert "The first layer in which PyTorch differs from the original: norm." in said
    result = CliRunner().invoke(main, [*command, "--accept-changes"])
    assert result.exit_code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_a_killed_run(number: signal.Signals, tmp_path: Path) -> None:
    """No process and, unless it was killed without notice, no folder."""
    spec = Path(__file__).parents[2] / "examples" / "xor.yaml"
    command = [sys.executable, "-m", "specfmt", "verify", str(spec), "--target", "torch"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        # A background job starts its children with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    folder = wait_for(lambda: next(tmp_path.glob(".verify.*"), None))
    children = wait_for(lambda: children_of(process.pid))
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    wait_for(lambda: not any(Path(f"/proc/{child}/cmdline").exists() for child in children))
    assert folder.exists() == (number == signal.SIGKILL)


def wait_for(found: Any) -> Any:
    """What a function finds in the end."""
    for _ in range(600):
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError("nothing came")


def children_of(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    if not path.exists():
        pytest.skip("no /proc")
    return [int(item) for item in path.read_text().split()]
