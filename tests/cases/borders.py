"""Masks that enter or leave a nested model or a layer around a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.cases.recurrent import EMBED, IDS, STEPS, bidirectional, each, masked, rnn
from tests.tools.harness import Case

SEQUENCE = {"return_sequences": True}
MEAN = {"type": "GlobalAveragePooling1D"}
LSTM = rnn("LSTM", 3)


def model(
    *layers: dict[str, Any], shape: Any = (None, 3), name: str = "inner", **options: Any
) -> dict[str, Any]:
    """A nested model with one input."""
    inputs = {"x": {"shape": list(shape), **options.pop("input", {})}}
    entries = [dict(layer) for layer in layers]
    return {"type": "Model", "name": name, "inputs": inputs, "layers": entries, **options}


def words(*layers: dict[str, Any], name: str = "words", **options: Any) -> dict[str, Any]:
    """A nested model of ids."""
    return model(EMBED, *layers, shape=(None,), name=name, input={"dtype": "int32"}, **options)


def ids(*layers: dict[str, Any], shape: Any = (None,), **options: Any) -> Case:
    """Layers behind ids that are padded at every place."""
    return Case(list(layers), shape, dtypes=("int32",), inputs=(IDS,), **options)


ATTENTION = {
    "type": "MultiHeadAttention",
    "num_heads": 2,
    "key_dim": 3,
    "inputs": {"query": "x", "value": "x"},
}
PLAIN = {"type": "Embedding", "name": "plain", "input_dim": 9, "output_dim": 3, "inputs": "in0"}
FIRST = EMBED | {"name": "first"}
TWO = {"a": {"shape": [None, 3]}, "b": {"shape": [None, 3]}}


def pair(*layers: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A nested model with two inputs, ``a`` and ``b``."""
    return {"type": "Model", "name": "pair", "inputs": TWO, "layers": list(layers), **options}


IN = [
    masked(model({"type": "MaxPooling1D", "pool_size": 2}), name="unread"),
    masked(model({"type": "Dense", "units": 2}), MEAN, name="through-a-model"),
    masked(model(LSTM), name="read"),
    masked(model(rnn("GRU", 3, **SEQUENCE)), MEAN, name="read-and-passed-on"),
    masked(model(MEAN), {"type": "Dense", "units": 2}, name="pooled"),
    masked(model({"type": "BatchNormalization"}), MEAN, name="batch-norm"),
    masked(model({"op": "multiply", "inputs": ["x", 2.0]}), MEAN, name="operations-drop-it"),
    masked(model({"type": "Masking", "mask_value": 0.5}), MEAN, name="replaced"),
    masked(model(bidirectional(rnn("LSTM", 3, **SEQUENCE))), MEAN, name="bidirectional"),
    masked(model(each({"type": "Dense", "units": 2})), MEAN, name="each-step"),
    masked(
        model(bidirectional({"type": "RNN", "cell": {"type": "GRUCell", "units": 3}})),
        name="bidirectional-cells",
    ),
    masked(model(model(LSTM, name="core"), name="shell"), name="nested-in-nested"),
    masked(
        model(model({"type": "MaxPooling1D", "pool_size": 2}, name="core"), name="shell"),
        name="nested-in-nested-unread",
    ),
    masked(model(ATTENTION), MEAN, name="attention"),
    masked(
        model(ATTENTION, {"type": "Add", "inputs": ["x", "multi_head_attention"]}),
        MEAN,
        name="attention-removes-it-inside",
    ),
    masked(
        model(ATTENTION, rnn("LSTM", 3, inputs="x"), outputs=["multi_head_attention", "lstm"]),
        outputs=["inner", "inner:1"],
        name="attention-removes-it-before-a-layer-that-takes-it",
    ),
]

OUT = [
    ids(words(), LSTM, name="made-inside"),
    ids(words({"type": "Dense", "units": 2}), MEAN, name="made-inside-passed-on"),
    ids(words(), {"type": "Dense", "units": 2}, name="made-inside-unread"),
    ids(words(MEAN), {"type": "Dense", "units": 2}, name="used-inside"),
    ids(
        model(words(), name="shell", shape=(None,), input={"dtype": "int32"}),
        LSTM,
        name="out-of-two",
    ),
    ids(words(), model(LSTM), name="out-and-in"),
    ids(words(), model({"type": "Dense", "units": 2}, name="middle"), MEAN, name="out-through-in"),
    ids(words(), each({"type": "Dense", "units": 2}), MEAN, name="out-each"),
    ids(words(), {"type": "BatchNormalization"}, bidirectional(LSTM), name="out-bidirectional"),
    ids(
        words(outputs=["embedding"]),
        LSTM,
        name="listed-output",
    ),
    ids(words(outputs={"code": "embedding"}), LSTM, name="named-output"),
    ids(
        words({"type": "Dense", "units": 3}, outputs={"code": "embedding", "top": "dense"}),
        {"type": "LSTM", "units": 3, "inputs": "words"},
        {"type": "GRU", "units": 3, "inputs": "words:1"},
        outputs=["lstm", "gru"],
        name="two-named-outputs",
    ),
    Case(
        [model({"type": "Masking"}), LSTM],
        (6, 3),
        inputs=(STEPS * (np.abs(STEPS[..., :1]) > 0.5),),
        name="masking-inside",
    ),
]

