"""Long terms that stand in several layers: constants of the Keras file."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from specfmt import generate, loads
from tests.tools.harness import execute

SCALING = "{type: VarianceScaling, scale: 2.0, mode: fan_out}"
PENALTY = "{type: L1L2, l1: 0.0000123456789, l2: 0.0000123456789}"


def spec_of(layers: list[str], blocks: str = "") -> Any:
    entries = "".join(f"  - {{{layer}}}\n" for layer in layers)
    inputs = "inputs: {image: {shape: [8, 8, 4]}}\n"
    return loads(f"specfmt: 1\nname: net\n{inputs}{blocks}layers:\n{entries}")


def convolutions(count: int, extra: str = f"kernel_initializer: {SCALING}") -> list[str]:
    return [f"type: Conv2D, name: c{n}, filters: 4, kernel_size: 1, {extra}" for n in range(count)]


def code_of(spec: Any, **options: Any) -> str:
    code = generate(spec, "keras", **options)
    assert isinstance(code, str)
    return code


def test_a_long_initializer_of_several_layers_is_a_constant() -> None:
    layers = [
        *convolutions(2),
        f"type: DepthwiseConv2D, name: d, kernel_size: 3, depthwise_initializer: {SCALING}",
    ]
    code = code_of(spec_of(layers))
    assert code.count("VarianceScaling") == 1
    assert code.count("kernel_initializer=CONV_KERNEL_INITIALIZER") == 2
    assert "depthwise_initializer=CONV_KERNEL_INITIALIZER" in code


@pytest.mark.parametrize(
    "layers",
    [
        convolutions(2),
        convolutions(3, "kernel_initializer: {type: RandomNormal, stddev: 0.02}"),
        convolutions(3, "kernel_initializer: {type: VarianceScaling, mode: fan_out, seed: 1234}"),
        convolutions(
            3,
            "kernel_initializer: {type: Custom, class: a_long_name.of_an_initializer.Thing, "
            "config: {first_argument: 1, second_argument: 2}}",
        ),
    ],
    ids=["two_uses", "fits_on_the_line", "seeded", "user_defined"],
)
def test_other_initializers_stay_where_they_are(layers: list[str]) -> None:
    assert "_INITIALIZER" not in code_of(spec_of(layers))


def test_what_stands_in_a_function_counts_once() -> None:
    block = (
        "blocks:\n  unit:\n    parameters: {filters: required}\n    layers:\n"
        "      - {type: Conv2D, name: conv, filters: $filters, kernel_size: 1, "
        f"kernel_initializer: {SCALING}}}\n"
    )
    layers = [f"block: unit, name: u{n}, filters: {n + 2}" for n in range(4)]
    code = code_of(spec_of(layers, block))
    assert "def unit(" in code
    assert "_INITIALIZER" not in code
    code = code_of(spec_of([*layers, *convolutions(2)], block))
    assert "def unit(" in code
    assert code.count("kernel_initializer=CONV_KERNEL_INITIALIZER") == 3


def test_names_say_what_the_constants_are_for() -> None:
    dense = "type: Dense, units: 4, "
    layers = [
        *(f"{dense}name: a{n}, kernel_regularizer: {PENALTY}" for n in range(3)),
        *(f"{dense}name: b{n}, kernel_initializer: {SCALING}" for n in range(2)),
        *convolutions(1),
    ]
    code = code_of(spec_of(layers))
    assert "\nDENSE_KERNEL_REGULARIZER = keras.regularizers.L1L2(" in code
    assert "\nKERNEL_INITIALIZER = {" in code


@pytest.mark.parametrize("style", ["sequential", "functional", "subclass"])
def test_styles(style: str) -> None:
    code = code_of(spec_of(convolutions(3)), style=style)
    assert code.count("CONV_KERNEL_INITIALIZER") == 4


def test_each_layer_draws_its_own_values() -> None:
    import numpy as np

    spec = spec_of(
        [
            *convolutions(3),
            *(
                f"type: Dense, name: a{n}, units: 4, kernel_regularizer: {PENALTY}"
                for n in range(3)
            ),
        ]
    )
    code = code_of(spec)
    model = execute(code)
    kernels = [np.ravel(model.get_layer(f"c{n}").kernel) for n in range(3)]
    assert not np.allclose(kernels[0], kernels[1])
    assert not np.allclose(kernels[1], kernels[2])
    written_out = re.sub(r"\nCONV_KERNEL_INITIALIZER = \{.*?\n\}\n", "\n", code, flags=re.DOTALL)
    assert written_out != code
    call = 'keras.initializers.VarianceScaling(scale=2.0, mode="fan_out")'
    plain = execute(written_out.replace("CONV_KERNEL_INITIALIZER", call))
    assert json.loads(plain.to_json()) == json.loads(model.to_json())
