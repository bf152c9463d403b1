"""Mutated real files: whatever is done to them, the import ends in a spec or a SpecError.

A few hundred by default; ``SPECFMT_FUZZ=10000`` says how many (ten thousand take some minutes).
"""

import json
import os
import random
from copy import deepcopy
from pathlib import Path

import pytest

import specfmt
from specfmt.diagnostics import SpecError
from specfmt.formats.keras_json import document_from_keras_json
from specfmt.graph.build import build
from specfmt.reference.codes import codes
from specfmt.spec.document import parse_document
from tests.formats.test_import_corpus import FILES
from tests.formats.test_import_graph import (
    DENSE,
    call,
    functional,
    input_3,
    layer_3,
    op_3,
    tensor,
)
from tests.tools.imports import import_source

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
PAGES = set(codes())
COUNT = int(os.environ.get("SPECFMT_FUZZ", "400"))

MASKED = """
specfmt: 1
inputs: {a: {shape: [7], dtype: int32}, b: {shape: [7, 4]}}
layers:
  - {type: Embedding, input_dim: 9, output_dim: 4, mask_zero: true, inputs: a}
  - {type: Concatenate, inputs: [embedding, b]}
  - {type: Attention, inputs: [concatenate, concatenate]}
  - {op: concatenate, inputs: [[a, a]], axis: -1}
  - {op: not_equal, inputs: [concatenate_1, 3]}
  - {type: Dense, units: 4, inputs: attention}
  - type: Model
    name: inner
    call: dense
    inputs: {x: {shape: [7, 4]}}
    layers:
      - {type: Masking}
      - {type: LSTM, units: 3, return_sequences: true}
    outputs: {z: masking, a: lstm}
  - {type: GRU, units: 2, inputs: inner}
outputs: [gru, not_equal, "inner:1"]
"""

JUNK = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**70,
    1.5,
    -0.0,
    float("inf"),
    float("nan"),
    "",
    "x",
    "Dense",
    "float32",
    "channels_first",
    "_CONSTANT_VALUE",
    "\ud800",
    "a" * 300,
    [],
    {},
    [[]],
    [None],
    ["a", 0, 0],
    [["a", 0, 0, {}]],
    {"class_name": "Dense"},
    {"class_name": "Dense", "config": {}},
    {"class_name": "Lambda", "config": {"function": "x"}},
    {"class_name": 3, "config": []},
    {"name": "Dense"},
    {"args": [], "kwargs": {}},
    {"const": 1},
    [1, [2, [3, [4]]]],
    {"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}},
    {"class_name": "Sequential", "config": {"layers": []}},
    {"class_name": "Functional", "config": {"layers": [], "input_layers": [], "output_layers": []}},
    {"class_name": "function", "config": "f", "module": "builtins"},
]

MODEL = functional(
    [
        input_3("a", (5, 4)),
        input_3("b", (5, 4)),
        layer_3(
            "shared",
            "LSTM",
            {"units": 4, "return_state": True, "return_sequences": True},
            call(tensor("a"), training=False),
            call(tensor("b"), initial_state=[tensor("a")]),
        ),
        op_3("add", "Add", {}, call(tensor("shared"), tensor("shared", 1, 1))),
        layer_3(
            "d",
            "Dense",
            {
                **DENSE,
                "kernel_regularizer": {
                    "module": "keras.regularizers",
                    "class_name": "L2",
                    "config": {"l2": 0.5},
                },
            },
            call(tensor("add")),
        ),
    ],
    {"a": ["a", 0, 0], "b": ["b", 0, 0]},
    [["d", 0, 0], ["shared", 1, 2]],
)
MODEL["compile_config"] = {
    "loss": "mse",
    "metrics": ["mae"],
    "optimizer": {
        "module": "keras.optimizers",
        "class_name": "SGD",
        "config": {"learning_rate": 0.1},
    },
}


