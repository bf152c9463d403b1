"""Weights as older versions of Keras kept them, in today's form.

Source: `preprocess_weights_for_loading` of `tf_keras/src/saving/legacy/hdf5_format.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from specfmt.weights.arrays import Array

Arrays = list[Array]
Change = Callable[[Arrays], Arrays]
Shapes = list[tuple[int, ...]]

GATES: Final[dict[str, tuple[int, ...]]] = {
    "LSTM": (0, 2, 1, 3),
    "ConvLSTM2D": (0, 2, 1, 3),
    "GRU": (0, 1, 2),
}
"""Keras 1 kept an array a gate (an LSTM's were i, c, f, o); where today's gates stood."""

CONVOLUTIONS: Final = ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "ConvLSTM2D")
"""Layers whose kernels Theano kept turned around."""

TWO_KERNELS: Final = ("ConvLSTM2D",)
"""Convolutions that have a second kernel, in the same form, for their state."""

PACKED: Final = {"LSTM": 4, "GRU": 3}
"""Gates of the layers that had a cuDNN version with kernels of its own."""


def modernise(
    layer: Any, places: Sequence[Any], shapes: Shapes, keras_1: bool, backend: str
) -> Change | None:
    """How a layer's stored arrays become today's, or None where they are so already.

    Args:
        layer: The layer; None for a nested model.
        places: Its weights today, each with ``weight.shape``.
        shapes: The shapes in the file.
        keras_1: The file was written by Keras 1.
        backend: The backend that it was trained with.
    """
    wanted = [place.weight.shape for place in places]
    if layer is None:
        return None
    held = getattr(layer, "layer", None)
    if held is not None and layer.type_name == "Bidirectional":
        return _both(held, layer.backward_layer or held, places, shapes, keras_1, backend)
    if held is not None:
        return modernise(held, places, shapes, keras_1, backend)
    type_name = layer.type_name
    if keras_1 and type_name in GATES and len(shapes) == 3 * len(GATES[type_name]):
        order = GATES[type_name]
        if type_name not in TWO_KERNELS:
            return lambda arrays: _join_gates(arrays, order)
        one = (*wanted[0][:-1], wanted[0][-1] // len(order))
        turn = _kernel(layer, one, shapes[0], keras_1, backend)
        return lambda arrays: _join_gates(_each_gate(arrays, turn), order)
    if type_name in PACKED and len(shapes) == 3:
        gates, units = PACKED[type_name], shapes[1][0]
        if shapes[2] == (2 * units * gates,) and shapes != wanted:
            return lambda arrays: _from_cudnn(arrays, gates, sum_biases=type_name == "LSTM")
    if shapes and len(shapes[0]) >= 3:
        return _kernel(layer, wanted[0], shapes[0], keras_1, backend)
    return None


def _both(
    ahead: Any, back: Any, places: Sequence[Any], shapes: Shapes, keras_1: bool, backend: str
) -> Change | None:
    """Both directions of a Bidirectional, each in its own form."""
    half, middle = len(places) // 2, len(shapes) // 2
    first = modernise(ahead, places[:half], shapes[:middle], keras_1, backend)
    second = modernise(back, places[half:], shapes[middle:], keras_1, backend)
    if first is None and second is None:
        return None

    def change(arrays: Arrays) -> Arrays:
        parts = arrays[:middle], arrays[middle:]
        steps = (first, second)
        return [
            a
            for step, part in zip(steps, parts, strict=True)
            for a in (step(part) if step else part)
        ]

    return change


def _join_gates(arrays: Arrays, order: tuple[int, ...]) -> Arrays:
    """``[W_i, U_i, b_i, W_c, ...]`` as kernel, recurrent kernel and bias."""
    return [
        np.concatenate([arrays[3 * gate + part] for gate in order], axis=-1) for part in range(3)
    ]


def _each_gate(arrays: Arrays, turn: Change | None) -> Arrays:
    """``[W_i, U_i, b_i, W_c, ...]`` with the kernels changed gate by gate."""
    if turn is None:
        return arrays
    gates = [turn(arrays[i : i + 3]) for i in range(0, len(arrays), 3)]
    return [array for gate in gates for array in gate]


def _from_cudnn(arrays: Arrays, gates: int, *, sum_biases: bool) -> Arrays:
    """Kernels of CuDNNLSTM and CuDNNGRU: each gate transposed, the input's in Fortran order."""
    kernel, recurrent, bias = arrays
    columns = [k.T.reshape(k.shape, order="F") for k in np.split(kernel, gates, axis=1)]
    states = [k.T for k in np.split(recurrent, gates, axis=1)]
    biases = bias.reshape(2, -1)
    joined = [np.concatenate(columns, axis=1), np.concatenate(states, axis=1)]
    return [*joined, biases.sum(axis=0) if sum_biases else biases]


def _kernel(
    layer: Any, wanted: tuple[int, ...], shape: tuple[int, ...], keras_1: bool, backend: str
) -> Change | None:
    """A convolution's kernel in the order of axes, and of elements, that it has today."""
    rank = len(shape)
    spatial = tuple(range(rank - 2))
    moved = tuple(range(2, rank))
    candidates: list[Callable[[Array], Array]] = []
    first = getattr(layer, "data_format", None) == "channels_first"
    if keras_1 and layer.type_name == "Conv1D":
        candidates.append(lambda k: k[:, 0])
        candidates.append(lambda k: k.transpose(2, 3, 1, 0)[:, 0])
    elif keras_1 and layer.type_name == "Conv2DTranspose":
        swapped = (*moved, 0, 1) if first else (*spatial, rank - 1, rank - 2)
        candidates.append(lambda k: k.transpose(swapped))
    elif keras_1 and first:
        candidates.append(lambda k: k.transpose(*moved, 1, 0))
    plain = len(candidates)
    candidates.append(lambda k: k)
    if rank == 4:
        candidates.append(lambda k: k.transpose(3, 2, 0, 1))
    flip = backend == "theano" and layer.type_name in CONVOLUTIONS
    probe = np.broadcast_to(np.int8(0), shape)
    for index, candidate in enumerate(candidates):
        try:
            result = candidate(probe).shape
        except (ValueError, IndexError):
            continue
        if result == wanted:
            if not flip and index == plain:
                return None
            axes = tuple(range(len(wanted) - 2)) if flip else ()
            count = 1 + (layer.type_name in TWO_KERNELS)
            return partial(_turned, count=count, change=candidate, flipped=axes)
    return None


def _turned(
    arrays: Arrays, count: int, change: Callable[[Array], Array], flipped: tuple[int, ...]
) -> Arrays:
    """The first arrays changed and flipped (Theano convolved, others correlate)."""
    turned = [np.ascontiguousarray(np.flip(change(array), flipped)) for array in arrays[:count]]
    return [*turned, *arrays[count:]]
