"""The canonical form: order, style, quotes, comments; and that it never changes a meaning."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import partial
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from specfmt.diagnostics import SpecError
from specfmt.text.formatting import dump_yaml, format_text
from specfmt.text.reading import read
from tests.text.test_reading import json_like, mappings, same
from tests.tools.timing import ratio

DESIGN = """\
# yaml-language-server: $schema=../schema/specfmt.schema.json
specfmt: 1
name: iris_mlp
description: Classifies iris flowers.
inputs:
  features: {shape: [4]}  # without the batch axis
layers:
  - {type: Dense, name: hidden, units: 50, activation: relu}
  - {type: Dense, name: species, units: 3, activation: softmax}
outputs: species  # default: the last layer
train:
  data: {source: sklearn, name: iris, test_split: 0.3}
  loss: sparse_categorical_crossentropy
  optimizer: {type: Adam, learning_rate: 0.001}
  metrics: [accuracy]
  epochs: 200
"""

UNTIDY = """\
# yaml-language-server: $schema=../schema/specfmt.schema.json
train: {epochs: 200, optimizer: {type: Adam,
    learning_rate: 0.001}, loss: "mse"}
x-unknown: {b: 1, a: 2}
outputs:
    - species
layers:
- activation: relu
  inputs: 'features'
  units: 50
  name: hidden
  type: Dense
-   type: Model
    layers: [{units: 1, type: Dense}, {inputs: [a, b], class: m.Code,
        config: {z: 1, a: 2}, type: Custom}]
    outputs: a
    inputs: {a: {shape: [4]}}
    name: encoder
- {inputs: [a, 2.0], op: multiply}
- {name: again, inputs: hidden, reuse: hidden}
inputs: {features: {shape: [4]}}
name: "iris"
specfmt: 1



"""

TIDY = """\
# yaml-language-server: $schema=../schema/specfmt.schema.json
specfmt: 1
name: iris
inputs:
  features: {shape: [4]}
layers:
  - {type: Dense, name: hidden, activation: relu, units: 50, inputs: features}
  - type: Model
    name: encoder
    inputs:
      a: {shape: [4]}
    layers:
      - {type: Dense, units: 1}
      - {type: Custom, class: m.Code, config: {z: 1, a: 2}, inputs: [a, b]}
    outputs: a
  - {op: multiply, inputs: [a, 2.0]}
  - {reuse: hidden, name: again, inputs: hidden}
outputs: [species]
train:
  epochs: 200
  optimizer: {type: Adam, learning_rate: 0.001}
  loss: mse
