"""Blocks: a document with blocks means what the same layers mean one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

import specfmt
from specfmt.api import check
from specfmt.cli import main
from specfmt.diagnostics import InUse
from specfmt.reference.json_schema import json_schema
from specfmt.spec.document import parse_document
from specfmt.text.reading import read
from tests.spec.test_wrong_blocks import CASES, INPUTS
from tests.tools.timing import ratio

EXAMPLES = Path(__file__).parents[2] / "examples"
IMAGE = "specfmt: 1\ninputs: {x: {shape: [8, 8, 3]}}\n"

# A document with blocks, and the layers that it means.
SAME: dict[str, tuple[str, str]] = {
    "parameters, defaults and arithmetic": (
        INPUTS
        + """blocks:
  b:
    parameters: {units: required, bias: true}
    layers:
      - {type: Dense, units: $(2 * units - 1), use_bias: $bias}
      - {type: Dense, name: wide, units: $(units if units > 3 else 7 % 4), activation: relu}
layers:
  - {block: b, name: a, units: 4}
  - {block: b, units: 3, bias: false}
""",
        """layers:
  - {type: Dense, name: a_dense, units: 7}
  - {type: Dense, name: a_wide, units: 4, activation: relu}
  - {type: Dense, units: 5, use_bias: false}
  - {type: Dense, name: b_wide, units: 3, activation: relu}
""",
    ),
    "conditions": (
        INPUTS
        + """blocks:
  b:
    parameters: {fit: false}
    layers:
      - {type: Dense, name: one, units: 4, when: $fit}
      - {type: Dense, name: two, units: 4, when: $(not fit), inputs: x}
      - {type: Add, name: sum, inputs: [one, x]}
layers:
  - {block: b, name: a}
  - {block: b, name: c, fit: true}
  - {block: b, name: never, when: false}
  - {type: ReLU, inputs: never}
""",
        """layers:
  - {type: Dense, name: a_two, units: 4}
  - {type: Add, name: a_sum, inputs: [x, x]}
  - {type: Dense, name: c_one, units: 4}
  - {type: Add, name: c_sum, inputs: [c_one, a_sum]}
  - {type: ReLU}
""",
    ),
    "repeats and whole names": (
        INPUTS
        + """blocks:
  b:
    parameters: {n: required}
    layers:
      - {type: Dense, name: "dense_$name", units: $n}
      - {type: Dense, name: $('last_' if n else 'x'), units: $n, when: $(n == 6)}
layers:
  - {block: b, name: r$(i + 1), repeat: 2, n: $(i + 5)}
  - {block: b, name: s, repeat: 2, n: 7}
  - {type: ReLU, inputs: s}
""",
        """layers:
  - {type: Dense, name: dense_r1, units: 5}
  - {type: Dense, name: dense_r2, units: 6}
  - {type: Dense, name: last_, units: 6}
  - {type: Dense, name: dense_s_1, units: 7}
  - {type: Dense, name: dense_s_2, units: 7}
  - {type: ReLU}
""",
    ),
    "several inputs and outputs": (
        INPUTS
        + """blocks:
  b:
    inputs: [p, q]
    outputs: [sum, left]
    layers:
      - {type: Dense, name: left, units: 4}
      - {type: Dense, name: right, units: 4, inputs: q}
      - {type: Add, name: sum, inputs: [left, right]}
layers:
  - {block: b, name: a, inputs: {q: x, p: x}}
  - {block: b, name: c, inputs: [a, "a:1"], repeat: 2}
  - {type: Add, name: end, inputs: [c, "c:1"]}
outputs: [c, end]
""",
        """layers:
  - {type: Dense, name: a_left, units: 4}
  - {type: Dense, name: a_right, units: 4, inputs: x}
  - {type: Add, name: a_sum, inputs: [a_left, a_right]}
  - {type: Dense, name: c_1_left, units: 4}
  - {type: Dense, name: c_1_right, units: 4, inputs: a_left}
  - {type: Add, name: c_1_sum, inputs: [c_1_left, c_1_right]}
  - {type: Dense, name: c_2_left, units: 4}
  - {type: Dense, name: c_2_right, units: 4, inputs: c_1_left}
  - {type: Add, name: c_2_sum, inputs: [c_2_left, c_2_right]}
  - {type: Add, name: end, inputs: [c_2_sum, c_2_left]}
outputs: [c_2_sum, end]
""",
    ),
    "reuse, operations and layers in layers": (
        "specfmt: 1\ninputs: {x: {shape: [3, 4]}}\n"
        + """blocks:
  b:
    parameters: {n: 4}
    layers:
      - {type: TimeDistributed, name: each, layer: {type: Dense, units: $n}}
      - {reuse: each, name: again}
      - {op: multiply, name: half, inputs: [again, 0.5]}
      - {type: Bidirectional, layer: {type: LSTM, units: $n, return_sequences: true}}
layers:
  - {block: b, name: a}
  - {block: b, name: c, n: 8}
