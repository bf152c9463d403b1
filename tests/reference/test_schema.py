"""The JSON Schema: complete, documented, committed, and of one mind with the reader."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random
from typing import Annotated, Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from specfmt.diagnostics import Diagnostic, InUse
from specfmt.fields.model import COMMON_FIELDS
from specfmt.fields.types import Bool, Fraction, PositiveInt
from specfmt.fields.validation import rule_of
from specfmt.layers.base import FloatLayer
from specfmt.layers.blocks import Block, BlockUse
from specfmt.layers.entries import InputSpec, Model, Reuse
from specfmt.layers.index import INDEX, OPERATIONS
from specfmt.layers.registry import layer_class, op_class
from specfmt.reference import field_docs
from specfmt.reference.field_docs import descriptions
from specfmt.reference.json_schema import json_schema, object_schema, schema_file, schema_text
from specfmt.spec.document import ModelSpec, parse_document
from specfmt.spec.train import SOURCES, TrainSpec
from specfmt.text.reading import read
from specfmt.vocab.base import term_class
from specfmt.vocab.index import INDEX as WORDS
from tests.tools.documents import Documents, committed_schema

SCHEMA = committed_schema()
TEXT = schema_file().read_text(encoding="utf-8")
DOCS = descriptions()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
DOCUMENTS = Documents(SCHEMA)
EXAMPLES = Path(__file__).parents[2] / "examples"
FRAGMENTS = [name for name in SCHEMA["$defs"] if name.startswith(("layer_", "op_"))]


def classes() -> list[type[BaseModel]]:
    found: list[Any] = [InputSpec, Model, ModelSpec, Reuse, TrainSpec, *SOURCES.values()]
    found += [Block, BlockUse]
    found += [layer_class(name) for name in INDEX]
    found += [op_class(name) for name in OPERATIONS]
    found += [term_class(kind, name) for kind, table in WORDS.items() for name in table.values()]
    found.append(term_class("loss", "Custom"))
    return list(dict.fromkeys(found))


def doc_key(cls: type[BaseModel], field: str) -> str | None:
    for base in cls.__mro__:
        if f"{base.__name__}.{field}" in DOCS:
            return f"{base.__name__}.{field}"
    return field if field in DOCS else None


def test_every_field_is_described_and_no_description_is_left_over() -> None:
    keys = {
        (cls.__name__, field): doc_key(cls, field)
        for cls in classes()
        for field, info in cls.model_fields.items()
        if info.description is None
    }
    assert [place for place, key in keys.items() if key is None] == []
    assert set(DOCS) - set(keys.values()) == set()


def test_descriptions_are_sentences() -> None:
    own = {
        f"{cls.__name__}.{field}": info.description
        for cls in classes()
        for field, info in cls.model_fields.items()
        if info.description is not None
    }
    for key, text in (DOCS | own).items():
        assert text[0].isupper() or text.split()[0] in SENTENCE_STARTS, (key, text)
        assert text.rstrip(")").endswith(".") or text.endswith("}."), (key, text)
        assert len(text) <= 200, key


SENTENCE_STARTS = {
    "valid", "nearest", "dot", "beta_1", "beta_2", "density,", "channels_last", "constant,",
    "epoch,", "batch,", "1",
}  # fmt: skip
"""Sentences may begin with a value, which keeps its spelling."""


class Described(FloatLayer):
    """A layer of a plugin that describes one of its fields."""

    own: Annotated[Fraction, Field(description="What it says of itself.")] = 0.5
    units: PositiveInt
    unheard: Bool = False


def test_a_field_may_be_described_by_its_class() -> None:
    properties = object_schema(Described)["properties"]
    assert properties["own"]["description"] == "What it says of itself."
    assert properties["units"]["description"] == "The size of the output's last axis."
    assert "description" not in properties["unheard"]


def test_a_field_is_listed_once() -> None:
    text = (Path(field_docs.__file__).parent / "fields.md").read_text(encoding="utf-8")
    names = re.findall(r"^- `(.+?)`", text, re.MULTILINE)
    assert sorted(names) == sorted(DOCS)


def test_the_committed_schema_is_fresh() -> None:
    text = schema_text()
    assert text == TEXT, "run: specfmt schema -o FILE"
    assert json.loads(text) == json_schema()


def test_it_is_a_schema_of_reasonable_size() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert len(TEXT) < 1_000 * len(SCHEMA["$defs"])


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {**SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], **schema}
    return schema


@pytest.mark.parametrize("name", [*INDEX, "Model"])
def test_a_layers_definition(name: str) -> None:
    cls: Any = Model if name == "Model" else layer_class(name)
    definition = SCHEMA["$defs"][f"layer_{name}"]
    keys = [field.alias or key for key, field in cls.model_fields.items()]
    assert next(iter(definition["properties"])) == "type"
    assert sorted(definition["properties"]) == sorted(["type", *keys])
    needed = [field.alias or key for key, field in cls.model_fields.items() if field.is_required()]
    assert definition["required"] == ["type", *needed]
    assert definition["additionalProperties"] is False
    for key, schema in definition["properties"].items():
        assert resolved(schema)["description"], key
    assert definition["properties"]["type"]["const"] == name


def test_own_fields_come_before_common_ones() -> None:
    names = list(SCHEMA["$defs"]["layer_Conv2D"]["properties"])
    assert names[:3] == ["type", "filters", "kernel_size"]
    assert names[-5:] == list(COMMON_FIELDS)


def test_strings_with_a_fixed_set_are_enumerations() -> None:
    padding = resolved(SCHEMA["$defs"]["layer_Conv2D"]["properties"]["padding"])
    assert padding["enum"] == ["valid", "same"]
    assert padding["default"] == "valid"
    names = SCHEMA["$defs"]["activation"]["anyOf"][0]["enum"]
    assert {"relu", "gelu", "softmax"} <= set(names)
    assert "threshold" not in names  # needs arguments: a bare name is no activation
    assert "CrossentropyByShape" not in TEXT.split('"enum"')[1]


def test_every_field_has_a_rule() -> None:
    for cls in classes():
        for field in cls.model_fields:
            assert rule_of(cls, field).schema() is not None


# ---------------------------------------------------------------- schema and reader agree


def check(document: Any) -> bool:
    """Whether the schema accepts a document; the reader must say the same."""
    accepted = VALIDATOR.is_valid(document)
    problems = [p for p in parse_document(document)[1] if not beyond_schemas(p)]
    assert all(problem.code.startswith("SF12") for problem in problems)
    if accepted != (not problems):  # a second look at the document, only where it is wanted
        reasons = [error.message for error in VALIDATOR.iter_errors(document)][:3]
        pytest.fail(f"{document}\nreader: {problems}\nschema: {reasons}")
    return accepted


def beyond_schemas(finding: Diagnostic) -> bool:
    """Whether a finding is about names of blocks or values of expressions."""
    in_use = bool(finding.path) and isinstance(finding.path[0], InUse)
    return in_use or finding.code in BLOCK_CODES


BLOCK_CODES = (
    "SF201",
    "SF202",
    "SF203",
    "SF204",
    "SF205",
    "SF208",
    *(f"SF{n}" for n in range(215, 220)),
)


def spoil(document: Any, random: Random) -> bool:
    """Check a document, then versions of it with one change after the other."""
    accepted = check(document)
    for _ in range(2):
        document = DOCUMENTS.mutate(document, random)
        check(document)
    return accepted


@pytest.mark.slow
def test_every_type_is_judged_alike() -> None:
    random = Random(1)
    accepted = 0
    for name in FRAGMENTS * 4:
        entry = DOCUMENTS.sample(SCHEMA["$defs"][name], random)
        accepted += spoil(
            {"specfmt": 1, "inputs": {"x": {"shape": [4]}}, "layers": [entry]}, random
        )
    assert accepted > len(FRAGMENTS), "most samples should be right"


@given(st.randoms(use_true_random=False), st.sampled_from(["train", ""]))
@settings(max_examples=250)
def test_whole_documents_are_judged_alike(random: Random, part: str) -> None:
    if part:
        document = {
            "specfmt": 1,
            "layers": [],
            "train": DOCUMENTS.sample(SCHEMA["$defs"][part], random),
        }
    else:
        document = DOCUMENTS.sample(SCHEMA, random)
    spoil(document, random)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["specfmt", "layers", "inputs", "type", "units", "x"]), inner
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=200)
def test_any_data_is_judged_alike(document: Any) -> None:
    check(document)


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: path.stem)
def test_examples_fit(path: Path) -> None:
    assert check(read(path.read_bytes()).data)
