"""No text of a document becomes code: payloads in every field, every program's syntax tree."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import specfmt
from specfmt.targets.source import comment, docstring, embedded, formatted, remark, string
from specfmt.targets.templates import data_folder, environment, require_source
from tests.fuzz.markers import (
    BLOCKS,
    CHAINED,
    CLASSIFIER,
    CSV,
    MAPPED,
    PAYLOADS,
    PLAIN,
    REUSED,
    TRACEBACKS,
    TRAIN,
    TWO,
    Host,
    attack,
    check_program,
    hosts,
    in_block,
    planted,
    read,
    renamed,
    respelled,
    spec_names,
    text_fields,
    values,
)
from tests.layers.test_cases import table
from tests.tools.documents import committed_schema

SCHEMA = committed_schema()
TARGETS = Path(specfmt.__file__).parent.parent / "targets"


@cache
def all_hosts() -> list[Host]:
    return list(hosts(SCHEMA, (case.document() for case in table())))


@cache
def fields() -> list[tuple[str, dict[str, Any], tuple[Any, ...], str]]:
    """Every field that takes a text, once where layers share it."""
    found, seen = [], set()
    for name, document, path, _ in all_hosts():
        own = SCHEMA if name == "document" else SCHEMA["$defs"][name]
        for field in text_fields(SCHEMA, name):
            schema = own["properties"][field]
            key = schema.get("$ref", f"{name}/{field}")
            if key not in seen:
                seen.add(key)
                found.append((name, document, path, field))
    return found


def test_every_definition_is_attacked() -> None:
    hosted = {name for name, *_ in all_hosts()}
    unhosted = {
        name
        for name, item in SCHEMA["$defs"].items()
        if item.get("properties") and name not in hosted and text_fields(SCHEMA, name)
    }
    # Dispatchers on `type`, whose definitions are attacked; one that downloads; spellings of others;
    # layers that must be inside another one.
    known = {"data_keras", "layer_CustomScaleLayer", "layer_LayerScale", "layer_StackedRNNCells"}
    known |= {"layer_Equalization"}
    # A layer in a block has the fields of the layer: see `attack_bodies`.
    bodies = {name for name in unhosted if name.removeprefix("body_") in {*hosted, *unhosted}}
    unhosted -= {name for name in bodies if name.startswith(("body_layer_", "body_op_"))}
    spellings = {name for name in unhosted if name.startswith("op_")}
    assert unhosted - known - spellings == set()
    assert len(spellings) < 6
    assert not [name for name, document, *_ in all_hosts() if read(document) is None]


def attack_fields(payload: str, form: str, shapes: tuple[int, ...] = ()) -> int:
    """Plant a payload in every field; returns how many programs took it."""
    programs = 0
    failures = []
    for _, document, path, field in fields():
        for place, changed in planted(document, path, [field], PAYLOADS[payload], shapes):
            try:
                programs += attack(changed, form, PAYLOADS[payload])
            except AssertionError as error:
                failures.append(f"{place}: {error}")
    assert failures == []
    return programs


RENAMED = {
    "plain": PLAIN | {"train": TRAIN},
    "two": TWO,
    "mapped": MAPPED,
    "classes": CLASSIFIER | {
        "train": TRAIN
        | {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
        | {"data": CSV | {"classes": ["zqa", "zqb", "zqc"], "features": ["zqf1", "b", "c", "d"]}}
    },
}  # fmt: skip


def attack_names(payload: str, form: str) -> int:
    """Spell each name of documents otherwise, wherever it stands."""
    programs = 0
    for document in RENAMED.values():
        for name in spec_names(document):
            changed = renamed(document, name, PAYLOADS[payload])
            programs += attack(changed, form, PAYLOADS[payload])
    return programs


def attack_blocks(payload: str, form: str) -> int:
    """Spell each part of the texts of documents with blocks otherwise; no error but findings."""
    programs = 0
    TRACEBACKS.clear()
    for document in (BLOCKS, CHAINED | {"train": TRAIN}, REUSED):
        for word in sorted(set(re.findall("zq[a-z]+", json.dumps(document)))):
            changed = respelled(document, word, PAYLOADS[payload])
            programs += attack(changed, form, PAYLOADS[payload])
    assert TRACEBACKS == []
    return programs


def attack_bodies(payload: str, form: str, shapes: tuple[int, ...]) -> int:
    """Plant payloads in every field of a layer that stands in a block, as what its uses differ in."""
    programs = 0
    text = PAYLOADS[payload]
    TRACEBACKS.clear()
    for name, document, path, field in fields():
        if len(path) == 2 and path[0] == "layers" and name not in ("reuse", "use"):
            pairs = list(zip(values(text), values(f"{text}zq"), strict=True))
            for shape in shapes:
                changed = in_block(document, path[1], field, pairs[shape])
                programs += attack(changed, form, text)
    assert TRACEBACKS == []
    return programs


def test_payloads_are_seen() -> None:
    """The check itself: code, quotes left open, characters that do not print."""
    for code in ("zqcode.zqrun()", "import zqcode", "from a import zqrun", "f'{zqcode}'",
                 "x = 'zqmark\u202e'", "f(zqcode=1)", "x: zqcode = 1", "x = 'a", "x.zqrun"):  # fmt: skip
        with pytest.raises((AssertionError, SyntaxError)):
            check_program(code)
    check_program("'zqcode.zqrun()'  # zqcode\nzqmark_zqcode = 1\n")


def test_no_field_becomes_code() -> None:
    assert attack_fields("quotes", "short", (0, 1, 4, 9)) > 200


def test_no_name_becomes_code() -> None:
    assert attack_names("mixed", "short") > 50


def test_no_text_of_a_block_becomes_code() -> None:
    assert attack_blocks("uneven", "short") > 50
    assert attack_bodies("quotes", "short", (0, 4)) > 10


@pytest.mark.slow
@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_becomes_code(payload: str) -> None:
    assert attack_fields(payload, "short") > 100
    attack_names(payload, "long")
    attack_blocks(payload, "short")
    attack_bodies(payload, "short", (0, 1, 4, 9))


# -- the ways into generated code -------------------------------------------------------------------


@pytest.mark.parametrize("payload", PAYLOADS.values())
def test_filters(payload: str) -> None:
    assert ast.literal_eval(string(payload)) == payload
    string(payload).encode()
    assert "\n" not in comment(payload) + remark(payload)
    for text in (payload, payload + '"', '"' + payload, payload + "\\"):
        (statement,) = ast.parse(f'"""{docstring(text)}"""').body
        assert isinstance(statement, ast.Expr)
        assert isinstance(statement.value, ast.Constant)
        (line,) = ast.parse(f"x = 1  {remark(text)}").body
        assert isinstance(line, ast.Assign)
        value = ast.parse(formatted(embedded(text)), mode="eval").body
        assert isinstance(value, ast.JoinedStr)
        assert all(isinstance(part, ast.Constant) for part in value.values)


def test_templates_filter_texts_where_they_stand() -> None:
    """A value between triple quotes, in a comment or between quotes has to pass a filter."""
    found = []
    for path in sorted(data_folder("templates").rglob("*.j2")):
        inside = False
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for match in re.finditer(r"\{\{(.*?)\}\}", line):
                left = line[: match.start()]
                quoted = (left.count('"""') % 2 == 1) != inside
                text = quoted or "# " in left or left.replace('"""', "").count('"') % 2 == 1
                if text and not re.search(r"\| (docstring|comment) *$", match[1]):
                    found.append((f"{path.name}:{number}", match[1].strip()))
            inside = inside != (line.count('"""') % 2 == 1)
    # Placeholders of an f-string, whose texts are `embedded`; numbers; what a template itself says.
    require_source = {"train.answer", "train.shown", "train.epochs", "sample.wanted"}
    require_source |= {"weights_form", "sample_form"}
    assert [
        item for item in found if not is_own_text(item[1]) and item[1] not in require_source
    ] == []
    assert all(is_own_text(text) for name in require_source for text in set_by_templates(name))
    assert {name for name in require_source if "." not in name} == {
        name for name in require_source if set_by_templates(name)
    }