x-unknown: {b: 1, a: 2}
"""

CASES: list[tuple[str, str, str]] = [
    ("canonical stays", DESIGN, DESIGN),
    ("order and style", UNTIDY, TIDY),
    (
        "blank lines",
        "\n\nspecfmt: 1\n\n\n\nlayers:\n\n  - {type: A}\n\n\n  - {type: B}\n\n",
        "specfmt: 1\n\nlayers:\n  - {type: A}\n\n  - {type: B}\n",
    ),
    (
        "file head stays first",
        "# Copyright\n# by X\n\n# the layers\nlayers: [{type: A}]\nspecfmt: 1  # v\n# end\n",
        "# Copyright\n# by X\n\nspecfmt: 1  # v\n# the layers\nlayers:\n  - {type: A}\n# end\n",
    ),
    (
        "comments of entries",
        "layers:   # all\n# first\n- units: 1   #many\n  # the type\n  type: A\n"
        "  # end of A\n# second\n- {type: B,}     # side\n-  # odd\n  type: C\n",
        "layers:  # all\n  # first\n  # the type\n  - type: A\n    units: 1  #many\n"
        "    # end of A\n  # second\n  - {type: B}  # side\n  # odd\n  - {type: C}\n",
    ),
    (
        "comments inside brackets",
        "layers:\n  - {type: A, # a\n     # b\n     units: [1, # one\n      2]\n     # c\n    }\n",
        "layers:\n  - type: A  # a\n    # b\n    units:\n      - 1  # one\n      - 2\n    # c\n",
    ),
    (
        "comments at the end of a section",
        "train:\n    loss: mse\n    # about train\n\n    # still\n"
        "inputs:\n    a: {shape: [1]}\n# root\n",
        "inputs:\n  a: {shape: [1]}\ntrain:\n  loss: mse\n  # about train\n\n  # still\n# root\n",
    ),
    (
        "comment in an empty list",
        "layers: [\n  # none yet\n]\nspecfmt: 1\n",
        "specfmt: 1\n# none yet\nlayers: []\n",
    ),
    (
        "wide entries",
        "layers:\n- {type: Dense, name: a_rather_long_name_for_a_layer, units: 1024, "
        "activation: relu, use_bias: false}\n",
        "layers:\n  - type: Dense\n    name: a_rather_long_name_for_a_layer\n    units: 1024\n"
        "    activation: relu\n    use_bias: false\n",
    ),
    (
        "numbers",
        "a: [1e-3, 1E5, .5, 5., +3, 017, 0x1F, 0o17, -.INF, .NaN, TRUE, ~, NULL, 1.50, 1e300]\n"
        "b:\n",
        "a: [1e-3, 1e5, 0.5, 5.0, 3, 17, 0x1F, 0o17, -.inf, .nan, true, null, null, 1.50, 1e300]\n"
        "b: null\n",
    ),
    (
        "strings",
        "a: ['x', \"no\", on, '1e-3', 12:30:00, 1_000, '0b1', lstm:1, 'a, b', http://x/y, "
        "'#a', a#b, '', ' ', 2001-01-01]\n"
        "b: 'x, [y] and {z}'\nc: \"it's\"\nd: 'a: b'\ne: \"\\u2028\\x85\\a\"\n'null': 'y'\n",
        'a:\n  - x\n  - "no"\n  - "on"\n  - "1e-3"\n  - "12:30:00"\n  - "1_000"\n  - "0b1"\n'
        '  - lstm:1\n  - a, b\n  - http://x/y\n  - "#a"\n  - a#b\n  - ""\n  - " "\n'
        '  - "2001-01-01"\n'
        'b: x, [y] and {z}\nc: it\'s\nd: "a: b"\n'
        'e: "\\u2028\\x85\\u0007"\n"null": "y"\n',
    ),
    (
        "texts of several lines",
        "description: >-   # head\n    folded\n    text\n\n    more\nname: 'a\n  b'\n"
        'zoo: |\n   literal\n     text\nyak: "a\\nb"\n',
        "name: a b\n# head\ndescription: >-\n  folded\n  text\n\n  more\n"
        "zoo: |\n  literal\n    text\nyak: |-\n  a\n  b\n",
    ),
    (
        "aliases",
        "layers:\n- &d {units: 1, type: A}\n- {units: 2, <<: *d}\n- &e\n  type: B\n  # c\n"
        "  k: &s [1]\n- {l: *s, type: C}\n",
        "layers:\n  - &d {type: A, units: 1}\n  - {units: 2, <<: *d}\n  - &e\n    type: B\n"
        "    # c\n    k: &s [1]\n  - {type: C, l: *s}\n",
    ),
    (
        "an anchor stays before its aliases",
        "x: &d {units: 1}\nlayers:\n- {<<: *d, type: A}\nspecfmt: 1\n",
        "x: &d {units: 1}\nlayers:\n  - {<<: *d, type: A}\nspecfmt: 1\n",
    ),
    (
        "blank lines in scalars and rows are no separators",
        "layers: [{a: 'x\n\n\n  y'}, {b: 1,\n\n c: 2, k: [1, # c\n\n 2, 3]}]\n",
        "layers:\n  - a: |-\n      x\n\n      y\n  - b: 1\n\n    c: 2\n    k:\n      - 1  # c\n\n"
        "      - 2\n      - 3\n",
    ),
    ("tags become values", "a: [!!str 1, !!float 2, !!int '3']\n", 'a: ["1", 2.0, 3]\n'),
    ("marks and directives go", "%YAML 1.2\n---\na: 1\n...\n", "a: 1\n"),
    ("lists in lists", "a:\n- - 1\n  - # c\n    - 2\n", "a:\n  - - 1\n    # c\n    - [2]\n"),
    ("a scalar", "# c\n  'x'\n# d\n", "# c\nx\n# d\n"),
    ("a list", "-   a\n- {b:  1}", "- a\n- {b: 1}\n"),
    ("flow root", "# h\n{b: 1, a: {}} # c\n", "# h\nb: 1\na: {}\n# c\n"),
    ("windows line ends", "a:   1  # c\r\n# d\r\nb: 2\r\n", "a: 1  # c\n# d\nb: 2\n"),
    (
        "json",
        '{"layers": [{"units": 1, "type": "Dense", "inputs": "é"}], "specfmt": 1}',
        '{\n  "specfmt": 1,\n  "layers": [\n    {\n      "type": "Dense",\n      "units": 1,\n'
        '      "inputs": "é"\n    }\n  ]\n}\n',
    ),
    (
        "a comment beside a list that begins a list",
        "a:\n  - [[1, # one\n     2], # two\n     3]\n",
        "a:\n  # two\n  - - - 1  # one\n      - 2\n    - 3\n",
    ),
]


@pytest.mark.parametrize(("text", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_canonical_form(text: str, expected: str) -> None:
    assert format_text(text) == expected
    assert format_text(expected) == expected


def test_a_text_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(SpecError, match=r"m\.yaml:1:4: error\[SF102\]"):
        format_text("a: [", "m.yaml")


def test_a_changed_meaning_is_never_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specfmt.text.output_tree.tidy_number", {"1": "1.0"}.get)
    with pytest.raises(RuntimeError, match="change the meaning"):
        format_text("a: 1")


# ------------------------------------------------------------------------ any document


@settings(max_examples=300)
@given(mappings(infinite=True))
def test_dumped_yaml_is_canonical(data: dict[str, Any]) -> None:
    text = dump_yaml(data)
    assert format_text(text) == text
    assert text.endswith("\n")
    assert not text.endswith("\n\n") or "\n\n" in repr(data).encode().decode("unicode_escape")


layers = st.dictionaries(
    st.sampled_from(["type", "name", "inputs", "layers", "units", "config", "op", "y"]),
    json_like(infinite=False) | st.sampled_from(["Dense", "a:1", "no", "1e-3", 0.5, [1, 2]]),
)
specs = st.fixed_dictionaries(
    {"layers": st.lists(layers, max_size=4)},
    optional={
        "specfmt": st.just(1),
        "inputs": st.dictionaries(st.text(), json_like(infinite=False), max_size=2),
        "train": st.dictionaries(st.text(), json_like(infinite=False), max_size=2),
        "zoo": layers,
        "description": st.text(),
    },
)


@settings(max_examples=300)
@given(specs, st.booleans(), st.booleans())
@example({"layers": [{"type": "0:?"}]}, False, False)
def test_any_writer_gives_the_same_canonical_form(
    data: dict[str, Any], flow: bool, unicode: bool
) -> None:
    """What PyYAML's emitter writes, read by YAML 1.2 rules, comes out as dumped."""
    text = yaml.safe_dump(
        json.loads(json.dumps(data)),  # a copy that shares no objects, so no aliases
        default_flow_style=flow,
        allow_unicode=unicode,
        sort_keys=False,
        version=(1, 1),
    )
    try:
        meant = read(text).data
    except SpecError:
        return  # its 1.1 emitter writes some characters that its parser refuses
    if same(meant, data) and not re.search(r"[>|]", text):
        assert format_text(text) == dump_yaml(data)


