"""User-defined cells in a spec: what their `shape` says, and what is not known without it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from specfmt import check, convert, generate, loads, summarize, to_keras_json
from tests.tools.harness import build_graph

CELL = {"type": "Custom", "class": "own.Cell", "config": {"units": 4}}


def document(cell: Any, *following: Any, **options: Any) -> dict[str, Any]:
    layers = [{"type": "RNN", "cell": cell, **options}, *following]
    return {"specfmt": 1, "inputs": {"x": {"shape": [5, 3]}}, "layers": layers}


def check_document(data: dict[str, Any]) -> list[Any]:
    return check(json.dumps(data))


def shapes_of(cell: Any, **options: Any) -> list[Any]:
    graph = build_graph(document(cell, **options))
    return [value.shape for value in graph.nodes[0].outputs]


def test_a_shape_is_the_output_and_its_only_state() -> None:
    cell = {**CELL, "shape": [4], "weights": {"kernel": [3, 4], "bias": [4]}}
    assert shapes_of(cell) == [(None, 4)]
    assert shapes_of(cell, return_sequences=True) == [(None, 5, 4)]
    assert shapes_of(cell, return_state=True) == [(None, 4), (None, 4)]
    graph = build_graph(document(cell))
    assert graph.count() == 16
    assert [w.name for w in graph.units[0].weights] == ["cell/kernel", "cell/bias"]
    assert [w.store for w in graph.units[0].weights] == ["cell", "cell"]


def test_shapes_are_the_output_and_each_state() -> None:
    cell = {**CELL, "shape": [[5], [2], [3]]}
    assert shapes_of(cell, return_state=True) == [(None, 5), (None, 2), (None, 3)]
    both = [cell, {"type": "GRUCell", "units": 6}]
    assert shapes_of(both, return_state=True) == [(None, 6), (None, 2), (None, 3), (None, 6)]
    graph = build_graph(document(both))
    assert {w.name: w.shape for w in graph.units[0].weights} == {
        "stacked_rnn_cells/gru_cell/kernel": (5, 18),
        "stacked_rnn_cells/gru_cell/recurrent_kernel": (6, 18),
        "stacked_rnn_cells/gru_cell/bias": (2, 18),
    }


def test_without_a_shape_what_follows_is_unknown() -> None:
    assert shapes_of(CELL) == [None]
    assert shapes_of({**CELL, "shape": [[4], None]}) == [(None, 4)]
    assert shapes_of({**CELL, "shape": [None, [2]]}, return_state=True) == [None, (None, 2)]
    graph = build_graph(document([CELL, {"type": "LSTMCell", "units": 6}]))
    assert [value.shape for value in graph.nodes[0].outputs] == [(None, 6)]
    assert not graph.is_counted  # the kernel of the LSTMCell has as many rows as the cell outputs
    wrapped = document(CELL)
    wrapped["layers"] = [{"type": "Bidirectional", "layer": wrapped["layers"][0]}]
    assert build_graph(wrapped).nodes[0].outputs[0].shape is None


def test_states_must_fit() -> None:
    given = {"type": "Dense", "units": 7, "inputs": "last", "name": "given"}
    cell = {**CELL, "shape": [[5], [2]]}
    last = {"type": "LSTM", "units": 2, "name": "last"}
    again = {
        "type": "RNN",
        "cell": cell,
        "inputs": {"sequences": "x", "initial_state": ["given"]},
    }
    found = check_document({**document(cell), "layers": [last, given, again]})
    assert any("1 initial state of shape (batch, 2)" in problem.message for problem in found)
    assert not check_document({**document(cell), "layers": [last, {**given, "units": 2}, again]})


@pytest.mark.parametrize("shape", [[4, 4], [], [[4], [4, 2]]])
def test_wrong_shapes(shape: Any) -> None:
    (found,) = check_document(document({**CELL, "shape": shape}))
    assert (found.code, found.path) == ("SF123", ("layers", 0, "cell", "shape"))


def test_no_definition() -> None:
    (found,) = check_document(document({**CELL, "define": [{"op": "relu"}]}))
    assert (found.code, found.path) == ("SF123", ("layers", 0, "cell", "define"))


def test_generated_code_names_what_to_write() -> None:
    spec = loads(
        "specfmt: 1\ninputs: {x: {shape: [5, 3]}}\nlayers:\n- {type: RNN, cell: {type: Custom, "
        "class: Mine, config: {units: 4}}}\n- {type: Dense, units: 2}\n"
    )
    torch = generate(spec, "torch")
    assert "def forward(\n        self, x: torch.Tensor, states: list[torch.Tensor]" in torch
    assert "run_cell(self.rnn, x, (3, 3))" in torch  # the size of what it reads, as it says there
    keras = generate(spec, "keras")
    assert "def call(self, inputs, states):" in keras
    assert "self.output_size, self.state_size = 3, 3" in keras
    assert "inferred from the layers that follow" in " ".join(keras.split())


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        ([[None], [4]], "(3, 4)"),
        ([[4], [None]], "(4, 3)"),
        ([[None], None, [2]], "(3, 3, 2)"),
        ([None], "(3, 3)"),
    ],
)
def test_unknown_sizes_are_inferred(shape: Any, sizes: str) -> None:
    """Also where `shape` names the axis but not its size."""
    data = document({**CELL, "shape": shape}, {"type": "Dense", "units": 2})
    assert f"run_cell(self.rnn, x, {sizes})" in generate(loads(json.dumps(data)), "torch")
    stack = document([{**CELL, "shape": shape}, {"type": "LSTMCell", "units": 6}])
    code = generate(loads(json.dumps(stack)), "torch")
    assert re.search(rf"run_cell\(self\.\w+, x, {re.escape(sizes)}\)", code)


def test_both_directions_are_one_layer_to_complete(tmp_path: Path) -> None:
    inner = {"type": "RNN", "cell": {**CELL, "shape": [4]}}
    data = document(CELL)
    data["layers"] = [{"type": "Bidirectional", "layer": inner}]
    spec = loads(json.dumps(data))
    code = generate(spec, "torch")
    assert code.count("akes (N, 3), (N, 4) and returns (N, 4), (N, 4).") == 1
    (tmp_path / "m.json").write_text(to_keras_json(spec))
    (task,) = convert(tmp_path / "m.json", tmp_path / "out").todo
    assert task.endswith("(layer bidirectional)")


def test_importable_cells() -> None:
    spec = loads(
        "specfmt: 1\ninputs: {x: {shape: [5, 3]}}\nlayers:\n- {type: RNN, cell: {type: Custom, "
        "class: my.Cell, config: {units: 4}, shape: [4], torch: mine.Cell}}\n"
    )
    assert 'layers.RNN(Cell(units=4, name="cell")' in generate(spec, "keras")
    assert "from my import Cell" in generate(spec, "keras")
    assert "from mine import Cell" in generate(spec, "torch")
    assert "self.rnn = Cell(units=4)" in generate(spec, "torch")
    assert summarize(spec).layers[-1].output_shapes == ((None, 4),)
