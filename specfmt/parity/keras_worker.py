"""The worker process of `specfmt verify` that runs generated Keras programs."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np

from specfmt.parity import keras_original
from specfmt.parity.shared import (
    LEARNING_RATE,
    Job,
    cotangent,
    load_module,
    load_npz,
    plain,
    save_npz,
    serve,
)
from specfmt.weights.arrays import Array


def start() -> None:
    """Import the framework."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import_module("tensorflow")
    import_module("keras")
    keep_digits()


def keep_digits() -> None:
    """Keep Python floats at double precision in a float64 program.

    `tf.cast` converts a Python float through float32, whose rounding error is far larger.
    """
    backend: Any = import_module("keras.src.backend.tensorflow")
    convert, cast = import_module("tensorflow").convert_to_tensor, backend.cast

    def exact(x: Any, dtype: Any) -> Any:
        if isinstance(x, float | list | tuple) and dtype == "float64":
            return convert(x, dtype)
        return cast(x, dtype)

    backend.cast = exact


def work(job: Job) -> dict[str, Any]:
    """Build the model, load weights, compute outputs, and take training steps."""
    if job["kind"] == "original":
        return keras_original.work(job)
    keras = import_module("keras")
    keras.backend.clear_session()
    precision = "float64" if job["double"] else "float32"
    keras.config.set_floatx(precision)
    keras.config.set_dtype_policy(precision)
    model = load_module(job["source"], job["user_folder"])["build_model"]()
    model.load_weights(job["weights"])
    for case in job["cases"]:
        values = called(model, case["inputs"], job, training=case["training"])
        save_npz(case["out"], arrays(values, job))
    variables = weights_of(model, "")
    counted = [v for v in variables.values() if is_float(v)]
    for step in job["steps"]:
        model.load_weights(job["weights"])
        training_step(model, step, job, variables)
    result: dict[str, Any] = {"params": int(sum(np.prod(v.shape, dtype=int) for v in counted))}
    if job["double"]:
        result["coarsest"] = coarsest(model, [*job["cases"], *job["steps"]][0]["inputs"], job)
    return result


def coarsest(model: Any, inputs: str, job: Job) -> str:
    """The lowest-precision floating-point dtype that the model computes in.

    For example, TensorFlow resizes float64 images in float32.
    """
    tf = import_module("tensorflow")
    run = tf.function(lambda: called(model, inputs, job, training=False), autograph=False)
    graph = run.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    types = {
        attribute.type
        for node in nodes
        if node.op not in ("Const", "Placeholder")
        for attribute in node.attr.values()
        if attribute.WhichOneof("value") == "type"
    }
    found = ("bfloat16", "float16", "float32")
    return next((name for name in found if tf.as_dtype(name).as_datatype_enum in types), "float64")


def called(model: Any, inputs: str, job: Job, *, training: bool) -> list[Any]:
    """The model's outputs, in the spec's order."""
    given = load_npz(inputs)
    if job["double"]:
        given = {k: v.astype("float64") if v.dtype.kind == "f" else v for k, v in given.items()}
    values = list(given.values())
    result = model(values[0] if len(values) == 1 else values, training=training)
    if isinstance(result, dict):
        return [result[name] for name in job["outputs"]]
    return list(result) if isinstance(result, list | tuple) else [result]


def arrays(values: list[Any], job: Job) -> dict[str, Array]:
    """Outputs by name, as arrays of dtypes that NumPy has."""
    return dict(zip(job["outputs"], map(plain, values), strict=True))


def is_float(variable: Any) -> bool:
    """Whether a variable has a floating-point dtype."""
    return bool(variable.dtype.startswith(("float", "bfloat")))


def weights_of(model: Any, prefix: str) -> dict[str, Any]:
    """``encoder/dense:0`` -> variable, including those of nested models."""
    keras = import_module("keras")
    found: dict[str, Any] = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found |= weights_of(layer, f"{prefix}{layer.name}/")
        else:
            found |= {f"{prefix}{layer.name}:{i}": v for i, v in enumerate(layer.weights)}
    return found


def training_step(model: Any, step: dict[str, Any], job: Job, variables: dict[str, Any]) -> None:
    """Take one step of plain SGD; write outputs and gradients before it, weights and outputs after it."""
    tf = import_module("tensorflow")
    learned = {id(v) for v in model.trainable_variables}
    trained = {name: v for name, v in variables.items() if id(v) in learned}
    others = {n: v for n, v in variables.items() if id(v) not in learned and is_float(v)}
    with tf.GradientTape() as tape:
        loss = 0.0
        found = called(model, step["inputs"], job, training=step["training"])
        for index, value in enumerate(found):
            if value.dtype.is_floating:
                weight = cotangent(value.shape, index, value.dtype.as_numpy_dtype)
                loss = loss + tf.cast(
                    tf.reduce_mean(value * weight), tf.as_dtype(model.compute_dtype)
                )
    save_npz(step["outputs"], arrays(found, job))
    values = [v.value for v in trained.values()]
    gradients = [
        tf.zeros(v.shape, v.dtype) if g is None else tf.convert_to_tensor(g)
        for g, v in zip(tape.gradient(loss, values), values, strict=True)
    ]
    save_npz(step["gradients"], {k: plain(g) for k, g in zip(trained, gradients, strict=True)})
    for variable, gradient in zip(trained.values(), gradients, strict=True):
        variable.assign(variable.value - LEARNING_RATE * gradient)
    save_npz(step["statistics"], {k: plain(v.value) for k, v in others.items()})
    save_npz(step["after"], arrays(called(model, step["inputs"], job, training=False), job))


if __name__ == "__main__":
    serve(start, work)
