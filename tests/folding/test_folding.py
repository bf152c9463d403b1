"""Blocks that are found: the model stays the same, and what they say is what was planted."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import specfmt
from specfmt.graph.model import Graph, Value, map_values
from specfmt.layers.blocks import Expanded
from specfmt.layers.entries import Model
from specfmt.spec.document import ModelSpec
from tests.folding.random_specs import RandomSpec
from tests.tools.timing import ratio, seconds

CORPUS = Path(specfmt.__file__).parents[1] / "../shared/corpus"


def calls(graph: Graph) -> dict[str, Any]:
    """Every call by name: its layer, and what it reads."""
    found: dict[str, Any] = {}
    for node in graph.nodes:
        inside = calls(node.unit.graph) if node.unit.graph is not None else None
        layer = {} if isinstance(node.unit.spec, Model) else node.layer.model_dump()
        names = map_values(
            node.args, lambda value: value.name if isinstance(value, Value) else value
        )
        found[node.name] = (
            node.unit.name,
            {**layer, "name": "", "inputs": ""},
            repr(names),
            inside,
        )
    return found


def assert_same(spec: ModelSpec, folded: ModelSpec) -> None:
    """Two specs are the same model, also when the second is written and read again."""
    before, after = specfmt.analyze(spec), specfmt.analyze(specfmt.loads(specfmt.dump(folded)))
    assert calls(after) == calls(before)
    assert list(after.outputs) == list(before.outputs)
    assert after.count() == before.count()
    assert after.macs == before.macs
    assert {u.name for u in after.unused} == {u.name for u in before.unused}


def statements(spec: ModelSpec) -> int:
    """The number of entries, those of blocks included."""
    data = spec.to_data()
    return len(data["layers"]) + sum(len(b["layers"]) for b in (data.get("blocks") or {}).values())


def spec_of(data: dict[str, Any]) -> ModelSpec:
    return specfmt.loads(json.dumps(data))


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_random_models_stay_the_same(start: int) -> None:
    shorter = 0
    for seed in range(start, start + 20):
        spec = spec_of(RandomSpec(seed).data())
        folded = specfmt.refactor(spec)
        assert_same(spec, folded)
        assert specfmt.to_keras_json(folded) == specfmt.to_keras_json(spec)
        assert statements(folded) <= statements(spec)
        shorter += statements(folded) < statements(spec)
    assert shorter >= 2, "planted repeats should be found"


def corpus() -> Iterator[Path]:
    yield from sorted(CORPUS.glob("*.json"))


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name[:3])
def test_models_from_the_field_stay_the_same(path: Path) -> None:
    try:
        spec = specfmt.import_spec(path).spec
    except specfmt.SpecError:
        pytest.skip("it cannot be imported")
    assert_same(spec, specfmt.refactor(spec))


# ------------------------------------------------------------------------------ structure


def conv_bn(name: str, filters: int, **fields: Any) -> list[dict[str, Any]]:
    conv = {"type": "Conv2D", "name": f"{name}_conv", "filters": filters, "kernel_size": 3}
    return [
        {**conv, "padding": "same", **fields},
        {"type": "BatchNormalization", "name": f"{name}_bn"},
        {"type": "Activation", "name": f"{name}_relu", "activation": "relu"},
    ]


def document(layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"specfmt": 1, "inputs": {"image": {"shape": [32, 32, 3]}}, "layers": layers}


def folded_data(layers: list[dict[str, Any]]) -> Any:
    spec = spec_of(document(layers))
    folded = specfmt.refactor(spec)
    assert_same(spec, folded)
    return folded.to_data()


def test_what_varies_is_a_parameter_and_equal_uses_are_one_repeated_use() -> None:
    layers = [e for n, f in enumerate([8, 8, 8, 16, 16, 16]) for e in conv_bn(f"part{n}", f)]
    data = folded_data(layers)
    assert data["layers"] == [
        {"block": "part", "name": "part$i", "filters": 8, "repeat": 3},
        {"block": "part", "name": "part$(i + 3)", "filters": 16, "repeat": 3},
    ]
    block = data["blocks"]["part"]
    assert block["parameters"] == {"filters": "required"}
    assert block["layers"][0]["filters"] == "$filters"
    assert [entry["name"] for entry in block["layers"]] == ["conv", "bn", "relu"]
    assert block["description"] == "Convolution, batch normalization and relu."


def test_multiples_are_expressions_and_the_common_value_is_the_default() -> None:
    layers = []
    for n, filters in enumerate([8, 16, 32, 64, 64]):
        layers += conv_bn(f"part{n}_a", filters, strides=2 if n else 1)
        layers += conv_bn(f"part{n}_b", 4 * filters)[:2]
    data = folded_data(layers)
    (block,) = data["blocks"].values()
    assert block["parameters"] == {"filters": "required", "strides": 2}
    assert block["layers"][3]["filters"] == "$(4 * filters)"
    assert data["layers"][0] == {"block": "part", "name": "part0", "strides": 1, "filters": 8}


def test_a_small_model_stays_as_it_is() -> None:
    layers = [*conv_bn("a", 8), *conv_bn("b", 16), *conv_bn("c", 16)]
    spec = spec_of(document([*layers, {"type": "Flatten"}]))
    assert specfmt.refactor(spec) is spec


def test_layers_without_a_name_keep_their_automatic_names() -> None:
    layers = [{**e, "name": None} for n in range(8) for e in conv_bn(f"part{n}", 2**n)]
    spec = spec_of(document([{k: v for k, v in e.items() if v is not None} for e in layers]))
    folded = specfmt.refactor(spec)
    assert_same(spec, folded)
    assert isinstance(folded.layers, Expanded)
    assert "name" not in json.dumps(folded.to_data()["layers"])


def test_names_with_letters_are_lettered() -> None:
    data = folded_data([e for c in "abcdef" for e in conv_bn(f"block1{c}", 8)])
    assert data["layers"] == [{"block": "conv_block", "name": "block1$(chr(i + 97))", "repeat": 6}]


def test_a_block_with_skip_connections_inside_is_described_as_one() -> None:
    layers: list[dict[str, Any]] = []
    x = "input"
    for k in range(3):
        layers += [
            {"type": "LayerNormalization", "name": f"b{k}_norm1", "inputs": x},
            {
                "type": "MultiHeadAttention",
                "name": f"b{k}_attention",
                "num_heads": 2,
                "key_dim": 4,
                "inputs": [f"b{k}_norm1", f"b{k}_norm1"],
            },
            {"op": "add", "name": f"b{k}_add1", "inputs": [x, f"b{k}_attention"]},
            {"type": "LayerNormalization", "name": f"b{k}_norm2", "inputs": f"b{k}_add1"},
            {"type": "Dense", "name": f"b{k}_dense1", "units": 16, "inputs": f"b{k}_norm2"},
            {"type": "LeakyReLU", "name": f"b{k}_relu", "inputs": f"b{k}_dense1"},
            {"type": "Dense", "name": f"b{k}_dense2", "units": 8, "inputs": f"b{k}_relu"},
            {"type": "Add", "name": f"b{k}_add2", "inputs": [f"b{k}_add1", f"b{k}_dense2"]},
        ]
        x = f"b{k}_add2"
    data = {"specfmt": 1, "inputs": {"input": {"shape": [5, 8]}}, "layers": layers}
    blocks = specfmt.refactor(spec_of(data)).to_data()["blocks"]
    assert {name: block["description"] for name, block in blocks.items()} == {
        "residual_block": "One attention layer and two dense layers with residual connections."
    }


@pytest.mark.parametrize(
    ("inputs", "description"),
    [
        (1, "One multiplication with residual connections."),
        (2, "Two multiplications and two additions."),
    ],
)
def test_a_block_that_only_merges_has_a_description(inputs: int, description: str) -> None:
    layers: list[dict[str, Any]] = [{"type": "ReLU", "name": "stem"}]
    y, x = "image", "stem"
    for k in range(6):
        layers += [
            {"type": "Multiply", "name": f"b{k}_gate", "inputs": [x, y if inputs > 1 else x]},
            {"type": "Multiply", "name": f"b{k}_gate2", "inputs": [f"b{k}_gate", x]},
            {"type": "Add", "name": f"b{k}_sum", "inputs": [f"b{k}_gate2", f"b{k}_gate"]},
            {"type": "Add", "name": f"b{k}_sum2", "inputs": [f"b{k}_gate2", f"b{k}_sum"]},
        ]
        y, x = x, f"b{k}_sum2"
    blocks = folded_data(layers)["blocks"]
    assert [block["description"] for block in blocks.values()] == [description]


def test_one_layer_makes_something_of_the_input() -> None:
    layers: list[dict[str, Any]] = []
    x = "image"
    for k in range(6):
        layers += [
            {"type": "LayerNormalization", "name": f"b{k}_norm", "inputs": x},
            {"type": "Dense", "name": f"b{k}_dense", "units": 3},
            {"type": "Add", "name": f"b{k}_sum", "inputs": [x, f"b{k}_dense"]},
        ]
        x = f"b{k}_sum"
    (block,) = folded_data(layers)["blocks"].values()
    assert block["description"] == "Adds to the input what one dense layer makes of it."


def test_a_spec_with_blocks_stays_as_it_is() -> None:
    layers = [e for n in range(6) for e in conv_bn(f"part{n}", 8)]
    folded = specfmt.refactor(spec_of(document(layers)))
    assert specfmt.refactor(folded) is folded


# ----------------------------------------------------------------------------------- text

TEXT = (
    """specfmt: 1
