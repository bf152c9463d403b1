"""Cases of the recurrent layers and of the layers that hold a layer.

The facts T13 to T20 have their cases here: gate order and second bias, both GRU forms,
activations, last outputs of both directions, masks at every place, states, dropout.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.tools.harness import Case


def rnn(type_name: str, units: int = 4, **options: Any) -> dict[str, Any]:
    return {"type": type_name, "units": units, **options}


def bidirectional(layer: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"type": "Bidirectional", "layer": layer, **options}


def each(layer: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"type": "TimeDistributed", "layer": layer, **options}


SEQUENCES = {"return_sequences": True}
STATE = {"return_state": True}
BOTH = SEQUENCES | STATE
EMBED = {"type": "Embedding", "input_dim": 9, "output_dim": 3, "mask_zero": True}
CONV = {"type": "Conv2D", "filters": 4, "kernel_size": 3}
POOL = {"type": "GlobalAveragePooling1D"}
OTHER = {"activation": "relu", "recurrent_activation": "hard_sigmoid"}

# Right padding, left padding, a gap, gaps at both ends, nothing at all, everything.
IDS = np.array(
    [
        [3, 1, 4, 0, 0, 0],
        [0, 0, 5, 2, 6, 1],
        [2, 0, 7, 1, 0, 8],
        [0, 4, 0, 0, 3, 0],
        [0, 0, 0, 0, 0, 0],
        [1, 2, 3, 4, 5, 6],
    ]
)
MASK = IDS != 0
STEPS = np.random.default_rng(5).standard_normal((6, 6, 3)).astype("float32")
FIRST = np.random.default_rng(6).standard_normal((6, 4)).astype("float32")
SECOND = np.random.default_rng(7).standard_normal((6, 4)).astype("float32")


def masked(*layers: dict[str, Any], dtype: str = "int32", **options: Any) -> Case:
    """Layers behind a masking Embedding of ids that are padded at every place."""
    return Case([EMBED, *layers], (None,), dtypes=(dtype,), inputs=(IDS.astype(dtype),), **options)


def stated(layer: dict[str, Any], states: int, *, mask: bool = False, **options: Any) -> Case:
    """A layer with initial states, and an explicit mask or none."""
    names = [f"in{i + 1}" for i in range(states)]
    edges: dict[str, Any] = {"sequences": "in0", "initial_state": names}
    shapes: list[tuple[int | None, ...]] = [(6, 3), *[(4,)] * states]
    inputs = [STEPS, *(FIRST, SECOND, -FIRST, -SECOND)[:states]]
    dtypes = ["float32"] * (states + 1)
    if mask:
        edges["mask"] = f"in{states + 1}"
        shapes.append((6,))
        inputs.append(MASK)
        dtypes.append("bool")
    return Case(
        layer | {"inputs": edges},
        shapes,
        dtypes=tuple(dtypes),
        inputs=tuple(inputs),
        name=f"{layer['type']}-states{'-mask' if mask else ''}-{options.pop('name', '')}",
        **options,
    )


PLAIN = [
    Case(rnn("SimpleRNN"), (5, 3)),
    Case(rnn("SimpleRNN", **SEQUENCES, activation="relu", use_bias=False), (None, 3)),
    Case(rnn("SimpleRNN", **BOTH, activation="softmax"), (5, 3)),
    Case(rnn("SimpleRNN", activation="linear", go_backwards=True), (5, 3)),
    Case(rnn("LSTM"), (None, 3)),
    Case(rnn("LSTM", 5, **SEQUENCES), (6, 3)),
    Case(rnn("LSTM", **BOTH, unroll=True, use_bias=False), (4, 3)),
    Case(rnn("LSTM", **STATE, go_backwards=True), (5, 3)),
    Case(rnn("LSTM", **SEQUENCES, go_backwards=True, unit_forget_bias=False), (None, 3)),
    Case(rnn("LSTM", **BOTH, **OTHER), (5, 3)),
    Case(rnn("LSTM", activation="linear", recurrent_activation="softmax"), (5, 3)),
    Case(
        rnn(
            "LSTM",
            activation={"type": "leaky_relu", "negative_slope": 0.3},
            recurrent_activation={"type": "hard_sigmoid", "slope": 0.2},
            use_bias=False,
        ),
        (5, 3),
        name="LSTM-activations-with-arguments",
    ),
    Case(rnn("LSTM", trainable=False), (5, 3)),
    Case(rnn("LSTM"), (5, 3), dtypes=("int32",)),
    Case(rnn("GRU"), (None, 3)),
    Case(rnn("GRU", **SEQUENCES, use_bias=False), (5, 3)),
    Case(rnn("GRU", **BOTH, reset_after=False), (5, 3)),
    Case(rnn("GRU", reset_after=False, use_bias=False, go_backwards=True), (None, 3)),
    Case(rnn("GRU", **BOTH, go_backwards=True), (5, 3)),
    Case(rnn("GRU", **OTHER, use_bias=False), (5, 3)),
    Case(rnn("GRU", **SEQUENCES, activation="elu"), (5, 3)),
    Case([rnn("LSTM", **SEQUENCES), rnn("GRU", 3, **SEQUENCES), rnn("SimpleRNN", 2)], (6, 3)),
]

DROPOUT = [
    Case(rnn("LSTM", **SEQUENCES, dropout=0.3), (5, 3)),
    Case(rnn("LSTM", dropout=0.3, recurrent_dropout=0.2, seed=3), (5, 3)),
    Case(rnn("GRU", dropout=0.3), (None, 3)),
    Case(rnn("GRU", recurrent_dropout=0.2, reset_after=False), (5, 3)),
    Case(rnn("SimpleRNN", dropout=0.3, recurrent_dropout=0.2), (5, 3)),
    Case(bidirectional(rnn("LSTM", **BOTH, dropout=0.3)), (5, 3)),
    Case(
        rnn("LSTM", recurrent_dropout=0.2, inputs={"sequences": "in0", "training": False}), (5, 3)
    ),
]

MASKS = [
    masked(rnn("LSTM"), name="LSTM-mask-last"),
    masked(rnn("LSTM", **BOTH), dtype="int64", name="LSTM-mask-sequence"),
    masked(rnn("LSTM", **BOTH, go_backwards=True), name="LSTM-mask-backwards"),
    masked(rnn("LSTM", **BOTH, zero_output_for_mask=True), name="LSTM-mask-zero"),
    masked(rnn("LSTM", zero_output_for_mask=True), name="LSTM-mask-zero-last"),
    masked(rnn("LSTM", **BOTH, **OTHER), name="LSTM-mask-activations"),
    masked(rnn("GRU"), dtype="uint8", name="GRU-mask-last"),
    masked(rnn("GRU", **BOTH), name="GRU-mask-sequence"),
    masked(
        rnn("GRU", **BOTH, reset_after=False, zero_output_for_mask=True), name="GRU-mask-before"
    ),
    masked(rnn("GRU", reset_after=False, go_backwards=True), name="GRU-mask-before-backwards"),
    masked(rnn("SimpleRNN", **BOTH), name="SimpleRNN-mask-sequence"),
    masked(rnn("SimpleRNN", **SEQUENCES, activation="elu"), name="SimpleRNN-mask-activation"),
    masked(rnn("LSTM", **SEQUENCES), rnn("GRU", 3, **SEQUENCES), POOL, name="masks-to-pooling"),
    masked(rnn("LSTM", **SEQUENCES, dropout=0.2), rnn("LSTM"), name="LSTM-mask-stack"),
    masked(bidirectional(rnn("LSTM")), name="Bidirectional-mask-last"),
    masked(bidirectional(rnn("LSTM", **BOTH)), name="Bidirectional-mask-sequence"),
    masked(bidirectional(rnn("GRU", **SEQUENCES)), POOL, name="Bidirectional-mask-pooling"),
    masked(
        bidirectional(rnn("GRU", **SEQUENCES, reset_after=False), merge_mode="sum"),
        rnn("LSTM"),
        name="Bidirectional-mask-flexible",
    ),
    masked(bidirectional(rnn("GRU", reset_after=False)), name="Bidirectional-mask-flexible-last"),
    masked(
        bidirectional(rnn("SimpleRNN", **BOTH), merge_mode=None), name="Bidirectional-mask-none"
    ),
    Case(
        [{"type": "Masking"}, rnn("LSTM", **SEQUENCES), rnn("LSTM")],
        (6, 3),
        inputs=(STEPS * MASK[:, :, None],),
        name="Masking-LSTM",
    ),
]

STATES = [
    stated(rnn("LSTM", **BOTH), 2),
    stated(rnn("LSTM"), 2, mask=True),
    stated(rnn("LSTM", **BOTH, go_backwards=True), 2, mask=True, name="backwards"),
    stated(rnn("LSTM", **OTHER), 2, mask=True, name="flexible"),
    stated(rnn("GRU", **STATE), 1),
    stated(rnn("GRU", **BOTH), 1, mask=True),
    stated(rnn("GRU", reset_after=False), 1, mask=True, name="before"),
    stated(rnn("SimpleRNN", **SEQUENCES), 1, mask=True),
    stated(bidirectional(rnn("LSTM", **BOTH)), 4, name="lstm"),
    stated(bidirectional(rnn("LSTM", **STATE)), 4, mask=True, name="lstm"),
    stated(bidirectional(rnn("GRU")), 2, mask=True, name="gru"),
    stated(bidirectional(rnn("GRU", reset_after=False)), 2, mask=True, name="before"),
    Case(
        rnn("LSTM", **SEQUENCES, inputs=["in0", "in1", "in2"]),
        [(None, 3), (4,), (4,)],
        name="LSTM-states-by-position",
    ),
    # Keras does not heed an attached mask beside initial states, though it passes it on.
    Case(
        [
            {"type": "Masking", "inputs": "in0", "name": "m"},
            rnn("LSTM", **SEQUENCES, inputs={"sequences": "m", "initial_state": ["in1", "in2"]}),
            rnn("GRU", 3),
        ],
        [(6, 3), (4,), (4,)],
        inputs=(STEPS * MASK[:, :, None], FIRST, SECOND),
        name="LSTM-states-beside-an-attached-mask",
    ),
    Case(
        [
            EMBED | {"name": "source", "inputs": "in0"},
            bidirectional(rnn("LSTM", 2, **STATE), name="encoder"),
            {"type": "Concatenate", "name": "h", "inputs": ["encoder:1", "encoder:3"]},
            {"type": "Concatenate", "name": "c", "inputs": ["encoder:2", "encoder:4"]},
            EMBED | {"name": "target", "inputs": "in1", "mask_zero": False},
            rnn(
                "LSTM",
                **SEQUENCES,
                name="decoder",
                inputs={"sequences": "target", "initial_state": ["h", "c"]},
            ),
            each({"type": "Dense", "units": 9, "activation": "softmax"}, name="words"),
        ],
        [(None,), (None,)],
        dtypes=("int32", "int64"),
        inputs=(IDS.astype("int32"), IDS[:, ::-1].astype("int64")),
        name="sequence-to-sequence",
    ),
]

DIRECTIONS = [
    Case(bidirectional(rnn("LSTM")), (None, 3)),
    Case(bidirectional(rnn("LSTM", **SEQUENCES)), (5, 3)),
    Case(bidirectional(rnn("LSTM", **BOTH), merge_mode="sum"), (5, 3)),
    Case(bidirectional(rnn("LSTM", **STATE), merge_mode="mul"), (5, 3)),
    Case(bidirectional(rnn("LSTM", use_bias=False), merge_mode="ave"), (5, 3)),
    Case(bidirectional(rnn("LSTM"), merge_mode=None), (5, 3)),
    Case(bidirectional(rnn("GRU", **BOTH), merge_mode=None), (None, 3)),
    Case(bidirectional(rnn("GRU", **STATE)), (5, 3)),
    Case(bidirectional(rnn("GRU", **SEQUENCES, reset_after=False)), (5, 3)),
    Case(bidirectional(rnn("SimpleRNN", name="scan", activation="relu")), (5, 3)),
    Case(bidirectional(rnn("SimpleRNN", **BOTH, activation="elu", name="forward_a")), (5, 3)),
    Case(bidirectional(rnn("LSTM", trainable=False)), (5, 3)),
    Case(
        bidirectional(
            rnn("LSTM", **SEQUENCES),
            backward_layer=rnn("GRU", **SEQUENCES, go_backwards=True, name="other"),
        ),
        (5, 3),
    ),
    Case(
        bidirectional(
            rnn("LSTM", **SEQUENCES, name="a"),
            backward_layer=rnn("LSTM", **SEQUENCES, go_backwards=True, name="b"),
            merge_mode="ave",
        ),
        (5, 3),
    ),
    Case(
        bidirectional(
            rnn("LSTM", **SEQUENCES, go_backwards=True),
            backward_layer=rnn("LSTM", **SEQUENCES, activation="relu", name="plain"),
        ),
        (5, 3),
    ),
    Case([bidirectional(rnn("LSTM", **SEQUENCES)), bidirectional(rnn("LSTM"))], (5, 3)),
]

EVERY_STEP = [
    Case(each({"type": "Dense", "units": 5, "activation": "relu"}), (4, 3)),
    Case(each({"type": "Dense", "units": 5, "activation": "softmax"}), (None, 3, 2)),
    Case(each(CONV | {"strides": 2, "padding": "same"}), (3, 6, 5, 2)),
    Case([each(CONV), each({"type": "Flatten"}), rnn("LSTM")], (None, 6, 5, 2)),
    Case([each(CONV), each({"type": "MaxPooling2D"}), each(CONV)], (3, 10, 9, 2)),
    Case(each({"type": "Flatten"}), (4, 3, 2)),
    Case(each({"type": "Flatten"}), (None, 3, 4, 2)),
    Case(each({"type": "Reshape", "target_shape": [2, 3]}), (4, 6)),
    Case(each(rnn("LSTM", **SEQUENCES)), (4, 5, 3)),
    Case(each(rnn("LSTM")), (None, 5, 3)),
    Case(each(rnn("GRU")), (4, None, 3)),
    Case(each(bidirectional(rnn("LSTM", 2))), (4, 5, 3)),
    Case(each(each({"type": "Dense", "units": 2})), (4, 5, 3)),
    Case(each({"type": "BatchNormalization"}), (4, 3)),
    Case([each(CONV), each({"type": "BatchNormalization"})], (3, 6, 5, 2)),
    Case(each({"type": "BatchNormalization", "trainable": False}), (3, 5, 2)),
    Case(each({"type": "Dropout", "rate": 0.3}), (4, 3)),
    Case(each({"type": "LayerNormalization"}), (4, 3, 2)),
    Case(each({"type": "Conv1D", "filters": 4, "kernel_size": 3}), (3, 7, 2)),
    Case(each({"type": "Embedding", "input_dim": 9, "output_dim": 3}), (4, 5), dtypes=("int32",)),
    Case(each({"type": "Softmax"}), (4, 3)),
    Case(
        each({"type": "BatchNormalization"}, inputs={"inputs": "in0", "training": False}),
        (4, 3),
    ),
    masked(each({"type": "Dense", "units": 2}), rnn("LSTM"), name="TimeDistributed-mask"),
    Case(
        [EMBED, each(rnn("GRU"))],
        (6, 6),
        dtypes=("int32",),
        inputs=(np.stack([IDS, IDS[::-1]]).astype("int32"),),
        name="TimeDistributed-mask-of-inner-sequences",
    ),
]


def cell(type_name: str, units: int = 4, **options: Any) -> dict[str, Any]:
    return {"type": f"{type_name}Cell", "units": units, **options}


def run(held: Any, **options: Any) -> dict[str, Any]:
    return {"type": "RNN", "cell": held, **options}


def stack(*cells: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"type": "StackedRNNCells", "cells": list(cells), **options}


def step(type_name: str, states: int, **options: Any) -> Case:
    """A cell called by itself."""
    first = "sequence" if type_name == "SimpleRNN" else "inputs"
    edges = {first: "in0", "states": ["in1", "in2"][:states]}
    shapes = [(5,), (4,), (4,)][: states + 1]
    return Case(cell(type_name, inputs=edges, **options), shapes, name=f"{type_name}Cell-alone")


def model(shape: tuple[int, ...], *layers: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A model to be held: one input, and a chain of layers unless they say otherwise."""
    inputs = {"x": {"shape": list(shape), **options.pop("input", {})}}
    return {"type": "Model", "name": "step", "inputs": inputs, "layers": list(layers)} | options