SHARED = [
    ids(
        FIRST,
        PLAIN,
        model(rnn("LSTM", 3, **SEQUENCE), call="first"),
        {"type": "GlobalAveragePooling1D", "name": "one"},
        {"reuse": "inner", "inputs": "plain", "name": "again"},
        {"type": "GlobalAveragePooling1D", "name": "two"},
        outputs=["one", "two"],
        name="shared-with-and-without",
    ),
    ids(
        FIRST,
        PLAIN,
        model(rnn("LSTM", 3, **SEQUENCE), call="plain"),
        {"type": "GlobalAveragePooling1D", "name": "one"},
        {"reuse": "inner", "inputs": "first", "name": "again"},
        {"type": "GlobalAveragePooling1D", "name": "two"},
        outputs=["one", "two"],
        name="shared-without-and-with",
    ),
    ids(
        words(name="words"),
        {"type": "LSTM", "name": "one", "units": 3, "inputs": "words"},
        {"reuse": "words", "inputs": "in0", "name": "again"},
        {"type": "Dense", "name": "two", "units": 2, "inputs": "again"},
        outputs=["one", "two"],
        name="shared-read-once",
    ),
    ids(
        FIRST,
        PLAIN,
        pair(
            {"type": "LSTM", "name": "one", "units": 3, "inputs": "a"},
            {"type": "GRU", "name": "two", "units": 3, "inputs": "b"},
            outputs=["one", "two"],
            call=["first", "plain"],
        ),
        {"reuse": "pair", "inputs": ["plain", "first"], "name": "again"},
        outputs=["pair", "pair:1", "again", "again:1"],
        name="shared-other-input",
    ),
    ids(
        FIRST,
        PLAIN,
        pair({"type": "Add", "inputs": ["a", "b"]}, MEAN, call=["first", "plain"]),
        {"reuse": "pair", "inputs": ["plain", "first"], "name": "again"},
        outputs=["pair", "again"],
        name="shared-other-input-combined",
    ),
    ids(
        FIRST,
        PLAIN,
        pair(ATTENTION | {"inputs": {"query": "a", "value": "b"}}, MEAN, call=["first", "first"]),
        {"reuse": "pair", "inputs": ["plain", "first"], "name": "again"},
        outputs=["pair", "again"],
        name="shared-attention-to-a-masked-value",
    ),
    *(
        ids(
            FIRST,
            PLAIN,
            pair({"type": kind, "inputs": ["a", "b"]}, MEAN, call=["first", "plain"]),
            {"reuse": "pair", "inputs": inputs, "name": "again"},
            outputs=["pair", "again"],
            name=f"shared-{kind}-{'-'.join(inputs)}",
        )
        for kind in ("Multiply", "Concatenate")
        for inputs in (["plain", "first"], ["first", "first"], ["plain", "plain"])
    ),
]

SEVERAL = (
    [
        ids(
            FIRST,
            PLAIN,
            pair({"type": kind, "inputs": ["a", "b"]}, call=["first", "plain"]),
            MEAN,
            name=f"{kind}-of-one-masked",
        )
        for kind in ("Add", "Concatenate", "Multiply")
    ]
    + [
        ids(
            FIRST,
            {"type": "Masking", "name": "second", "mask_value": 0.1, "inputs": "first"},
            pair({"type": kind, "inputs": ["a", "b"]}, call=["first", "second"]),
            MEAN,
            name=f"{kind}-of-two-masked",
        )
        for kind in ("Add", "Concatenate", "Average")
    ]
    + [
        ids(
            FIRST,
            pair(
                {
                    "type": "MultiHeadAttention",
                    "num_heads": 2,
                    "key_dim": 3,
                    "inputs": {"query": "a", "value": "b"},
                },
                call=["first", "first"],
            ),
            MEAN,
            name="attention-of-two",
        ),
        ids(
            FIRST,
            {"type": "Dense", "name": "second", "units": 3},
            pair(
                {"type": "Attention", "inputs": ["a", "b"]},
                call=["first", "second"],
            ),
            MEAN,
            name="scaled-attention-of-two",
        ),
    ]
)

