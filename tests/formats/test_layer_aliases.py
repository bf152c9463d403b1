"""Aliases of Keras's layers, and layers that hold code or files of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest

import specfmt

SIZED = {"filters": 2, "kernel_size": 2}


def sequential(class_name: str, config: dict[str, Any], *shape: int, module: bool = True) -> str:
    """A Sequential of one layer, as Keras 3 writes it."""

    def item(name: str, fields: dict[str, Any]) -> dict[str, Any]:
        found = {"module": "keras.layers", "class_name": name, "config": fields}
        return found if module else {"class_name": name, "config": fields}

    source = {"batch_shape": [None, *shape], "dtype": "float32", "name": "i"}
    layers = [item("InputLayer", source), item(class_name, {"name": "x", **config})]
    model = {"name": "s", "layers": layers}
    return json.dumps({"module": "keras", "class_name": "Sequential", "config": model})


def aliases() -> list[tuple[str, str]]:
    pooling = [
        (f"{short}Pool{n}D", f"{long}Pooling{n}D")
        for short, long in (
            ("Max", "Max"),
            ("Avg", "Average"),
            ("GlobalMax", "GlobalMax"),
            ("GlobalAvg", "GlobalAverage"),
        )
        for n in (1, 2, 3)
    ]
    convolutions = [
        (f"{kind}olution{n}D{end}", f"{kind}{n}D{end}")
        for kind, end, ranks in (
            ("Conv", "", (1, 2, 3)),
            ("Conv", "Transpose", (1, 2, 3)),
            ("SeparableConv", "", (1, 2)),
        )
        for n in ranks
    ]
    return pooling + convolutions


@pytest.mark.parametrize(("alias", "name"), aliases())
@pytest.mark.parametrize("module", [True, False])
def test_an_alias_is_the_layer(alias: str, name: str, module: bool) -> None:
    rank = int(next(c for c in alias if c.isdigit()))
    config = SIZED if "Conv" in alias else {} if "Global" in alias else {"pool_size": 2}
    spec = specfmt.from_keras_json(sequential(alias, config, *(8,) * (rank + 1), module=module))
    assert spec.layers[-1].type_name == name


@pytest.mark.slow
def test_the_aliases_are_those_of_keras() -> None:
    import keras

    found = {
        name: getattr(keras.layers, name).__name__
        for name in dir(keras.layers)
        if isinstance(getattr(keras.layers, name), type)
    }
    differing = {(name, real) for name, real in found.items() if name != real}
    # Keras writes GroupQueryAttention under this name, which is that of no class.
    assert differing - {("GroupQueryAttention", "GroupedQueryAttention")} == set(aliases())


CODE = {
    "TFSMLayer": {"filepath": "/nowhere", "call_endpoint": "serve"},
    "JaxLayer": {"call_fn": {"class_name": "function", "config": "f"}, "init_fn": None},
    "FlaxLayer": {"module": "x"},
    "TorchModuleWrapper": {"module": "UEsDBAAACAgAA", "output_shape": [2], "lambda_state": None},
    "Lambda": {
        "function": {
            "class_name": "__lambda__",
            "config": {"code": "4wEAAAA=", "defaults": None, "closure": None},
        },
        "arguments": {},
    },
}
"""Layers of Keras whose arguments are code, or name files of code."""


@pytest.mark.parametrize("name", CODE)
def test_a_layer_of_code_is_kept_and_never_run(name: str) -> None:
    """It comes as a user-defined layer, with its config, and PyTorch code has a place for it."""
    spec = specfmt.from_keras_json(sequential(name, CODE[name], 8))
    layer: Any = spec.layers[-1]
    assert layer.type_name == "Custom"
    assert layer.class_ == f"keras.layers.{name}"
    assert {key: layer.config[key] for key in CODE[name]} == CODE[name]
    assert "raise NotImplementedError" in specfmt.generate(spec, "torch")


def test_a_class_that_keras_exports_under_another_name() -> None:
    """An ``.h5`` file has the name of the class; a user's own class may have it, too."""
    fields = {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2}
    for config, expected in ((fields, "GroupQueryAttention"), ({"heads": 4}, "Custom")):
        item = {
            "class_name": "GroupedQueryAttention",
            "name": "a",
            "config": {"name": "a", "trainable": True, **config},
            "inbound_nodes": [{"args": [tensor("i"), tensor("i")], "kwargs": {}}],
        }
        source = {
            "class_name": "InputLayer",
            "name": "i",
            "config": {"name": "i", "batch_shape": [None, 3, 4], "dtype": "float32"},
            "inbound_nodes": [],
        }
        model = {
            "name": "m",
            "layers": [source, item],
            "input_layers": [["i", 0, 0]],
            "output_layers": [["a", 0, 0]],
        }
        spec = specfmt.from_keras_json(json.dumps({"class_name": "Functional", "config": model}))
        assert spec.layers[0].type_name == expected


def tensor(name: str) -> dict[str, Any]:
    config = {"shape": [None, 3, 4], "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}
