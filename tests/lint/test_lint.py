"""Every lint rule, both ways: where it speaks up and where it must not."""

from __future__ import annotations

from typing import Any

import pytest

from specfmt.lint import lint
from specfmt.lint.rules import RULES
from specfmt.reference.codes import title_and_text
from tests.tools.harness import build_graph
from tests.tools.training_tools import chain, dense

CATEGORICAL = "categorical_crossentropy"
SPARSE = "sparse_categorical_crossentropy"
LOGITS = {"type": "CategoricalCrossentropy", "from_logits": True}
CONV = {"type": "Conv2D", "filters": 4, "kernel_size": 3}
NORM = {"type": "BatchNormalization"}
IRIS = {"source": "sklearn", "name": "iris"}


def trained(loss: Any, *layers: dict[str, Any], **data: Any) -> dict[str, Any]:
    section = {"loss": loss} | ({"data": data} if data else {})
    return {**chain([4], *layers), "train": section}


def branches(outputs: Any, loss: Any = None) -> dict[str, Any]:
    """Two heads on one trunk."""
    document = chain(
        [4],
        dense(4, "relu", name="trunk"),
        dense(3, "softmax", name="kind", inputs="trunk"),
        dense(1, name="size", inputs="trunk"),
    )
    return {**document, "outputs": outputs} | ({"train": {"loss": loss}} if loss else {})


def halved(shape: list[Any], *changes: Any) -> dict[str, Any]:
    """An input that is joined with its copy after layers that change its size."""
    given = changes or ("MaxPooling1D", "UpSampling1D")
    layers = [dict(item) if isinstance(item, dict) else {"type": item} for item in given]
    layers[-1]["name"] = "changed"
    return chain(
        shape, *layers, {"type": "Concatenate", "name": "join", "inputs": ["x", "changed"]}
    )


CROP = {"type": "RandomCrop", "height": 5, "width": 4}

