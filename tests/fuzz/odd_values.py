"""Odd values in every field of the language, taken from its JSON Schema, so that new ones count."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import yaml

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


Made = tuple[str, Callable[[], dict[str, Any]]]
"""A name and what makes its document: there are 200,000 of them."""


def written(document: dict[str, Any]) -> str:
    """A document as JSON, or as YAML where JSON has no such number."""
    text = json.dumps(document)
    return yaml.safe_dump(document) if "NaN" in text or "Infinity" in text else text


def changed(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The document with another value at a path."""
    document = copy.deepcopy(document)
    target: Any = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return document


def odd_fields(hosts: list[Host]) -> Iterator[Made]:
    """Documents with one odd value in one field."""
    for name, document, path, fields in hosts:
        for field in fields:
            for index, value in enumerate(VALUES):
                yield (
                    f"{name}/{field}#{index}",
                    partial(changed, document, (*path, field), value),
                )


def odd_inputs(hosts: list[Host]) -> Iterator[Made]:
    """Documents whose inputs have odd shapes or dtypes."""
    changes = [*({"shape": shape} for shape in SHAPES), *({"dtype": dtype} for dtype in DTYPES)]
    for name, document, path, _ in hosts:
        for index, change in enumerate(changes if path[:1] == ("layers",) else ()):
            inputs = {key: {**said, **change} for key, said in document["inputs"].items()}
            yield f"{name}/inputs#{index}", partial(changed, document, ("inputs",), inputs)
