"""Odd values in every field of the language, taken from its JSON Schema, so that new ones count."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tests.fuzz.markers import Host

NUMBERS: list[Any] = [
    0, -1, 1, 3, 7, 2**31, 2**63 - 1, 2**63, 10**30, 9999999999, 1000000007,
    1.5, 1e308, -0.0, 1e-320, 1e17, float("nan"), float("inf"), float("-inf"),
]  # fmt: skip
NESTS: list[Any] = [
    [], {}, [[]], [[[1]]], [None], [0], [-1, 99], [1000000007], [1000000007, 1000000007],
    [9, 9, 9, 9, 9, 9, 9, 9], {"0": 1}, {"a": {"b": [1]}}, [1, "x"], True, False, None,
]  # fmt: skip
WORDS: list[Any] = [
    "", "x", "x" * 5000, "string", "complex64", "bool", "uint8", "int8", "float8_e4m3fn", "float16",
    "mixed_float16", "float64", "same", "causal", "channels_first", "relu", "stft", "identity",
    "orthogonal", "l2", "accuracy", "mse", "dense",
    {"type": "STFT"}, {"type": "Identity"}, {"type": "L2", "l2": 1e308},
    {"type": "Constant", "value": [[1, 2], [3]]}, {"type": "Constant", "value": 1e17},
    {"type": "relu", "max_value": 1e17}, {"type": "DTypePolicy", "config": {"name": "float16"}},
    {"config": {"name": "dense_1"}}, {"class_name": "Dense", "config": {}},
    {"const": {"value": [1, 2], "dtype": "string"}}, {"type": "Custom", "class": "Mine"},
    {"type": "Dense", "units": 2}, {"type": "LSTM", "units": 1000000007},
]  # fmt: skip
VALUES: list[Any] = [*NUMBERS, *NESTS, *WORDS]

SHAPES: list[Any] = [
    [], [0], [1], [None], [0, 3], [2, 0], [None, None, None], [1] * 6, [2] * 7, [1000000007],
    [2**31, 2**31], [2**63 - 1], [2**63], [1, 1, 1], [3, 3, 2], [None, 4], [-1], [True], [1.5], None,
]  # fmt: skip
DTYPES: list[Any] = ["string", "complex64", "bool", "uint8", "int8", "int64", "float16", "float64"]


def odd_fields(hosts: list[Host]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents with one odd value in one field."""
    for name, document, path, fields in hosts:
        for field in fields:
            for index, value in enumerate(VALUES):
                changed = copy.deepcopy(document)
                target: Any = changed
                for key in path:
                    target = target[key]
                target[field] = value
                yield f"{name}/{field}#{index}", changed


def odd_inputs(hosts: list[Host]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents whose inputs have odd shapes or dtypes."""
    for name, document, path, _ in hosts:
        if not path or path[0] != "layers":
            continue
        for index, change in enumerate(
            [*({"shape": shape} for shape in SHAPES), *({"dtype": dtype} for dtype in DTYPES)]
        ):
            changed = copy.deepcopy(document)
            for said in changed["inputs"].values():
                said.update(change)
            yield f"{name}/inputs#{index}", changed
