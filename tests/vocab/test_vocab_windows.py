"""Windows of spectrograms: the names that Keras accepts, and their values."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import specfmt
from specfmt.targets.torch.windows import window_source
from specfmt.vocab.windows import NAMES, PARAMETRIC, SUFFIXES, WINDOWS
from tests.tools.harness import execute, keras


def spectrogram(window: Any) -> str:
    layer = {"type": "STFTSpectrogram", "frame_length": 11, "window": window, "name": "power"}
    inputs = {"x": {"shape": [40, 1]}}
    return json.dumps({"specfmt": 1, "name": "case", "inputs": inputs, "layers": [layer]})


@pytest.mark.parametrize("window", ["hann", "parz_periodic", "rectangular", [1.0] * 11, None])
def test_windows_that_keras_accepts(window: Any) -> None:
    assert specfmt.check(spectrogram(window), targets=["keras", "torch"]) == []


@pytest.mark.parametrize(
    ("window", "hint"),
    [
        ("han_", "did you mean"),
        ("hanning", "did you mean hann?"),
        ("kaiser", "as a list"),
        ("gaussian_symmetric", "as a list"),
        ("hann_symmetric_periodic", "did you mean hann?"),
        ("x", "the windows are barthann"),
    ],
)
def test_windows_that_keras_refuses(window: str, hint: str) -> None:
    (finding, *_) = specfmt.check(spectrogram(window))
    assert finding.severity == "error"
    assert finding.pointer == "/layers/0/window"
    assert hint in finding.hint


@pytest.mark.slow
def test_names_are_those_of_scipy() -> None:
    windows = pytest.importorskip("scipy.signal.windows._windows")
    assert {*NAMES, *PARAMETRIC} == set(windows._WIN_FUNCS)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_scipy(name: str) -> None:
    import torch
    from torch.signal import windows

    signal = pytest.importorskip("scipy.signal")
    for suffix in ("", *SUFFIXES):
        for periodic in (False, True):
            for size in (1, 2, 3, 4, 5, 16, 17, 400):
                names: dict[str, Any] = {"torch": torch, "math": math, "windows": windows}
                lines, source = window_source(name + suffix, size, periodic=periodic)
                for line in lines:
                    exec(line, names)
                expected = signal.get_window(name + suffix, size, periodic)
                assert np.abs(eval(source, names).numpy() - expected).max() < 2e-6


@pytest.mark.slow
@pytest.mark.parametrize("window", WINDOWS)
def test_layers_start_with_the_kernels_of_keras(window: str) -> None:
    layer = keras().layers.STFTSpectrogram(frame_length=11, window=window)
    layer.build((None, 40, 1))
    module = execute(specfmt.generate(specfmt.loads(spectrogram(window)), "torch"))
    for expected, own in zip(layer.weights, module.parameters(), strict=True):
        found = own.detach().permute(2, 1, 0).numpy()
        assert np.abs(found - expected.numpy()).max() < 2e-6
