"""What the tests of the training vocabulary share: words, Keras objects, helper files."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from specfmt.vocab.base import Term, TermRule

TOLERANCE = 1e-5


def term(kind: str, value: Any) -> Term:
    """A word as a spec writes it."""
    checked = TermRule(kind).check(value)
    assert checked is not None
    return checked


def keras_object(word: Term) -> Any:
    """The object that the generated Keras code constructs."""
    import keras

    from specfmt.targets.keras.values import construction

    return eval(construction(word), {"keras": keras})  # our own source


def helper_space(helpers: Iterable[str]) -> dict[str, Any]:
    """A namespace with helper files executed, as a generated script has them."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    from specfmt.targets.templates import helper_sources

    torch.set_num_threads(1)
    space: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, "math": math}
    imports, bodies = helper_sources(list(helpers), "torch/helpers")
    exec("\n".join([*imports, *bodies]), space)
    return space


def fill(code: str, **names: str) -> str:
    """``{prediction}`` and its like by the names of a script."""
    for key, name in names.items():
        code = code.replace(f"{{{key}}}", name)
    assert "{" not in code.replace("{weight}", ""), code
    return code


def to_torch(array: np.ndarray, *, channels_first: bool = True) -> Any:
    """An array in the axis order of generated PyTorch outputs."""
    import torch

    if channels_first and array.ndim in (4, 5):
        array = np.moveaxis(array, -1, 1)
    return torch.tensor(np.ascontiguousarray(array))


def close(ours: Any, theirs: Any, tolerance: float = TOLERANCE) -> None:
    """``max|a-b| / max|a|`` within the bound."""
    a, b = np.asarray(theirs, "float64"), np.asarray(ours, "float64")
    assert a.shape == b.shape, (a.shape, b.shape)
    assert np.array_equal(np.isnan(a), np.isnan(b))
    scale = np.nan_to_num(np.abs(a)).max() or 1.0
    error = np.nan_to_num(np.abs(a - b)).max() / scale
    assert error <= tolerance, f"relative error {error:.2e}: Keras {a}, ours {b}"
