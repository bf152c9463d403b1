"""What attention, normalization and preprocessing layers refuse, and what they count."""

from __future__ import annotations

from typing import Any

import pytest

from specfmt.graph.build import build
from specfmt.spec.document import parse_document
from tests.tools.harness import Case, build_graph

MHA = {"type": "MultiHeadAttention", "num_heads": 2, "key_dim": 3}
SELF = {"query": "in0", "value": "in0"}

REFUSED = [
    ({"type": "BatchNormalization", "axis": 3}, [(4, 5)], "axis"),
    ({"type": "BatchNormalization"}, [(4, None)], None),
    (
        {"type": "BatchNormalization", "renorm": True, "renorm_clipping": {"rmax": 1, "rmin": 2}},
        [(4,)],
        "renorm_clipping",
    ),
    (
        {"type": "BatchNormalization", "inputs": {"inputs": "in0", "mask": "in1"}},
        [(4, 3)] * 2,
        None,
    ),
    ({"type": "LayerNormalization", "axis": [1, 2]}, [(None, 3)], None),
    ({"type": "GroupNormalization", "groups": 4}, [(5, 6)], "groups"),
    ({"type": "GroupNormalization", "groups": 0}, [(5, 6)], "groups"),
    ({"type": "GroupNormalization", "axis": 0, "groups": 1}, [(5, 6)], None),
    ({"type": "RMSNormalization", "axis": 1}, [(5, 6)], "axis"),
    ({"type": "UnitNormalization", "axis": -4}, [(5, 6)], "axis"),
    ({"type": "Rescaling", "scale": [1.0, 2.0]}, [(5, 3)], "scale"),
    ({"type": "Rescaling", "scale": 1, "offset": [[1, 2], [3]]}, [(2, 2)], None),
    ({"type": "Normalization", "mean": 1.0}, [(3,)], "mean"),
    ({"type": "Normalization", "mean": [1, 2], "variance": [1, 2, 3]}, [(3,)], "variance"),
    ({"type": "Normalization", "mean": [1, 2], "variance": [1, 2]}, [(3,)], "mean"),
    ({"type": "Attention", "inputs": ["in0"]}, [(5, 4)], "inputs"),
    ({"type": "Attention", "inputs": ["in0", "in1"]}, [(5, 4), (6, 3)], "inputs"),
    ({"type": "AdditiveAttention", "inputs": ["in0", "in0"]}, [(5, None)], "inputs"),
    (MHA | {"inputs": SELF}, [(5,)], "inputs"),
    (MHA | {"inputs": SELF | {"key": "in1"}}, [(5, 4), (6, 4)], "inputs"),
    (MHA | {"inputs": SELF, "attention_axes": [0]}, [(5, 4)], "attention_axes"),
    (MHA | {"inputs": SELF, "flash_attention": True, "dropout": 0.1}, [(5, 4)], "flash_attention"),
    (
        {
            "type": "GroupQueryAttention",
            "head_dim": 2,
            "num_query_heads": 3,
            "num_key_value_heads": 2,
            "inputs": SELF,
        },
        [(5, 4)],
        "num_query_heads",
    ),
]


@pytest.mark.parametrize(("entry", "shapes", "field"), REFUSED, ids=str)
def test_refused(entry: dict[str, Any], shapes: list[Any], field: str | None) -> None:
    document = Case(entry, shapes).document()
    spec, problems = parse_document(document)
    if not problems:
        problems = build(spec)[1]
    (problem,) = problems
    if field is not None:
        assert problem.path[-1] == field


def test_counts_of_facts() -> None:
    """Fact T16: 828 parameters where `nn.MultiheadAttention` has 624."""
    graph = build_graph(Case(MHA | {"key_dim": 8, "inputs": SELF}, (5, 12)).document())
    assert graph.count() == 828
    graph = build_graph(Case({"type": "BatchNormalization"}, (2,)).document())
    assert (graph.count(), graph.count(trainable=True)) == (8, 4)


def test_multiply_accumulates() -> None:
    """Projections of 5 and 7 steps, scores and sums of 5 x 7 pairs, and the output."""
    entry = MHA | {"value_dim": 4, "inputs": {"query": "in0", "value": "in1"}}
    graph = build_graph(Case(entry, ((5, 10), (7, 9))).document())
    projections = 5 * 10 * 6 + 7 * 9 * 6 + 7 * 9 * 8
    assert graph.macs == projections + 5 * 7 * (6 + 8) + 5 * 8 * 10


def test_masks_that_attention_takes_off() -> None:
    """An `Add` around attention sees no mask, unless another tensor was attended to."""
    entries = [
        {"type": "Embedding", "input_dim": 4, "output_dim": 6, "mask_zero": True, "name": "e"},
        MHA | {"name": "a", "inputs": {"query": "e", "value": "e"}},
        {"type": "Multiply", "name": "product", "inputs": ["e", "a"]},
        MHA | {"name": "b", "inputs": {"query": "a", "value": "e"}},
        {"type": "Add", "inputs": ["product", "b"]},
    ]
    graph = build_graph(Case(entries, (5,), dtypes=("int32",)).document())
    lost = {node.name: sorted(value.name for value in node.unmasked) for node in graph.nodes}
    assert lost == {"e": [], "a": [], "product": ["e"], "b": ["e"], "add": []}
