"""Cases of the attention layers."""

from __future__ import annotations

from typing import Any

from tests.tools.harness import Case

QV = ((5, 4), (7, 4))
QVK = ((5, 4), (7, 3), (7, 4))
MASKS = ((5, 4), (7, 4), (5,), (7,))
BOOLS = ("float32", "float32", "bool", "bool")
EMBED = {"type": "Embedding", "input_dim": 8, "output_dim": 6, "mask_zero": True}
IDS = [[3, 1, 2, 0, 0], [5, 7, 0, 4, 6], [0, 0, 0, 0, 0]]
KEYS = [[0, 2, 1, 4, 0, 0, 3], [1, 7, 2, 5, 6, 3, 0], [4, 0, 0, 0, 0, 0, 0]]


def plain(kind: str, *inputs: str, call: dict[str, Any] | None = None, **fields: Any) -> Any:
    """Attention over a list, with call arguments."""
    reads: Any = list(inputs) or ["in0", "in1"]
    return {"type": kind, **fields, "inputs": {"inputs": reads, **call} if call else reads}


def heads(*inputs: str, call: dict[str, Any] | None = None, **fields: Any) -> Any:
    """MultiHeadAttention over named inputs, with call arguments."""
    names = inputs or ("in0", "in0")
    reads = dict(zip(("query", "value", "key"), names, strict=False))
    kind = "GroupQueryAttention" if "head_dim" in fields else "MultiHeadAttention"
    if kind == "MultiHeadAttention":
        fields = {"num_heads": 2, "key_dim": 3, **fields}
    return {"type": kind, **fields, "inputs": reads | (call or {})}


def embedded(*entries: Any, **kwargs: Any) -> Case:
    """Entries over two padded sequences, ``q`` and ``v``."""
    first = [EMBED | {"name": "q", "inputs": "in0"}, EMBED | {"name": "v", "inputs": "in1"}]
    return Case(
        [*first, *entries], ((5,), (7,)), dtypes=("int32",) * 2, inputs=(IDS, KEYS), **kwargs
    )


SCORES = {"return_attention_scores": True}
CAUSAL = {"use_causal_mask": True}
ATT, ADD = "Attention", "AdditiveAttention"
GQA = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
POOL = {"type": "GlobalAveragePooling1D"}
IMAGE_MASK = {"attention_mask": "in1"}