def dense(units: int, **options: Any) -> dict[str, Any]:
    return {"type": "Dense", "units": units, **options}


FLAT, BATCH = {"type": "Flatten"}, {"type": "BatchNormalization"}
BRANCHES = (
    dense(3, name="a"),
    dense(3, name="b", inputs="x"),
    {"type": "Add", "inputs": ["a", "b"]},
)
IDS_INPUT = {"dtype": "int32"}
MODELS = [
    Case([each(model((6, 5, 2), CONV, {"type": "GlobalMaxPooling2D"})), rnn("LSTM")], (4, 6, 5, 2)),
    Case([each(model((7, 8, 1), CONV, BATCH, FLAT, dense(3))), rnn("LSTM")], (4, 7, 8, 1)),
    Case([each(model((7, 8, 1), CONV, BATCH, CONV))], (None, 7, 8, 1), sizes=(4,)),
    Case(
        [each(model((8, 8, 1), CONV, model((6, 6, 4), BATCH, FLAT, dense(3), name="inner")))],
        (4, 8, 8, 1),
        name="TimeDistributed-model-in-model",
    ),
    Case([each(model((5,), dense(3, activation="relu"), dense(2)))], (4, 5)),
    Case([each(model((5,), *BRANCHES))], (4, 5), name="TimeDistributed-branches"),
    Case(
        [each(model((5, 3), rnn("GRU"), {"type": "Dropout", "rate": 0.3})), rnn("GRU")], (4, 5, 3)
    ),
    Case(
        [each(model((6,), EMBED, rnn("LSTM"), input=IDS_INPUT)), rnn("GRU")],
        (6, 6),
        dtypes=("int32",),
        inputs=(np.stack([IDS, IDS[::-1]]).astype("int32"),),
        name="TimeDistributed-mask-made-inside",
    ),
    Case([each(each(model((5,), dense(3), dense(2))))], (2, 4, 5)),
    Case([each(each(dense(3)))], (2, 4, 5)),
    Case(
        [each(model((4, 6, 6, 2), each(model((6, 6, 2), CONV, FLAT, name="inner")), rnn("LSTM")))],
        (2, 4, 6, 6, 2),
        name="TimeDistributed-model-over-time-in-model",
    ),
    Case([each({"type": "Model", "name": "open", "layers": [dense(3), dense(2)]})], (4, 5)),
    Case([each(model((6, 6, 2), CONV, BATCH, trainable=False))], (4, 6, 6, 2)),
    Case([each(bidirectional(rnn("LSTM")))], (4, 5, 3)),
]