@settings(max_examples=300)
@given(specs, st.data())
def test_every_comment_is_kept_once(data: dict[str, Any], draw: st.DataObject) -> None:
    source = dump_yaml(data)
    if re.search(r"[|>]", source):
        return  # a comment between a block scalar's lines would be text
    lines, comments = [], 0
    for line in source.splitlines():
        for where in draw.draw(st.lists(st.sampled_from(["same", "left", "blank"]), max_size=2)):
            comments += where != "blank"
            indent = " " * (len(line) - len(line.lstrip())) if where == "same" else ""
            lines.append("" if where == "blank" else f"{indent}# comment {comments}!")
        if draw.draw(st.booleans()):
            comments += 1
            line += f"  # comment {comments}!"
        lines.append(line)
    commented = "\n".join(lines) + "\n"
    result = format_text(commented)
    assert format_text(result) == result
    expected = Counter(f"# comment {number}!" for number in range(1, comments + 1))
    assert Counter(re.findall(r"# comment \d+!", result)) == expected
    assert same(read(result).data, read(source).data)


@settings(max_examples=300)
@given(specs, st.data())
def test_comments_inside_brackets_are_kept(data: dict[str, Any], draw: st.DataObject) -> None:
    if re.search(r"[{\[,]\s", "".join(str(v) for v in _strings(data))):
        return
    source = dump_yaml(data)
    if re.search(r"[|>\"]", source) or source[0] == "{":
        return
    comments = 0
    pieces = []
    for piece in re.split(r"(?<=[{\[,])(?=[ \w])", source):
        pieces.append(piece)
        if draw.draw(st.booleans()):
            comments += 1
            pieces.append(f"  # comment {comments}!\n          ")
    result = format_text("".join(pieces))
    assert format_text(result) == result
    assert sorted(re.findall(r"\d+(?=!)", result), key=int) == [
        str(number) for number in range(1, comments + 1)
    ]
    assert same(read(result).data, data)