""",
        """layers:
  - {type: TimeDistributed, name: a_each, layer: {type: Dense, units: 4}}
  - {reuse: a_each, name: a_again}
  - {op: multiply, name: a_half, inputs: [a_again, 0.5]}
  - {type: Bidirectional, name: a_bidirectional, layer: {type: LSTM, units: 4, return_sequences: true}}
  - {type: TimeDistributed, name: c_each, layer: {type: Dense, units: 8}}
  - {reuse: c_each, name: c_again}
  - {op: multiply, name: c_half, inputs: [c_again, 0.5]}
  - {type: Bidirectional, name: c_bidirectional, layer: {type: LSTM, units: 8, return_sequences: true}}
""",
    ),
    "nested models": (
        INPUTS
        + """blocks:
  b:
    parameters: {n: required}
    layers:
      - {type: Dense, units: $n, name: d}
  c:
    parameters: {n: 3}
    layers:
      - type: Model
        name: inner
        inputs: {y: {shape: [4]}}
        layers:
          - {block: b, name: r$i, repeat: $n, n: $(n + i)}
          - {type: ReLU, when: $(n > 2), name: last}
          - {type: Add, inputs: [last, last]}
layers:
  - {block: c, name: u}
  - {type: Model, name: m, inputs: {y: {shape: [5]}}, layers: [{block: b, name: z, n: 4}]}
  - {block: c, name: v, n: 2}
""",
        """layers:
  - type: Model
    name: u_inner
    inputs: {y: {shape: [4]}}
    layers:
      - {type: Dense, name: r0_d, units: 3}
      - {type: Dense, name: r1_d, units: 4}
      - {type: Dense, name: r2_d, units: 5}
      - {type: ReLU, name: last}
      - {type: Add, inputs: [last, last]}
  - {type: Model, name: m, inputs: {y: {shape: [5]}}, layers: [{type: Dense, name: z_d, units: 4}]}
  - type: Model
    name: v_inner
    inputs: {y: {shape: [4]}}
    layers:
      - {type: Dense, name: r0_d, units: 2}
      - {type: Dense, name: r1_d, units: 3}
      - {type: Add, inputs: [r1_d, r1_d]}
""",
    ),
    "a model in a layer": (
        "specfmt: 1\ninputs: {x: {shape: [3, 4]}}\n"
        + """blocks:
  b:
    parameters: {n: required}
    layers:
      - {type: Dense, units: $n, name: d}
layers:
  - type: TimeDistributed
    layer: {type: Model, name: m, inputs: {y: {shape: [4]}}, layers: [{block: b, name: z, n: 4}]}
""",
        """layers:
  - type: TimeDistributed
    layer: {type: Model, name: m, inputs: {y: {shape: [4]}}, layers: [{type: Dense, name: z_d, units: 4}]}
""",
    ),
    "an entry that reads a later use": (
        INPUTS
        + """blocks:
  b:
    layers:
      - {type: Dense, units: 4, name: d}
      - {type: ReLU, name: e}
layers:
  - {type: Dense, name: last, units: 3, inputs: u}
  - {block: b, name: u, inputs: x}
outputs: {what: last, seen: u}
""",
        """layers:
  - {type: Dense, name: last, units: 3, inputs: u_e}
  - {type: Dense, name: u_d, units: 4, inputs: x}
  - {type: ReLU, name: u_e}
outputs: {what: last, seen: u_e}
""",
    ),
    "an output that is not the last layer": (
        INPUTS
        + """blocks:
  b:
    outputs: d
    layers:
      - {type: Dense, units: 4, name: d}
      - {type: ReLU, name: e}
layers:
  - {block: b, name: u}
""",
        """layers:
  - {type: Dense, name: u_d, units: 4}
  - {type: ReLU, name: u_e}
outputs: u_d
""",
    ),
}


def flat(text: str, layers: str) -> str:
    return text[: text.index("blocks:")] + layers


@pytest.mark.parametrize("name", SAME)
def test_it_means_what_the_layers_mean(name: str) -> None:
    text, layers = SAME[name]
    spec, same = specfmt.loads(text), specfmt.loads(flat(text, layers))
    assert specfmt.to_keras_json(spec) == specfmt.to_keras_json(same)
    assert specfmt.summarize(spec).to_data() == specfmt.summarize(same).to_data()
    again = specfmt.loads(specfmt.dump(specfmt.expand(spec)))
    assert again.blocks is None
    assert specfmt.to_keras_json(again) == specfmt.to_keras_json(spec)


@pytest.mark.parametrize("name", SAME)
def test_it_is_written_as_it_was_read(name: str) -> None:
    text, _ = SAME[name]
    spec = specfmt.loads(text)
    written = specfmt.dump(spec)
    assert specfmt.format_spec(written) == written
    again = specfmt.loads(written)
    assert specfmt.dump(again) == written
    assert specfmt.to_keras_json(again) == specfmt.to_keras_json(spec)
    assert [line.strip("- ") for line in written.splitlines() if "block:" in line] == [
        line.strip("- ") for line in specfmt.format_spec(text).splitlines() if "block:" in line
    ]


def test_fixes_reach_into_blocks() -> None:
    text = (
        IMAGE
        + """blocks:
  b:
    parameters: {n: 3, r: 2}
    layers: # a comment
      - {type: Convolution2D, nb_filter: $n, nb_row: $r, nb_col: 3, border_mode: same}
      - type: Model
        inputs: {z: {shape: [null, null, 3]}}
        layers: [{type: Convolution2D, nb_filter: $n, nb_row: 1, nb_col: 1}]
