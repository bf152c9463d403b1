"""Damaged and hostile input: a 4xx finding with a JSON pointer, never a traceback."""

import json
from functools import partial

import pytest

from specfmt.diagnostics import SpecError
from specfmt.formats.config import reading
from specfmt.formats.config.reading import MAX_DEPTH
from specfmt.formats.keras_json import document_from_keras_json
from specfmt.reference.codes import codes
from tests.formats.test_import_graph import DENSE, call, functional, input_3, layer_3, tensor
from tests.tools.timing import ratio

PAGES = {code for code in codes() if code.startswith("SF4")}
GOOD = functional(
    [input_3("a"), layer_3("d", "Dense", DENSE, call(tensor("a")))], ["a", 0, 0], ["d", 0, 0]
)


def findings(source):
    with pytest.raises(SpecError) as caught:
        document_from_keras_json(source)
    for found in caught.value.diagnostics:
        assert found.code in PAGES
        assert found.message.startswith("expected ") or " is missing the required " in found.message
        assert (
            ", received " in found.message
            or "missing" in found.message
            or "not installed" in found.message
        )
    return [(found.code, found.pointer) for found in caught.value.diagnostics]


def changed(path, value):
    """The good model with one value replaced; ... deletes it."""
    model = json.loads(json.dumps(GOOD))
    place = model
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return model


TEXT = json.dumps(GOOD, indent=1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "SF400"),
        ("   \n ", "SF400"),
        ("no json", "SF400"),
        (TEXT[: len(TEXT) // 2], "SF400"),
        (TEXT.replace("\n", "\n<<<<<<< HEAD\n", 1), "SF400"),
        (b"\xff\xfe\x00\x01", "SF400"),
        ('{"class_name": "\\ud800", "config": []}', "SF400"),
        ("[" * 100_000, "SF401"),
        ("[" * 500 + "]" * 500, "SF401"),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, "SF401"),
        ("9" * 10_000, "SF400"),
        ("null", "SF402"),
        ("[1, 2]", "SF402"),
        ('"text"', "SF400"),
        ('{"class_name": "MyModel", "config": {"layers": []}}', "SF402"),
        ('{"modelTopology": {"node": [{"op": "Placeholder"}]}}', "SF402"),
    ],
)
def test_what_is_no_architecture(text, code):
    assert [found for found, _ in findings(text)] == [code]


def test_conflict_markers_are_named():
    with pytest.raises(SpecError, match="merge conflict marker"):
        document_from_keras_json(TEXT.replace("\n", "\n<<<<<<< HEAD\n", 1))


def test_too_many_bytes(monkeypatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 1000)
    assert findings(b" " * 1000) == [("SF400", "")]
    assert findings(b" " * 1001) == [("SF401", "")]


def test_too_many_objects(monkeypatch):
    """However far they stand apart; closer ones earlier."""
    monkeypatch.setattr(reading, "MAX_BRACKETS", 100)
    monkeypatch.setattr(reading, "DENSE_BRACKETS", 10)
    for count, gap, code in (
        (10, 0, "SF402"),
        (11, 0, "SF401"),
        (99, 8, "SF402"),
        (101, 9, "SF401"),
    ):
        text = "[" + ",".join(["[" + " " * gap + "]"] * (count - 1)) + "]"
        assert findings(text) == [(code, "")], (count, gap)


LAYERS = ("config", "layers")


@pytest.mark.parametrize(
    ("path", "value", "code", "pointer"),
    [
        (LAYERS, ..., "SF404", "/config"),
        (LAYERS, 3, "SF403", "/config/layers"),
        ((*LAYERS, 1), "x", "SF403", "/config/layers/1"),
        ((*LAYERS, 1, "class_name"), ["Dense"], "SF403", "/config/layers/1/class_name"),
        ((*LAYERS, 1, "config"), None, "SF403", "/config/layers/1/config"),
        ((*LAYERS, 1, "name"), "a", "SF410", "/config/layers/1"),
        ((*LAYERS, 1, "inbound_nodes"), "d", "SF403", "/config/layers/1/inbound_nodes"),
        (
            (*LAYERS, 1, "inbound_nodes", 0, "args", 0),
            tensor("nobody"),
            "SF411",
            "/config/layers/1/inbound_nodes/0",
        ),
        (
            (*LAYERS, 1, "inbound_nodes", 0, "args", 0),
            tensor("a", 4),
            "SF411",
            "/config/layers/1/inbound_nodes/0",
        ),
        (
            (*LAYERS, 1, "inbound_nodes", 0, "args", 0),
            tensor("a", 0, 4),
            "SF411",
            "/config/layers/1/inbound_nodes/0",
        ),
        ((*LAYERS, 1, "inbound_nodes", 0, "args", 0), tensor("d"), "SF412", "/config/layers/1"),
        (
            (*LAYERS, 1, "inbound_nodes", 0, "args", 0, "config", "keras_history", 1),
            -1,
            "SF403",
            "/config/layers/1/inbound_nodes/0/args/0/config/keras_history/1",
        ),
        (
            (*LAYERS, 0, "config", "batch_shape"),
            "wide",
            "SF403",
            "/config/layers/0/config/batch_shape",
        ),
        (
            (*LAYERS, 0, "config", "batch_shape", 1),
            -4,
            "SF403",
            "/config/layers/0/config/batch_shape/1",
        ),
        ((*LAYERS, 0, "config", "batch_shape"), ..., "SF404", "/config/layers/0/config"),
        (
            (*LAYERS, 1, "config", "kernel_initializer"),
            7,
            "SF403",
            "/config/layers/1/config/kernel_initializer",
        ),
        ((*LAYERS, 1, "config", "dtype"), 3, "SF403", "/config/layers/1/config/dtype"),
        (("config", "input_layers"), ["d", 0, 0], "SF413", "/config/input_layers"),
        (("config", "input_layers"), [], "SF413", "/config/input_layers"),
        (("config", "input_layers"), [["a", 0, 0], ["a", 0, 0]], "SF413", "/config/input_layers"),
        (("config", "output_layers"), ["x", 0, 0], "SF411", "/config/output_layers"),
        (("config", "output_layers"), [], "SF413", "/config/output_layers"),
        (("config", "output_layers"), {"o": 1}, "SF403", "/config/output_layers/o"),
        (("config", "name"), 3, "SF403", "/config/name"),
    ],
)
def test_damage_is_found_where_it_is(path, value, code, pointer):
    assert findings(changed(path, value)) == [(code, pointer)]


def test_long_cycle_is_named_in_linear_time():
    def cycle(count: int):
        layers = [input_3("a")]
        layers += [
            layer_3(f"d{i}", "Dense", DENSE, call(tensor(f"d{(i + 1) % count}")))
            for i in range(count)
        ]
        text = functional(layers, ["a", 0, 0], ["d0", 0, 0])
        assert findings(text)[0][0] == "SF412"
        return partial(findings, text)

    assert ratio(cycle(3_200), cycle(400), times=8) < 4


def test_deep_models_inside_models():
    model = GOOD
    for _ in range(MAX_DEPTH):
        inner = {**model, "name": "m", "inbound_nodes": [call(tensor("a"))]}
        model = functional([input_3("a"), inner], ["a", 0, 0], ["m", 1, 0])
    assert findings(model) == [("SF401", "")]


def test_parsed_json_with_foreign_types():
    assert findings({1: 2})[0][0] == "SF403"