FOUND: dict[str, tuple[str, dict[str, Any], str]] = {
    "a block without a use": (
        "SF613",
        chain([4], {"block": "used"})
        | {
            "blocks": {
                "used": {"layers": [dense(3), {"block": "inner"}]},
                "inner": {"layers": [dense(3)]},
                "left": {"layers": [dense(3), {"block": "inner"}]},
            }
        },
        "/blocks/left",
    ),
    "kept": (
        "SF314",
        chain([4], {"type": "Custom", "class": "keras.layers.JaxLayer", "shape": [3]}),
        "/layers/0/class",
    ),
    "softmax": ("SF601", trained(LOGITS, dense(3, "softmax")), "/train/loss"),
    "softmax layer": ("SF601", trained(LOGITS, dense(3), {"type": "Softmax"}), "/train/loss"),
    "activation layer": (
        "SF601",
        trained(LOGITS, dense(3), {"type": "Activation", "activation": "softmax"}),
        "/train/loss",
    ),
    "sigmoid": (
        "SF601",
        trained({"type": "BinaryCrossentropy", "from_logits": True}, dense(1, "sigmoid")),
        "/train/loss",
    ),
    "after dropout": (
        "SF601",
        trained(LOGITS, dense(3, "softmax"), {"type": "Dropout", "rate": 0.5}),
        "/train/loss",
    ),
    "one of two": (
        "SF601",
        branches(["kind", "size"], {"kind": LOGITS, "size": "mse"}),
        "/train/loss/kind",
    ),
    "listed": ("SF601", branches(["kind", "size"], [LOGITS, "mse"]), "/train/loss/0"),
    "mse": ("SF602", trained("mse", dense(10, "sigmoid")), "/train/loss"),
    "huber": ("SF602", trained("huber", dense(3, "softmax")), "/train/loss"),
    "one-hot": ("SF603", trained(SPARSE, dense(3, "softmax"), **IRIS, one_hot=True), "/train/loss"),
    "numbers": ("SF603", trained(CATEGORICAL, dense(3, "softmax"), **IRIS), "/train/loss"),
    "two linear": ("SF604", chain([4], dense(5), dense(3)), "/layers/0"),
    "dropout between": (
        "SF604",
        chain([4], dense(5), {"type": "Dropout", "rate": 0.1}, dense(3)),
        "/layers/0",
    ),
    "linear between": (
        "SF604",
        chain([4], dense(5), {"type": "Activation", "activation": "linear"}, dense(3)),
        "/layers/0",
    ),
    "softmax before linear": (
        "SF601",
        trained(LOGITS, dense(3, "softmax"), {"type": "Activation", "activation": "linear"}),
        "/train/loss",
    ),
    "bias": ("SF605", chain([8, 8, 3], CONV, NORM), "/layers/0/use_bias"),
    "dense bias": ("SF605", chain([4], dense(5), NORM), "/layers/0/use_bias"),
    "channels first": (
        "SF605",
        chain([3, 8, 8], {**CONV, "data_format": "channels_first"}, {**NORM, "axis": 1}),
        "/layers/0/use_bias",
    ),
    "unused": ("SF606", branches("kind"), "/layers/2"),
    "unused input": (
        "SF606",
        {**chain([4], dense(2, inputs="x")), "inputs": {"x": {"shape": [4]}, "z": {"shape": [1]}}},
        "/inputs/z",
    ),
    "untrained": ("SF607", branches(["kind", "size"], {"kind": SPARSE}), "/train/loss"),
    "softmax of one": ("SF608", chain([4], dense(1, "softmax")), "/layers/0"),
    "a name with a space": ("SF609", chain([4], dense(2, name="hidden 1")), "/layers/0/name"),
    "a model's name": ("SF609", {**chain([4], dense(2)), "name": "_case"}, "/name"),
    "float16 in training": (
        "SF614",
        {**trained("mean_squared_error", dense(3)), "dtype": "mixed_float16"},
        "/dtype",
    ),
    "a random crop": ("SF610", chain([8, 8, 3], CROP), "/layers/0"),
    "dropout that stays on": (
        "SF612",
        chain([4], {"type": "Dropout", "rate": 0.5, "inputs": {"inputs": "x", "training": True}}),
        "/layers/0",
    ),
    "statistics that stay fixed": (
        "SF612",
        chain([4], {**NORM, "inputs": {"inputs": "x", "training": False}}),
        "/layers/0",
    ),
    "halved and doubled": ("SF611", halved([None, 4]), "/inputs/x/shape/0"),
    "nested": (
        "SF604",
        chain(
            [4],
            {
                "type": "Model",
                "name": "inner",
                "inputs": {"y": {"shape": [4]}},
                "layers": [dense(5), dense(3)],
                "call": "x",
            },
        ),
        "/layers/0/layers/0",
    ),
}

SIZES = {
    "halved and doubled": (
        halved([None, 4]),
        ["T of the inputs to be a multiple of 2, since join"],
    ),
    "halved twice": (
        halved(["steps", 4], "MaxPooling1D", "MaxPooling1D", "UpSampling1D", "UpSampling1D"),
        ["steps of the inputs to be a multiple of 4, since join needs equal sizes"],
    ),
    "images": (
        halved([None, None, 4], "MaxPooling2D", "UpSampling2D"),
        ["H of the inputs to be a multiple of 2", "W of the inputs to be a multiple of 2"],
    ),
    "odd sizes": (
        halved(
            [None, 4],
            {"type": "MaxPooling1D", "pool_size": 3, "strides": 2},
            {"type": "Conv1DTranspose", "filters": 2, "kernel_size": 3, "strides": 2},
        ),
        ["T of the inputs to be a multiple of 2, plus 1"],
    ),
    "only by broadcasting": (
        {
            **halved([None, 4], "MaxPooling1D"),
            "layers": [
                {"type": "MaxPooling1D"},
                {"type": "Add", "inputs": ["x", "max_pooling1d"]},
            ],
        },
        ["received T and T//2, which can only be broadcast where one of them is 1"],
    ),
    "a reshape": (
        chain([None, 4], {"type": "Reshape", "target_shape": [-1, 6]}),
        ["T of the inputs to be a multiple of 3, since reshape"],
    ),
    "same padding": (
        halved([None, 4], {"type": "Conv1D", "filters": 2, "kernel_size": 3, "padding": "same"}),
        [],
    ),
    "two sizes": (
        {
            **chain([4]),
            "inputs": {"x": {"shape": [None, 4]}, "y": {"shape": [None, 4]}},
            "layers": [{"type": "Concatenate", "inputs": ["x", "y"]}],
        },
        [],
    ),
    "in a nested model": (
        chain(
            [None, 2],
            {"type": "UpSampling1D", "size": 3},
            {
                "type": "Model",
                "name": "inner",
                "inputs": {"x": {"shape": [None, 2]}},
                "layers": halved([None, 2])["layers"],
            },
        ),
        ["T of the inputs to be a multiple of 2, since inner"],
    ),
}


