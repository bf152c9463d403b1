"""Single numbers and words that once cost hours, gigabytes or a traceback: each ends in findings
or in programs, soon."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

import specfmt
from specfmt import SpecError, generate
from specfmt.formats.read.tensorflow.node_defs import read_node
from specfmt.layers.sizes import largest_divisors, same_padding
from tests.fuzz.mutations import Outcome, run
from tests.fuzz.odd_values import odd_fields, odd_inputs, written
from tests.fuzz.whole_path import SLOW, Journey, imported, travel
from tests.targets.test_markers import all_hosts

HOSTILE = Path(__file__).resolve().parents[2] / "shared" / "cases" / "hostile"
HEAD = "specfmt: 1\ninputs: {x: {shape: [4]}}\n"
TRAINED = (
    HEAD
    + "layers: [{type: Dense, units: 3, activation: softmax}]\n"
    + "train: {loss: sparse_categorical_crossentropy, "
    + "data: {source: npz, path: d.npz, x: a, y: b}, "
)


def of_shape(shape: str, layer: str, dtype: str = "float32") -> str:
    return f"specfmt: 1\ninputs: {{x: {{shape: {shape}, dtype: {dtype}}}}}\nlayers: [{layer}]\n"


FOUND = {
    "hexadecimal units": (f"{HEAD}layers: [{{type: Dense, units: 0x{'F' * 5000}}}]", "SF110"),
    "65 bits": (f"{HEAD}layers: [{{type: Dense, units: {2**64}}}]", "SF110"),
    "octal": (f"{HEAD}layers: [{{op: multiply, inputs: [x, 0o{'7' * 900}]}}]", "SF110"),
    "a float too large": (f"{HEAD}layers: [{{op: multiply, inputs: [x, 1e999]}}]", "SF110"),
    "JSON 1e999": ('{"specfmt": 1, "layers": [{"type": "Dense", "units": 1e999}]}', "SF110"),
    "a key": (f"{HEAD}layers: [{{type: Custom, class: M, config: {{a: -{2**63 + 1}}}}}]", "SF110"),
    "sections": (
        of_shape("[1000000000]", "{op: split, indices_or_sections: 1000000000, axis: 1}"), "SF210"),
    "places": (
        of_shape("[4]", f"{{op: split, indices_or_sections: [{'1, ' * 2000}2], axis: 1}}"), "SF210"),
    "parts": (of_shape("[1000000007]", "{op: unstack, axis: 1}"), "SF210"),
    "groups": (of_shape("[9007199254740881]", "{type: GroupNormalization, groups: 7}"), "SF210"),
    "a class": (f'{TRAINED}class_weight: {{"0": 1, "9999999999": 2}}}}', "SF123"),
    "an initializer": (
        f"{HEAD}layers: [{{type: Dense, units: 3, kernel_initializer: {{type: stft}}}}]", "SF210"),
    "an identity of one axis": (
        f"{HEAD}layers: [{{type: Dense, units: 3, bias_initializer: identity}}]", "SF210"),
    "an orthogonal vector": (
        f"{HEAD}layers: [{{type: Dense, units: 3, bias_initializer: orthogonal}}]", "SF210"),
    "neighbours": (
        of_shape("[1]", "{type: TextVectorization, ngrams: 1000000007}", "string"), "SF123"),
    "a policy of an operation": (
        of_shape("[4]", "{op: one_hot, num_classes: 5, dtype: {type: l2}}", "int32"), "SF123"),
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND)
def test_found(case: str) -> None:
    text, code = FOUND[case]
    journey = travel(text)
    assert journey.faults == []
    assert not journey.programs
    with pytest.raises(SpecError) as caught:
        specfmt.analyze(specfmt.loads(text))
    assert code in {found.code for found in caught.value.diagnostics}


PASSED = {
    "stride": of_shape(
        "[null, null, 1]",
        "{type: Conv2D, filters: 2, kernel_size: 3, strides: 1000000007, padding: same}",
    ),
    "pooling": of_shape(
        "[null, 1]", "{type: MaxPooling1D, pool_size: 3, strides: 1000000007, padding: same}"
    ),
    "average": of_shape(
        "[null, null, 1]",
        "{type: AveragePooling2D, pool_size: 1000000007, strides: 2, padding: same}",
    ),
    "separable": of_shape(
        "[null, 4]",
        "{type: SeparableConv1D, filters: 2, kernel_size: 1000000007, strides: 3, padding: same}",
    ),
    "classes": TRAINED + "metrics: [{type: IoU, num_classes: 1000000007, target_class_ids: [0]}]}",
    "strings": of_shape("[4]", "{op: exp}", "string"),
    "large constants": of_shape(
        "[4]",
        "{type: Dense, units: 3, kernel_initializer: {type: Constant, value: 1.0e+18}, "
        "activation: {type: relu, max_value: 1.0e17}}",
    ),
}


@pytest.mark.parametrize("case", PASSED)
def test_passed(case: str) -> None:
    journey = travel(PASSED[case])
    assert journey.faults == []
    assert journey.read


def test_class_weights_of_a_far_class() -> None:
    text = TRAINED + 'class_weight: {"0": 0.5, "70000": 2}}'
    code = generate(specfmt.loads(text), "torch", part="train")
    assert 'class_weights = np.ones(70001, dtype="float32")' in code
    assert "class_weights[[0, 70000]] = [0.5, 2.0]" in code
    text = TRAINED + 'class_weight: {"0": 0.5, "2": 2}}'
    code = generate(specfmt.loads(text), "torch", part="train")
    assert 'class_weights = np.array([0.5, 1.0, 2.0], dtype="float32")' in code


@pytest.mark.parametrize("kernel", [1, 2, 3, 6])
@pytest.mark.parametrize("stride", [1, 2, 3, 7])
@pytest.mark.parametrize("dilation", [1, 2])
def test_zeros_that_no_size_changes(kernel: int, stride: int, dilation: int) -> None:
    """What is said of an open size is what every size says."""
    sizes = range(1, 60)
    reach = (kernel - 1) * dilation + 1
    known = {same_padding(size, kernel, stride, dilation) for size in sizes if size >= reach}
    expected = known.pop() if len(known) == 1 else None
    assert same_padding(None, kernel, stride, dilation) == expected


@pytest.mark.parametrize("op", ["silu", "exp", "softmax", "sum", "cumsum", "argmax"])
def test_an_operation_of_constants_alone(op: str) -> None:
    constant = "{const: {value: [[1.0, 2.0]], dtype: float32}}"
    text = of_shape(
        "[2]", f"{{op: {op}, name: a, inputs: {constant}}}, {{op: add, inputs: [x, a]}}"
    )
    assert travel(text).faults == []
    with pytest.raises(SpecError, match=r"SF301.*constants only"):
        generate(specfmt.loads(text), "torch")


@pytest.mark.parametrize("item", ["3", 3, True, ["DT_FLOAT"], {}, None, 1.5])
def test_a_type_of_a_node(item: object) -> None:
    node = {"op": "Cast", "attr": {"DstT": {"type": item}}}
    assert read_node(json.dumps(node), ())[1]["DstT"] in (None, "int32", "float32")
    for text in ("\n\x04Cast*\x02\x08\x01", "*\x04\n\x02\x08\x01", "\x10\x05", "*\x02\x0a\x00"):
        with pytest.raises(SpecError, match="SF403"):
            read_node(text, ())


def test_an_integer_of_many_bits_in_a_keras_file() -> None:
    spec = specfmt.loads(of_shape("[4]", "{type: Custom, class: Mine, shape: [2], config: {a: 7}}"))
    text = specfmt.to_keras_json(spec)
    assert '"a": 7' in text
    journey = imported(text.replace('"a": 7', f'"a": {10**30}').encode())
    assert journey.faults == []
    assert journey.read
    refused = imported(text.replace('"a": 7', f'"a": {10**400}').encode())
    assert (refused.faults, refused.read) == ([], False)


def test_a_policy_without_a_class() -> None:
    layer = "{type: Discretization, num_bins: 3, dtype: {config: {name: float32}}}"
    assert travel(of_shape("[4]", layer)).faults == []


def test_largest_divisors() -> None:
    assert largest_divisors(12, 6) == [1, 2, 3, 4, 6, 12]
    assert largest_divisors(24, 3) == [8, 12, 24]
    assert largest_divisors(9007199254740881, 3) == [9007199254740881]


def test_names_of_outputs_that_are_said_again() -> None:
    spec = specfmt.loads(HEAD + "layers: [{type: Dense, units: 3}]\noutputs: [dense, dense, dense]")
    assert list(specfmt.analyze(spec).outputs) == ["dense", "dense_2", "dense_3"]


def chain(count: int, layer: dict[str, Any], **rest: Any) -> str:
    document = {"specfmt": 1, "inputs": {"x": {"shape": [4]}}, "layers": [layer] * count, **rest}
    return json.dumps(document)


def named(count: int) -> str:
    layers = [{"type": "Dense", "units": 2, "name": f"n{i}", "inputs": "x"} for i in range(count)]
    return json.dumps({
        "specfmt": 1, "inputs": {"x": {"shape": [4]}}, "layers": layers,
        "outputs": [layer["name"] for layer in layers],
    })  # fmt: skip


DENSE = {"type": "Dense", "units": 2, "name": "d"}
GROWING = {
    "layers": lambda n: chain(n, {"type": "Dense", "units": 4}),
    "one output again": lambda n: chain(1, DENSE, outputs=["d"] * n),
    "outputs": named,
    "a shared layer": lambda n: json.dumps({
        "specfmt": 1, "inputs": {"x": {"shape": [4]}},
        "layers": [{"type": "Dense", "units": 4, "name": "d"}, *[{"reuse": "d"}] * n],
    }),
    "unknown layers": lambda n: chain(n, {"type": "Custom", "class": "Mine"}),
    "unknown layers between": lambda n: json.dumps({
        "specfmt": 1, "inputs": {"x": {"shape": [4]}},
        "layers": [{"type": "Custom", "class": "Mine"}, {"type": "Dense", "units": 4}] * (n // 5),
    }),
    "unknown layers beside": lambda n: json.dumps({
        "specfmt": 1, "inputs": {"x": {"shape": [4]}},
        "layers": [
            *({"type": "Custom", "class": "Mine", "name": f"m{i}", "inputs": "x"} for i in range(n)),
            {"type": "Concatenate", "inputs": [f"m{i}" for i in range(n)]},
        ],
    }),
    "blocks": lambda n: chain(
        1, {"block": "two", "repeat": n},
        blocks={"two": {"layers": [{"type": "Dense", "units": 4}]}}),
    "typos": lambda n: chain(n, {"type": "Dnse", "units": 4}),
    "names that are taken": lambda n: chain(n, DENSE),
    "operations": lambda n: chain(n, {"op": "add", "inputs": ["x", 1.0]}),
    "metrics": lambda n: chain(
        1, DENSE, train={"data": {"source": "synthetic"}, "loss": "mse", "metrics": ["mae"] * n}),
    "callbacks": lambda n: chain(
        1, DENSE,
        train={"data": {"source": "synthetic"}, "loss": "mse",
               "callbacks": [{"type": "TerminateOnNaN"}] * n}),
    "dictionary outputs": lambda n: chain(1, DENSE, outputs={f"o{i}": "d" for i in range(n)}),
}  # fmt: skip


@pytest.mark.parametrize("kind", GROWING)
def test_growth(kind: str) -> None:
    """Four times as much takes about four times as long (a square takes sixteen times)."""
    make = GROWING[kind]
    travel(make(5))
    small, large = travel(make(50)), travel(make(200))
    assert small.faults == []
    assert large.faults == []
    assert large.total < 9 * small.total + 1


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="no hostile files here")
def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in sorted(HOSTILE.iterdir()):
        if path.suffix not in (".yaml", ".json"):
            continue
        content = path.read_bytes()
        ours = path.suffix == ".yaml" or b'"specfmt"' in content[:4000]
        journey = travel(content) if ours else imported(content)
        assert journey.faults == [], path.name
        assert len(content) > 40_000 or journey.total < 3 * SLOW, (path.name, journey.seconds)
    assert list(tmp_path.iterdir()) == []


def test_the_harness_sees_what_it_looks_for() -> None:
    """The harness itself sees what it looks for."""
    journey = Journey()
    journey.step("wrong", lambda: {}["missing"])
    journey.step("endless", lambda: sum(1 for _ in iter(int, 1)), 0.1)
    assert [fault.split()[0] for _, fault in journey.faults] == ["KeyError", "TooSlow"]


COUNT = int(os.environ.get("SPECFMT_FUZZ", "120"))


def check_outcome(outcome: Outcome) -> None:
    assert not outcome.faults, outcome.examples
    assert not outcome.slow
    assert outcome.programs


def test_some_mutations() -> None:
    """Import, check, both targets, export over mutated models; ``SPECFMT_FUZZ`` says how many."""
    check_outcome(run(COUNT, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_more_mutations(seed: int) -> None:
    check_outcome(run(500, seed=100 + seed))


def odd(count: int, seed: int) -> None:
    found = [*odd_fields(all_hosts()), *odd_inputs(all_hosts())]
    faults, programs = [], 0
    for name, document in random.Random(seed).sample(found, count):
        journey = travel(written(document()))
        faults += [(name, *fault) for fault in journey.faults]
        programs += journey.programs
    assert faults == []
    assert programs


def test_some_odd_values() -> None:
    odd(COUNT, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_more_odd_values(seed: int) -> None:
    odd(1000, 100 + seed)
