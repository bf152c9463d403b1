"""Layers that specfmt does not know cost only themselves."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from specfmt import SpecError, analyze, check, dump, generate, loads, to_keras_json
from specfmt.graph.assumed import completed
from tests.tools.imports import import_source

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


def spec_of(layers: list[dict[str, Any]], shape: list[int | None], **extra: Any) -> Any:
    """A spec with one input ``x``."""
    return loads(
        json.dumps({"specfmt": 1, "inputs": {"x": {"shape": shape}}, "layers": layers, **extra})
    )


CONSUMERS: list[tuple[dict[str, Any], list[int | None], tuple[int | None, ...]]] = [
    ({"type": "Dense", "units": 3}, [8, 8, 3], (None, None, None, 3)),
    ({"type": "Conv2D", "filters": 3, "kernel_size": 3}, [8, 8, 3], (None, None, None, 3)),
    ({"type": "Conv1D", "filters": 3, "kernel_size": 3}, [7, 7, 3], (None, None, 3)),
    ({"type": "LSTM", "units": 3}, [8, 8, 3], (None, None, 3)),
    ({"type": "LSTM", "units": 3}, [5], (None, None, 5)),
    ({"type": "Flatten"}, [8, 8, 3], (None, None, None, 3)),
    ({"type": "GlobalAveragePooling2D"}, [9, 7, 3], (None, None, None, 3)),
    ({"type": "Permute", "dims": [2, 1]}, [8, 8, 3], (None, None, 3)),
    ({"type": "Softmax"}, [4], (None, 4)),
    ({"type": "UpSampling2D"}, [4], (None, None, None, 4)),
    ({"type": "LayerNormalization"}, [6, 4], (None, None, 4)),
    ({"type": "MaxPooling3D"}, [6, 4], (None, None, None, None, 4)),
    ({"type": "RepeatVector", "n": 3}, [6, 4], (None, 4)),
    ({"type": "PReLU"}, [8, 5], (None, 8, 5)),
    ({"op": "mean", "axis": 2}, [8, 5], (None, None, 5)),
]


@pytest.mark.parametrize(("consumer", "shape", "expected"), CONSUMERS)
def test_what_follows_decides_the_shape(
    consumer: dict[str, Any], shape: list[int | None], expected: tuple[int | None, ...]
) -> None:
    spec = spec_of([{"type": "Custom", "class": "Mine", "name": "mine"}, consumer], shape)
    graph = completed(analyze(spec))
    assert graph.nodes[0].outputs[0].shape == expected
    assert {unit.name for unit in graph.assumed} == {"mine"}
    code = generate(spec, "torch")
    assert "class Mine(nn.Module)" in code
    assert "is inferred from" in code
    ast.parse(code)


def test_a_shape_that_is_said_is_not_assumed() -> None:
    mine = {"type": "Custom", "class": "Mine", "name": "mine", "shape": [2, 7]}
    spec = spec_of([mine, {"type": "Dense", "units": 3}], [5])
    graph = analyze(spec)
    assert completed(graph) is graph
    code = generate(spec, "torch")
    assert "nn.Linear(7, 3)" in code
    assert "is inferred from" not in code


def test_a_shape_that_nothing_fits_is_asked_for() -> None:
    mine = {"type": "Custom", "class": "Mine", "name": "mine"}
    layers = [
        mine,
        {"type": "Dense", "name": "a", "units": 3, "inputs": "mine"},
        {"type": "Conv1D", "name": "b", "filters": 1, "kernel_size": 1, "inputs": "mine"},
        {"type": "Conv2D", "name": "c", "filters": 1, "kernel_size": 1, "inputs": "mine"},
    ]
    spec = spec_of(layers, [8], outputs=["a", "b", "c"])
    with pytest.raises(SpecError) as error:
        generate(spec, "torch")
    (found,) = error.value.diagnostics
    assert found.code == "SF307"
    assert "shape: [8]" in found.hint


def test_layers_of_one_class_share_it() -> None:
    def mine(name: str, units: int) -> dict[str, Any]:
        return {
            "type": "Custom",
            "class": "my.Scale",
            "name": name,
            "config": {"name": name, "units": units, "mode": "sum"},
            "weights": {
                "scale": [units],
                "dense/kernel": [2, 2],
                "seen": {"shape": [], "trainable": False},
            },
            "shape": [units],
        }

    code = generate(spec_of([mine("a", 3), mine("b", 4)], [5]), "torch")
    assert code.count("class Scale") == 1
    assert (
        "self.a = Scale(units=3, scale_shape=(3,))" in code.replace("\n", "")
        or "a=Scale(units=3, scale_shape=(3,))" in code
    )
    assert "self.dense_kernel = nn.Parameter(torch.zeros((2, 2)))" in code
    assert "self.seen = nn.Buffer(torch.zeros(()))" in code
    assert 'mode="sum"' in code


OUTPUTS = [["d", "mine:1"], ["mine:2", "d"], ["mine", "mine:1", "d"]]


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_as_many_outputs_as_are_read(outputs: list[str]) -> None:
    layers = [
        {"type": "Custom", "class": "Mine", "name": "mine"},
        {"type": "Dense", "name": "d", "units": 2, "inputs": "mine"},
    ]
    spec = spec_of(layers, [6, 4], outputs=outputs)
    assert "-> tuple[torch.Tensor, torch.Tensor" in generate(spec, "torch")
    layers[0]["shape"] = [[6, 4], None, [2]]
    assert "(N, 6, 4), (N, T, 4), (N, 2)" in generate(
        spec_of(layers, [6, 4], outputs=outputs), "torch"
    )


FIELD = [
    f"h20_after_custom_{n}.json"
    for n in "act bn conv dense drop flatten gap ln lstm permute pool prelu reshape softmax upsample zeropad".split()
]
FIELD += [
    "i01_custom_two_outputs_k3.json",
    "i03_custom_two_outputs_k2.json",
    "i04_td_lambda.json",
    "i05_td_custom.json",
    "i07_bi_custom.json",
]


@pytest.mark.skipif(not CASES.is_dir(), reason="no cases from the field here")
@pytest.mark.parametrize("name", FIELD)
def test_files_from_the_field(name: str) -> None:
    text, _ = import_source(CASES / name)
    assert [d for d in check(text) if d.severity == "error"] == []
    code = generate(loads(text), "torch")
    compile(code, name, "exec")
    assert "raise NotImplementedError(" in code


DEFINED = """
specfmt: 1
inputs: {image: {shape: [8, 6, 3]}}
layers:
  - type: Custom
    class: Lambda
    name: normalize
    define:
      - {op: divide, inputs: [x, 127.5]}
      - {op: subtract, inputs: [divide, 1.0]}
  - {type: Conv2D, name: c, filters: 4, kernel_size: 3}
  - {type: Conv2D, name: e, filters: 4, kernel_size: 3, inputs: normalize}
  - {type: Custom, class: my.Mix, name: mix, define: [{op: multiply, inputs: [x, y]}], inputs: [c, e]}
  - {reuse: mix, inputs: [e, e], name: again}
  - {type: Add, name: both, inputs: [mix, again]}