@pytest.mark.parametrize("case", SIZES)
def test_sizes_that_fit(case: str) -> None:
    document, expected = SIZES[case]
    found = [item.message for item in lint(build_graph(document)) if item.code == "SF611"]
    assert len(found) == len(expected)
    for message, part in zip(found, expected, strict=True):
        assert part in message


QUIET: dict[str, dict[str, Any]] = {
    "bfloat16 in training": {
        **trained("mean_squared_error", dense(3)),
        "dtype": "mixed_bfloat16",
    },
    "float16 at inference": {**chain([4], dense(3)), "dtype": "mixed_float16"},
    "logits": trained(LOGITS, dense(3)),
    "a random crop of the same size": chain([5, 4, 3], CROP),
    "a fixed mode without effect on anything": chain(
        [4], {"type": "Dropout", "rate": 0.0, "inputs": {"inputs": "x", "training": True}}
    ),
    "a fixed mode of frozen statistics": chain(
        [4], {**NORM, "trainable": False, "inputs": {"inputs": "x", "training": True}}
    ),
    "relu logits": trained(LOGITS, dense(3, "relu")),
    "probabilities": trained(CATEGORICAL, dense(3, "softmax")),
    "sigmoid of one": trained("mse", dense(1, "sigmoid")),
    "regression": trained("mse", dense(3)),
    "sparse": trained(SPARSE, dense(3, "softmax"), **IRIS),
    "one-hot": trained(CATEGORICAL, dense(3, "softmax"), **IRIS, one_hot=True),
    "own arrays": trained(CATEGORICAL, dense(3, "softmax"), source="npz", path="a.npz"),
    "activation between": chain([4], dense(5, "relu"), dense(3)),
    "activation layer between": chain([4], dense(5), {"type": "ReLU"}, dense(3)),
    "read twice": {
        **chain(
            [4], dense(5, name="a"), dense(3, name="b", inputs="a"), dense(3, name="c", inputs="a")
        ),
        "outputs": ["b", "c"],
    },
    "norm between": chain([4], dense(5, use_bias=False), NORM, dense(3)),
    "no bias": chain([8, 8, 3], {**CONV, "use_bias": False}, NORM),
    "activated": chain([8, 8, 3], {**CONV, "activation": "relu"}, NORM),
    "other axis": chain([8, 8, 3], CONV, {**NORM, "axis": 1}),
    "both read": branches(["kind", "size"], {"kind": SPARSE, "size": None}),
    "one loss": branches(["kind", "size"], "mse") | {"train": None},
    "softmax of two": chain([4], dense(2, "softmax")),
}


@pytest.mark.parametrize("name", FOUND)
def test_found(name: str) -> None:
    code, document, place = FOUND[name]
    findings = [finding for finding in lint(build_graph(document)) if finding.code == code]
    assert [finding.pointer for finding in findings] == [place]
    (finding,) = findings
    assert finding.severity == "warning"
    assert finding.message.startswith("expected ")
    assert finding.hint


@pytest.mark.parametrize("name", QUIET)
def test_quiet(name: str) -> None:
    document = {key: value for key, value in QUIET[name].items() if value is not None}
    assert [str(finding) for finding in lint(build_graph(document))] == []


def test_every_rule_has_a_case_and_a_page() -> None:
    assert {code for code, _, _ in FOUND.values()} == set(RULES)
    for code, check in RULES.items():
        title, text = title_and_text(code)
        assert check.__doc__ == f"{title}."
        assert len(text) > 80
