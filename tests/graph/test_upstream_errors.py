"""An analysis survives any error upstream: one layer of a model is spoilt, and nothing but findings come."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from specfmt import SpecError, analyze, check, generate, loads
from tests.tools.imports import import_source

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
STARTERS = sorted((ROOT / "templates" / "starters").glob("*.yaml"))
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 3, 1.5, "x", "", [], [1], [None], {}, {"type": "Dense"}, 10**18,
)  # fmt: skip


def entries_of(model: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every entry of a document, nested models entered."""
    for entry in model.get("layers", []):
        if isinstance(entry, dict):
            yield entry
            if isinstance(entry.get("layer"), dict):
                yield entry["layer"]
            yield from entries_of(entry)


def spoilt(document: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A document with one entry changed."""
    changed = copy.deepcopy(document)
    entry = rng.choice(list(entries_of(changed)))
    kind = rng.randrange(7)
    if kind == 0 and "type" in entry:
        entry["type"] = entry["type"][:-1] or "X"
    elif kind == 1:
        entry.pop("type", None)
        entry["op"] = "no_such_operation"
    elif kind == 2:
        entry[rng.choice(["unit", "Units", "shape", "weights", "config"])] = rng.choice(VALUES)
    elif kind == 3:
        entry["inputs"] = rng.choice(["nowhere", ["nowhere"], "x:7", {}, {"query": "nowhere"}, 3])
    elif kind == 4:
        name = entry.get("name")
        entry.clear()
        entry.update({"type": "Custom", "class": "Mine"} | ({"name": name} if name else {}))
    elif kind == 5 and len(entry) > 1:
        del entry[rng.choice(list(entry))]
    else:
        entry[rng.choice(list(entry))] = rng.choice(VALUES)
    return changed


def nothing_but_findings(document: dict[str, Any]) -> None:
    """Check, analysis and generation of a document end well, or with findings."""
    text = json.dumps(document)
    check(text)
    try:
        spec = loads(text)
        analyze(spec)
    except SpecError:
        return
    for target in ("keras", "torch"):
        try:
            compile(generate(spec, target), target, "exec")
        except SpecError:
            continue


@pytest.mark.parametrize("path", [*EXAMPLES, *STARTERS], ids=lambda path: path.stem)
def test_examples(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    rng = random.Random(path.stem)
    for _ in range(12):
        nothing_but_findings(spoilt(document, rng))


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="no files from the field here")
@pytest.mark.parametrize("part", range(8))
def test_files_from_the_field(part: int) -> None:
    files = sorted(
        path
        for folder in ("corpus", "cases")
        for path in (SHARED / folder).glob("*.json")
        if path.stat().st_size < 200_000
    )
    for path in files[part::8]:
        try:
            document = yaml.safe_load(import_source(path)[0])
        except SpecError:
            continue
        rng = random.Random(path.stem)
        for _ in range(5):
            nothing_but_findings(spoilt(document, rng))


HOSTILE = [
    [
        {"type": "Custom", "class": "RandomNormal"},
        {"type": "Embedding", "input_dim": 9, "output_dim": 4},
    ],
    [{"type": "Custom", "class": "PredNet"}, {"type": "Dense", "units": 1}],
    [{"type": "BatchNormalization", "dtype": {"config": {"name": "dense_1"}}}],
]


@pytest.mark.parametrize("layers", HOSTILE)
@pytest.mark.parametrize("shape", [[], [4], [8, 8, 3]])
def test_inputs_that_broke_something(layers: list[dict[str, Any]], shape: list[int]) -> None:
    nothing_but_findings({"specfmt": 1, "inputs": {"x": {"shape": shape}}, "layers": layers})


MASKED = """
specfmt: 1
inputs: {tokens: {shape: [10], dtype: int32}}
layers:
  - {type: Embedding, name: words, input_dim: 100, output_dim: 16, mask_zero: true}
  - {%s, name: query, inputs: words}
  - {type: %s, inputs: {%s}}
"""
WRONG = [
    "type: Dnse, units: 16",
    "op: no_such",
    "type: Custom, class: Mine",
    "type: Dense, units: x",
]
READERS = [
    ("MultiHeadAttention, num_heads: 2, key_dim: 8", "query: query, value: words"),
    ("GroupQueryAttention, head_dim: 8, num_query_heads: 2, num_key_value_heads: 1",
     "query: query, value: words"),
    ("Attention", "inputs: [query, words]"),
    ("AdditiveAttention", "inputs: [query, words]"),
    ("LSTM, units: 3", "sequences: query, initial_state: [words, words]"),
    ("Bidirectional, layer: {type: GRU, units: 3}", "sequences: query, mask: words"),
    ("Concatenate", "inputs: [query, words]"),
    ("Add", "inputs: [query, words]"),
    ("TimeDistributed, layer: {type: Dense, units: 2}", "inputs: query, mask: words"),
    ("Softmax", "inputs: query, mask: words"),
    ("GlobalAveragePooling1D", "inputs: query, mask: words"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("reader", "reads"), READERS)
def test_a_typo_before_a_masked_layer(wrong: str, reader: str, reads: str) -> None:
    nothing_but_findings(yaml.safe_load(MASKED % (wrong, reader, reads)))