layers: [{block: b}]
"""
    )
    assert {finding.code for finding in check(text)} == {"SF124"}
    fixed = specfmt.format_spec(text, fix=True)
    assert "# a comment" in fixed
    assert "{type: Conv2D, filters: $n, kernel_size: [$r, 3], padding: same}" in fixed
    assert check(fixed) == []


def test_keys_have_an_order() -> None:
    spec = specfmt.loads(SAME["several inputs and outputs"][0])
    data = specfmt.loads(specfmt.dump(spec)).to_data()
    assert list(data) == ["specfmt", "inputs", "blocks", "layers", "outputs"]
    assert list(data["blocks"]["b"]) == ["inputs", "layers", "outputs"]
    assert data["blocks"]["b"]["outputs"] == ["sum", "left"]


# ------------------------------------------------------------------------------- schema

VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def own_findings(document: Any) -> list[str]:
    """The findings that do not depend on the values in a use, as a schema cannot know these."""
    found = parse_document(document)[1]
    outside = [d for d in found if not (d.path and isinstance(d.path[0], InUse))]
    return [finding.code for finding in outside if finding.code.startswith("SF12")]


@pytest.mark.parametrize("text", [*(t for t, _ in CASES.values()), *(t for t, _ in SAME.values())])
def test_schema_and_reader_agree(text: str) -> None:
    document = read(text).data
    assert VALIDATOR.is_valid(document) == (not own_findings(document))


# ----------------------------------------------------------------------------- commands

RESNET = EXAMPLES / "digits_resnet.yaml"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_the_summary_folds_blocks() -> None:
    folded, whole = run("summary", str(RESNET)), run("summary", str(RESNET), "--expand")
    rows = [line.split() for line in folded.splitlines()]
    assert ["stage_2", "block", "stage", "(N,", "4,", "4,", "32)"] in [row[:7] for row in rows]
    assert (folded.count("Conv2D"), whole.count("Conv2D")) == (1, 17)
    assert folded.splitlines()[-3:] == whole.splitlines()[-3:]
    data = json.loads(run("summary", str(RESNET), "--json"))
    assert sum(layer["params"] for layer in data["layers"]) == data["params"]["total"]


def test_a_notebook_folds_blocks() -> None:
    shown = specfmt.load(RESNET)._repr_html_()
    assert shown is not None
    assert "block stage" in shown
    assert "stage_2_block_1_fit" not in shown


def test_the_expand_command() -> None:
    text = run("expand", str(RESNET))
    assert "block" not in specfmt.loads(text).to_data()
    assert specfmt.to_keras_json(specfmt.loads(text)) == specfmt.to_keras_json(specfmt.load(RESNET))


def test_customs_reach_into_blocks() -> None:
    text = (
        INPUTS
        + """blocks:
  b:
    layers:
      - {type: Custom, name: own, class: lib.Gate}
      - {type: Model, inputs: {z: {shape: [4]}}, layers: [{type: Custom, class: lib.Gate}]}
layers:
  - {type: Custom, class: lib.Gate}
  - {block: b, name: u}
  - {block: b, name: v}
"""
    )
    spec = specfmt.with_customs(specfmt.loads(text), ["mine:Gate"])
    code = specfmt.generate(spec, "torch")
    assert "from mine import Gate" in code
    assert code.count("Gate(") == 5


# -------------------------------------------------------------------------------- times


def repeated(count: int) -> str:
    return IMAGE + (
        "blocks:\n  b:\n    parameters: {n: 8}\n    layers:\n"
        "      - {type: Conv2D, name: conv, filters: $n, kernel_size: 3, padding: same, use_bias: false}\n"
        "      - {type: BatchNormalization, name: norm}\n      - {type: ReLU, name: relu}\n"
        f"layers:\n  - {{block: b, name: u$i, repeat: {count}, n: $(8 + i % 3)}}\n"
    )


def test_checking_is_linear() -> None:
    few, many = repeated(100), repeated(1_000)
    check(few)
    assert ratio(lambda: check(many), lambda: check(few), times=10) < 1.5


def test_uses_cost_little_more_than_their_layers() -> None:
    text = repeated(300)
    written = specfmt.dump(specfmt.expand(specfmt.loads(text)))
    assert check(text) == check(written) == []
    assert ratio(lambda: check(text), lambda: check(written)) < 2


def test_a_finding_at_a_place_inside_of_a_value_is_reported() -> None:
    entry = {"op": "get_item", "key": [{"slice": [0, 1, {"type": "l2"}]}, {"ellipsis": True}]}
    data = {"specfmt": 1, "inputs": {"x": {"shape": [4]}}, "layers": [entry]}
    assert [problem.code for problem in parse_document(data)[1]] == ["SF123"]