PAIR = (cell("LSTM"), cell("GRU", 3))
CELLS = [
    *(Case(run(cell(kind)), (5, 3)) for kind in ("SimpleRNN", "LSTM")),
    Case(run(cell("GRU", reset_after=False), **SEQUENCES), (None, 3), sizes=(5,)),
    Case(run(cell("GRU", use_bias=False), go_backwards=True, **BOTH), (5, 3)),
    Case(run(cell("LSTM", dropout=0.3, recurrent_dropout=0.2)), (5, 3)),
    Case(run(cell("LSTM", name="own", trainable=False)), (5, 3)),
    Case(run(cell("LSTM"), trainable=False), (5, 3)),
    Case(run([cell("GRU"), cell("LSTM", 3), cell("SimpleRNN", 2)], **BOTH), (5, 3)),
    Case(run(stack(cell("LSTM"), cell("LSTM", 3)), go_backwards=True, **STATE), (5, 3)),
    Case(run(stack(cell("LSTM")), **STATE), (5, 3)),
    Case(run(stack(stack(*PAIR), cell("LSTM", 2))), (5, 3)),
    Case(bidirectional(run(cell("GRU")), merge_mode="mul"), (5, 3)),
    Case(bidirectional(run(stack(*PAIR), **SEQUENCES)), (5, 3)),
    Case(bidirectional(run(stack(*PAIR), **STATE)), (5, 3)),
    Case(
        bidirectional(
            rnn("LSTM"), backward_layer=run(cell("LSTM", activation="relu"), go_backwards=True)
        ),
        (5, 3),
    ),
    Case(each(run(cell("GRU"))), (3, 5, 2)),
    masked(run(cell("LSTM"), **SEQUENCES), name="RNN-mask"),
    masked(run(cell("GRU"), zero_output_for_mask=True), name="RNN-mask-zero"),
    masked(run(cell("GRU"), go_backwards=True, **BOTH), name="RNN-mask-backwards"),
    masked(run(stack(*PAIR), **SEQUENCES), run(stack(*PAIR), **STATE), name="RNN-mask-stacked"),
    masked(
        run(stack(cell("LSTM", **OTHER), cell("GRU", 3)), zero_output_for_mask=True, **SEQUENCES),
        name="RNN-mask-flexible",
    ),
    masked(bidirectional(run(cell("LSTM"), **SEQUENCES)), name="RNN-mask-both-ways"),
    stated(run(cell("LSTM"), **STATE), 2),
    stated(run(cell("GRU")), 1, mask=True),
    stated(run(stack(cell("SimpleRNN"), cell("GRU"))), 2, name="stacked"),
    stated(run(stack(cell("LSTM"), cell("GRU")), **STATE), 3, name="nested"),
    step("SimpleRNN", 1),
    step("LSTM", 2),
    step("GRU", 1),
]

