"""Reading: YAML 1.2 and JSON to data, places, mistakes, and bounds on hostile input."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specfmt.diagnostics import Diagnostic, Span, SpecError
from specfmt.reference.codes import codes, title_and_text
from specfmt.text.formatting import dump_yaml
from specfmt.text.reading import Document, read

# ----------------------------------------------------------------------- YAML 1.2 rules

READING_CODES = {code for code in codes() if code < "SF120"}

RESOLUTION: list[tuple[str, Any]] = [
    ("1e-3", 1e-3),
    ("1E5", 1e5),
    ("1e+3", 1000.0),
    (".5", 0.5),
    ("5.", 5.0),
    ("-.5e1", -5.0),
    ("+12", 12),
    ("-7", -7),
    ("017", 17),
    ("-017", -17),
    ("0x1F", 31),
    ("0xfF", 255),
    ("0o17", 15),
    ("12345678901234567890", 12345678901234567890),
    ("1.0", 1.0),
    ("-0.0", -0.0),
    (".inf", math.inf),
    ("+.INF", math.inf),
    ("-.Inf", -math.inf),
    ("null", None),
    ("Null", None),
    ("NULL", None),
    ("~", None),
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("false", False),
    ("FALSE", False),
    # Strings, which YAML 1.1 reads otherwise or which only look like numbers.
    ("no", "no"),
    ("on", "on"),
    ("yes", "yes"),
    ("Off", "Off"),
    ("y", "y"),
    ("tRUE", "tRUE"),
    ("nULL", "nULL"),
    ("12:30:00", "12:30:00"),
    ("1_000", "1_000"),
    ("0b11", "0b11"),
    ("-0x1F", "-0x1F"),
    ("0o18", "0o18"),
    ("0x", "0x"),
    ("0x_1", "0x_1"),
    ("0X1F", "0X1F"),
    ("2001-01-01", "2001-01-01"),
    ("1.2.3", "1.2.3"),
    ("1e", "1e"),
    ("e5", "e5"),
    (".", "."),
    ("+", "+"),
    ("+-1", "+-1"),
    ("1-", "1-"),
    ("inf", "inf"),
    ("nan", "nan"),
    ("-.nan", "-.nan"),
    (".iNF", ".iNF"),
    ("\u0663", "\u0663"),
    ("1\u0663", "1\u0663"),
    ("=", "="),
    ("a#b", "a#b"),
    ("a:b", "a:b"),
    ("lstm:1", "lstm:1"),
]


@pytest.mark.parametrize(("text", "value"), RESOLUTION, ids=[text for text, _ in RESOLUTION])
def test_plain_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    for document in (f"- {text}\n", f"[{text}, x]", f"- !!str x\n- {text}"):
        found = read(document).data[-1 if "!!str" in document else 0]
        assert (type(found), repr(found)) == (type(value), repr(value))


def test_nan_empty_values_and_quoted_scalars() -> None:
    data = read("a: .nan\nb:\nc: '1'\nd: \"null\"\ne: |\n  1\n'no': .NaN\n? f\n").data
    assert math.isnan(data.pop("a"))
    assert math.isnan(data.pop("no"))
    assert data == {"b": None, "c": "1", "d": "null", "e": "1\n", "f": None}


def test_core_tags() -> None:
    text = "[!!str 1e-3, !!int '3', !!float 1, ! 12, !!null '', !!bool 'true', !!seq [1], !!map {}]"
    values = read("a: " + text).data["a"]
    assert values == ["1e-3", 3, 1.0, "12", None, True, [1], {}]
    assert type(values[2]) is float


def test_old_line_breaks_are_ordinary_characters() -> None:
    document = read('a: x\u2028 y  # c\u2029d: 1\nb: "p \x85 q"\n')
    assert document.data == {"a": "x\u2028 y", "b": "p \x85 q"}
    assert document.span(("b",)) == Span(2, 4, 2, 11)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings(encoding: str) -> None:
    document = read("náme: 😀\n".encode(encoding))
    assert document.data == {"náme": "😀"}
    assert document.span(("náme",)) == Span(1, 7, 1, 8)
    assert read("\ufeffa: 1").data == {"a": 1}


def test_aliases_and_merges() -> None:
    document = read(
        "a: &a {x: 1, y: 2}\n"
        "b: {y: 3, <<: *a, z: 4}\n"
        "c: &c {x: 5}\n"
        "d: {<<: [*c, *a]}\n"
        "e: {<<: {w: 6}}\n"
        "f: &k key\n"
        "g: {*k : [*a]}\n"
        "h: {'<<': 7}\n"
    )
    data = document.data
    assert data["b"] == {"x": 1, "y": 3, "z": 4}
    assert data["d"] == {"x": 5, "y": 2}
    assert data["e"] == {"w": 6}
    assert data["g"] == {"key": [{"x": 1, "y": 2}]}
    assert data["h"] == {"<<": 7}
    assert document.span(("b", "x")) == Span(1, 11, 1, 12)
    assert document.span(("g", "key", 0)) == Span(7, 11, 7, 13)
    assert document.span(("g", "key", 0, "y")) == Span(1, 17, 1, 18)


def test_json_keeps_its_own_meaning() -> None:
    text = '\n{"a":\t"\\ud83d\\ude00\\/\\u000a", "b": [1.0, 1E2, -0, 12345678901234567890],'
    text += '\t"c": null}'
    document = read(text)
    assert document.is_json
    assert document.data == {
        "a": "\U0001f600/\n",
        "b": [1.0, 100.0, 0, 12345678901234567890],
        "c": None,
    }
    assert [type(value) for value in document.data["b"]] == [float, float, int, int]


def test_flow_yaml_is_read_where_json_is_not() -> None:
    document = read("{a: 1e-3, 'b': [x, ], # c\n c: NaN}")
    assert not document.is_json
    assert document.data == {"a": 1e-3, "b": ["x"], "c": "NaN"}


def test_json_does_not_import_yaml() -> None:
    code = (
        "import sys; from specfmt.text.reading import read; read('{\"a\": 1}');"
        "assert 'yaml' not in sys.modules; read('a: 1'); assert 'yaml' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def json_like(*, infinite: bool) -> st.SearchStrategy[Any]:
    floats = st.floats(allow_nan=infinite, allow_infinity=infinite)
    return st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | floats | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=25,
    )


def mappings(*, infinite: bool) -> st.SearchStrategy[dict[str, Any]]:
    keys = st.text() | st.sampled_from(["type", "layers", "inputs", "name", "train", "specfmt"])
    return st.dictionaries(keys, json_like(infinite=infinite), max_size=5)


def same(a: Any, b: Any) -> bool:
    """Equal, with types: 1, 1.0 and True differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and repr(a) == repr(b)