def sources():
    models = [MODEL]
    specs = [specfmt.load(path) for path in EXAMPLES]
    models += [json.loads(specfmt.to_keras_json(s)) for s in (specfmt.loads(MASKED), *specs)]
    models += [json.loads(path.read_text()) for path in FILES if path.stat().st_size < 40_000]
    return models


def places(value, found):
    """Every container in a value."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, (dict, list)) and item:
            found.append(item)
            stack.extend(item.values() if isinstance(item, dict) else item)
    return found


def mutate(model, rng):
    model = deepcopy(model)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        containers = places(model, [])
        if not containers:
            break
        place = rng.choice(containers)
        key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
        action = rng.randrange(6)
        if action == 0:
            del place[key]
        elif action == 1 and isinstance(place, list):
            place.insert(key, deepcopy(rng.choice(place)))
        elif action == 2:
            other = rng.choice(containers)
            place[key] = deepcopy(other)
        elif action == 3 and isinstance(place, dict):
            value = place.pop(key)
            place[rng.choice([*place, "name"])] = value
        elif action == 4 and isinstance(place, list):
            rng.shuffle(place)
        else:
            place[key] = deepcopy(rng.choice(JUNK))
    return model


def damage(text, rng):
    position = rng.randrange(len(text))
    action = rng.randrange(4)
    if action == 0:
        return text[:position]
    if action == 1:
        return text[:position] + rng.choice('{}[]",:0\x00\\e-') + text[position + 1 :]
    if action == 2:
        end = min(len(text), position + rng.randrange(1, 200))
        return text[:position] + text[end:]
    return text[:position] + "\n<<<<<<< HEAD\n" + text[position:]


def check_findings(diagnostics):
    assert diagnostics
    for found in diagnostics:
        assert found.code in PAGES, found
        assert all(isinstance(part, (str, int)) for part in found.path)


def survive(source):
    """Import; True if it gave a document."""
    try:
        document, warnings = document_from_keras_json(source)
    except SpecError as error:
        check_findings(error.diagnostics)
        return False
    assert document["layers"]
    assert all(w.code in PAGES for w in warnings)
    json.dumps(document)
    spec, problems = parse_document(document)
    if spec is None or problems:
        return False
    _, problems = build(spec)
    return not problems


def run(count, seed):
    rng = random.Random(seed)
    models = sources()
    outcomes = []
    for _ in range(count):
        model = mutate(rng.choice(models), rng)
        if rng.random() < 0.2:
            text = json.dumps(model)
            outcomes.append(survive(damage(text, rng)))
        else:
            outcomes.append(survive(model))
    return outcomes


def test_some_mutations():
    outcomes = run(COUNT, seed=1)
    assert any(outcomes)
    assert not all(outcomes)


def test_the_masked_model_is_read_plainly():
    """The masks that are mutated are masks that the import leaves out."""
    document, _ = document_from_keras_json(specfmt.to_keras_json(specfmt.loads(MASKED)))
    assert "mask':" not in str(document)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_more_mutations(seed):
    run(500, seed=100 + seed)


def accepted(model):
    """Whether an import takes a mutated model; what it writes must then be valid."""
    text, refused = "", ()
    try:
        text, _ = import_source("-", json.dumps(model).encode())
    except SpecError as error:
        refused = error.diagnostics
    assert bool(text) != bool(refused)
    assert all(found.file == "<stdin>" for found in refused)
    errors = [found for found in specfmt.check(text) if found.severity == "error"] if text else []
    assert not errors, (errors, text)
    return bool(text)


@pytest.mark.parametrize(("count", "seed"), [(100, 7)])
def test_what_an_import_writes_is_valid(count, seed):
    rng = random.Random(seed)
    models = sources()
    outcomes = [accepted(mutate(rng.choice(models), rng)) for _ in range(count)]
    assert any(outcomes)
    assert not all(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_more_of_what_an_import_writes_is_valid(seed):
    test_what_an_import_writes_is_valid(300, 200 + seed)