UNROLLED = [
    masked(rnn(kind, **BOTH, **extra), name=f"{kind}-unrolled-{'-'.join(extra)}")
    for kind in ("LSTM", "GRU")
    for extra in (
        {"unroll": True, "zero_output_for_mask": True},
        {"unroll": True, "go_backwards": True},
    )
]
UNROLLED = [
    Case(case.layers, (6,), dtypes=case.dtypes, inputs=case.inputs, name=case.name)
    for case in [
        *UNROLLED,
        masked(
            rnn("GRU", **BOTH, unroll=True, go_backwards=True, zero_output_for_mask=True),
            name="GRU-unrolled-backwards-zero",
        ),
        masked(
            rnn("LSTM", unroll=True, go_backwards=True, zero_output_for_mask=True),
            name="LSTM-unrolled-backwards-zero-last",
        ),
        masked(
            {"type": "RNN", "cell": {"type": "LSTMCell", "units": 4}, "unroll": True}
            | {"go_backwards": True, "zero_output_for_mask": True, **BOTH},
            name="RNN-unrolled-backwards-zero",
        ),
        masked(bidirectional(rnn("LSTM", **SEQUENCES, unroll=True)), name="both-ways-unrolled"),
        masked(
            bidirectional(
                rnn("GRU", **SEQUENCES, go_backwards=True, unroll=True),
                backward_layer=rnn("LSTM", **SEQUENCES, name="other"),
            ),
            POOL,
            name="both-ways-one-unrolled",
        ),
    ]
]
STATEFUL = [
    Case(
        rnn("LSTM", stateful=True),
        (5, 3),
        extra={"inputs": {"in0": {"shape": [5, 3], "batch_size": 3}}},
    ),
]

CASES = [
    *PLAIN,
    *DROPOUT,
    *MASKS,
    *STATES,
    *DIRECTIONS,
    *EVERY_STEP,
    *CELLS,
    *MODELS,
    *UNROLLED,
    *STATEFUL,
]