@settings(max_examples=300)
@given(mappings(infinite=True))
def test_any_document_survives_yaml(data: dict[str, Any]) -> None:
    assert same(read(dump_yaml(data)).data, data)


@settings(max_examples=300)
@given(mappings(infinite=False), st.booleans())
def test_any_document_survives_json(data: Any, ascii_only: bool) -> None:
    assert same(read(json.dumps(data, ensure_ascii=ascii_only)).data, data)


def attempt(text: str | bytes) -> Document | SpecError:
    try:
        return read(text)
    except SpecError as error:
        return error


@settings(max_examples=300)
@given(st.text(alphabet=" -:?,[]{}#&*!|>'\"%@`\n\tab01.~<=\x85\u2028\\é", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    result = attempt(text)
    if isinstance(result, Document):
        assert result.span(()) is not None
        return
    assert result.diagnostics
    for finding in result.diagnostics:
        assert finding.code in READING_CODES
        assert finding.span is not None
        assert 1 <= finding.span.line <= text.count("\n") + text.count("\r") + 1


@settings(max_examples=200)
@given(st.binary(max_size=30))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    result = attempt(data)
    if isinstance(result, SpecError):
        assert {finding.code for finding in result.diagnostics} <= READING_CODES


@pytest.mark.parametrize("text", [text for text, _ in RESOLUTION])
def test_the_parser_without_libyaml_agrees(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    document = f"a:\n  - {{k: [{text}], é: 'x'}}  # c\n  - |\n    lit\nb: &b {text}\nc: *b\n"
    fast = read(document)
    monkeypatch.setitem(sys.modules, "yaml._yaml", None)
    slow = read(document)
    assert same(slow.data, fast.data)
    for path in [("a",), ("a", 0, "k", 0), ("a", 0, "é"), ("a", 1), ("b",), ("c",)]:
        assert slow.span(path) == fast.span(path)


# ---------------------------------------------------------------------------- positions

PLACED = """\
specfmt: 1
näme: "two
  lines"   # comment
layers:
  - {type: Dense, units: [8, {deep: é}]}
  - type: "a\\tb"
    units: 12

  -   - x
# comment
  - |
    literal
      text

outputs:
last: plain
  goes on
"""


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("specfmt",), "specfmt", "1"),
        (("näme",), "näme", '"two\n  lines"'),
        (("layers", 0), None, "{type: Dense, units: [8, {deep: é}]}"),
        (("layers", 0, "type"), "type", "Dense"),
        (("layers", 0, "units"), "units", "[8, {deep: é}]"),
        (("layers", 0, "units", 0), None, "8"),
        (("layers", 0, "units", 1, "deep"), "deep", "é"),
        (("layers", 1), None, 'type: "a\\tb"\n    units: 12'),
        (("layers", 1, "type"), "type", '"a\\tb"'),
        (("layers", 1, "units"), "units", "12"),
        (("layers", 2), None, "- x"),
        (("layers", 2, 0), None, "x"),
        (("layers", 3), None, "|\n    literal\n      text"),
        (("outputs",), "outputs", ""),
        (("last",), "last", "plain\n  goes on"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_yaml_spans_are_exact(path: Any, key: str | None, value: str, line_end: str) -> None:
    document = read(PLACED.replace("\n", line_end))
    assert cut(document.text, document.span(path)).replace(line_end, "\n") == value
    expected = value if key is None else key
    found = cut(document.text, document.span(path, on_key=True))
    assert found.replace(line_end, "\n") == expected


def cut(text: str, span: Span | None) -> str:
    """What a span covers, found by lines and columns alone."""
    assert span is not None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if span.line == span.end_line:
        return lines[span.line - 1][span.column - 1 : span.end_column - 1]
    return "\n".join(
        (
            lines[span.line - 1][span.column - 1 :],
            *lines[span.line : span.end_line - 1],
            lines[span.end_line - 1][: span.end_column - 1],
        )
    )


def test_lines_and_columns_count_characters() -> None:
    document = read(PLACED)
    assert document.span(("layers", 0, "units", 1, "deep")) == Span(5, 37, 5, 38)
    assert document.span(("layers", 1, "units"), on_key=True) == Span(7, 5, 7, 10)
    assert read("é😀: {😀: 1}").span(("é😀", "😀")) == Span(1, 9, 1, 10)


def test_json_spans_are_exact() -> None:
    text = '{\n\t"näme":\t"😀\\"}",\n\t"layers": [\n\t\t{"a\\u0062": [-1.5e3, true]}, []\n\t]\n}\n'
    document = read(text)
    assert document.is_json
    for path, key, value in [
        ((), text[:-1], text[:-1]),
        (("näme",), '"näme"', '"😀\\"}"'),
        (("layers", 0), '{"a\\u0062": [-1.5e3, true]}', '{"a\\u0062": [-1.5e3, true]}'),
        (("layers", 0, "ab"), '"a\\u0062"', "[-1.5e3, true]"),
        (("layers", 0, "ab", 0), "-1.5e3", "-1.5e3"),
        (("layers", 0, "ab", 1), "true", "true"),
        (("layers", 1), "[]", "[]"),
    ]:
        assert cut(text, document.span(path)) == value
        assert cut(text, document.span(path, on_key=True)) == key
    assert document.span(("näme",)) == Span(2, 10, 2, 16)


def test_a_missing_path_gives_its_nearest_ancestor() -> None:
    document = read(PLACED)
    dense = document.span(("layers", 0))
    assert document.span(("layers", 0, "activation")) == dense
    assert document.span(("layers", 0, "activation", 2), on_key=True) == dense
    assert document.span(("layers", 99)) == document.span(("layers",))
    assert document.span(("layers", "x")) == document.span(("layers",))
    assert document.span((0,)) == document.span(())


def test_place_respects_on_key() -> None:
    document = read("a:\n  b: 1\n", "m.yaml")
    finding = Diagnostic("SF201", "x", ("a", "b"))
    assert str(document.place(finding)).startswith("m.yaml:2:6: error[SF201]")
    on_key = Diagnostic("SF201", "x", ("a", "b"), on_key=True)
    assert document.place(on_key).span == Span(2, 3, 2, 4)


@settings(max_examples=200)
@given(mappings(infinite=False), st.booleans())
def test_the_spans_of_every_key_and_scalar_hold_it(data: dict[str, Any], as_json: bool) -> None:
    text = json.dumps(data, indent=1) if as_json else dump_yaml(data)
    document = read(text)
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            for key, part in value.items():
                shown = cut(text, document.span((*path, key), on_key=True))
                assert (json.loads(shown) if as_json else read(f"- {shown}").data[0]) == key
                stack.append(((*path, key), part))
        elif isinstance(value, list):
            stack += [((*path, i), part) for i, part in enumerate(value)]
        elif not isinstance(value, str) or "\n" not in value:
            shown = cut(text, document.span(path))
            assert same(json.loads(shown) if as_json else read(f"- {shown}").data[0], value)


# ----------------------------------------------------------------------------- mistakes

MISTAKES: list[tuple[str, str | bytes, list[tuple[str, int, int]]]] = [
    ("empty", "", [("SF103", 1, 1)]),
    ("only comments", "# a\n\n# b\n", [("SF103", 1, 1)]),
    ("only a mark", "---\n", [("SF103", 1, 1)]),
    ("NUL", "a: 1\nb: \0", [("SF101", 2, 4)]),
    ("UTF-16 without a mark", "a: 1".encode("utf-16-le"), [("SF101", 1, 2)]),
    ("Latin-1", b"a: 1\nname: caf\xe9", [("SF101", 2, 10)]),
    ("HDF5", b"\x89HDF\r\n\x1a\n", [("SF101", 1, 1)]),
    ("zip", b"PK\x03\x04\x14\0", [("SF101", 1, 1)]),
    ("control character", "a: 1\nb: x\x07y", [("SF101", 2, 5)]),
    ("lone surrogate", "a: 1\nb: \ud800", [("SF101", 2, 4)]),
    ("lone surrogate escape", '{"a": "x", "b": "\\udc00y"}', [("SF101", 1, 17)]),
    ("tab", "a:\n\tb: 1", [("SF102", 2, 1)]),
    ("tab after spaces", "a:\n  b: 1\n  \tc: 1", [("SF102", 3, 3)]),
    ("unclosed list", "a: 1\nb: [1,\n  2", [("SF102", 2, 4)]),
    ("unclosed inner mapping", "a: [1,\n  {b: 2", [("SF102", 2, 3)]),
    ("closed too late", "a: [1, 2\nb: 3", [("SF102", 2, 2)]),
    ("unclosed quote", 'a: 1\nb: "x\nc: 2', [("SF102", 2, 4)]),
    ("two colons", "a: b: c", [("SF102", 1, 5)]),
    ("no space after colon", "a: 1\nbc:1\nd: 2", [("SF102", 2, 3)]),
    ("indentation", "a:\n  - b\n c: 1", [("SF102", 3, 2)]),
    ("key too deep", "a: 1\n  b: 2", [("SF102", 2, 4)]),
    ("list then key", "- a\nb: 1", [("SF102", 2, 1)]),
    ("no colon", "a: b\nfoo\n", [("SF102", 2, 1)]),
    ("reserved character", "a: @x", [("SF102", 1, 4)]),
    ("unknown escape", '"a\\q": 1', [("SF102", 1, 3)]),
    ("merge conflict", "a: 1\n<<<<<<< HEAD\nb: 1\n=======\n", [("SF102", 2, 1)]),
    ("text after a quote", "a: 'x' y", [("SF102", 1, 8)]),
    ("JSON constant", '{"a": [NaN],\n "b": -Infinity}', [("SF102", 1, 8), ("SF102", 2, 7)]),
    ("JSON cut short", '{"a": [1, 2', [("SF102", 1, 7)]),
    ("JSON string cut short", '{"a": "b', [("SF102", 1, 7)]),
    ("JSON extra data", '{"a": 1}\n{"b": 2}', [("SF102", 2, 1)]),
    ("JSON comma", '{"a": 1, "b": [1,2,}', [("SF102", 1, 19)]),
    ("duplicates", "a: 1\nb: {c: 1, c: 2}\n'a': 3", [("SF104", 2, 11), ("SF104", 3, 1)]),
    ("duplicate merge key", "a: &a {}\nb: {<<: *a, <<: *a}", [("SF104", 2, 13)]),
    (
        "JSON duplicates",
        '{"a": 1,\n "\\u0061": {"b": 1, "b": 2}}',
        [("SF104", 2, 2), ("SF104", 2, 21)],
    ),
    (
        "keys",
        "1: a\nno: b\n? [x]\n: c\n{y: 1}: d\nnull: e\ntrue: f",
        [("SF105", 1, 1), ("SF105", 3, 3), ("SF105", 5, 1), ("SF105", 6, 1), ("SF105", 7, 1)],
    ),
    ("alias into itself", "a: &a\n  b: [*a]", [("SF106", 2, 7)]),
    (
        "alias chain",
        "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 200)),
        [("SF107", 100, 12)],
    ),
    (
        "tags",
        "a: !!python/object/apply:os.system [exit 1]\nb: !x 1\nc: !!int abc\nd: !!map [1]\n"
        "e: !!timestamp 2001-01-01\nf: !!binary aa\ng: !!set {a}",
        [("SF108", line, 4) for line in range(1, 8)],
    ),
    ("tag directive", "%TAG ! tag:x,\n---\na: 1", [("SF108", 1, 1)]),
    ("documents", "a: 1\n---\nb: 2", [("SF109", 2, 1)]),
    ("digits", "a: 1\nb: " + "1" * 5000, [("SF110", 2, 4)]),
    ("JSON digits", '{"a": "1",\n"b": -' + "1" * 5000 + "}", [("SF110", 2, 6)]),
    ("unknown alias", "a: &x 1\nb: [*x, *y]", [("SF111", 2, 9)]),
    (
        "bad merges",
        "a: {<<: 3}\nb: {<<: [{}, x]}\nc:\n  <<:",
        [("SF111", 1, 9), ("SF111", 2, 9), ("SF111", 4, 6)],
    ),
    (
        "several kinds",
        "a: *x\na: !t 1\n2: b\nc: [",
        [("SF111", 1, 4), ("SF104", 2, 1), ("SF108", 2, 4), ("SF105", 3, 1), ("SF102", 4, 4)],
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_mistakes(text: str | bytes, expected: list[tuple[str, int, int]]) -> None:
    with pytest.raises(SpecError) as caught:
        read(text, "m.yaml")
    found = caught.value.diagnostics
    assert [(d.code, d.span.line, d.span.column) for d in found if d.span] == expected
    for finding in found:
        assert finding.file == "m.yaml"
        assert finding.message.startswith("expected ")
        assert "received" in finding.message
        assert finding.hint
        assert str(finding).isprintable() or "\n" in str(finding)


def test_every_code_is_shown_by_a_case_and_has_a_page() -> None:
    shown = {code for *_, expected in MISTAKES for code, _, _ in expected}
    assert shown == READING_CODES
    for title, page in map(title_and_text, READING_CODES):
        assert title == title.lower() or "YAML" in title
        assert "**Fix.**" in page


def test_duplicates_name_both_places_and_their_path() -> None:
    with pytest.raises(SpecError, match="first at 2:5") as caught:
        read("layers:\n  - units: 1\n    units: 2\n")
    assert caught.value.diagnostics[0].path == ("layers", 0, "units")
    assert caught.value.diagnostics[0].on_key


def test_a_json_file_is_not_read_as_yaml() -> None:
    assert read('{"a": 1,}', "m.yaml").data == {"a": 1}
    with pytest.raises(SpecError, match=r"m\.json:1:8: error\[SF102\].*after the comma"):
        read('{"a": 1,}', "m.json")


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specfmt.text.reading.MAX_SIZE", 10)
    assert read("a: 1234567").data == {"a": 1234567}
    for text in ("a: 12345678", b"a: 12345678"):
        with pytest.raises(SpecError, match="SF110"):
            read(text)