def _strings(data: Any) -> list[str]:
    if isinstance(data, dict):
        return [text for pair in data.items() for part in pair for text in _strings(part)]
    if isinstance(data, list):
        return [text for part in data for text in _strings(part)]
    return [data] if isinstance(data, str) else []


@settings(max_examples=200)
@given(st.text(alphabet=" -:?,[]{}#&*!|>'\"\n\tab01.~<\x85\u2028\\é", max_size=40))
@example(">#0")
@example(">#\x850")
def test_any_readable_text_can_be_formatted(text: str) -> None:
    try:
        data = read(text).data
    except SpecError:
        return
    result = format_text(text)
    assert same(read(result).data, data)
    assert format_text(result) == result


# fmt: off
AWKWARD = [
    "no", "On", "y", "null", "~", "1", "1e-3", "-.5", ".inf", "0o7", "017", "0b1", "1_0", "1:30",
    "2001-01-01", "2001-1-1 10:00:00", "=", "<<", "", " a", "a ", "a: b", "a:", "a #b", "- a",
    "---", "...", "--- a", "%a", "@a", "`a", "*a", "&a", "!a", "|", ">", "'a'", '"a"', "?", "-",
    "a, b", "[a]", "{a}", "a[0]", "x{", "\t", "\x7f", "\ufeff", "é", "😀", "\\", "1" * 5000,
]
# fmt: on


@pytest.mark.parametrize("text", AWKWARD)
def test_strings_mean_the_same_to_every_reader(text: str) -> None:
    written = dump_yaml({"k": text, "flow": {"list": [text, {"k": text}]}, text + "_": 0})
    expected = {"k": text, "flow": {"list": [text, {"k": text}]}, text + "_": 0}
    assert read(written).data == expected
    assert yaml.safe_load(written) == expected  # a YAML 1.1 reader


def test_numbers_mean_the_same_to_every_reader() -> None:
    numbers = [
        0,
        -1,
        2**63 - 1,
        0.1,
        1e-5,
        1e16,
        1.5e-10,
        1e300,
        -1e22,
        5.0,
        True,
        None,
        float("inf"),
    ]
    written = dump_yaml({"n": numbers})
    assert same(read(written).data["n"], numbers)
    assert same(yaml.safe_load(written)["n"], numbers)
    assert "1.0e-5" in written


def test_what_no_spec_can_hold_is_refused() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(SpecError, match="SF107"):
        dump_yaml({"a": deep})
    with pytest.raises(SpecError, match="SF101"):
        dump_yaml({"a": "\ud800"})
    for value in ({1: 2}, b"x", {1}):
        with pytest.raises(TypeError):
            dump_yaml({"a": value})


def test_dump_does_not_touch_its_argument() -> None:
    data = {"layers": [{"units": 1, "type": "Dense"}], "specfmt": 1}
    before = json.dumps(data)
    assert dump_yaml(data) == "specfmt: 1\nlayers:\n  - {type: Dense, units: 1}\n"
    assert json.dumps(data) == before


def test_long_keys_and_rows() -> None:
    data = {"k" * 2000: {"x": [1.5] * 40}, "rows": [[1, 2], [3] * 60]}
    text = dump_yaml(data)
    assert read(text).data == data
    assert format_text(text) == text
    assert yaml.safe_load(text) == data


def test_a_thousand_layers_are_written_quickly() -> None:
    """Compared with PyYAML's emitter in C and its parser, on the same data."""
    layer = {"type": "Conv2D", "filters": 64, "kernel_size": [3, 3], "padding": "same"}
    data = {"layers": [{**layer, "name": f"conv_{i}", "inputs": [f"c{i}"]} for i in range(1000)]}
    assert read(dump_yaml(data)).data == data
    assert ratio(partial(dump_yaml, data), partial(yaml.safe_dump, data), enough=1) < 1


ROWS = {
    "layers": ("layers:\n", "- units: 8  # c\n  type: Dense\n  x: [[1, [2, [3]]], {a: b}]\n", ""),
    "one line": ("a:\n\n  [", "{b: 1}, ", "]\n"),
    "comments in brackets": ("a: [\n", "1, # c\n", "]\n"),
    "comments in front": ("", "# c\n", "a: 1\n"),
    "comments behind": ("- - - a\n", "   # c\n", ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_formatting_is_linear(name: str) -> None:
    start, row, end = ROWS[name]
    few, many = (partial(format_text, start + row * count + end) for count in (500, 4_000))
    assert ratio(many, few, times=8, enough=4) < 4