CASES = [
    Case(plain(ATT), QV),
    Case(plain(ATT, "in0", "in1", "in2", use_scale=True, dropout=0.3, seed=1), QVK),
    Case(plain(ATT, score_mode="concat"), QV),
    Case(plain(ATT, "in0", "in1", "in2", score_mode="concat", use_scale=True), QVK),
    Case(plain(ATT, call=SCORES, use_scale=True, dropout=0.2), QV),
    Case(plain(ATT, call=CAUSAL), QV),
    Case(plain(ATT, call=CAUSAL | SCORES), QV),
    Case(plain(ATT, call={"mask": ["in2", "in3"]}), MASKS, dtypes=BOOLS),
    Case(plain(ATT, call={"mask": ["in2", "in3"]} | CAUSAL | SCORES), MASKS, dtypes=BOOLS),
    # One of the sequences attended to is masked from end to end.
    embedded(plain(ATT, "v", "q", use_scale=True), name="Attention-to-nothing"),
    embedded(plain(ADD, "v", "q"), name="AdditiveAttention-to-nothing"),
    embedded(heads("v", "q"), name="MultiHeadAttention-to-nothing"),
    Case(plain(ATT), ((3, 5, 4), (3, 7, 4))),
    Case(plain(ATT), ((None, 4), (None, 4))),
    Case(plain(ADD), QV),
    Case(plain(ADD, "in0", "in1", "in2", use_scale=False, dropout=0.1), QVK),
    Case(plain(ADD, call=CAUSAL | SCORES), QV),
    Case(plain(ADD, call={"mask": ["in2", "in3"]}), MASKS, dtypes=BOOLS),
    embedded(plain(ATT, "q", "v")),
    embedded(plain(ATT, "q", "v", call=CAUSAL | SCORES)),
    embedded(plain(ADD, "q", "v"), POOL),
    Case(heads(), (5, 4)),
    Case(heads(num_heads=3, key_dim=5, use_bias=False), (None, 4)),
    Case(heads("in0", "in1", "in2", value_dim=2, output_shape=7), ((5, 4), (6, 3), (6, 2))),
    Case(heads("in0", "in1", value_dim=5, output_shape=[2, 3]), ((5, 4), (6, 3))),
    Case(heads(call=SCORES), (5, 4)),
    Case(heads("in0", "in1", call=SCORES | CAUSAL), ((5, 4), (7, 4))),
    Case(heads(call=CAUSAL), (5, 4)),
    Case(heads("in0", "in1", call=CAUSAL), ((5, 4), (7, 4))),
    Case(heads(call=CAUSAL, dropout=0.1, seed=3), (None, 4)),
    Case(heads(use_gate=True, value_dim=4), (5, 4)),
    Case(heads(use_gate=True, use_bias=False, call=SCORES), (5, 4)),
    Case(heads(sliding_window=2), (5, 4)),
    Case(heads("in0", "in1", sliding_window=2, call=CAUSAL), ((6, 4), (3, 4))),
    Case(heads("in0", "in1", sliding_window=2, dropout=0.5), ((6, 4), (3, 4))),
    Case(heads(call=IMAGE_MASK), ((5, 4), (5, 5)), dtypes=("float32", "bool")),
    Case(heads(call=IMAGE_MASK | SCORES), ((5, 4), (2, 5, 5)), dtypes=("float32", "bool")),
    Case(heads(call=IMAGE_MASK | CAUSAL), ((5, 4), (5, 5)), dtypes=("float32", "int32"), high=2),
    Case(heads(call={"training": False}, dropout=0.4), (5, 4)),
    Case(heads(flash_attention=False, trainable=False), (5, 4)),
    Case(heads(), (3, 4, 5)),
    Case(heads("in0", "in1"), ((3, 4, 5), (2, 6, 5))),
    Case(heads("in0", "in1", call=SCORES), ((3, 4, 5), (3, 4, 5))),
    Case(heads(attention_axes=2), (3, 4, 5)),
    Case(heads(attention_axes=[1]), (3, 4, 5)),
    Case(heads(attention_axes=-2), (3, 4, 5)),
    Case(heads(attention_axes=[1, 3], value_dim=4, output_shape=6), (3, 2, 4, 5)),
    Case(
        heads(attention_axes=[2], call=IMAGE_MASK), ((3, 4, 5), (4, 4)), dtypes=("float32", "bool")
    ),
    Case(
        heads(call=IMAGE_MASK, dropout=0.2),
        ((2, 3, 5), (2, 3, 2, 3)),
        dtypes=("float32", "bool"),
    ),
    Case(heads(**GQA), (5, 4)),
    Case(heads("in0", "in1", "in2", **GQA, use_bias=False), ((5, 4), (6, 4), (6, 3))),
    Case(heads(**GQA, use_gate=True, call=SCORES | CAUSAL), (5, 4)),
    Case(heads(**GQA, use_gate=True, sliding_window=2, dropout=0.1), (5, 4)),
    Case(heads(**GQA, call=CAUSAL), (5, 4)),
    embedded(heads("q", "v")),
    embedded(heads("q", "v", call=CAUSAL)),
    embedded(heads("q", "v", dropout=0.3)),
    embedded(heads("q", "v", "v", call=SCORES)),
    embedded(heads("q", "v", **GQA)),
    embedded(heads("q", "v", **GQA, dropout=0.1)),
    embedded(heads("q", "v"), POOL),
    embedded(heads("q", "v", name="a"), {"type": "Add", "inputs": ["q", "a"]}, POOL),
    embedded(
        {"type": "LayerNormalization", "name": "n", "inputs": "q"},
        heads("n", "n", name="a"),
        {"type": "Add", "inputs": ["q", "a"]},
        POOL,
        outputs=None,
    ),
    embedded(
        *(heads("q", "v", name=name) for name in ("first", "second", "third")),
        outputs=["first", "second", "third"],
    ),
    embedded(
        heads("q", "q", name="self"),
        heads("self", "v", name="cross"),
        heads("cross", "v", name="again"),
        POOL,
    ),
    embedded(
        {"type": "Dropout", "rate": 0.1, "name": "d", "inputs": "q"},
        {"type": "Identity", "name": "i", "inputs": "d"},
        heads("i", "v", name="a"),
        {"type": "Multiply", "inputs": ["q", "a"], "name": "product"},
        {**POOL, "name": "p", "inputs": "product"},
        outputs=["product", "p"],
    ),
    embedded(
        heads("q", "v", name="a"),
        {"type": "LSTM", "units": 2, "name": "r", "inputs": {"sequences": "q", "training": False}},
        {"type": "LSTM", "units": 2, "name": "s", "inputs": {"sequences": "q"}},
        plain(ATT, "q", "a", name="t"),
        outputs=["a", "r", "s", "t"],
    ),
    # Operations for the mask of a concatenation lengthen the way from `a`, which then runs first
    # and takes the masks off what it reads.
    embedded(
        heads("q", "v", name="a"),
        {"type": "Concatenate", "axis": 1, "inputs": ["a", "q"], "name": "c"},
        {"type": "LSTM", "units": 2, "name": "r", "inputs": "c"},
        heads("q", "v", name="b"),
        {"type": "Dense", "units": 3, "name": "d", "inputs": "b"},
        {"type": "Dense", "units": 3, "name": "e", "inputs": "d"},
        {"type": "Flatten", "name": "f", "inputs": "e"},
        outputs=["r", "f"],
    ),
    Case(
        [
            {
                "type": "Model",
                "name": "inner",
                "inputs": {"i": {"shape": [4]}},
                "layers": [
                    {"type": "Dense", "units": 2, "name": "two"},
                    {"type": "Dense", "units": 3, "name": "three", "inputs": "i"},
                ],
                "outputs": {"z": "two", "a": "three", "m": ["two"]},
            },
            {"type": "Dense", "units": 1, "name": "d", "inputs": "inner:1"},
        ],
        (4,),
        outputs=["d", "inner", "inner:2"],
        name="nested-mapping-of-outputs",
    ),
]