def is_own_text(expression: str) -> bool:
    """Whether it is a string in the template, or one of two."""
    return re.fullmatch(r'"[^"]*"( if .+ else "[^"]*")?', expression) is not None


def set_by_templates(name: str) -> list[str]:
    """What templates set a variable of their own to."""
    found = []
    for path in sorted(data_folder("templates").rglob("*.j2")):
        for names, text in re.findall(r"\{% set ([\w, ]+) = (.+?) %\}", path.read_text("utf-8")):
            keys = names.split(", ")
            if name in keys:
                values = re.findall(r'"[^"]*"', text)
                assert ", ".join(values) == text
                found.append(values[keys.index(name)])
    return found


def test_emitters_put_no_value_between_quotes() -> None:
    """In f-strings that make Python, strings, docstrings and comments come from `source.py`."""
    found = []
    for path in sorted(TARGETS.rglob("*.py")):
        if path.name == "source.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = ""
            for part in node.values if isinstance(node, ast.JoinedStr) else ():
                if isinstance(part, ast.Constant):
                    text += part.value
                elif isinstance(part, ast.FormattedValue) and (text.count('"') % 2 or "# " in text):
                    found.append(ast.unparse(part.value))
    assert [item for item in found if not item.startswith("docstring(")] == []


@pytest.mark.parametrize("value", [None, True, 1.5, ["x"], {"a": 1}, b"x"])
def test_templates_take_source_alone(value: object) -> None:
    with pytest.raises(TypeError, match="not Python source"):
        environment().from_string("{{ x }}").render(x=value)
    assert require_source("x") == "x"


def test_a_name_of_a_call_argument_is_an_identifier() -> None:
    for name in ("a=1); zqcode.zqrun(", "x y", "class", "self", "__debug__", "\ufb01", ""):
        layer = {"type": "Custom", "class": "zqmine.Mine", "inputs": {name: 1}}
        document = PLAIN | {"layers": [layer]}
        with pytest.raises(specfmt.SpecError, match="SF205"):
            specfmt.analyze(specfmt.loads(json.dumps(document)))