SENTENCES = np.stack([IDS, IDS[::-1], IDS], 1)
FEATURES = np.random.default_rng(8).standard_normal((6, 3, 6, 2)).astype("float32")
FEATURES[:, 0, 3:] = 0
FEATURES[::2, 1] = 0
EACH = [
    Case(
        [each(words(LSTM)), rnn("GRU", 2)],
        (3, None),
        dtypes=("int32",),
        inputs=(SENTENCES,),
        name="each-model-makes-and-reads",
    ),
    Case(
        [{"type": "Masking"}, each(model(LSTM, shape=(None, 2))), {"type": "Dense", "units": 2}],
        (3, 6, 2),
        inputs=(FEATURES,),
        name="each-model-reads",
    ),
    Case(
        [{"type": "Masking"}, each(model(model(LSTM, shape=(None, 2)), shape=(None, 2), name="o"))],
        (3, 6, 2),
        inputs=(FEATURES,),
        name="each-model-in-model-reads",
    ),
    masked(
        each(model({"type": "Dense", "units": 2}, shape=(3,))),
        MEAN,
        name="each-model-unread",
    ),
]

IMAGES = np.random.default_rng(9).standard_normal((6, 6, 4, 4, 2)).astype("float32")
CONV = {"type": "ConvLSTM2D", "filters": 2, "kernel_size": 3, **SEQUENCE}
EXPLICIT = [
    Case(
        [model({"type": "Dense", "units": 2}, LSTM, call={"x": "in0", "mask": "in1"})],
        ((6, 3), (6,)),
        dtypes=("float32", "bool"),
        inputs=(STEPS, IDS != 0),
        name="explicit",
    ),
    Case(
        [
            model(
                CONV,
                {"type": "Dense", "units": 2},
                shape=(None, 4, 4, 2),
                call={"x": "in0", "mask": "in1"},
            ),
            {"op": "multiply", "name": "twice", "inputs": ["in0", 2.0]},
            {"reuse": "inner", "inputs": "twice", "name": "again"},
        ],
        ((6, 4, 4, 2), (6,)),
        dtypes=("float32", "bool"),
        inputs=(IMAGES, IDS != 0),
        outputs=["inner", "again"],
        name="explicit-of-images-and-without",
    ),
    Case(
        [
            {
                "type": "Model",
                "name": "pair",
                "inputs": {"a": {"shape": [6, 3]}, "b": {"shape": [4, 4, 2]}},
                "layers": [
                    {"type": "Conv1D", "filters": 2, "kernel_size": 3, "inputs": "a"},
                    {"type": "GlobalMaxPooling1D", "name": "one"},
                    {"type": "Conv2D", "filters": 2, "kernel_size": 3, "inputs": "b"},
                ],
                "outputs": ["one", "conv2d"],
                "call": ["in0", "in1"],
            },
        ],
        ((6, 3), (4, 4, 2)),
        outputs=["pair", "pair:1"],
        name="sequences-and-images",
    ),
    ids(
        FIRST,
        words(name="words", call="in0"),
        {"type": "Concatenate", "inputs": ["first", "words"]},
        rnn("LSTM", 3),
        name="recorded-mask-differs",  # Keras knows only the first while it builds the model
    ),
    *(
        ids(
            FIRST,
            words(name="words", call="in0"),
            PLAIN,
            {"type": "Masking", "mask_value": 0.1},
            {"type": kind, "name": "both", "inputs": ["first", "masking", "words"], **options},
            {"type": "Dense", "units": 3},
            reader,
            name=f"recorded-mask-of-{kind}-{number}-{reader['type']}",
        )
        for number, (kind, options) in enumerate(
            (("Add", {}), ("Concatenate", {}), ("Concatenate", {"axis": 1}))
        )
        for reader in (rnn("LSTM", 3), MEAN)
    ),
    ids(
        FIRST,
        words(rnn("LSTM", 3, **SEQUENCE), name="words", call="in0"),
        {"type": "Attention", "inputs": ["first", "words"]},
        MEAN,
        name="attention-to-a-model",
    ),
    ids(
        FIRST,
        ATTENTION | {"name": "heads", "inputs": {"query": "first", "value": "first"}},
        words(name="words", call="in0"),
        {"type": "Concatenate", "axis": 1, "name": "both", "inputs": ["first", "words", "heads"]},
        {"type": "GlobalAveragePooling1D", "name": "mean"},
        {"type": "GRU", "units": 3, "inputs": "both"},
        outputs=["mean", "gru"],
        name="mask-removed-before-it-is-combined",
    ),
]

CASES = [*IN, *OUT, *SHARED, *SEVERAL, *EACH, *EXPLICIT]
