"""Conversion of weight layouts of older Keras versions to the current one.

Source: `preprocess_weights_for_loading` of `tf_keras/src/saving/legacy/hdf5_format.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from specfmt.layers.convolutional import Conv1D, Conv2DTranspose, Convolution
from specfmt.layers.convolutional_recurrent import ConvLSTM
from specfmt.layers.recurrent import GRU, LSTM
from specfmt.layers.wrappers import Bidirectional
from specfmt.weights.arrays import Array

Arrays = list[Array]
Change = Callable[[Arrays], Arrays]
Shapes = list[tuple[int, ...]]

FLIPPED: Final = (Convolution, Conv2DTranspose, ConvLSTM)
"""Layers whose kernels Theano stored flipped: it computes convolutions, others cross-correlations."""


def layout_conversion(
    layer: Any, places: Sequence[Any], shapes: Shapes, keras_1: bool, backend: str
) -> Change | None:
    """The conversion of a layer's stored arrays to the current layout; None if none is needed.

    Args:
        layer: The layer; None for a nested model.
        places: Its current weights, each with ``weight.shape``.
        shapes: The shapes in the file.
        keras_1: The file was written by Keras 1.
        backend: The Keras backend that it was trained with.
    """
    wanted = [place.weight.shape for place in places]
    if layer is None:
        return None
    held = getattr(layer, "layer", None)
    if isinstance(layer, Bidirectional):
        return _both(held, layer.backward_layer or held, places, shapes, keras_1, backend)
    if held is not None:
        return layout_conversion(held, places, shapes, keras_1, backend)
    order: tuple[int, ...] = layer.keras_1_gates
    if keras_1 and order and len(shapes) == 3 * len(order):
        if not isinstance(layer, ConvLSTM):
            return lambda arrays: _join_gates(arrays, order)
        one = (*wanted[0][:-1], wanted[0][-1] // len(order))
        turn = _kernel(layer, one, shapes[0], keras_1, backend)
        return lambda arrays: _join_gates(_each_gate(arrays, turn), order)
    if isinstance(layer, LSTM | GRU) and len(shapes) == 3:
        gates, units = layer.gates, shapes[1][0]
        if shapes[2] == (2 * units * gates,) and shapes != wanted:
            return lambda arrays: _from_cudnn(arrays, gates, sum_biases=isinstance(layer, LSTM))
    if shapes and len(shapes[0]) >= 3:
        return _kernel(layer, wanted[0], shapes[0], keras_1, backend)
    return None


def _both(
    ahead: Any, back: Any, places: Sequence[Any], shapes: Shapes, keras_1: bool, backend: str
) -> Change | None:
    """The conversion for both directions of a Bidirectional."""
    half, middle = len(places) // 2, len(shapes) // 2
    first = layout_conversion(ahead, places[:half], shapes[:middle], keras_1, backend)
    second = layout_conversion(back, places[half:], shapes[middle:], keras_1, backend)
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
    """The conversion of a convolution kernel to the current order of axes and elements."""
    rank = len(shape)
    spatial = tuple(range(rank - 2))
    moved = tuple(range(2, rank))
    candidates: list[Callable[[Array], Array]] = []
    first = getattr(layer, "data_format", None) == "channels_first"
    if keras_1 and isinstance(layer, Conv1D):
        candidates.append(lambda k: k[:, 0])
        candidates.append(lambda k: k.transpose(2, 3, 1, 0)[:, 0])
    elif keras_1 and isinstance(layer, Conv2DTranspose):
        swapped = (*moved, 0, 1) if first else (*spatial, rank - 1, rank - 2)
        candidates.append(lambda k: k.transpose(swapped))
    elif keras_1 and first:
        candidates.append(lambda k: k.transpose(*moved, 1, 0))
    plain = len(candidates)
    candidates.append(lambda k: k)
    if rank == 4:
        candidates.append(lambda k: k.transpose(3, 2, 0, 1))
    flip = backend == "theano" and isinstance(layer, FLIPPED)
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
            count = 1 + isinstance(layer, ConvLSTM)
            return partial(_turned, count=count, change=candidate, flipped=axes)
    return None


def _turned(
    arrays: Arrays, count: int, change: Callable[[Array], Array], flipped: tuple[int, ...]
) -> Arrays:
    """The arrays, the first ``count`` of them changed and flipped along some axes."""
    turned = [np.ascontiguousarray(np.flip(change(array), flipped)) for array in arrays[:count]]
    return [*turned, *arrays[count:]]
