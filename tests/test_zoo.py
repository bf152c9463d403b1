"""`keras.applications` through import, PyTorch source and weights.

A few models at small sizes run with the slow tests; all forty at their own sizes with
``SPECFMT_ZOO=1`` (about ten minutes, 8 GB), which also prints the table.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.zoo_tools import MODELS, Result, check_model, line

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


def check(result: Result) -> None:
    """1e-5, or, where float32 itself is worse, equality in float64."""
    if max(result.errors.values()) > 1e-5:
        assert result.exact is not None
        assert result.exact_pair is not None
        keras, torch = result.exact
        assert torch <= 2 * keras, line(result)
        assert result.exact_pair <= 0.1 * keras, line(result)
    if result.name in TRUNKS:
        assert result.permutes == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SMALL)
def test_small(name: str, tmp_path: Path) -> None:
    check(check_model(name, tmp_path, size=SMALL[name]))


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("SPECFMT_ZOO"), reason="set SPECFMT_ZOO=1: all forty models")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_all(name: str, tmp_path: Path) -> None:
    result = check_model(name, tmp_path)
    print(line(result))
    check(result)
