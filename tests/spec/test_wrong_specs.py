"""Wrong specs: the right codes at the right places, all in one run, and nothing written."""

from __future__ import annotations

import ast
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from click.testing import CliRunner

from specfmt import SpecError, generate, loads
from specfmt.api import check
from specfmt.cli import main
from tests.tools.timing import ratio

T = TypeVar("T")

HEAD = "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers:\n"
IMAGE = "specfmt: 1\ninputs: {x: {shape: [8, 8, 3]}}\nlayers:\n"
STEPS = "specfmt: 1\ninputs: {x: {shape: [6, 4]}}\nlayers:\n"
TWO = "specfmt: 1\ninputs: {a: {shape: [4]}, b: {shape: [4]}}\nlayers:\n"
DENSE = HEAD + "  - {type: Dense, name: d, units: 3}\n"

# What is wrong, and every finding as code:line:column.
CASES: dict[str, tuple[str, str]] = {
    # -- more than one mistake in an entry
    "a field and an edge": (
        HEAD + "  - {type: Dense, unit: 3, inputs: y}\n",
        "SF121:4:19 SF201:4:36",
    ),
    "a value and one of several edges": (
        HEAD + "  - {type: Dense, units: -3, inputs: [x, y]}\n",
        "SF123:4:26 SF201:4:42",
    ),
    "a type and an edge": (
        HEAD + "  - {type: Dens, units: 3, inputs: y}\n",
        "SF120:4:12 SF201:4:36",
    ),
    "a field and a named edge": (
        STEPS + "  - {type: MultiHeadAttention, num_head: 2, key_dim: 3,\n"
        "     inputs: {query: y, value: x, use_causal_mask: z}}\n",
        "SF121:4:32 SF201:5:22",
    ),
    "an operation and an operand": (
        HEAD + "  - {op: ad, inputs: [[y, x], 2.0, {const: z}]}\n",
        "SF120:4:10 SF201:4:24",
    ),
    "a reuse, its edge and a field": (
        DENSE + "  - {reuse: e, inputs: y, nam: z}\n",
        "SF208:5:13 SF201:5:24 SF121:5:27",
    ),
    "a reuse and its edge": (
        DENSE + "  - {reuse: e, inputs: y}\n",
        "SF208:5:13 SF201:5:24",
    ),
    "edges of no known layer": (
        DENSE + "  - {type: Foo, inputs: {a: y}}\n  - {units: 3, inputs: {}}\n",
        "SF120:5:12 SF125:6:5",
    ),
    "a field inside a model, and edges of both": (
        HEAD + "  - {type: Model, call: y, inputs: {a: {shape: [4]}},\n"
        "     layers: [{type: Dense, unit: 3, inputs: b}]}\n",
        "SF201:4:25 SF121:5:29 SF201:5:46",
    ),
    # -- reading
    "empty": ("", "SF103:1:1"),
    "comments only": ("# nothing\n", "SF103:1:1"),
    "an open bracket": ("specfmt: 1\nlayers: [\n", "SF102:2:9"),
    "a tab": ("specfmt: 1\ninputs:\n\tx: 3\n", "SF102:3:1"),
    "a second colon": ("specfmt: 1\ndescription: net: small\n", "SF102:2:17"),
    "two documents": (DENSE + "---\na: 1\n", "SF109:5:1"),
    "a key twice": (HEAD + "  - {type: Dense, units: 3, units: 4}\n", "SF104:4:29"),
    "a python tag": ("specfmt: 1\ninputs: {x: {shape: !!python/tuple [4]}}\nlayers: []\n", "SF108:2:21"),
    "an unknown alias": (HEAD + "  - *dense\n", "SF111:4:5"),
    "an alias in itself": ("a: &a [*a]\n", "SF106:1:8"),
    "a number as key": (DENSE + "train: {class_weight: {0: 1}}\n", "SF105:5:24"),
    "a very long number": (HEAD + f"  - {{type: Dense, units: {'9' * 5000}}}\n", "SF110:4:26"),
    # -- no spec
    "a word": ("hello\n", "SF125:1:1"),
    "a list": ("- 1\n", "SF125:1:1"),
    "Keras JSON": ('{"class_name": "Sequential", "config": {"layers": []}}', "SF125:1:1"),
    "no version": ("inputs: {x: {shape: [4]}}\nlayers:\n  - {type: Dense, units: 3}\n", "SF122:1:1"),
    "another version": (DENSE.replace("specfmt: 1", "specfmt: 2"), "SF123:1:10"),
    "a version in quotes": (DENSE.replace("specfmt: 1", 'specfmt: "1"'), "SF123:1:10"),
    "an unknown section": (DENSE + "layer: 3\n", "SF121:5:1"),
    "no layers": ("specfmt: 1\ninputs: {x: {shape: [4]}}\n", "SF122:1:1"),
    "empty layers": ("specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers: []\n", "SF212:3:9"),
    "null layers": ("specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers:\n", "SF123:3:8"),
    "layers as a mapping": ("specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers: {type: Dense}\n", "SF123:3:9"),
    # -- entries
    "a bare type": (HEAD + "  - Dense\n", "SF125:4:5"),
    "no type": (HEAD + "  - {units: 3}\n", "SF125:4:5"),
    "type and op": (HEAD + "  - {type: Dense, op: add}\n", "SF125:4:5"),
    "a block": (HEAD + "  - {block: residual}\n", "SF215:4:13"),
    "Keras JSON of a layer": (HEAD + "  - {class_name: Dense, config: {units: 3}}\n", "SF125:4:5"),
    "a misspelt type": (HEAD + "  - {type: Desne, units: 3}\n", "SF120:4:12"),
    "a type in small letters": (
        HEAD + "  - {type: dense, units: 3, activation: rleu}\n",
        "SF120:4:12 SF123:4:41",
    ),
    "type is a list": (HEAD + "  - {type: [Dense], units: 3}\n", "SF120:4:12"),
    "a misspelt operation": (HEAD + "  - {op: multpily, inputs: [x, 2]}\n", "SF120:4:10"),
    # -- fields
    "a misspelt key": (HEAD + "  - {type: Dense, unit: 3}\n", "SF121:4:19"),
    "an unknown key": (HEAD + "  - {type: Dense, units: 3, colour: red}\n", "SF121:4:29"),
    "an operation with a layer's key": (HEAD + "  - {op: exp, inputs: x, trainable: false}\n", "SF121:4:26"),
    "a missing field": (HEAD + "  - {type: Dense}\n", "SF122:4:5"),
    "a negative size": (HEAD + "  - {type: Dense, units: -3}\n", "SF123:4:26"),
    "a number in quotes": (HEAD + "  - {type: Dense, units: '3'}\n", "SF123:4:26"),
    "half a unit": (HEAD + "  - {type: Dense, units: 3.5}\n", "SF123:4:26"),
    "true as a number": (HEAD + "  - {type: Dense, units: true}\n", "SF123:4:26"),
    "null as a number": (HEAD + "  - {type: Dense, units: null}\n", "SF123:4:26"),
    "a huge number": (HEAD + "  - {type: Dense, units: 99999999999999999999}\n", "SF110:4:26"),
    "no as false": (HEAD + "  - {type: Dense, units: 3, use_bias: no}\n", "SF123:4:39"),
    "a rate above 1": (HEAD + "  - {type: Dropout, rate: 1.5}\n", "SF123:4:27"),
    "not a number": (HEAD + "  - {type: Dropout, rate: .nan}\n", "SF123:4:27"),
    "infinity": (HEAD + "  - {type: LeakyReLU, negative_slope: .inf}\n", "SF123:4:39"),
    "a kernel with too many axes": (IMAGE + "  - {type: Conv2D, filters: 3, kernel_size: [3, 3, 3]}\n", "SF123:4:45"),
    "a misspelt choice": (IMAGE + "  - {type: Conv2D, filters: 3, kernel_size: 3, padding: smae}\n", "SF123:4:57"),
    "a misspelt activation": (HEAD + "  - {type: Dense, units: 3, activation: rleu}\n", "SF123:4:41"),
    "a misspelt activation within": (STEPS + "  - {type: Bidirectional, layer: {type: LSTM, units: 3, activation: thnh}}\n", "SF123:4:69"),
    "a wrapped layer of the wrong kind": (STEPS + "  - {type: Bidirectional, layer: {type: Dense, units: 3}}\n", "SF123:4:41"),
    "a wrapped layer without type": (STEPS + "  - {type: Bidirectional, layer: {units: 3}}\n", "SF122:4:34"),
    "a misspelt argument of a word": (HEAD + "  - {type: Dense, units: 3, kernel_initializer: {type: constant, vale: 3}}\n", "SF121:4:66"),
    "a number as a word": (HEAD + "  - {type: Dense, units: 3, kernel_initializer: 0}\n", "SF123:4:49"),
    "a name with a slash": (HEAD + "  - {type: Dense, name: a/b, units: 3}\n", "SF123:4:25"),
    "an old spelling": (HEAD + "  - {type: Dense, output_dim: 3}\n", "SF124:4:19"),
    # -- inputs
    "no inputs": ("specfmt: 1\nlayers:\n  - {type: Dense, units: 3}\n", "SF207:1:1"),
    "a shape that is no list": ("specfmt: 1\ninputs: {x: {shape: 4}}\nlayers:\n  - {type: Dense, units: 3, inputs: x}\n", "SF123:2:21"),
    "a negative shape": ("specfmt: 1\ninputs: {x: {shape: [-1, 4]}}\nlayers:\n  - {type: Dense, units: 3}\n", "SF123:2:22"),
    "inputs as a list": ("specfmt: 1\ninputs: [4]\nlayers:\n  - {type: Dense, units: 3}\n", "SF123:2:9"),
    "an unknown dtype": ("specfmt: 1\ninputs: {x: {shape: [4], dtype: float}}\nlayers:\n  - {type: Dense, units: 3}\n", "SF123:2:33"),
    # -- the graph
    "a cycle": (HEAD + "  - {type: Dense, name: a, units: 3, inputs: c}\n  - {type: Dense, name: b, units: 3, inputs: a}\n  - {type: Dense, name: c, units: 3, inputs: b}\n", "SF202:4:5"),
    "two cycles": (HEAD + "".join(f"  - {{type: Dense, name: {n}, units: 3, inputs: {i}}}\n" for n, i in ("ab", "ba", "cd", "dc")), "SF202:4:5 SF202:6:5"),
    "a layer that reads itself": (HEAD + "  - {type: Dense, name: a, units: 3, inputs: a}\n", "SF202:4:5"),
    "an unknown tensor": (HEAD + "  - {type: Dense, units: 3, inputs: xx}\n", "SF201:4:37"),
    "an unknown output": (DENSE + "outputs: [d, e]\n", "SF201:5:14"),
    "a constant for a tensor": (STEPS + "  - {type: MultiHeadAttention, num_heads: 1, key_dim: 2, inputs: {query: x, value: 3}}\n", "SF201:4:84"),
    "a name twice": (DENSE + "  - {type: Dense, name: d, units: 4, activation: relu}\n", "SF203:5:25"),
    "an input's name": (HEAD + "  - {type: Dense, name: x, units: 3}\n", "SF203:4:25"),
    "which of two inputs": (TWO + "  - {type: Dense, units: 3}\n", "SF204:4:5"),
    "a missing argument": (STEPS + "  - {type: MultiHeadAttention, num_heads: 2, key_dim: 2, inputs: x}\n", "SF204:4:5"),
    "a missing operand": (HEAD + "  - {op: add, inputs: [x]}\n", "SF204:4:23"),
    "an unknown argument": (HEAD + "  - {type: Dense, units: 3, inputs: {input: x}}\n", "SF205:4:38"),
    "too many tensors": (TWO + "  - {type: Dense, units: 3, inputs: [a, b]}\n", "SF205:4:37"),
    "a second output of one": (DENSE + "  - {type: Dense, units: 3, inputs: 'd:1'}\n", "SF206:5:37"),
    "reuse of nothing": (HEAD + "  - {reuse: nothing}\n", "SF208:4:13"),
    "reuse of an input": (HEAD + "  - {reuse: x}\n", "SF208:4:13"),
    "a nested model of another shape": (HEAD + "  - type: Model\n    inputs: {z: {shape: [5]}}\n    layers:\n      - {type: Dense, units: 3}\n", "SF209:4:5"),
    "wrong rank": (HEAD + "  - {type: Conv2D, filters: 3, kernel_size: 3}\n", "SF210:4:5"),
    "wrong rank for an LSTM": (HEAD + "  - {type: LSTM, units: 3}\n", "SF210:4:5"),
    "a kernel larger than the picture": (IMAGE + "  - {type: Conv2D, filters: 3, kernel_size: 9}\n", "SF210:4:45"),
    "groups that do not divide": (IMAGE + "  - {type: Conv2D, filters: 4, kernel_size: 3, groups: 2}\n", "SF210:4:56"),
    "a reshape that does not fit": (HEAD + "  - {type: Reshape, target_shape: [3, 2]}\n", "SF210:4:35"),
    "sizes that cannot be added": (TWO + "  - {type: Dense, name: d, units: 3, inputs: a}\n  - {type: Add, inputs: [d, b]}\n", "SF210:5:5"),
    "an unknown last axis": ("specfmt: 1\ninputs: {x: {shape: [null]}}\nlayers:\n  - {type: Dense, units: 3}\n", "SF210:4:5"),
    "a shared layer of two shapes": (DENSE + "  - {reuse: d}\n", "SF211:5:5"),
    # -- training
    "a misspelt section of train": (DENSE + "train: {lost: mse}\n", "SF121:5:9"),
    "a misspelt loss": (DENSE + "train: {loss: crossentrpy}\n", "SF123:5:15"),
    "a misspelt optimizer": (DENSE + "train: {optimizer: adamm}\n", "SF123:5:20"),
    "a misspelt metric": (DENSE + "train: {loss: mse, metrics: [acuracy]}\n", "SF123:5:30"),
    "callbacks": (DENSE + "train: {callbacks: [{type: EarlyStoping}, ModelCheckpoint]}\n", "SF123:5:28 SF123:5:43"),
    "a misspelt source": (DENSE + "train: {data: {source: sklaern, name: iris}}\n", "SF123:5:24"),
    "no source": (DENSE + "train: {data: {name: iris}}\n", "SF122:5:15"),
    "a schedule without arguments": (DENSE + "train: {optimizer: {type: SGD, learning_rate: ExponentialDecay}}\n", "SF123:5:47"),
    # -- tricks
    "a name with code in it": (HEAD + '  - {type: Dense, name: "x\\")\\nimport os", units: 3}\n', "SF123:4:25"),
    "a class with code in it": (HEAD + "  - {type: Custom, class: 'os.system(\"x\")'}\n", "SF123:4:27"),
    "an escape character": (HEAD + '  - {type: Dense, units: 3, inputs: "\\e[31m"}\n', "SF201:4:37"),
    # -- several at once
    "many": (
        "specfmt: 1\nname: 3\ninputs: {x: {shape: [4], dtpye: int32}, y: 3, z: {shape: [4]}}\nlayers:\n"
        "  - {type: Desne}\n  - {type: Dense, units: -1, activation: rleu, foo: 1}\n"
        "  - {type: Conv2D, filters: 3, kernel_size: 3, inputs: z}\n  - {type: Add, inputs: [x, nope]}\n"
        "  - type: Model\n    layers: [{type: Dense, unit: 3}, {type: Dense, units: 3, inputs: q}]\n"
        "train: {loss: msee, epochs: 0}\noutputs: qwe\n",
        "SF123:2:7 SF121:3:26 SF123:3:44 SF120:5:12 SF123:6:26 SF123:6:42 SF121:6:48 SF210:7:5 SF201:8:29 "
        "SF207:9:5 SF121:10:28 SF201:10:70 SF123:11:15 SF123:11:29 SF201:12:10",
    ),
}  # fmt: skip


