"""`keras.applications` through import, PyTorch source and weights.

A few models at small sizes run with the slow tests; all forty at their own sizes with
``SPECFMT_ZOO=1`` (about ten minutes, 8 GB), which also prints the table.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import specfmt
from tests.tools.harness import keras
from tests.tools.zoo_tools import MODELS, Result, check_model, line, random_model, training_line

TRUNKS = ("ResNet50", "MobileNetV2", "EfficientNetB0", "VGG16", "DenseNet121")
"""Models whose generated source has no permute at all."""

SMALL = {
    "MobileNetV2": 64,
    "EfficientNetB0": 64,
    "MobileNetV3Small": 65,
    "ResNet50V2": 65,
    "ConvNeXtTiny": 64,
    "DenseNet121": 64,
}

TRAINED = {
    "MobileNet": 64,
    "MobileNetV2": 64,
    "MobileNetV3Small": 64,
    "EfficientNetB0": 64,
    "ResNet50V2": 64,
    "DenseNet121": 64,
    "VGG16": 64,
    "Xception": 96,
    "InceptionV3": 96,
    "ConvNeXtTiny": 64,
}
"""Models of which gradients and one step of training are compared."""

ALWAYS = ("MobileNet", "MobileNetV2")


def check(result: Result) -> None:
    """1e-5, or, where float32 itself is worse, equality in float64."""
    if max(result.errors.values()) > 1e-5:
        assert result.exact is not None
        assert result.exact_pair is not None
        keras, torch = result.exact
        assert torch <= 2 * keras, line(result)
        assert result.exact_pair <= 1e-10, line(result)
    if result.name in TRUNKS:
        assert result.permutes == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SMALL)
def test_small(name: str, tmp_path: Path) -> None:
    check(check_model(name, tmp_path, size=SMALL[name]))


LINES = {
    "ResNet50": {"keras": 90, "torch": 120},
    "ResNet152": {"keras": 90, "torch": 120},
    "DenseNet121": {"keras": 170, "torch": 170},
    "MobileNetV2": {"keras": 170, "torch": 170},
    "EfficientNetB0": {"keras": 170, "torch": 175},
    "EfficientNetV2L": {"keras": 250, "torch": 306},
    "ConvNeXtTiny": {"keras": 140, "torch": 140},
    "InceptionV3": {"keras": 300, "torch": 300},
    "NASNetMobile": {"keras": 616, "torch": 480},
}
"""The most lines, without blank ones, that the code with blocks has."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LINES)
def test_code_with_blocks_is_short(name: str) -> None:
    keras().backend.clear_session()  # automatic names are counted from the start
    text = getattr(keras().applications, name)(weights=None).to_json()
    spec = specfmt.refactor(specfmt.from_keras_json(text))
    for target, most in LINES[name].items():
        code = specfmt.generate(spec, target)
        assert sum(map(bool, map(str.strip, code.splitlines()))) <= most


BLOCKS = {"ResNet50": 64, "MobileNetV2": 64, "InceptionV3": 96, "ConvNeXtTiny": 64}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BLOCKS)
def test_small_with_blocks(name: str, tmp_path: Path) -> None:
    check(check_model(name, tmp_path, size=BLOCKS[name], blocks=True))


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("SPECFMT_ZOO"), reason="set SPECFMT_ZOO=1: all forty models")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("blocks", [False, True], ids=["flat", "blocks"])
@pytest.mark.parametrize("name", MODELS)
def test_all(name: str, tmp_path: Path, blocks: bool) -> None:
    result = check_model(name, tmp_path, blocks=blocks)
    print(line(result))
    check(result)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TRAINED)
def test_training(name: str, tmp_path: Path) -> None:
    """Outputs, gradients and a step of training, at inference and in training mode."""
    if name not in ALWAYS and not os.environ.get("SPECFMT_ZOO"):
        pytest.skip("set SPECFMT_ZOO=1: all ten models")
    model = random_model(name, TRAINED[name])
    model.save(tmp_path / "model.keras")
    spec = specfmt.from_keras_json(model.to_json())
    report = specfmt.verify(spec, weights=tmp_path / "model.keras")
    print(name, training_line(report))
    assert report.ok
    for step in (report.step, report.training):
        assert step is not None
        assert any(item.max_abs for item in step.gradients), "nothing was learned"
