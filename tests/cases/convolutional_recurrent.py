"""Cases of the convolutional LSTMs: sizes, strides, both orders, masks, states, wrappers."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from tests.tools.harness import Case


def conv(rank: int = 2, filters: int = 3, kernel_size: Any = 3, **options: Any) -> dict[str, Any]:
    size = {"filters": filters, "kernel_size": kernel_size}
    return {"type": f"ConvLSTM{rank}D", **size, **options}


def both_ways(layer: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"type": "Bidirectional", "layer": layer, **options}


SAME = {"padding": "same"}
FIRST = {"data_format": "channels_first"}
SEQUENCES = {"return_sequences": True}
STATE = {"return_state": True}
BOTH = SEQUENCES | STATE
MASKING = {"type": "Masking"}

# Masked at the end, at the beginning, in the middle, wholly, nowhere.
STEPS = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], "bool")
RNG = np.random.default_rng(5)
ROWS = RNG.standard_normal((5, 4, 6, 2)).astype("float32")
FILMS = RNG.standard_normal((5, 4, 5, 4, 2)).astype("float32")
CUBES = np.random.default_rng(6).standard_normal((5, 4, 3, 4, 3, 2)).astype("float32")
H = RNG.standard_normal((5, 3, 2, 3)).astype("float32")
C = RNG.standard_normal((5, 3, 2, 3)).astype("float32")
PLACES = RNG.random((5, 4, 5, 4)) < 0.6


def masked(
    layer: dict[str, Any], *after: dict[str, Any], films: Any = FILMS, **options: Any
) -> Case:
    """A layer that is given a mask of its steps, (N, T)."""
    entry = layer | {"inputs": {"sequences": "in0", "mask": "in1"}}
    shapes = [films.shape[1:], STEPS.shape[1:]]
    dtypes = ("float32", "bool")
    return Case([entry, *after], shapes, dtypes=dtypes, inputs=(films, STEPS), **options)


def stated(layer: dict[str, Any], *states: Any, mask: bool = False, **options: Any) -> Case:
    """A layer with initial states, and perhaps a mask."""
    edges: dict[str, Any] = {"sequences": "in0"}
    edges["initial_state"] = [f"in{i + 1}" for i in range(len(states))]
    inputs, dtypes = [FILMS, *states], ["float32"] * (len(states) + 1)
    if mask:
        edges["mask"] = f"in{len(inputs)}"
        inputs.append(STEPS)
        dtypes.append("bool")
    shapes = [array.shape[1:] for array in inputs]
    entry = layer | {"inputs": edges}
    return Case(entry, shapes, dtypes=tuple(dtypes), inputs=tuple(inputs), **options)


SIZES = [
    Case(conv(1, **BOTH), (None, 9, 2)),
    Case(conv(1, 4, 2, strides=2), (4, 8, 2)),
    Case(conv(1, strides=3, **SAME, **SEQUENCES), (4, 8, 2)),
    Case(conv(1, kernel_size=2, dilation_rate=2, **SAME, use_bias=False), (4, 7, 3)),
    Case(conv(1, **FIRST, **BOTH), (4, 2, 9)),
    Case(conv(1, strides=2, **SAME, **FIRST), (4, 2, 8)),
    Case(conv(kernel_size=[3, 2], **SEQUENCES), (None, 7, 6, 2), permutes=0),
    Case(conv(strides=2, **SAME), (3, 8, 8, 2), permutes=0),
    Case(conv(kernel_size=[5, 2], strides=[3, 2], **SAME, **BOTH), (3, 7, 8, 2)),
    Case(conv(strides=[1, 2], go_backwards=True, **SEQUENCES), (3, 6, 7, 1)),
    Case(conv(dilation_rate=[1, 2], unroll=True), (3, 6, 7, 2)),
    Case(conv(kernel_size=4, **SAME, **FIRST, **SEQUENCES, go_backwards=True), (3, 2, 5, 6)),
    Case(conv(strides=3, **SAME, **FIRST, **STATE), (3, 2, 8, 7)),
    Case(conv(3, 2, 2, **SEQUENCES), (2, 4, 5, 3, 2)),
    Case(conv(3, 2, [3, 2, 1], strides=[1, 2, 2], **SAME), (2, 4, 5, 4, 2)),
    Case(conv(3, 2, 2, **FIRST, **BOTH), (2, 2, 4, 5, 3)),
    Case(conv(trainable=False), (2, 4, 4, 2)),
    Case(conv(dtype="float64", **SEQUENCES), (2, 4, 4, 2), dtypes=("float64",)),
]

OPTIONS = [
    Case(conv(activation="relu", recurrent_activation="hard_sigmoid"), (3, 4, 5, 2)),
    Case(
        conv(
            activation={"type": "leaky_relu", "negative_slope": 0.3},
            recurrent_activation={"type": "hard_sigmoid", "slope": 0.2},
            unit_forget_bias=False,
        ),
        (3, 4, 5, 2),
        name="ConvLSTM2D-activations-with-arguments",
    ),
    # Over the features, which stand before height and width in PyTorch; or over the width.
    Case(conv(activation="softmax", recurrent_activation="log_softmax"), (3, 4, 5, 2)),
    Case(conv(activation="linear", recurrent_activation="softmax", **FIRST), (3, 2, 4, 5)),
    Case(conv(dropout=0.3, recurrent_dropout=0.2, seed=3), (3, 4, 5, 2)),
    Case(conv(recurrent_dropout=1.0, dropout=1.0), (3, 4, 5, 2)),
    Case(
        [
            conv(filters=4, kernel_size=5, **SAME, **SEQUENCES),
            {"type": "BatchNormalization"},
            conv(**SAME, **SEQUENCES),
            {"type": "Conv3D", "filters": 1, "kernel_size": 3, **SAME, "activation": "sigmoid"},
        ],
        (4, 6, 5, 1),
        permutes=0,
        name="ConvLSTM2D-next-frame",
    ),
    Case(
        [conv(**SAME), {"type": "Flatten"}, {"type": "Dense", "units": 4}],
        (3, 4, 5, 2),
        permutes=0,
        name="ConvLSTM2D-Flatten-Dense",
    ),
    Case(
        conv(stateful=True),
        (3, 4, 4, 2),
        extra={"inputs": {"in0": {"shape": [3, 4, 4, 2], "batch_size": 3}}},
    ),
]

MASKS = [
    masked(conv(strides=2, **SAME), name="ConvLSTM2D-mask-last"),
    masked(conv(**BOTH, go_backwards=True), name="ConvLSTM2D-mask-backwards"),
    masked(conv(**BOTH, zero_output_for_mask=True), name="ConvLSTM2D-mask-zero"),
    masked(conv(zero_output_for_mask=True, unroll=True), name="ConvLSTM2D-mask-zero-last"),
    *(
        masked(
            conv(
                rank,
                unroll=unroll,
                go_backwards=back,
                zero_output_for_mask=zero,
                **outputs,
                **order,
            ),
            name=f"ConvLSTM{rank}D-mask-{unroll=}-{back=}-{zero=}-{len(outputs)}-{len(order)}",
            films=films,
        )
        for rank, films, order in (
            (1, ROWS, {}),
            (2, FILMS, {}),
            (2, FILMS, FIRST | {"kernel_size": 2}),
            (3, CUBES, {}),
        )
        for unroll, back, zero in product((False, True), repeat=3)
        for outputs in (({}, SEQUENCES, STATE, BOTH) if rank == 1 else (BOTH,))
        if rank == 1 or (unroll and back and zero)
    ),
    masked(conv(**SEQUENCES), conv(2, 2, 2), name="ConvLSTM2D-mask-passed-on"),
    masked(both_ways(conv(**BOTH)), name="ConvLSTM2D-mask-both-ways"),
    Case(
        [MASKING, conv(1, **SAME, **SEQUENCES), conv(1, **SAME, go_backwards=True)],
        ROWS.shape[1:],
        inputs=(ROWS * (RNG.random((5, 4, 6, 1)) < 0.6),),
        name="ConvLSTM1D-mask-of-places",
    ),
    Case(
        [MASKING, conv(**SAME, **BOTH, zero_output_for_mask=True)],
        FILMS.shape[1:],
        inputs=(FILMS * PLACES[..., None],),
        name="ConvLSTM2D-mask-of-places-zero",
    ),
    Case(
        conv(**SAME, **SEQUENCES, inputs={"sequences": "in0", "mask": "in1"}),
        [FILMS.shape[1:], (4, 5)],
        dtypes=("float32", "float32"),
        inputs=(FILMS, PLACES[..., 0]),
        name="ConvLSTM2D-mask-of-rows",
    ),
    Case(
        [MASKING, conv(filters=5, **SAME, **FIRST, **SEQUENCES)],
        FILMS.shape[1:],
        inputs=(FILMS * PLACES[..., None],),
        name="ConvLSTM2D-mask-of-places-channels-first",
    ),
]

STATES = [
    stated(conv(**BOTH), H, C, name="ConvLSTM2D-states"),
    stated(conv(go_backwards=True), H, C, mask=True, name="ConvLSTM2D-states-mask"),
    stated(both_ways(conv(**STATE)), H, C, -H, -C, mask=True, name="ConvLSTM2D-states-both-ways"),
]

WRAPPED = [
    Case(both_ways(conv(1, **SEQUENCES), merge_mode="sum"), (None, 7, 2)),
    Case(both_ways(conv(1, **STATE), merge_mode="mul"), (3, 7, 2)),
    Case(both_ways(conv(**SEQUENCES, trainable=False)), (3, 5, 4, 2), permutes=0),
    Case(both_ways(conv(strides=2, **SAME), merge_mode="ave"), (3, 5, 4, 2)),
    Case(both_ways(conv(**SAME, **FIRST, **SEQUENCES)), (3, 2, 5, 4)),
    Case(both_ways(conv(3, 2, 2, **BOTH), merge_mode=None), (2, 4, 3, 3, 1)),
    Case(
        both_ways(
            conv(name="small", **SAME),
            backward_layer=conv(kernel_size=5, name="large", go_backwards=True, **SAME),
        ),
        (3, 5, 4, 2),
        name="Bidirectional-kernels-of-two-sizes",
    ),
    Case({"type": "TimeDistributed", "layer": conv(1)}, (2, 3, 5, 2)),
    Case({"type": "TimeDistributed", "layer": conv(**SAME, **SEQUENCES)}, (2, 3, 5, 4, 2)),
    Case(
        [{"type": "TimeDistributed", "layer": {"type": "MaxPooling2D"}}, conv(kernel_size=2)],
        (3, 6, 8, 2),
        permutes=0,
        name="TimeDistributed-ConvLSTM2D",
    ),
]

CASES = [*SIZES, *OPTIONS, *MASKS, *STATES, *WRAPPED]