def places(text: str) -> str:
    found = check(text)
    assert all(finding.span is not None for finding in found)
    return " ".join(
        f"{f.code}:{f.span.line}:{f.span.column}" for f in found if f.severity == "error" and f.span
    )


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_findings(text: str, expected: str) -> None:
    assert places(text) == expected


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_commands_print_the_places_and_write_nothing(
    text: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrong.yaml").write_bytes(text.encode())
    for command in (
        ["validate", "wrong.yaml"],
        ["summary", "wrong.yaml"],
        ["generate", "wrong.yaml", "--target", "keras", "-o", "out.py"],
        ["generate", "wrong.yaml", "--target", "torch", "--part", "train", "-o", "out.py"],
    ):
        result = CliRunner().invoke(main, command)
        output = result.output
        assert result.exit_code == 1, output
        assert isinstance(result.exception, SystemExit)
        for place in expected.split():
            code, line, column = place.split(":")
            assert f"wrong.yaml:{line}:{column}: error[{code}]: " in output
        assert output.count(": error[") == len(expected.split())
        assert [path.name for path in tmp_path.iterdir()] == ["wrong.yaml"]


def test_messages_have_three_parts() -> None:
    """What was expected and received, or what is missing; what to do in the hint."""
    findings = [finding for text, _ in CASES.values() for finding in check(text)]
    for finding in findings:
        assert finding.message.isprintable()
        assert "\x1b" not in str(finding)
        if " is missing the required " in finding.message:
            assert finding.code in ("SF122", "SF204")
            continue
        assert finding.message.partition(": ")[2].startswith(
            "expected "
        ) or finding.message.startswith("expected ")
        assert ", received " in finding.message or finding.message.endswith(
            (", it is missing", ", it is not")
        )
    assert sum(bool(finding.hint) for finding in findings) > len(findings) / 2


@pytest.mark.parametrize("name", ["a cycle", "many", "a tab", "a misspelt activation within"])
def test_in_a_process_of_its_own(name: str, tmp_path: Path) -> None:
    text, expected = CASES[name]
    (tmp_path / "wrong.yaml").write_text(text)
    result = subprocess.run(
        [sys.executable, "-m", "specfmt", "validate", "wrong.yaml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert "Traceback" not in result.stdout + result.stderr
    assert all(f"[{place.split(':')[0]}]" in result.stdout for place in expected.split())


# ------------------------------------------------------------------------------- hostile


def bomb(first: str, other: str) -> str:
    lines = [f"a: &a {first}"]
    for before, name in zip("abcdefghi", "bcdefghij", strict=True):
        lines.append(f"{name}: &{name} " + other.format(", ".join([f"*{before}"] * 9)))
    return "\n".join(lines) + "\n"


HOSTILE = {
    "brackets": ("[" * 10_000_000, "SF107"),
    "braces": ("{" * 10_000_000, "SF107"),
    "pairs": ("[{a: " * 2_000_000, "SF107"),
    "dashes": ("- " * 5_000_000, "SF107"),
    "quotes": ('"' * 10_000_000, "SF102"),
    "spaces": (" " * 10_000_000, "SF103"),
    "alias bomb": (bomb("[x, x, x, x, x, x, x, x, x]", "[{}]"), "SF106"),
    "merge bomb": (bomb("{k: 1}", "{{<<: [{}]}}"), "SF106"),
    "binary": (bytes(range(256)) * 1000, "SF101"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "SF101"),
    "latin-1": ("specfmt: 1\nname: café\n".encode("latin-1"), "SF101"),
    "nul": ("specfmt: 1\nname: a\0b\n", "SF101"),
}


@pytest.mark.parametrize(("text", "code"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_documents(text: str | bytes, code: str) -> None:
    start = time.process_time()
    assert [finding.code for finding in check(text)] == [code]
    assert time.process_time() - start < 10


@pytest.mark.parametrize("opened", ["[", "{", "- ", "[{a: ", "a: 1, b: ["])
@pytest.mark.parametrize("times", [101, 2_000])
def test_depth_has_one_message_whichever_parser_bound_is_met_first(opened: str, times: int) -> None:
    """libyaml has a bound of its own (1,000) since 0.2.6, which it meets while looking ahead."""
    text = ("x: " if opened[0] in "[{" else "{" if opened[0] == "a" else "") + opened * times
    (finding,) = check(text)
    assert finding.code == "SF107"
    assert finding.message.startswith("expected at most 100 lists and mappings inside each other")
    shallow = check(text[: len(text) - len(opened) * (times - 101)])
    assert [str(other) for other in shallow] == [str(finding)]


def nested(depth: int) -> str:
    entry: dict[str, object] = {"type": "Dense", "units": 4}
    for _ in range(depth):
        entry = {"type": "Model", "inputs": {"x": {"shape": [4]}}, "layers": [entry]}
    return json.dumps({"specfmt": 1, "inputs": {"x": {"shape": [4]}}, "layers": [entry]})


def test_models_within_models() -> None:
    assert places(nested(30)) == ""
    assert places(nested(200)).startswith("SF107:")
    for target in ("keras", "torch"):
        ast.parse(generate(loads(nested(8)), target))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code", "count"),
    [
        ("  - {{type: Dense, units: 4, activation: relu}}\n", "", 0),
        ("  - {{type: Desne, units: 4}}\n", "SF120", 5000),
        ("  - {{type: Dense, units: 4, inputs: q{0}}}\n", "SF201", 5000),
        ("  - {{type: Dense, units: 4, name: d}}\n", "SF203", 4999),
        ("  - {{type: Dense, units: 4, name: d{0}, inputs: d{1}}}\n", "SF202", 1),
    ],
)
def test_many_layers_take_linear_time(line: str, code: str, count: int) -> None:
    def text(layers: int) -> str:
        return HEAD + "".join(line.format(i, (i + 1) % layers) for i in range(layers))

    codes = [finding.code for finding in check(text(5_000)) if finding.severity == "error"]
    assert codes == [code] * count
    assert (
        ratio(partial(check, text(20_000)), partial(check, text(5_000)), times=4, enough=2.5) < 2.5
    )


def test_huge_sizes_are_counted_and_shown() -> None:
    size = 2**53 - 1
    text = f"specfmt: 1\ninputs: {{x: {{shape: {[size] * 32}}}}}\nlayers:\n  - {{type: Dense, units: {size}}}\n"
    result = CliRunner().invoke(main, ["summary", "-"], input=text)
    assert result.exit_code == 0, result.output
    assert f"{size * size + size:,}" in result.output


# ------------------------------------------------------------- text that would be code

PAYLOADS = [
    'x")\nimport os\nos.system("true")  # ', "x')\nimport os", 'a"""b', "a'''b", "a\\", 'a\\"', "{x}",
    "{{ 7 * 7 }}", "{% raw %}", "#", "a\r\nimport os", "\u2028import os", "\x85import os", "é", "class", "1",
    " ", "None", "self", "import os", '"; import os; "', "\\N{BULLET}", "%s", "a b", "x" * 300, "__class__",
    "lambda: 0", "torch", "keras", "nn", "forward", "training", "build_model", "model", "\U0001f389", "a.b",
    "../../x", "\u202e", "ﬁ",
]  # fmt: skip


def with_payload(place: str, text: str) -> dict[str, object]:
    dense: dict[str, object] = {"type": "Dense", "name": "d", "units": 3}
    data: dict[str, object] = {
        "source": "csv", "path": "p.csv", "features": ["a", "b", "c", "d"], "target": ["t", "u", "v"],
    }  # fmt: skip
    train: dict[str, object] = {"data": data, "loss": "mse"}
    spec: dict[str, object] = {
        "specfmt": 1, "name": "m", "inputs": {"x": {"shape": [4]}}, "layers": [dense], "train": train,
    }  # fmt: skip
    if place in ("name", "description"):
        spec[place] = text
    elif place == "layer":
        dense["name"] = text
    elif place == "input":
        spec["inputs"] = {text: {"shape": [4]}}
    elif place == "output":
        spec["outputs"] = {text: "d"}
    elif place == "model":
        model = {"type": "Model", "name": text, "inputs": {text: {"shape": [4]}}, "layers": [dense]}
        spec["layers"] = [model]
    elif place == "path":
        data["path"] = text
    elif place == "column":
        data["features"] = [text, "b", "c", "d"]
    elif place == "classes":
        data.update(target="t", classes=[text, "b", "c"])
        train["loss"] = "sparse_categorical_crossentropy"
    elif place == "metric":
        train["metrics"] = [{"type": "MeanSquaredError", "name": text}]
    elif place == "callback":
        train["callbacks"] = [{"type": "CSVLogger", "filename": text}]
    elif place == "config":
        spec["layers"] = [{"type": "Custom", "class": "a.B", "config": {"k": text}, "shape": [3]}]
    elif place == "class":
        spec["layers"] = [{"type": "Custom", "class": text, "shape": [3]}]
    return spec


PLACES = (
    "name", "description", "layer", "input", "output", "model", "path", "column", "classes", "metric",
    "callback", "config", "class", "file",
)  # fmt: skip


def attempt(make: Callable[[], T]) -> tuple[T | None, set[str]]:
    """What was made, or None and the codes of the errors."""
    try:
        return make(), set()
    except SpecError as error:
        return None, {finding.code for finding in error.diagnostics}


@pytest.mark.parametrize(
    "place",
    [p if p == "layer" else pytest.param(p, marks=pytest.mark.slow) for p in PLACES],
)
def test_text_never_becomes_code(place: str) -> None:
    allowed = 0
    for text in PAYLOADS:
        document = json.dumps(with_payload(place, text))
        spec, codes = attempt(partial(loads, document, file="x.json"))
        if spec is None:
            assert codes <= {"SF123"}
            continue
        source = text if place == "file" else "spec.yaml"
        for target, part, style in itertools.product(
            ("keras", "torch"), ("model", "train"), ("auto", "subclass")
        ):
            code, codes = attempt(
                partial(generate, spec, target, part=part, style=style, source=source)
            )
            if code is None:
                assert codes <= {"SF302"}, (target, text)
                continue
            assert_only_data(code)
            allowed += 1
    assert allowed >= 4


def assert_only_data(code: str) -> None:
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert all(name.name != "os" for name in node.names), code
        if isinstance(node, ast.ImportFrom):
            assert node.module != "os", code
        if isinstance(node, ast.Attribute):
            assert node.attr != "system", code


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (HEAD.replace("[4]", "4") + "  - {type: Dense, units: 3}\n", "write [4]"),
        (HEAD + "  - {type: Dense, units: '3'}\n", "remove the quotes"),
        (HEAD + "  - {type: Dropout, rate: '0.5'}\n", "remove the quotes"),
        (HEAD + "  - {type: Dense, units: ten}\n", ""),
        (DENSE + "train: {loss: mse, metrics: [acuracy]}\n", "did you mean accuracy?"),
        (DENSE + "train: {loss: mse, metrics: [Acuracy]}\n", "did you mean Accuracy?"),
        (HEAD + "  - {op: nonsense}\n", "https://keras.io/api/ops lists them all"),
    ],
)
def test_what_to_do(text: str, hint: str) -> None:
    (found,) = check(text)
    assert found.hint == hint
