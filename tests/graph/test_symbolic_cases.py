"""Sizes with symbols against the sizes of the same model with numbers, for every case of the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from specfmt.graph.build import build
from specfmt.graph.model import Graph
from specfmt.graph.symbolic import show_value
from specfmt.layers.symbols import substitute, symbols_in
from specfmt.spec.document import parse_document
from tests.layers.test_cases import table
from tests.tools.harness import Case

BATCH = 2
DECLARED_OTHERWISE = ("return_attention_scores", "MelSpectrogram")
"""Cases in which Keras declares another size than it computes."""

PARTS = 4


def graph_of(document: dict[str, Any]) -> tuple[Graph | None, list[str]]:
    spec, problems = parse_document(document)
    if spec is None or problems:
        return None, []
    graph, problems = build(spec)
    return graph, [problem.message for problem in problems]


def with_shapes(case: Case, shapes: list[list[int | None]]) -> dict[str, Any]:
    document = case.document()
    for name, shape in zip(document["inputs"], shapes, strict=True):
        document["inputs"][name] = {
            **document["inputs"][name],
            "shape": shape,
            "batch_size": BATCH if all(size is not None for size in shape) else None,
        }
    return document


def opened(shapes: list[list[int]]) -> Iterator[list[list[int | None]]]:
    """The shapes with the first size of each input, all but the last ones, or all unknown."""
    yield [[*(None for _ in shape[:1]), *shape[1:]] for shape in shapes]
    yield [[*(None for _ in shape[:-1]), *shape[-1:]] for shape in shapes]
    yield [[None for _ in shape] for shape in shapes]


@pytest.mark.parametrize("part", range(PARTS))
def test_symbols_have_the_values_of_numbers(part: int) -> None:
    checked = named = 0
    for case in table()[part::PARTS]:
        if any(text in str(case) + str(case.entries) for text in DECLARED_OTHERWISE):
            continue
        sizes = iter(case.sizes)
        shapes = [
            [next(sizes) if size is None else size for size in shape]
            for shape in case.input_shapes()
        ]
        known, problems = graph_of(with_shapes(case, list(shapes)))  # type: ignore[arg-type]
        if known is None or problems:
            continue
        for variant in opened(shapes):
            if any(not shape for shape in variant):
                continue
            graph, problems = graph_of(with_shapes(case, variant))
            assert not any("whatever" in text for text in problems), (str(case), problems)
            if graph is None or problems:
                continue  # Keras needs these sizes
            values = {"N": BATCH}
            for name, shape in zip(graph.inputs, shapes, strict=True):
                for size, number in zip((graph.inputs[name].sizes or ())[1:], shape, strict=False):
                    values |= dict.fromkeys(symbols_in(size), number)
            for one, other in zip(known.nodes, graph.nodes, strict=True):
                for value, symbolic in zip(one.outputs, other.outputs, strict=True):
                    found = symbolic.sizes or symbolic.shape or ()
                    if len(found) != len(value.shape or ()):
                        continue  # an axis of size 1 is dropped
                    for number, size in zip(value.shape or (), found, strict=False):
                        if number is None:
                            continue
                        checked += 1
                        if size is not None:
                            named += 1
                            what = (
                                str(case),
                                other.name,
                                show_value(symbolic),
                                value.shape,
                                values,
                            )
                            assert str(substitute(size, values)) == str(number), what
    assert checked > 500
    assert named > 0.98 * checked, "nearly every size has an expression"
