"""Gradients of every case of the layer table: PyTorch's are Keras's.

A forward pass can be right where its gradient is not: a fused kernel that works out a
softmax again, a `where` that lets a gradient through, a weight that is made into two tensors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from specfmt.parity.compare import GRADIENT_BOUND
from specfmt.parity.differences import GRADIENT_FLOOR, difference, keras_arrays
from specfmt.parity.shared import cotangent
from tests.layers.test_cases import table
from tests.tools.harness import (
    Case,
    as_list,
    build_graph,
    channels_first,
    execute,
    keras,
    keras_weights,
    random_inputs,
    randomize,
    state_dict,
)

NOT_OF_INPUTS = {"Masking", "floor_divide"}
"""What leaves the model's own inputs as they are, for no weight has its gradient from there."""


def has_gradient(case: Case) -> bool:
    """Whether there is a gradient to compare.

    TensorFlow has none of `tf.image.resize` by areas, nor of weighted counts (`DenseBincount`),
    nor of updated slices, bytes (`Bitcast`) and LU factors, and a wrong one of `rfft` and `irfft` with a length of their own.
    A group of one value is normalized to zero whatever it is: what is left is the rounding of a
    difference of equal numbers, which each framework has its own way.
    """
    for layer in case.document()["layers"]:
        weighted = layer.get("type") == "CategoryEncoding" and isinstance(layer.get("inputs"), dict)
        if layer.get("interpolation") == "area" or weighted:
            return False
        if layer.get("op") in ("slice_update", "view", "lu_factor"):
            return False
        if layer.get("op") in ("rfft", "irfft") and "fft_length" in layer:
            return False
        if layer.get("type") == "GroupNormalization":
            (shape,) = case.input_shapes()  # without the batch
            if np.prod([size or 9 for size in shape]) == layer.get("groups"):
                return False
    return True


FLOOR = 10 * GRADIENT_FLOOR
"""A gradient that cancels out keeps the rounding of its terms, which are as large as others."""


def keras_gradients(
    model: Any, data: list[np.ndarray], graph: Any, *, inputs: bool
) -> dict[Any, np.ndarray]:
    """(unit, weight) or the number of an input -> gradient of the loss; empty without a loss."""
    import tensorflow as tf

    tensors = [tf.constant(x) for x in data]
    watched = {i: x for i, x in enumerate(tensors) if inputs and x.dtype.is_floating}
    variables = {
        (unit, name): v.value
        for unit, named in keras_weights(graph, model).items()
        for name, v in named.items()
        if any(v is w for w in model.trainable_weights)
    }
    sources = {**variables, **watched}
    with tf.GradientTape() as tape:
        tape.watch(list(watched.values()))
        outputs = as_list(model(tensors if len(tensors) > 1 else tensors[0], training=False))
        losses = [
            tf.cast(tf.reduce_mean(y * cotangent(y.shape, i, y.dtype.as_numpy_dtype)), "float64")
            for i, y in enumerate(outputs)
            if y.dtype.is_floating and len(y.shape)
        ]
        if not losses:
            return {}
        loss = tf.add_n(losses)
    found = tape.gradient(loss, list(sources.values()))
    return {
        key: np.zeros(source.shape) if g is None else np.asarray(tf.convert_to_tensor(g))
        for (key, source), g in zip(sources.items(), found, strict=True)
    }


def torch_gradients(
    program: Any, module: Any, data: list[np.ndarray], stays: bool, *, inputs: bool
) -> dict[Any, np.ndarray]:
    """The same of the PyTorch program, in Keras's form."""
    import torch

    tensors: list[Any] = [
        x  # strings are no tensors
        if x.dtype.kind in "US"
        else torch.tensor(np.ascontiguousarray(channels_first(x, stays)))
        for x in data
    ]
    numbers = [x for x in tensors if isinstance(x, torch.Tensor)]
    for x in numbers:
        x.requires_grad_(inputs and x.is_floating_point())
    # Activations that work in place must not find a leaf of the graph.
    leaves = {id(x) for x in numbers if x.requires_grad}
    outputs = as_list(module(*(x.clone() if id(x) in leaves else x for x in tensors)))
    loss = torch.zeros((), dtype=torch.float64)
    for i, y in enumerate(outputs):
        if y.is_floating_point() and y.ndim:
            moves = not stays and y.ndim in (4, 5)
            y = y.movedim(1, -1) if moves else y
            weight = torch.tensor(cotangent(tuple(y.shape), i, y.detach().numpy().dtype))
            loss = loss + (y * weight).mean().double()
    if loss.requires_grad:
        loss.backward()
    found: dict[Any, np.ndarray] = {}
    for i, x in enumerate(tensors):
        if id(x) in leaves:
            gradient = np.zeros(x.shape) if x.grad is None else x.grad.numpy()
            found[i] = gradient if stays or x.ndim not in (4, 5) else np.moveaxis(gradient, 1, -1)
    grads = {name: p.grad.numpy() for name, p in module.named_parameters() if p.grad is not None}
    by_unit: dict[Any, list[Any]] = {}
    for param in program.parameters():
        by_unit.setdefault(param.unit, []).append(param)
    for unit, params in by_unit.items():
        for name, array in keras_arrays(unit, params, grads, add=True).items():
            found[unit, name] = array
    return found


def check_gradients(case: Case) -> None:
    """The gradient of a scalar with respect to every weight and every floating input."""
    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.graph_lowering import lower_graph
    from specfmt.targets.torch.program import Options, is_channels_first

    keras().backend.clear_session(free_memory=False)
    graph = build_graph(case.document())
    model = execute(keras_target.generate_model(graph, flavor="keras"))
    randomize(model)
    data = random_inputs(case)
    used = {entry.get("op", entry.get("type")) for entry in case.entries}
    inputs = not NOT_OF_INPUTS & used
    expected = keras_gradients(model, data, graph, inputs=inputs)
    if not expected:
        return
    program = lower_graph(graph, Options())
    module = execute(torch_target.generate_model(graph, style="subclass"))
    module.load_state_dict(state_dict(program, keras_weights(graph, model)), strict=False)
    stays = is_channels_first(graph)
    found = torch_gradients(program, module.eval(), data, stays, inputs=inputs)
    sizes = [np.nan_to_num(np.abs(g)).max() for g in expected.values() if g.size]
    floor = FLOOR * max(sizes, default=0.0)
    for key, array in expected.items():
        name = key if isinstance(key, int) else f"{key[0].name}/{key[1]}"
        now = difference(str(name), array, found[key], GRADIENT_BOUND, floor)
        assert now.ok, now


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", [c for c in table() if c.torch and has_gradient(c)], ids=str)
def test_gradients(case: Case) -> None:
    check_gradients(case)