inputs:
  image: {shape: [8, 8, 3]}
layers:
  # the stem
  - {type: Conv2D, name: stem, filters: 8, kernel_size: 3}  # small
  # the body
"""
    + "".join(
        f"  - {{type: Conv2D, name: b{n}_conv, filters: 8, kernel_size: 1}}\n"
        f"  - {{type: BatchNormalization, name: b{n}_bn}}\n"
        f"  - {{type: ReLU, name: b{n}_relu}}\n"
        for n in range(5)
    )
    + """  # the head
  - {type: Flatten, name: flat}
  - {type: Dense, name: out, units: 10}  # ten
"""
)


def test_comments_are_kept() -> None:
    text = specfmt.refactor_text(TEXT)
    for comment in ("# the stem", "# small", "# the body", "# the head", "# ten"):
        assert text.count(comment) == 1
    lines = text.splitlines()
    assert "repeat: 5" in lines[lines.index("  # the body") + 1]
    assert "flat" in lines[lines.index("  # the head") + 1]
    assert_same(specfmt.loads(TEXT), specfmt.loads(text))
    assert specfmt.refactor_text(text) == text


# ----------------------------------------------------------------------------------- time


def deep(count: int) -> dict[str, Any]:
    """A model of so many residual blocks whose values vary."""
    layers: list[dict[str, Any]] = []
    before = "image"
    for n in range(count):
        part = conv_bn(f"part{n}", 3, kernel_size=1 + n % 3)
        part[0]["inputs"] = before
        layers += [
            *part,
            {"type": "Add", "name": f"part{n}_add", "inputs": [before, f"part{n}_relu"]},
        ]
        before = f"part{n}_add"
    return document(layers)


def tangled(count: int) -> dict[str, Any]:
    """A model in which each layer reads two of those before it at random."""
    chance = random.Random(count)
    names = ["image"]
    layers = []
    for n in range(count):
        reads = [chance.choice(names), names[-1]]
        layers.append({"type": "Add", "name": f"add{n}", "inputs": reads})
        names.append(f"add{n}")
    return document(layers)


def nested(count: int) -> dict[str, Any]:
    """A model of skips inside skips."""
    layers: list[dict[str, Any]] = [
        {"type": "Activation", "name": f"down{n}", "activation": "relu"} for n in range(count)
    ]
    before = f"down{count - 1}"
    for n in reversed(range(count - 1)):
        layers.append({"type": "Add", "name": f"up{n}", "inputs": [f"down{n}", before]})
        before = f"up{n}"
    return document(layers)


@pytest.mark.slow
@pytest.mark.parametrize("make", [deep, tangled, nested], ids=lambda make: make.__name__)
def test_the_time_is_linear(make: Callable[[int], dict[str, Any]]) -> None:
    small, large = spec_of(make(500)), spec_of(make(4000))
    assert ratio(lambda: specfmt.refactor(large), lambda: specfmt.refactor(small), 8) < 2


@pytest.mark.slow
def test_a_hundred_thousand_layers_are_practical() -> None:
    spec = spec_of(deep(25_000))
    assert seconds(lambda: specfmt.refactor(spec)) < 10 * seconds(lambda: specfmt.analyze(spec))
