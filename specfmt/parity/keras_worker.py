"""Runs the generated Keras program; a process of its own that `specfmt verify` starts."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np

from specfmt.parity.shared import (
    LEARNING_RATE,
    cotangent,
    load_module,
    load_npz,
    run,
    save_npz,
)
from specfmt.weights.arrays import Array


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Build, load weights, compute outputs, gradients and outputs after a step."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    keras = import_module("keras")
    if job["double"]:
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
    model = load_module(job["source"])["build_model"]()
    model.load_weights(job["weights"])
    names = job["outputs"]
    for case in job["cases"]:
        save_npz(case["out"], dict(zip(names, outputs(model, case, job), strict=True)))
    variables = weights_of(model, "")
    counted = [v for v in variables.values() if v.dtype.startswith(("float", "bfloat"))]
    result = {"params": int(sum(np.prod(v.shape, dtype=int) for v in counted))}
    if job["gradients"]:
        trained = {id(v) for v in model.trainable_variables}
        step(model, job, {k: v for k, v in variables.items() if id(v) in trained})
    return result


def called(model: Any, case: dict[str, Any], job: dict[str, Any]) -> list[Any]:
    """The model's outputs at inference, in the spec's order."""
    arrays = load_npz(case["inputs"])
    if job["double"]:
        arrays = {k: v.astype("float64") if v.dtype.kind == "f" else v for k, v in arrays.items()}
    values = list(arrays.values())
    result = model(values[0] if len(values) == 1 else values, training=False)
    if isinstance(result, dict):
        return [result[name] for name in job["outputs"]]
    return list(result) if isinstance(result, list | tuple) else [result]


def outputs(model: Any, case: dict[str, Any], job: dict[str, Any]) -> list[Array]:
    """The same as arrays."""
    return [plain(value) for value in called(model, case, job)]


def plain(value: Any) -> Array:
    """An output as an array of numbers that NumPy has."""
    array = np.asarray(value)
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def weights_of(model: Any, prefix: str) -> dict[str, Any]:
    """``encoder/dense:0`` -> variable, nested models entered."""
    keras = import_module("keras")
    found: dict[str, Any] = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found |= weights_of(layer, f"{prefix}{layer.name}/")
        else:
            found |= {f"{prefix}{layer.name}:{i}": v for i, v in enumerate(layer.weights)}
    return found


def step(model: Any, job: dict[str, Any], variables: dict[str, Any]) -> None:
    """Gradients of the loss on the first case, one step of SGD, outputs after it."""
    tf = import_module("tensorflow")
    case = job["cases"][job["gradient_case"]]
    with tf.GradientTape() as tape:
        loss = 0.0
        for index, value in enumerate(called(model, case, job)):
            if value.dtype.is_floating:
                weight = cotangent(value.shape, index, value.dtype.as_numpy_dtype)
                loss = loss + tf.cast(
                    tf.reduce_mean(value * weight), tf.as_dtype(model.compute_dtype)
                )
    values = [v.value for v in variables.values()]
    gradients = [
        tf.zeros(v.shape, v.dtype) if g is None else tf.convert_to_tensor(g)
        for g, v in zip(tape.gradient(loss, values), values, strict=True)
    ]
    save_npz(job["gradients"], {k: plain(g) for k, g in zip(variables, gradients, strict=True)})
    for variable, gradient in zip(variables.values(), gradients, strict=True):
        variable.assign(variable.value - LEARNING_RATE * gradient)
    save_npz(job["after"], dict(zip(job["outputs"], outputs(model, case, job), strict=True)))


if __name__ == "__main__":
    run(work)