"""


def test_operations_define_a_layer() -> None:
    spec = loads(DEFINED)
    graph = analyze(spec)
    shapes = {node.name: node.outputs[0].shape for node in graph.nodes}
    assert shapes["normalize"] == (None, 8, 6, 3)
    assert shapes["both"] == (None, 6, 4, 4)
    code = generate(spec, "torch")
    assert "return x / 127.5 - 1.0" in code
    assert "return x * y" in code
    assert "NotImplementedError" not in code + generate(spec, "keras")
    again = loads(dump(spec))
    assert generate(again, "torch") == code
    assert '"normalize"' in to_keras_json(spec)


def test_a_mistake_in_a_definition_is_a_finding() -> None:
    wrong = DEFINED.replace("[divide, 1.0]", "[nowhere, 1.0]")
    (found,) = [d for d in check(wrong) if d.severity == "error"]
    assert found.code == "SF201"


MARKED = ['a"""', "b\\", "x\ny", "{{ 1 }}", "*/", "\u202e", "import os", "\x00"]


@pytest.mark.parametrize("text", MARKED)
def test_no_text_of_a_config_becomes_code(text: str) -> None:
    entry = {
        "type": "Custom",
        "class": "Mine",
        "name": "mine",
        "config": {"a": text, text: [text, {"k": text}], "units": 3},
        "weights": {"kernel": [3]},
    }
    other = {**entry, "name": "other", "config": {**entry["config"], "a": f"{text}2"}}
    spec = spec_of([entry, other, {"type": "Dense", "units": 3}], [5])
    for target in ("torch", "keras"):
        tree = ast.parse(generate(spec, target))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert "os" not in names
        (cls,) = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == "Mine"]
        assert "implement `" in (ast.get_docstring(cls) or "")


@pytest.mark.parametrize(
    ("loss", "needs"),
    [
        ("mse", {"torch"}),
        ("sparse_categorical_crossentropy", {"keras", "torch"}),
        ("{type: Custom, class: mine.loss}", set()),
    ],
)
@pytest.mark.parametrize("target", ["keras", "torch"])
def test_a_training_script_asks_for_the_shape_that_its_loss_needs(
    loss: str, needs: set[str], target: str
) -> None:
    def spec(shape: str) -> Any:
        return loads(
            "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers:\n  - {type: Dense, units: 3}\n"
            f"  - {{type: Custom, class: mine.Last, torch: mine.TorchLast{shape}}}\n"
            f"train: {{data: {{source: npz, path: d.npz}}, loss: {loss}, optimizer: adam}}\n"
        )

    ast.parse(generate(spec(", shape: [3]"), target, part="train"))
    if target in needs:
        with pytest.raises(SpecError, match=r"5:5: error\[SF213\].*shape of the output custom"):
            generate(spec(""), target, part="train")
    else:
        ast.parse(generate(spec(""), target, part="train"))
