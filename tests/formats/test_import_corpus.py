"""Every real file of the corpus imports, whatever generation wrote it."""

import json
import os
from pathlib import Path

import pytest

from specfmt.formats.keras_json import document_from_keras_json, document_from_located
from specfmt.formats.read.operations import operation_class
from specfmt.formats.source.sources import read_source
from specfmt.graph.build import build
from specfmt.layers.naming import automatic_names
from specfmt.spec.document import parse_document

CORPUS = Path(
    os.environ.get("SPECFMT_CORPUS")
    or Path(__file__).resolve().parent.parent.parent.parent / "shared" / "corpus"
)
FILES = sorted(CORPUS.glob("*.json")) if CORPUS.is_dir() else []

needs_corpus = pytest.mark.skipif(not FILES, reason=f"no corpus of real files in {CORPUS}")

CUSTOM = {
    "108": {"PredNet"},
    "109": {"PredNet"},
    "144": {"Lambda"},
    "E009": {"Lambda"},
}
"""Files with layers that no Keras has, by the start of their name."""


def edges_of(entry):
    return entry.get("call") if entry.get("type") == "Model" else entry.get("inputs")


def names_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from names_in(item)
    elif isinstance(value, dict) and "const" not in value:
        for item in value.values():
            yield from names_in(item)


def check_references(document):
    """Every name that an entry reads is an input or stands above it."""
    entries = document["layers"]
    known = set(document.get("inputs", {}))
    names = automatic_names(
        (e.get("type") or operation_class(e.get("op")), e.get("name"), e.get("reuse"))
        for e in entries
    )
    assert len(set(names)) == len(names)
    for entry, name in zip(entries, names, strict=True):
        for read in names_in(edges_of(entry)):
            assert read in known or read.rpartition(":")[0] in known, (name, read)
        if entry.get("type") == "Model":
            check_references(entry)
        known.add(name)
    for read in names_in(document.get("outputs", [])):
        assert read in known or read.rpartition(":")[0] in known


def customs(document):
    for entry in document["layers"]:
        if entry.get("type") == "Custom":
            yield entry["class"].rpartition(".")[2]
        if entry.get("type") == "Model":
            yield from customs(entry)


@needs_corpus
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split("__")[0])
def test_real_file_imports(path):
    document, warnings = document_from_located(read_source(path))
    assert document["specfmt"] == 1
    assert document["layers"]
    check_references(document)
    assert json.loads(json.dumps(document)) == document
    expected = set(CUSTOM.get(path.name.split("__")[0], ()))
    assert set(customs(document)) == expected
    assert all(w.severity == "warning" and w.code.startswith("SF43") for w in warnings)
    assert bool(warnings) == bool(expected)


@needs_corpus
@pytest.mark.parametrize(("start", "count"), [("E008", 2192), ("E011", 15), ("E025", 2336)])
def test_real_file_has_its_weights(start, count):
    """Convolutional LSTMs in both data formats, and AlphaDropout."""
    path = next(p for p in FILES if p.name.startswith(start))
    document, warnings = document_from_located(read_source(path))
    assert not warnings
    spec, problems = parse_document(document)
    assert not problems
    graph, problems = build(spec)
    assert not problems
    assert graph.count() == count


@needs_corpus
def test_text_bytes_and_parsed_json_give_the_same_document():
    path = next(p for p in FILES if p.name.startswith("060"))
    text = path.read_text()
    expected = document_from_keras_json(text)
    assert document_from_keras_json(text.encode()) == expected
    assert document_from_keras_json(json.loads(text)) == expected
    assert document_from_keras_json(json.dumps(text)) == expected


@needs_corpus
def test_floats_are_free_of_float32_noise():
    for path in FILES:
        if path.name.startswith(("249", "250", "E009", "247")):
            continue  # constants that were computed in float64, and opaque payloads
        document, _ = document_from_located(read_source(path))
        for value in floats_in(document):
            assert len(repr(value)) <= 10, (path.name, value)


def floats_in(value):
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key != "config":
                yield from floats_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from floats_in(item)
