"""The dtype rules of Keras and PyTorch, pair by pair."""

from __future__ import annotations

import itertools
import os

import pytest

from specfmt.layers.promotion import result_type, torch_result_type

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

KERAS = [
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "int",
    "float",
]
TORCH = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
]


@pytest.mark.slow
def test_keras_promotion() -> None:
    """All pairs and all triples with a weak number."""
    from keras.src.backend.common.dtypes import result_type as keras_result_type

    weak = {"int": int, "float": float}
    groups = [*itertools.product(KERAS, repeat=2), *itertools.product(KERAS, KERAS, ["float"])]
    groups += [(dtype,) for dtype in KERAS if dtype != "int"]
    wrong = {
        group: (result_type(*group), expected)
        for group in groups
        if result_type(*group)
        != (expected := keras_result_type(*(weak.get(dtype, dtype) for dtype in group)))
    }
    assert not wrong


@pytest.mark.slow
def test_torch_promotion() -> None:
    """All pairs of tensors, and tensors with Python numbers."""
    import torch

    for a, b in itertools.product(TORCH, repeat=2):
        expected = torch.promote_types(getattr(torch, a), getattr(torch, b))
        assert f"torch.{torch_result_type(a, b)}" == str(expected), (a, b)
    for dtype, (name, number) in itertools.product(TORCH, {"int": 2, "float": 2.5}.items()):
        expected = torch.result_type(torch.ones(2, dtype=getattr(torch, dtype)), number)
        assert f"torch.{torch_result_type(dtype, name)}" == str(expected), (dtype, name)
