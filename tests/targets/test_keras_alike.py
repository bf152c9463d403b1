"""Nested models that differ in sizes and names only: one function with parameters builds them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from specfmt import generate, loads
from specfmt.targets.keras.builders import words
from tests.tools.harness import execute


def code_of(*models: str, inputs: str = "{image: {shape: [16, 16, 4]}}") -> str:
    entries = "".join(f"  - {{type: Model, {model}}}\n" for model in models)
    spec = loads(f"specfmt: 1\nname: net\ninputs: {inputs}\nlayers:\n{entries}")
    code = generate(spec, "keras")
    assert isinstance(code, str)
    return code


def builders(code: str) -> list[str]:
    return re.findall(r"^def (build_\w+)\(", code, re.MULTILINE)


def layer_names(model: Any) -> list[str]:
    return [inner.name for layer in model.layers for inner in getattr(layer, "layers", [])]


def down(place: int, size: int, channels: int, more: str = "") -> str:
    return (
        f"name: down_{place}, style: sequential, inputs: {{x{place + 3}: {{shape: [{size}, {size}, "
        f"{channels}]}}}}, layers: [{{type: LayerNormalization, name: down_norm_{place}}}, "
        f"{{type: Conv2D, name: down_conv_{place}, filters: {2 * channels}, kernel_size: 2, "
        f"strides: 2{more}}}]"
    )


def test_lists_of_layers() -> None:
    code = code_of(down(0, 16, 4), down(1, 8, 8), down(2, 4, 16))
    assert builders(code) == ["build_down", "build_model"]
    assert 'keras.Input(shape, name=f"x{index + 3}")' in code
    assert "build_down(1, shape=(8, 8, 8), filters=16)," in code
    model = execute(code)
    assert [layer.name for layer in model.layers] == ["down_0", "down_1", "down_2"]
    inner = [layer.output.shape for layer in model.layers]
    assert inner == [(None, 8, 8, 8), (None, 4, 4, 16), (None, 2, 2, 32)]
    assert [name for name in layer_names(model) if "conv" in name] == [
        f"down_conv_{place}" for place in range(3)
    ]


def tower(side: str, units: int, activation: str = "relu") -> str:
    layers = (
        f"{{type: Dense, name: {side}_in, units: {units}, activation: {activation}}}, "
        f"{{type: Dense, name: {side}_gate, inputs: {side}_in, units: {units}}}, "
        f"{{type: Multiply, name: {side}_product, inputs: [{side}_in, {side}_gate]}}, "
        f"{{type: Dense, name: {side}_out, inputs: {side}_product, units: 6}}"
    )
    return f"name: {side}_tower, inputs: {{{side}: {{shape: [6]}}}}, layers: [{layers}]"


def test_models_with_variables_of_their_own() -> None:
    code = code_of(tower("left", 3), tower("right", 5, "tanh"), inputs="{features: {shape: [6]}}")
    assert builders(code) == ["build_tower", "build_model"]
    assert 'build_tower("right", units=5, activation="tanh")' in code
    assert 'name=f"{name}_gate"' in code
    names = layer_names(execute(code))
    parts = ("", "_in", "_gate", "_product", "_out")
    assert names == [f"{side}{part}" for side in ("left", "right") for part in parts]


@pytest.mark.parametrize(
    "models",
    [
        (down(0, 16, 4), down(1, 8, 8, ", use_bias: false")),
        (down(0, 16, 4), down(1, 8, 8).replace("LayerNormalization", "BatchNormalization")),
        (down(0, 16, 4), down(1, 8, 8).replace("}]", "}], trainable: false")),
    ],
    ids=["other_arguments", "other_layers", "frozen"],
)
def test_other_models_have_functions_of_their_own(models: tuple[str, str]) -> None:
    code = code_of(*models)
    assert builders(code) == ["build_down_0", "build_down_1", "build_model"]
    assert len(execute(code).layers) == 2


def test_names_with_odd_characters_stay() -> None:
    odd = [down(place, 16 // 2**place, 4 * 2**place) for place in range(2)]
    odd = [re.sub(r"down_conv_(\d)", r"'down{$$}.\1.conv'", text) for text in odd]
    names = [name for name in layer_names(execute(code_of(*odd))) if "conv" in name]
    assert names == ["down{$$}.0.conv", "down{$$}.1.conv"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a_0_b", "a_1_b"], ("a_", "_b", ["0", "1"])),
        (["block10", "block11"], ("block", "", ["10", "11"])),
        (["left", "right"], ("", "", ["left", "right"])),
        (["left_in", "light_in"], ("", "_in", ["left", "light"])),
        (["dense", "dense_1"], ("", "", ["dense", "dense_1"])),
        (["a_b", "a_b_b"], ("a_", "", ["b", "b_b"])),
    ],
)
def test_where_names_differ(names: list[str], expected: tuple[str, str, list[str]]) -> None:
    found = words(names)
    assert (found.before, found.after, found.middles) == expected
    assert [f"{found.before}{middle}{found.after}" for middle in found.middles] == names


def test_names_that_keras_numbers() -> None:
    layers = "[{type: Dense, units: %d}, {type: Dropout, rate: 0.5}, {type: Dense, units: 4}]"
    code = code_of(
        *(f"inputs: {{a{n}: {{shape: [16, 16, 4]}}}}, layers: {layers % (n + 2)}" for n in range(2))
    )
    assert "keras.Input((16, 16, 4), name=input_name)" in code
    names = layer_names(execute(code))
    assert names == 2 * ["dense", "dropout", "dense_1"]


def test_models_in_blocks() -> None:
    spec = loads("""specfmt: 1
name: net
inputs: {image: {shape: [8, 8, 4]}}
blocks:
  unit:
    parameters: {filters: required}
    layers:
      - {type: Conv2D, name: conv, filters: $filters, kernel_size: 1}
      - type: Model
        name: inner
        inputs: {z: {shape: [8, 8, $filters]}}
        layers:
          - {type: Dense, name: a, units: $(2 * filters)}
          - {type: Dense, name: b, units: $filters}
layers:
  - {block: unit, name: u, filters: 3, repeat: 2}
  - {block: unit, name: last, filters: 5}
""")
    code = generate(spec, "keras", style="functional")
    assert isinstance(code, str)
    assert builders(code) == ["build_inner", "build_model"]
    model = execute(code)
    assert [layer.name for layer in model.layers if "inner" in layer.name] == [
        "u_1_inner",
        "u_2_inner",
        "last_inner",
    ]
    assert model.count_params() == 240 + 12
